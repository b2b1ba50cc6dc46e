"""What `dvc repro` runs, and that it runs all there is."""

import itertools
import shutil
from pathlib import Path

import pytest
import yaml

from benchmarks.source_hashes import closure
from benchmarks.stages.sources import wanted
from tests.pipeline.clones import ROOT, UP_TO_DATE, Clone, ran
from tests.pipeline.conftest import Base

TRAIN = {"train@smoke_nice_digits_s0", "train@smoke_nice_digits_s1"}
EVERY_STAGE = {
    "sources",
    "fetch@digits",
    "features@digits",
    *TRAIN,
    "evaluate@smoke_nice_digits",
    "evaluate@smoke_container",
    "collect",
    "judge",
    "report",
}


def test_sources_depends_on_every_file_whose_meaning_it_hashes() -> None:
    stated = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["sources"]["deps"]
    hashed = {file for path in wanted(ROOT).values() for file in closure(path, ROOT)}
    lost = [file for file in sorted(hashed) if not any(file.is_relative_to(ROOT / dep) for dep in stated)]
    assert lost == []


@pytest.mark.dvc
def test_a_clone_runs_its_own_code(clone: Clone) -> None:
    clone.edit("benchmarks/stages/listing.py", 'print("methods")', 'print("methods of this clone")')
    assert "methods of this clone" in clone.bench("list")


@pytest.mark.dvc
def test_the_first_repro_runs_everything_and_the_second_nothing(base: Base) -> None:
    assert ran(base.first) == EVERY_STAGE
    second = base.clone.dvc("repro")
    assert ran(second) == set()
    assert UP_TO_DATE in second
    assert base.clone.git("status", "--porcelain") == ""


@pytest.mark.dvc
def test_every_stage_is_upstream_of_a_stage_of_the_root_file(base: Base) -> None:
    listed = base.clone.dvc("stage", "list", "--all", "--name-only").split()
    assert {name.rpartition(":")[2] for name in listed} == base.clone.repro("--dry", "--force") == EVERY_STAGE


@pytest.mark.dvc
def test_two_cold_runs_give_the_same_bytes(clone: Clone) -> None:
    deterministic = ("results/entries", "results/tables")
    before = clone.hashes(*deterministic)
    clone.forget()
    for path in itertools.chain(clone.path.rglob("dvc.lock"), (clone / "results", clone / "reports")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert clone.repro() == EVERY_STAGE
    assert clone.hashes(*deterministic) == before
    assert len(before) == 6  # two records, four tables


@pytest.mark.dvc
def test_a_comment_or_a_docstring_trains_and_evaluates_nothing(clone: Clone) -> None:
    clone.edit("implementations/flows/nice.py", '"""NICE: ', '"""An edit of words. NICE: ')
    clone.edit("implementations/flows/nice.py", "def loss(", "# a comment\ndef loss(")
    clone.edit("implementations/common/fit.py", '"""The one training loop', '"""Edited. The one training loop')
    clone.edit("implementations/common/fit.py", "    step: int\n", "    step: int  # the last one\n")
    clone.edit("benchmarks/families/puzzles/evaluate.py", '"""Evaluation', '"""Again: evaluation')
    clone.edit("benchmarks/stages/judge.py", '"""Judges in place."""', '"""Judges."""')
    clone.edit("README.md", "# claimbench", "# claimbench, edited")
    (clone / "docs/page.md").write_text("a page\n")
    before = clone.hashes("results", "reports")
    assert clone.repro() == {"sources"}
    assert clone.hashes("results", "reports") == before


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("file", "old", "new", "again", "other"),
    [
        (
            "implementations/flows/nice.py",
            "return -model.log_prob(x).mean()",
            "return -2.0 * model.log_prob(x).mean()",
            {*TRAIN, "evaluate@smoke_nice_digits"},
            "container",
        ),
        (
            "implementations/puzzles/container.py",
            "best = max(best, min(low, high) * (right - left))",
            "best = max(min(low, high) * (right - left), best)",
            {"evaluate@smoke_container"},
            "nice_digits",
        ),
    ],
    ids=["nice", "container"],
)
def test_an_edit_of_a_methods_code_runs_that_method_only(
    clone: Clone, file: str, old: str, new: str, again: set[str], other: str
) -> None:
    untouched = (clone / f"results/entries/smoke/{other}.json").read_bytes()
    clone.edit(file, old, new)
    assert clone.repro() == {"sources", *again, "collect", "judge", "report"}
    assert (clone / f"results/entries/smoke/{other}.json").read_bytes() == untouched
    assert {row["stale"] for row in clone.table("scores")} == {""}


@pytest.mark.dvc
def test_an_edited_setting_or_a_new_seed_runs_only_what_it_touches(clone: Clone, tmp_path: Path) -> None:
    container = clone.hashes("results/entries/smoke")["results/entries/smoke/container.json"]
    after = {"evaluate@smoke_nice_digits", "collect", "judge", "report"}

    clone.edit("benchmarks/profiles/smoke.yaml", "steps: 20", "steps: 30")
    told = clone.dvc("repro", code=255)
    assert "benchmarks/profiles/smoke.yaml has been edited since; run: claimbench profile smoke" in told
    assert not ran(told) & {*TRAIN, "evaluate@smoke_nice_digits", "judge", "report"}

    clone.bench("profile", "smoke")
    assert clone.repro() == {*TRAIN, *after}

    clone.edit("benchmarks/profiles/smoke.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]")
    clone.bench("profile", "smoke")
    assert clone.repro() == {"train@smoke_nice_digits_s2", *after}
    assert clone.hashes("results/entries/smoke")["results/entries/smoke/container.json"] == container
