"""The command line itself: where it runs, how it ends, what it does when its output cannot be written."""

import errno
import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from benchmarks import cli
from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.run.stopping import noting_failure
from benchmarks.stages import listing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`claimbench list` in this process, in a folder, with another function in the place of the stage's."""
    (tmp_path / "checkout/benchmarks/claims").mkdir(parents=True)
    (tmp_path / "checkout/dvc.yaml").touch()
    (tmp_path / "checkout/benchmarks/dvc.yaml").touch()
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(does, folder: str = "checkout", *options: str) -> int:
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.setattr(sys, "argv", ["claimbench", *options, "list"])
        monkeypatch.setattr(listing, "run", lambda name: does())
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    return run


@pytest.mark.parametrize("folder", ["checkout", "checkout/benchmarks", "checkout/benchmarks/claims"])
def test_a_command_runs_in_the_root_of_its_checkout(command, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("CLAIMBENCH_DATA", "own")
    seen = []
    assert command(lambda: seen.append((Path.cwd(), os.environ["CLAIMBENCH_DATA"])), folder) == 0
    assert seen == [(tmp_path / "checkout", str(tmp_path / folder / "own"))]


def test_outside_of_a_checkout_nothing_runs(command, tmp_path, capsys):
    assert command(lambda: pytest.fail("it ran"), ".") == 2
    assert f"claimbench: {tmp_path}: not in a checkout" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["checkout"]


def test_no_command_runs_in_another_project(tmp_path, monkeypatch, capsys):
    """Which uses DVC too, has a folder of benchmarks, and results of its own."""
    for name in ("dvc.yaml", "benchmarks/speed.py", "results/tables/run_1/verdicts.csv", "reports/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("theirs")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    needed = {"train": ["cpu", "x", "0"], "pairs": ["cpu", "x", "0", "1"], "evaluate": ["cpu", "x"]}
    commands = {word: needed.get(word, []) for word in typer.main.get_command(cli.app).commands}
    commands |= {word: ["x"] for word in ("profile", "fetch", "features", "extractors", "status", "explain")}
    commands["new-method"] = ["x"]
    before = sorted(tmp_path.rglob("*"))
    for word, arguments in commands.items():
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["claimbench", word, *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        shown = capsys.readouterr().err
        assert (word, end.value.code, len(shown.splitlines())) == (word, 2, 1)
        assert shown.startswith(f"claimbench: {tmp_path}: not in a checkout")
    assert sorted(tmp_path.rglob("*")) == before
    assert all(path.read_text() == "theirs" for path in before if path.is_file())


@pytest.mark.parametrize(("error", "code"), [(InputError("one\ntwo"), 2), (CheckFailed("one\ntwo"), 1)])
def test_errors_are_lines_and_an_exit_code(command, capsys, error, code):
    def fail():
        raise error

    assert command(fail) == code
    assert capsys.readouterr().err == "claimbench: one\nclaimbench: two\n"


def test_a_bug_is_no_bad_input(command):
    def fail():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        command(fail)


REFUSALS = [
    "EACCES",
    "EPERM",
    "EROFS",
    "ENAMETOOLONG",
    "EMFILE",
    "ENOSPC",
    "EDQUOT",
    "EIO",
    "ELOOP",
    "ENOTDIR",
    "EISDIR",
]


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_system_refuses_is_one_sentence(command, capsys, name):
    number = getattr(errno, name)

    def refused():
        raise OSError(number, os.strerror(number), "results/tables")

    assert command(refused) == 2
    assert capsys.readouterr().err == f"claimbench: results/tables: {os.strerror(number)}\n"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file", "x"),  # that a file may be absent, code must know
        OSError(errno.EINVAL, "Invalid argument", "x"),
        PermissionError("of our own making"),
        OSError(errno.EACCES, "of no file"),
    ],
)
def test_other_errors_of_the_system_are_bugs(command, error):
    def fail():
        raise error

    with pytest.raises(type(error)) as caught:
        command(fail)
    assert caught.value is error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_output_is_told():
    words = [sys.executable, "-m", "benchmarks.cli", "list"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    told = f"claimbench: a file, or the output, could not be written: {os.strerror(errno.ENOSPC)}\n"
    assert (done.returncode, done.stderr.decode()) == (2, told)


def test_a_run_that_the_system_refuses_is_no_crash(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(InputError, match="No space left"), noting_failure("cpu", "nice", 0):
        raise full
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_hold_a_character(command, monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert command(lambda: print("Poincaré")) == 0
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue() == b"Poincar?\n"


@pytest.mark.parametrize(("options", "level"), [((), logging.WARNING), (("-v",), logging.INFO)])
def test_what_is_being_done_is_logged_on_demand(command, options, level):
    logger = logging.getLogger("benchmarks")
    before = logger.level
    try:
        levels = []
        command(lambda: levels.append(logging.getLogger("benchmarks.data").getEffectiveLevel()), "checkout", *options)
        assert levels == [level]
    finally:
        logger.setLevel(before)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_reader_that_goes_away_is_no_error():
    words = [sys.executable, "-m", "benchmarks.cli", "claims"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
