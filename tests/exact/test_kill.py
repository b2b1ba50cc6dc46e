"""A training killed by the system at any moment, and started again, ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.files.errors import InputError
from benchmarks.run.checkpoints import DiskCheckpoint
from benchmarks.run.stopping import stopping
from implementations.common.fit import Interrupted, NullCheckpoint
from tests.exact.small_training import IDENTITY, STEPS, trained

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unbroken():
    return trained(NullCheckpoint())


@pytest.fixture
def waiting(tmp_path) -> Iterator[Callable[[str, int], subprocess.Popen]]:
    """Starts the training in a process and returns once it waits at the place and step asked for."""
    started: list[subprocess.Popen] = []

    def start(where: str, step: int) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.exact.small_training", str(tmp_path), where, str(step)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        assert process.stdout.readline() == "waiting\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def same(one, other) -> None:
    """Bit-equal weights, curve, best step, status."""
    weights, expected = one[0].state_dict(), other[0].state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert one[1] == other[1]


def test_killed_twice_and_resumed_ends_with_the_same_bits(waiting, tmp_path, unbroken):
    chance = random.Random(0)
    first = chance.randrange(2, STEPS // 2)
    second = chance.randrange(first + 1, STEPS)
    process = waiting("update", first)
    with pytest.raises(InputError, match="another process trains this run"):
        DiskCheckpoint(IDENTITY, root=tmp_path)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    process = waiting("save", second)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    checkpoint = DiskCheckpoint(IDENTITY, root=tmp_path)  # the lock fell with its process
    assert checkpoint.file.with_suffix(".tmp").exists()
    assert checkpoint.load()["step"] == second - 1
    steps: list[int] = []
    same(trained(checkpoint, lambda step, loss, norm: steps.append(step)), unbroken)
    assert steps == list(range(second, STEPS + 1))
    checkpoint.done()
    assert not checkpoint.folder.exists()


def signalled(number: int, at: int, times: int = 1) -> Callable[[int, float, float], None]:
    def report(step: int, loss: float, norm: float) -> None:
        if step == at:
            for _ in range(times):
                os.kill(os.getpid(), number)

    return report


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_saves_at_once_and_the_run_goes_on_later(tmp_path, unbroken, number):
    before = signal.getsignal(number)
    checkpoint = DiskCheckpoint(IDENTITY, seconds=1e9, root=tmp_path)
    with stopping(1e9) as stop, pytest.raises(Interrupted, match=f"step 11 of {STEPS}"):
        trained(checkpoint, signalled(number, 11), stop)
    assert signal.getsignal(number) is before
    assert checkpoint.load()["step"] == 11
    same(trained(checkpoint), unbroken)


def test_a_second_signal_ends_at_once(tmp_path):
    checkpoint = DiskCheckpoint(IDENTITY, seconds=1e9, root=tmp_path)
    with stopping(1e9) as stop, pytest.raises(SystemExit) as ended:
        trained(checkpoint, signalled(signal.SIGTERM, 3, times=2), stop)
    assert ended.value.code == 128 + signal.SIGTERM
    assert checkpoint.load() is None


def test_time_that_is_over_saves_too(tmp_path, unbroken):
    checkpoint = DiskCheckpoint(IDENTITY, seconds=1e9, root=tmp_path)
    with stopping(0.0) as stop, pytest.raises(Interrupted, match="step 1 of"):
        trained(checkpoint, stop=stop)
    assert stop.out_of_time()
    same(trained(checkpoint), unbroken)


def test_another_run_has_a_folder_and_a_lock_of_its_own(tmp_path):
    one, other = (DiskCheckpoint({"run": name}, root=tmp_path) for name in "ab")
    assert one.folder != other.folder
    one.save({"step": 1})
    assert other.load() is None
    assert one.load() == {"step": 1}


def test_a_save_that_fails_leaves_the_old_state(tmp_path, monkeypatch):
    checkpoint = DiskCheckpoint(IDENTITY, root=tmp_path)
    checkpoint.save({"step": 1})

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save({"step": 2})
    assert checkpoint.load() == {"step": 1}
