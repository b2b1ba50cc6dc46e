"""What `dvc repro` runs, and that it runs all there is."""

import itertools
import shutil
from pathlib import Path

import pytest
import yaml

from benchmarks.source_hashes import closure
from benchmarks.stages.sources import wanted
from tests.pipeline.clones import ANOTHER_SEED, PROFILE, ROOT, UP_TO_DATE, Clone, ran
from tests.pipeline.conftest import Base

TRAIN = "train@smoke_nice_digits_s0"
EVERY_STAGE = {
    "sources",
    "fetch@digits",
    "features@digits",
    TRAIN,
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
def test_an_edited_setting_or_a_new_seed_runs_only_what_it_touches(clone: Clone, tmp_path: Path) -> None:
    container = clone.hashes("results/entries/smoke")["results/entries/smoke/container.json"]
    after = {"evaluate@smoke_nice_digits", "collect", "judge", "report"}

    clone.edit("benchmarks/profiles/smoke.yaml", "steps: 20", "steps: 30")
    told = clone.dvc("repro", code=255)
    assert (
        "benchmarks/profiles/smoke.yaml, or a task it names, has been edited since; run: claimbench profile smoke"
        in told
    )
    assert not ran(told) & {TRAIN, "evaluate@smoke_nice_digits", "judge", "report"}

    clone.bench("profile", "smoke")
    assert clone.repro() == {TRAIN, *after}

    clone.edit("benchmarks/profiles/smoke.yaml", *ANOTHER_SEED)
    clone.bench("profile", "smoke")
    assert clone.repro() == {"train@smoke_nice_digits_s1", *after}
    assert clone.hashes("results/entries/smoke")["results/entries/smoke/container.json"] == container


@pytest.mark.dvc
def test_only_what_decides_numbers_of_a_profile_trains_or_evaluates(clone: Clone) -> None:
    everything = {TRAIN, "evaluate@smoke_nice_digits", "evaluate@smoke_container"}
    flows = {TRAIN, "evaluate@smoke_nice_digits"}

    def would_run(old: str, new: str, file: str = "benchmarks/profiles/smoke.yaml") -> set[str]:
        before = (clone / file).read_text()
        clone.edit(file, old, new)
        clone.bench("profile", "smoke")
        found = {stage for stage in ran(clone.dvc("repro", "--dry")) if "@" in stage}
        clone.edit(file, (clone / file).read_text(), before)
        return found

    assert would_run("device: cpu", "device: cuda") == everything
    assert would_run("threads: 1", "threads: 2") == everything
    assert would_run("threads: 1", "threads: 1, precision: bfloat16") == everything
    assert would_run("threads: 1", "threads: 1, deterministic: false") == everything
    assert would_run("hidden_units: 8", "hidden_units: 9") == flows
    assert would_run("levels=17", "levels=18", "benchmarks/families/flows/tasks.py") == flows
    assert would_run("samples: 4", "samples: 5") == {"evaluate@smoke_nice_digits"}

    before = clone.hashes("results/entries", "results/receipts")
    clone.compose(PROFILE.replace("memory_gib: 0.5", 'memory_gib: 0.25, name: "."'))
    assert clone.repro() <= {"collect", "judge", "report"}
    assert clone.hashes("results/entries", "results/receipts") == before


@pytest.mark.dvc
def test_a_new_task_runs_nothing_else(clone: Clone) -> None:
    again = '    ImageDensity(name="again", dataset="digits", shape=(8, 8), levels=17),\n'
    clone.edit("benchmarks/families/flows/tasks.py", "TASKS = (\n", "TASKS = (\n" + again)
    before = clone.hashes("results", "reports")
    assert clone.repro() == {"sources"}
    assert clone.hashes("results", "reports") == before
    clone.bench("profile", "smoke")
    assert UP_TO_DATE in clone.dvc("status")
