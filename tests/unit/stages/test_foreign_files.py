"""What editors, file managers and people leave in folders that we list: no stage stops at it, and none removes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.files.errors import InputError
from benchmarks.files.listing import files_below, files_in, folders_in
from benchmarks.stages import claims, evaluate, judge, listing, new_method, profile, report, sources, status, verify
from tests.unit.stages.test_stages_in_one_process import contents

LISTED = {
    "benchmarks/claims": ".yaml",
    "benchmarks/data": ".py",
    "benchmarks/families": ".py",
    "benchmarks/families/puzzles/new_method": ".txt",
    "benchmarks/profiles": ".yaml",
    "data/digits": ".npy",
    "implementations": ".py",
    "implementations/flows": ".py",
    "pipelines": ".yaml",
    "pipelines/params": ".json",
    "pipelines/params/smoke": ".json",
    "reports": ".md",
    "reports/smoke": ".md",
    "results/entries": ".json",
    "results/entries/smoke": ".json",
    "results/receipts": ".json",
    "results/receipts/smoke": ".json",
    "results/tables": ".csv",
    "results/tables/smoke": ".csv",
}


def litter(folder: Path, suffix: str) -> list[Path]:
    """The usual leavings, and names that only look like ours."""
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\xff")
    (folder / f"._x{suffix}").write_bytes(b"\0\5\x16\7\xff")
    (folder / f"x{suffix}~").write_bytes(b"\xff")
    (folder / "notes.odt").write_bytes(b"\xff")
    (folder / f".#x{suffix}").symlink_to("someone@somewhere.123:456")
    (folder / f"gone{suffix}").symlink_to("nowhere")
    (folder / f"folder{suffix}").mkdir()
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / f".ipynb_checkpoints/x{suffix}").write_bytes(b"\xff")
    return sorted(folder.glob("*"))


def test_only_visible_files_are_listed(tmp_path: Path) -> None:
    litter(tmp_path, ".json")
    below = tmp_path / "folder.json"
    litter(below, ".json")
    for folder in (tmp_path, below):
        (folder / "b.json").write_text("{}")
        (folder / "a.json").symlink_to("b.json")
    assert files_in(tmp_path, ".json") == [tmp_path / "a.json", tmp_path / "b.json"]
    assert folders_in(tmp_path) == [below]
    assert files_below(tmp_path, ".json") == [below / "a.json", below / "b.json"]
    assert files_in(tmp_path / "none", ".json") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(PermissionError):
        files_in(tmp_path / "closed", ".json")


def test_no_stage_stops_at_foreign_files_or_touches_them(project: Path) -> None:
    sources.run()
    ours = contents("results", "reports", "pipelines", "sources")
    left = [path for folder, suffix in LISTED.items() for path in litter(project / folder, suffix)]
    profile.run("smoke")
    sources.run()
    evaluate.run("smoke", "nice_digits", off_profile=False)
    for stage in (judge, report, claims):
        stage.run()
    listing.run(None)
    status.run("smoke")
    assert {path for path in left if not os.path.lexists(path)} == set()
    after = contents("results", "reports", "pipelines", "sources")
    changed = {path for path in ours if after[path] != ours[path]}
    assert changed <= {"results/receipts/smoke/nice_digits.json"}  # when, and how long
    new_method.run("thing", "puzzles")


def test_dvc_passes_over_what_our_stages_pass_over() -> None:
    """Else it stops at a link that leads nowhere, and takes code for edited while a file is open."""
    root = Path(__file__).parents[3]
    hidden = ["implementations/puzzles/.#container.py", "benchmarks/claims/._x.yaml", "results/entries/cpu/.DS_Store"]
    names = [*hidden, "benchmarks/cli.py~", "implementations/puzzles/container.py", "numerics.txt"]
    words = [sys.executable, "-m", "dvc", "check-ignore", *names]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [*hidden, "benchmarks/cli.py~"], done.stderr


def test_verify_speaks_of_foreign_files_that_are_seen(project: Path) -> None:
    for folder in ("results/tables/smoke", "reports/smoke"):
        litter(project / folder, ".csv")
    assert verify._differences(verify.generated(judge.results())) == [
        f"{folder}/{name}: nothing in the records gives this file"
        for folder in ("reports/smoke", "results/tables/smoke")
        for name in ("notes.odt", "x.csv~")
    ]


@pytest.mark.parametrize("content", [b"A = 1\n", b"not python (", b"\xff", b"DATASET = ("])
def test_a_stray_module_among_the_data_sets_is_told(project: Path, content: bytes) -> None:
    (project / "benchmarks/data/stray.py").write_bytes(content)
    with pytest.raises(InputError, match=r"^benchmarks/data/stray\.py: no data set .*$"):
        sources.run()


@pytest.mark.parametrize("content", [b"\xff\nMETHOD = 1\n", b"\0\nMETHOD = 1\n", b"(\nMETHOD = 1 1\n"])
def test_an_unreadable_method_is_told(project: Path, content: bytes) -> None:
    (project / "implementations/flows/stray.py").write_bytes(content)
    with pytest.raises(InputError, match=r"^implementations/flows/stray\.py: [^\n]*$"):
        sources.run()


def test_judge_removes_tables_of_its_own_only(project: Path) -> None:
    ours = project / "results/tables/smoke"
    former = {name: (ours / name).read_bytes() for name in os.listdir(ours)}
    foreign = {
        "run_1/verdicts.csv": b"step,loss\n",
        "run_1/scores.csv": b"step,loss\n1,2\n",
        "run_1/model/x.bin": b"x",
        "run_2/summary.json": b"{}",
        "former/note.txt": b"mine",
        "smoke/note.txt": b"mine",
    }
    for folder in ("former", "gone"):
        foreign_free = project / "results/tables" / folder
        foreign_free.mkdir()
        for name, content in former.items():
            (foreign_free / name).write_bytes(content)
    for name, content in foreign.items():
        path = project / "results/tables" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    judge.run()
    expected = {f"results/tables/smoke/{name}": content for name, content in former.items()}
    expected |= {f"results/tables/{name}": content for name, content in foreign.items()}
    assert contents("results/tables") == expected
    assert not (project / "results/tables/gone").exists()


@pytest.mark.parametrize("content", [b"\xff", b"", b"just a note\n"])
def test_a_stray_claim_file_is_told(project: Path, content: bytes) -> None:
    (project / "benchmarks/claims/stray.yaml").write_bytes(content)
    with pytest.raises(InputError, match=r"^benchmarks/claims/stray\.yaml: [^\n]*$"):
        judge.run()
