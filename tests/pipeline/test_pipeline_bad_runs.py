"""Runs that fail, diverge, are stopped or killed, or run on other hardware than their profile asks for."""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.pipeline.clones import ANOTHER_SEED, NICE_LOSS, PROFILE, PYTHON, Clone

MODEL = "runs/smoke/nice_digits/models/s0/model.pt"
RECEIPT = "runs/smoke/nice_digits/receipts/s0.json"
NICE_ALONE = PROFILE[: PROFILE.index("  container:")] + PROFILE[PROFILE.index("  nice_digits:") :]


@pytest.mark.dvc
def test_a_failed_run_stops_no_other_and_is_a_row_with_its_reason(clone: Clone) -> None:
    before = clone.hashes("results", "reports")
    clone.edit("implementations/flows/nice.py", NICE_LOSS, 'raise RuntimeError("no loss today")')
    clone.compose(PROFILE.replace("samples: 3", "samples: 4").replace(*ANOTHER_SEED))
    assert "evaluate@smoke_container" in clone.repro("-k", code=255)
    assert clone.hashes("results", "reports") == before
    shown = clone.bench("collect", "--partial", "smoke")
    for seed in ("s0", "s1"):
        assert re.search(rf"nice_digits +{seed} +failed +RuntimeError: no loss today", shown)
    assert re.search(r"container +s0 +done", shown)
    assert clone.hashes("results", "reports") == before


@pytest.mark.dvc
def test_a_diverged_run_is_a_result_and_its_claims_are_undecided(clone: Clone) -> None:
    clone.compose(NICE_ALONE.replace("batch: 100", "batch: 100, learning_rate: 1.0e6"))
    clone.dvc("repro")
    assert "diverged" in clone.bench("collect", "--partial", "smoke")
    (run,) = clone.json("results/entries/smoke/nice_digits.json")["runs"]
    assert run["status"] == "diverged"
    assert "not finite at step" in run["reason"]
    (row,) = clone.table("scores")
    assert (row["entry"], row["seeds"], row["interval"]) == ("nice_digits", "0 of 1", "s0 diverged")
    verdicts = {row["claim"]: row["verdict"] for row in clone.table("verdicts")}
    assert verdicts["nice_exact_inverse"] == "undecided at smoke scale"
    clone.bench("readme")
    clone.bench("verify")


@pytest.mark.dvc
def test_an_off_profile_run_marks_every_table_it_reaches(clone: Clone) -> None:
    clone.compose(NICE_ALONE.replace("memory_gib: 0.5", "memory_gib: 4096").replace("steps: 20", "steps: 30"))
    told = clone.dvc("repro", code=255)
    assert "hardware.memory_gib" in told
    clone.dvc("repro", CLAIMBENCH_OFF_PROFILE="1")
    assert clone.json("results/entries/smoke/nice_digits.json")["off_profile"] is True
    for table in ("scores", "leaderboard"):
        assert {row["stale"] for row in clone.table(table)} == {"off-profile"}
    judged = [row for row in clone.table("verdicts") if row["verdict"] != "not run"]
    assert judged
    assert {row["stale"] for row in judged} == {"off-profile"}
    assert "off-profile" in (clone / "reports/smoke/README.md").read_text()


class Training:
    """`train smoke nice_digits 0` in a process of its own."""

    def __init__(self, clone: Clone):
        words = [*PYTHON, "train", "smoke", "nice_digits", "0"]
        self.process = subprocess.Popen(words, cwd=clone.path, env=clone.env, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.told = ""
        while "step " not in self.told:  # printed after the first step of each process
            line = self.process.stderr.readline()
            assert line, self.told
            self.told += line

    def end(self, number: signal.Signals | None) -> int:
        """Sends a signal, if any, and waits."""
        if number is not None:
            self.process.send_signal(number)
        self.told += self.process.communicate()[1]
        return self.process.returncode


STEPS = 4000


@dataclass(frozen=True)
class Long:
    """A clone whose nice_digits trains for some seconds, and the weights that an unbroken run of it gives."""

    clone: Clone
    unbroken: bytes


@pytest.fixture(scope="module")
def trained(shared: Callable[[str], Clone]) -> Long:
    clone = shared("long")
    # Checkpoints every 50 ms, so that kills find one; enough steps that no signal comes too late.
    clone.edit("benchmarks/checkpoints.py", "seconds: float = 60.0", "seconds: float = 0.05")
    clone.compose(PROFILE.replace("steps: 20", f"steps: {STEPS}").replace("validate_every: 10", "validate_every: 500"))
    assert Training(clone).end(None) == 0
    assert clone.json(RECEIPT)["resumed"] is False
    return Long(clone, (clone / MODEL).read_bytes())


@pytest.fixture
def long(trained: Long) -> Long:
    """The shared one, without model and checkpoint."""
    (trained.clone / MODEL).unlink(missing_ok=True)
    shutil.rmtree(trained.clone / ".checkpoints", ignore_errors=True)
    return trained


@pytest.mark.dvc
def test_a_run_stopped_twice_and_killed_twice_ends_with_the_bytes_of_an_unbroken_one(long: Long) -> None:
    clone = long.clone
    at = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        training = Training(clone)
        assert training.end(number) == 1
        stopped = re.search(rf"nice_digits s0: stopped at step (\d+) of {STEPS}; the checkpoint is kept", training.told)
        assert stopped, training.told
        assert "Traceback" not in training.told
        assert at < int(stopped[1]) < STEPS
        at = int(stopped[1])
        assert list(clone.path.glob(".checkpoints/*/state.pt"))
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    for _ in range(2):
        training = Training(clone)
        assert int(re.findall(r"step (\d+) of", training.told)[0]) > at
        time.sleep(draw.uniform(0.0, 0.3))
        assert training.end(signal.SIGKILL) == -signal.SIGKILL, f"too late a kill, seed {seed}"
        assert not (clone / MODEL).exists()
    assert Training(clone).end(None) == 0
    assert (clone / MODEL).read_bytes() == long.unbroken, f"seed {seed}"
    assert clone.json(RECEIPT)["resumed"] is True
    assert not list(clone.path.glob(".checkpoints/*/state.pt"))


@pytest.mark.dvc
def test_a_damaged_checkpoint_is_set_aside_and_training_starts_afresh(long: Long) -> None:
    clone = long.clone
    assert Training(clone).end(signal.SIGTERM) == 1
    (state,) = clone.path.glob(".checkpoints/*/state.pt")
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    told = clone.bench("train", "smoke", "nice_digits", "0")
    assert f"{state.relative_to(clone.path).with_suffix('.damaged')}: not readable as a checkpoint" in told
    assert "training starts afresh" in told
    assert (clone / MODEL).read_bytes() == long.unbroken
    assert clone.json(RECEIPT)["resumed"] is False
