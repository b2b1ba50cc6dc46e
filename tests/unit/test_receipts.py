"""What a stage notes of itself."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from benchmarks.files.typed_files import write_json
from benchmarks.plan.hardware import Requirement
from benchmarks.record import receipts
from benchmarks.record.records import EntryReceipt, read_receipt

CPU = Requirement(device="cpu", memory_gib=1.0)
LAYOUT = (
    "benchmarks/a.py",
    "benchmarks/families/flows/dvc.lock",
    "implementations/b.py",
    "requirements.lock",
    "params.yaml",
    "README.md",
)


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with the places that `commit` asks about, one commit; it is the current folder."""
    for name in LAYOUT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commit_of_a_clean_tree(repository: Path) -> None:
    assert receipts.commit() == (git(repository, "rev-parse", "HEAD").strip(), False)


@pytest.mark.parametrize("name", ["benchmarks/a.py", "implementations/b.py", "requirements.lock", "benchmarks/new.py"])
def test_edited_code_is_dirty(repository: Path, name: str) -> None:
    (repository / name).write_text("2\n")
    assert receipts.commit()[1] is True


@pytest.mark.parametrize("name", ["README.md", "params.yaml", "benchmarks/families/flows/dvc.lock"])
def test_what_a_run_itself_changes_is_not_dirty(repository: Path, name: str) -> None:
    (repository / name).write_text("2\n")
    assert receipts.commit()[1] is False


def test_outside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert receipts.commit() == ("unknown", True)


def test_without_git_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert receipts.commit() == ("unknown", True)


def test_file_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert receipts.file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_peak_memory_is_of_this_process() -> None:
    assert receipts.peak_memory_mib("cpu") > 10  # a Python process with pytest; in kibibytes it would be above 10,000
    assert receipts.peak_memory_mib("cpu") < 1_000_000


def test_stopwatch(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, cpu = iter([10.0, 14.5]), iter([1.0, 3.0])
    monkeypatch.setattr("benchmarks.record.receipts.time.monotonic", lambda: next(wall))
    monkeypatch.setattr("benchmarks.record.receipts.time.process_time", lambda: next(cpu))
    assert receipts.Stopwatch().seconds() == (4.5, 2.0)


def test_a_receipt_goes_to_a_file_and_back(repository: Path) -> None:
    (repository / "weights").write_bytes(b"w")
    told = receipts.receipt(
        "train",
        3,
        receipts.Stopwatch(),
        CPU,
        {Path("runs/weights"): Path("weights")},
        off_profile=True,
        per_second=12.34,
        timings={"a": 0.12345},
    )
    assert told.artefacts == {"runs/weights": hashlib.sha256(b"w").hexdigest()}
    assert told.lock_hash == hashlib.sha256(b"1\n").hexdigest()
    assert (told.stage, told.seed, told.off_profile, told.dirty, told.resumed) == ("train", 3, True, False, False)
    assert (told.per_second, told.timings, told.determinism_asked) == (12.3, {"a": 0.1235}, True)
    assert told.wall_seconds >= 0
    assert told.cpu_seconds >= 0
    assert {"python", "torch", "numpy"} <= set(told.versions)
    assert told.hardware["device"] == "cpu"
    written = EntryReceipt(profile="cpu", entry="x", stages=[told])
    write_json(Path("x.json"), written.model_dump())
    assert read_receipt(Path("x.json")) == written


def test_without_a_lock_file(repository: Path) -> None:
    (repository / "requirements.lock").unlink()
    told = receipts.receipt("evaluate", None, receipts.Stopwatch(), CPU, {}, off_profile=False)
    assert (told.lock_hash, told.seed, told.per_second, told.dirty) == ("", None, None, True)
