"""What `dvc repro` runs: first, again, after edits, in a fresh clone, on another branch, when a run ends badly."""

import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.pipeline.clones import CONTAINER, PROFILE, UP_TO_DATE, Clone, ran
from tests.pipeline.conftest import Base

TRAIN, EVALUATE, PUZZLE = "train_radial_mixture_s0", "evaluate_radial_mixture", "evaluate_container"
BEHIND = {"judge", "report"}
EVERY_STAGE = {"sources", TRAIN, EVALUATE, PUZZLE, "evaluate_sgd_mean", *BEHIND}
RADIAL = "implementations/flows/radial.py"
SMOKE = "benchmarks/profiles/smoke.yaml"
MODEL, RECORD = "runs/smoke/radial_mixture/models/s0/model.pt", "results/entries/smoke/radial_mixture.json"
CI = ("repro", "--dry", "--allow-missing")


def compose(clone: Clone, *edit: str) -> None:
    clone.edit(SMOKE, *edit)
    clone.bench("profile", "smoke")


@pytest.mark.dvc
def test_the_first_repro_runs_everything_and_the_second_nothing(base: Base) -> None:
    assert ran(base.first) == EVERY_STAGE
    second = base.clone.dvc("repro")
    assert ran(second) == set()
    assert UP_TO_DATE in second
    assert base.clone.git("status", "--porcelain") == ""


@pytest.mark.dvc
def test_a_comment_a_docstring_and_a_new_name_of_a_file_run_nothing_but_the_hashing(clone: Clone) -> None:
    clone.edit(RADIAL, '"""Radial flow. ', '"""An edit of words. Radial flow. ')
    clone.edit("implementations/common/fit.py", '"""The one training loop', '"""Edited. The one training loop')
    clone.edit("benchmarks/families/puzzles/evaluate.py", '"""Evaluation', "# a comment\n" + '"""Evaluation')
    clone.edit("benchmarks/stages/judge.py", '"""Judges in place."""', '"""Judges."""')
    (clone / "implementations/flows/parts/rezende_mohamed.py").rename(clone / "implementations/flows/parts/both.py")
    for user in ("radial", "planar"):
        clone.edit(f"implementations/flows/{user}.py", "parts.rezende_mohamed", "parts.both")
    before = clone.hashes("results", "reports")
    assert clone.repro() == {"sources"}
    assert clone.hashes("results", "reports") == before


@pytest.mark.dvc
def test_an_edited_setting_runs_what_it_touches(clone: Clone) -> None:
    compose(clone, "steps: 40", "steps: 20")
    others = clone.hashes("results/entries/smoke")
    assert clone.repro() == {"sources", TRAIN, EVALUATE, *BEHIND}
    after = clone.hashes("results/entries/smoke")
    assert {name for name in after if after[name] != others[name]} == {RECORD}


@pytest.mark.dvc
def test_an_edit_runs_the_entries_whose_numbers_it_decides(clone: Clone) -> None:
    def would_run(name: str, old: str, new: str) -> set[str]:
        before = (clone / name).read_text()
        clone.edit(name, old, new)
        clone.bench("profile", "smoke")
        clone.bench("sources")
        found = ran(clone.dvc("repro", "--dry")) - {"sources", *BEHIND}
        clone.edit(name, (clone / name).read_text(), before)
        return found

    assert would_run(RADIAL, "0.3 * torch.randn(2", "0.2 * torch.randn(2") == {TRAIN, EVALUATE}
    # What only evaluates: a role of the method, a measure of the family, a budget.
    assert would_run(RADIAL, 'varies=("flow_length",)', 'varies=("flow_length", "batch")') == {EVALUATE}
    measure = "benchmarks/families/flows/measuring/mixture.py"
    assert would_run(measure, "DRAWN = 20_000", "DRAWN = 10_000") == {EVALUATE}
    assert would_run(SMOKE, "samples: 4", "samples: 5") == {EVALUATE}
    # What reaches no other entry.
    assert would_run("implementations/puzzles/container.py", "best = max(best, ", "best = max(0, best, ") == {PUZZLE}


@pytest.mark.dvc
def test_in_a_fresh_clone_a_new_method_trains_alone(bare: Clone) -> None:
    before = bare.hashes("results/entries", "results/receipts")
    bare.bench("new-method", "alpha", "--family", "flows")
    written = "benchmarks/claims/alpha.yaml"  # the entry of smoke is the first in it
    bare.edit(written, "task: digits", "task: mixture")
    bare.edit(written, "seeds: [0, 1, 2]", "seeds: [0]")
    bare.edit(written, "steps: 500", "steps: 100")
    bare.bench("profile", "smoke")
    assert bare.repro("--allow-missing") == {"sources", "train_alpha_digits_s0", "evaluate_alpha_digits", *BEHIND}
    after = bare.hashes("results/entries", "results/receipts")
    assert {name: after[name] for name in before} == before
    bare.bench("readme")
    assert "everything is as the records say" in bare.bench("verify")


@pytest.mark.dvc
def test_branches_that_add_methods_merge_without_running_an_entry(clone: Clone) -> None:
    for name in ("alpha", "theta"):
        clone.git("checkout", "-q", "-b", name, "main")
        clone.bench("new-method", name)
        assert f"evaluate_{name}" in clone.repro()
        clone.bench("readme")
        clone.commit(f"add {name}")
    both = clone.hashes("results/entries")
    clone.git("checkout", "-q", "alpha")
    both |= clone.hashes("results/entries")
    clone.git("merge", "-q", "--no-edit", "theta", code=None)
    clone.bench("merge")
    assert clone.repro("--allow-missing") <= {"sources", *BEHIND}
    clone.bench("readme")
    clone.commit("merge theta")
    assert clone.hashes("results/entries") == both
    assert UP_TO_DATE in clone.dvc(*CI)
    clone.bench("verify")


@pytest.mark.dvc
def test_profiles_lie_side_by_side_and_switching_back_runs_no_entry(clone: Clone) -> None:
    before = clone.hashes("results/entries/smoke", "results/tables/smoke")
    clone.bench("profile", "cpu")
    assert clone.repro() == {"sources", "evaluate_cpu_container", *BEHIND}
    clone.bench("profile", "smoke")
    assert clone.repro() <= {"sources", *BEHIND}
    assert clone.hashes("results/entries/smoke", "results/tables/smoke") == before
    assert (clone / "results/entries/cpu/container.json").is_file()


def train(clone: Clone, at: int = 0, number: int = 0, code: int = 0) -> str:
    """Trains in a process of its own, which gets a signal after a step; gives what it printed."""
    words = [sys.executable, "signalled.py", str(at), str(int(number))]
    return clone.run(*words, "train", "smoke", "radial_mixture", "0", code=code)


@pytest.mark.dvc
def test_a_killed_run_ends_with_the_bytes_of_an_unbroken_one(clone: Clone) -> None:
    """The unbroken one is that of the first `dvc repro`, in another folder; signals are asked in tests/exact."""
    unbroken, record = (clone / MODEL).read_bytes(), (clone / RECORD).read_bytes()
    shutil.rmtree(clone / "runs")
    train(clone, 35, signal.SIGKILL, code=-signal.SIGKILL)  # the next goes on from step 30
    assert not (clone / MODEL).exists()
    train(clone)
    assert clone.json("runs/smoke/radial_mixture/receipts/s0.json")["resumed"] is True
    assert (clone / MODEL).read_bytes() == unbroken
    assert not list(clone.path.glob(".checkpoints/*/state.pt"))
    clone.bench("evaluate", "smoke", "radial_mixture")
    assert (clone / RECORD).read_bytes() == record


@pytest.mark.dvc
def test_a_failed_entry_stops_no_other_and_status_says_why(clone: Clone) -> None:
    clone.edit("implementations/puzzles/container.py", "best = max(best, ", "best = no_such_name(best, ")
    compose(clone, "learning_rate: 1.0e-3", "learning_rate: 1.0e+30")
    compose(clone, "samples: 5", "samples: 6")
    container = clone.hashes("results/entries/smoke")["results/entries/smoke/container.json"]
    assert {TRAIN, EVALUATE, "evaluate_sgd_mean"} <= clone.repro("-k", code=255)
    assert clone.hashes("results/entries/smoke")["results/entries/smoke/container.json"] == container
    shown = clone.bench("status", "smoke")
    assert re.search(r"container +all +failed +NameError: .*no_such_name", shown)
    assert re.search(r"radial_mixture +s0 +diverged +.*not finite at step", shown)  # a result, and no failure
    assert re.search(r"sgd_mean +s0 +done", shown)


@pytest.mark.dvc
def test_a_run_on_other_hardware_is_refused_or_marks_what_it_reaches(clone: Clone) -> None:
    clone.edit(SMOKE, PROFILE[PROFILE.index("entries:") :], f"entries:\n{CONTAINER}")
    compose(clone, "memory_gib: 0.5", "memory_gib: 4096")
    compose(clone, "samples: 3", "samples: 4")
    assert "hardware.memory_gib: this machine has" in clone.dvc("repro", code=255)
    clone.dvc("repro", CLAIMBENCH_OFF_PROFILE="1")
    assert clone.json("results/entries/smoke/container.json")["off_profile"] is True
    assert "off-profile" in (clone / "reports/smoke/README.md").read_text()
    for table in ("scores", "verdicts"):
        assert "off-profile" in (clone / f"results/tables/smoke/{table}.csv").read_text()


@pytest.mark.dvc
def test_a_fresh_clone_is_up_to_date_and_verify_names_a_file_of_which_a_bit_was_flipped(
    bare: Clone, base: Base
) -> None:
    assert UP_TO_DATE in bare.dvc(*CI)
    shutil.copytree(base.clone / "runs", bare / "runs")
    assert "everything is as the records say" in bare.bench("verify")
    flipped = [MODEL, "results/tables/smoke/scores.csv", "reports/smoke/README.md", RECORD]
    for name in flipped:
        content = bytearray((bare / name).read_bytes())
        decimal = re.search(rb'"value": -?\d+\.\d', content) if name == RECORD else None  # so that it stays JSON
        content[decimal.end() - 1 if decimal else len(content) // 2] ^= 1
        Path(bare / name).write_bytes(bytes(content))
    shown = bare.bench("verify", code=1)
    for name in flipped:
        assert f"  {name}: " in shown
    assert "Traceback" not in shown
