"""What stages refuse: an InputError that names what is wrong and what to run, and nothing half-written."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.record.records import read_record
from benchmarks.stages import evaluate, judge, new_method, status, train, verify
from tests.unit.provenance.test_identity import edit
from tests.unit.stages.conftest import PROFILE, compose

MODEL = "runs/smoke/nice_digits/models/s0/model.pt"


def contents(*folders: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for folder in folders for path in Path(folder).rglob("*") if path.is_file()}


def refused(call: Callable[[], Any], *fragments: str) -> None:
    """One line that holds each fragment, and no file changed."""
    before = contents("runs", "results")
    with pytest.raises(InputError) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    for fragment in fragments:
        assert re.search(fragment, str(caught.value)), caught.value
    assert contents("runs", "results", ".failures") == before


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The reason, or else the status, of each entry by `claimbench status`."""
    capsys.readouterr()
    status.run("smoke")
    lines = capsys.readouterr().out.splitlines()[2:]
    return {line.split()[0]: " ".join(line.split()[2:]) for line in lines}


@pytest.mark.usefixtures("project")
def test_what_has_run_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys) == {"container": "done", "nice_digits": "done"}


@pytest.mark.parametrize(
    ("old", "new", "entry", "reason"),
    [
        ("samples: 3", "samples: 5", "container", "settings"),
        ("seeds: [0]\n    settings", "seeds: [0, 1]\n    settings", "nice_digits", "seeds"),
        ("steps: 20", "steps: 30", "nice_digits", "settings"),
    ],
    ids=["samples", "seeds", "steps"],
)
@pytest.mark.usefixtures("project")
def test_a_record_of_other_settings_is_stale(
    capsys: pytest.CaptureFixture[str], old: str, new: str, entry: str, reason: str
) -> None:
    assert old in PROFILE
    compose(PROFILE.replace(old, new))
    found = rows(capsys)
    assert re.match(rf"stale .*\b{reason}\b", found.pop(entry))
    assert set(found.values()) == {"done"}


def test_a_record_of_other_code_is_stale(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "implementations/puzzles/container.py"
    text = path.read_text()
    assert "looks += 1" in text
    path.write_text(text.replace("looks += 1", "looks += 2"))
    found = rows(capsys)
    assert re.match(r"stale .*\bcode\b", found["container"])
    assert found["nice_digits"] == "done"


@pytest.mark.parametrize("name", ["model.pt", "trained.json"])
@pytest.mark.usefixtures("project")
def test_evaluate_without_a_model_names_what_to_run(name: str) -> None:
    path = Path(MODEL).with_name(name)
    path.unlink()
    refused(lambda: evaluate.run("smoke", "nice_digits", off_profile=False), str(path), "train_smoke_nice_digits_s0")


@pytest.mark.parametrize(
    ("edit", "words", "fragments"),
    [
        (("batch: 100", "batch: 5000"), ("nice_digits", 0), ("batch", "5000")),
        (("batch: 100", "batch: 100, learning_rate: -1.0"), ("nice_digits", 0), ("learning_rate",)),
        (None, ("nice_digits", 7), ("entry nice_digits", "seed 7")),
        (None, ("container", 0), ("entry container", "evaluate smoke container")),
        (None, ("nowhere", 0), ("entry nowhere", "container, nice_digits")),
    ],
    ids=["batch", "range", "seed", "untrained", "unknown"],
)
@pytest.mark.usefixtures("project")
def test_train_refuses_what_it_cannot_train_and_notes_no_failure(
    edit: tuple[str, str] | None, words: tuple[str, int], fragments: tuple[str, ...]
) -> None:
    if edit:
        compose(PROFILE.replace(*edit))
    refused(lambda: train.run("smoke", *words, off_profile=False), *fragments)


@pytest.mark.parametrize(
    ("hardware", "field"),
    [
        ("{device: cuda, name: No Such Card, memory_gib: 1}", r"hardware\.(device|name)"),
        ("{device: cpu, memory_gib: 4096}", r"hardware\.memory_gib"),
        ("{device: cpu, memory_gib: 0.5, threads: 4096}", r"hardware\.threads"),
    ],
    ids=["cuda", "memory", "threads"],
)
@pytest.mark.usefixtures("project")
def test_a_profile_of_other_hardware_is_refused_naming_the_field(hardware: str, field: str) -> None:
    compose(re.sub("hardware: .*", f"hardware: {hardware}", PROFILE))
    refused(lambda: train.run("smoke", "nice_digits", 0, off_profile=False), f"smoke.yaml: {field}")
    refused(lambda: evaluate.run("smoke", "container", off_profile=False), f"smoke.yaml: {field}")


@pytest.mark.usefixtures("project")
def test_only_the_composed_profile_runs() -> None:
    refused(lambda: train.run("cpu", "nice_digits", 0, off_profile=False), "profile: found smoke", "profile cpu")
    refused(lambda: evaluate.run("cpu", "container", off_profile=False), "profile: found smoke", "profile cpu")


@pytest.mark.usefixtures("project")
def test_a_record_in_anothers_place_is_refused() -> None:
    path = Path("results/entries/smoke/container.json")
    path.write_bytes(path.with_name("nice_digits.json").read_bytes())
    refused(judge.run, f"{path}: entry: found nice_digits")


# Runs that did not go as the profile asks
def judged() -> list[dict[str, str]]:
    """The rows of scores.csv after nice_digits is evaluated and judged."""
    evaluate.run("smoke", "nice_digits", off_profile=True)
    judge.run()
    with open("results/tables/smoke/scores.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["entry"] == "nice_digits"]


@pytest.mark.usefixtures("project")
def test_a_diverged_run_is_a_result() -> None:
    compose(PROFILE.replace("batch: 100", "batch: 100, learning_rate: 1.0e6"))
    train.run("smoke", "nice_digits", 0, off_profile=False)
    (row,) = judged()
    assert (row["seeds"], row["interval"]) == ("0 of 1", "s0 diverged")
    (run,) = read_record(Path("results/entries/smoke/nice_digits.json")).runs
    assert run.status == "diverged"
    assert "not finite at step" in run.reason


@pytest.mark.usefixtures("project")
def test_an_off_profile_run_marks_every_row_it_reaches() -> None:
    compose(PROFILE.replace("memory_gib: 0.5", "memory_gib: 4096"))
    train.run("smoke", "nice_digits", 0, off_profile=True)
    found = judged()
    assert found
    assert {row["stale"] for row in found} == {"off-profile"}
    assert read_record(Path("results/entries/smoke/nice_digits.json")).off_profile


# Code edited meanwhile
@pytest.mark.parametrize(
    ("stage", "name", "old", "new", "run"),
    [
        (train, "flows/nice", "RECIPE = ", "RECIPE = None or ",
         lambda: train.run("smoke", "nice_digits", 0, off_profile=False)),
        (evaluate, "puzzles/container", "looks += 1", "looks += 2",
         lambda: evaluate.run("smoke", "container", off_profile=False)),
    ],
    ids=["train", "evaluate"],
)  # fmt: skip
def test_what_runs_while_its_code_is_edited_leaves_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, stage: Any, name: str, old: str, new: str, run: Callable[[], None]
) -> None:
    known = stage.of_entry

    def edited(*words: Any) -> Any:
        edit(project, f"implementations/{name}.py", old, new)
        return known(*words)

    monkeypatch.setattr(stage, "of_entry", edited)
    refused(run, "edited while")


# claimbench verify
RECORD = "results/entries/smoke/container.json"
TABLE = "results/tables/smoke/scores.csv"


@pytest.mark.usefixtures("project")
def test_verify_finds_nothing_wrong_with_what_has_run_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = contents("runs", "results", "reports")
    verify.run(rerun=True)
    assert "everything is as the records say" in capsys.readouterr().out
    assert contents("runs", "results", "reports") == before


def flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", [MODEL, RECORD, TABLE, "reports/smoke/README.md", "README.md"])
@pytest.mark.usefixtures("project")
def test_verify_names_a_file_of_which_a_bit_was_flipped(name: str) -> None:
    path = Path(name)
    content = path.read_bytes()
    if name == RECORD:  # a digit of a number, so that the file stays well-formed
        at = content.index(b'"value"') + len(b'"value": ')
    else:
        at = content.index(b"nice_digits") if b"nice_digits" in content else len(content) // 2
    flipped(path, at)
    with pytest.raises(CheckFailed) as caught:
        verify.run(rerun=False)
    assert any(line.strip().startswith(f"{name}: ") for line in str(caught.value).splitlines()), caught.value


@pytest.mark.usefixtures("project")
def test_verify_names_a_record_that_was_made_by_other_code() -> None:
    code = Path("implementations/puzzles/container.py")
    code.write_text(code.read_text().replace("looks += 1", "looks += 2"))
    with pytest.raises(CheckFailed, match=f"{RECORD}: it was made by other code than today's; run: dvc repro"):
        verify.run(rerun=False)


@pytest.mark.usefixtures("project")
def test_verify_calls_a_malformed_record_bad_input() -> None:
    path = Path(RECORD)
    path.write_text(path.read_text().replace('"status": "done"', '"status": "fine"'))
    refused(lambda: verify.run(rerun=False), f"{RECORD}: runs.0.status: ")


# claimbench new-method
@pytest.mark.parametrize(
    ("name", "family"),
    [
        *((name, "puzzles") for name in ("Bad-Name", "../outside", "1st", "a@b", "", "import", "container", "nice")),
        ("nice_digits", "puzzles"),  # an entry
        ("fine", "nowhere"),
        ("fine", "../flows"),
    ],
)
def test_new_method_refuses_bad_names_and_leaves_nothing_behind(project: Path, name: str, family: str) -> None:
    for profile in ("smoke", "cpu"):
        (project / f"benchmarks/profiles/{profile}.yaml").write_text(PROFILE.replace("smoke", profile, 1))
    before = contents("implementations", "benchmarks", "docs", "tests")
    with pytest.raises(InputError):
        new_method.run(name, family)
    assert contents("implementations", "benchmarks", "docs", "tests") == before


@pytest.mark.parametrize("writes", range(3))
def test_new_method_takes_back_what_it_wrote(project: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    before = contents("implementations", "benchmarks", "tests")
    real, made = new_method.write_text, []

    def write(path: Path, text: str) -> None:
        if len(made) == writes:
            raise PermissionError(13, "Permission denied", str(path))
        made.append(path)
        real(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(new_method, "write_text", write)
        with pytest.raises(PermissionError):
            new_method.run("fine", "puzzles")
    assert contents("implementations", "benchmarks", "tests") == before
    new_method.run("fine", "puzzles")


def test_new_method_takes_back_what_cannot_be_composed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents("implementations", "benchmarks", "tests")

    def write(_: Any) -> None:
        raise PermissionError(13, "Permission denied", "params.yaml")

    with monkeypatch.context() as patch:
        patch.setattr(new_method.composition, "write_params", write)
        with pytest.raises(PermissionError):
            new_method.run("fine", "puzzles")
    assert contents("implementations", "benchmarks", "tests") == before
    new_method.run("fine", "puzzles")
