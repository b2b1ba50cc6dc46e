"""Runs that fail, diverge, are stopped or killed, or run on other hardware than their profile asks for."""

import random
import re
import signal
import subprocess
import time

import pytest

from tests.pipeline.clones import PROFILE, PYTHON, Clone

MODEL = "runs/smoke/nice_digits/models/s0/model.pt"
RECEIPT = "runs/smoke/nice_digits/receipts/s0.json"
NICE_ALONE = PROFILE[: PROFILE.index("  container:")] + PROFILE[PROFILE.index("  nice_digits:") :]


@pytest.mark.dvc
def test_a_failed_run_stops_no_other_and_is_a_row_with_its_reason(clone: Clone) -> None:
    before = clone.hashes("results", "reports")
    clone.compose(PROFILE.replace("batch: 100", "batch: 5000").replace("samples: 3", "samples: 4"))
    assert "evaluate@smoke_container" in clone.repro("-k", code=255)
    assert clone.hashes("results", "reports") == before
    shown = clone.bench("collect", "--partial", "smoke")
    assert re.search(r"nice_digits +s0 +failed +ValueError: a batch of 5000 cannot be drawn from", shown)
    assert re.search(r"nice_digits +s1 +failed", shown)
    assert re.search(r"container +s0 +done", shown)
    assert clone.hashes("results", "reports") == before


@pytest.mark.dvc
def test_a_diverged_run_is_a_result_and_its_claims_are_undecided(clone: Clone) -> None:
    clone.compose(NICE_ALONE.replace("batch: 100", "batch: 100, learning_rate: 1.0e6").replace("[0, 1]", "[0]"))
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
    clone.compose(NICE_ALONE.replace("memory_gib: 0.5", "memory_gib: 4096").replace("[0, 1]", "[0]"))
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


@pytest.mark.dvc
def test_a_run_stopped_twice_and_killed_twice_ends_with_the_bytes_of_an_unbroken_one(clone: Clone) -> None:
    # Checkpoints every 50 ms, so that kills find one; enough steps that no signal comes too late.
    clone.edit("benchmarks/checkpoints.py", "seconds: float = 60.0", "seconds: float = 0.05")
    steps = 4000
    clone.compose(PROFILE.replace("steps: 20", f"steps: {steps}").replace("validate_every: 10", "validate_every: 500"))
    assert Training(clone).end(None) == 0
    unbroken = (clone / MODEL).read_bytes()
    assert clone.json(RECEIPT)["resumed"] is False
    (clone / MODEL).unlink()
    assert not list(clone.path.glob(".checkpoints/*/state.pt"))

    at = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        training = Training(clone)
        assert training.end(number) == 1
        stopped = re.search(rf"nice_digits s0: stopped at step (\d+) of {steps}; the checkpoint is kept", training.told)
        assert stopped, training.told
        assert "Traceback" not in training.told
        assert at < int(stopped[1]) < steps
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
    assert (clone / MODEL).read_bytes() == unbroken, f"seed {seed}"
    assert clone.json(RECEIPT)["resumed"] is True
    assert not list(clone.path.glob(".checkpoints/*/state.pt"))
