"""Commands: the pure pieces behind them, and what they print."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.metrics.pixels import independent_pixels_bits
from benchmarks.stages import doctor, explain, listing
from benchmarks.stages.merge import unite
from benchmarks.stages.verify import first_difference


def test_independent_pixels_by_hand() -> None:
    # One pixel, levels 0 and 1, seen 3 and 1 times; one added to each: 4/6 and 2/6.
    train = np.array([[0], [0], [0], [1]], dtype=np.uint8)
    test = np.array([[0], [1]], dtype=np.uint8)
    expected = -(np.log2(4 / 6) + np.log2(2 / 6)) / 2
    assert independent_pixels_bits(train, test, 2) == pytest.approx(expected, rel=1e-14)  # the same sum, reordered


def test_independent_pixels_reach_the_entropy_of_independent_noise() -> None:
    draw = np.random.default_rng(0).integers(0, 4, size=(20_000, 3)).astype(np.uint8)
    # Entropy 2 bits; with 15,000 counts a level the excess is about levels / (2 n ln 2) = 2e-4.
    assert independent_pixels_bits(draw[:15_000], draw[15_000:], 4) == pytest.approx(2.0, abs=1e-3)


def test_commands_compute_matrix_products_on_one_thread() -> None:
    """So that a record's bits do not depend on the number of cores; PyTorch's threads are the profile's."""
    script = (
        "import sys; from benchmarks import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "import numpy, scipy.linalg, threadpoolctl\n"
        "print([pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['user_api'] == 'blas'])"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", script, "--help"], env=environment, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[1, 1]", ran.stderr


def test_united_locks_keep_both_sides_and_drop_what_they_disagree_on() -> None:
    ours = {"schema": "2.0", "stages": {"same": {"x": 1}, "mine": {"x": 2}, "both": {"x": 3}}}
    theirs = {"schema": "2.0", "stages": {"same": {"x": 1}, "yours": {"x": 4}, "both": {"x": 5}}}
    assert unite(ours, theirs) == {"schema": "2.0", "stages": {"same": {"x": 1}, "mine": {"x": 2}, "yours": {"x": 4}}}


def test_the_first_differing_byte_is_named(tmp_path: Path) -> None:
    wanted, found = tmp_path / "wanted", tmp_path / "found"
    wanted.write_bytes(b"one\ntwo\n")
    found.write_bytes(b"one\ntwx\n")
    assert "byte 6 (line 2)" in str(first_difference(wanted.read_bytes(), found))
    found.write_bytes(b"one\n")
    assert "byte 4" in str(first_difference(wanted.read_bytes(), found))
    assert first_difference(wanted.read_bytes(), wanted) is None
    assert "missing" in str(first_difference(wanted.read_bytes(), tmp_path / "nothing"))


def test_doctor_names_a_version_that_is_not_the_locks(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    pins = ["# comment", "numpy==0.0.1", "pytest==0.1 ; python_version >= '3.11'", "no-such-package==1"]
    lock.write_text("\n".join([*pins, "of-another-system==1 ; sys_platform == 'emscripten'"]))
    found = doctor.lock_findings(lock)
    assert len(found) == 3
    assert "the lock has 0.0.1" in found[0]
    assert "no-such-package is nothing" in found[2]


def test_doctor_refuses_a_gpu_profile_where_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(CheckFailed):
        doctor.run("h100_1")
    assert "WRONG hardware.device: needs cuda, here 0 found" in capsys.readouterr().out


def test_list_names_methods_profiles_and_claims(capsys: pytest.CaptureFixture[str]) -> None:
    listing.run()
    told = capsys.readouterr().out
    for name in ("implementations/flows/nice.py", "h100_1", "Non-linear Independent Components Estimation"):
        assert name in told
    assert max(map(len, told.splitlines())) < 130
    assert "nice_digits" not in told
    listing.run("smoke")
    assert "nice_digits" in capsys.readouterr().out
    with pytest.raises(InputError, match="profile nope"):
        listing.run("nope")


@pytest.mark.parametrize("words", [["--help"], ["list"], ["claims"], ["explain", "nice_mnist_log_likelihood"]])
def test_commands_that_only_tell_import_no_torch(words: list[str]) -> None:
    script = (
        "import sys; from benchmarks import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({'torch', 'pandas', 'scipy.stats', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[-1:] == ["[]"], ran.stderr


def test_explain_tells_the_tolerance_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    explain.run("nice_mnist_log_likelihood")
    told = capsys.readouterr().out
    assert "1980.5" in told
    assert "tolerance: 10, because" in told
    with pytest.raises(InputError, match="claimbench claims"):
        explain.run("no_such_claim")


@pytest.mark.parametrize("words", [["profile", "../x"], ["explain", "nope"], ["fetch", "nope"], ["doctor", "a b"]])
def test_bad_input_is_one_line_and_exit_code_2(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.cli", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("claimbench: ")
