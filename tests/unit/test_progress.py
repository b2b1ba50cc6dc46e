"""Progress: plain lines where there is no terminal, a bar where there is one, rates of this process's own steps."""

import re
import sys

import pytest

from benchmarks.run.progress import PLAIN_EVERY, Progress


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("benchmarks.run.progress.time.monotonic", made)
    return made


def test_plain_lines_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("nice s0", 100, 10) as progress:
        for step in range(1, 101):
            clock.now += PLAIN_EVERY / 10  # so every tenth step is due
            progress.step(step, 2.0, 1.0)
    captured = capsys.readouterr()
    assert captured.out == ""  # standard output is for results
    lines = captured.err.splitlines()
    steps = [int(re.fullmatch(r"nice s0: step (\d+) of 100, .*", line)[1]) for line in lines]  # type: ignore[index]
    assert steps == [1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 100]  # the last step is told whenever it comes
    assert "\x1b" not in captured.err
    assert "\r" not in captured.err


def test_a_line_tells_loss_gradient_rate_and_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("nice", 10, 50)
    clock.now += 2.0
    progress.step(1, 1.23456, 0.5)
    # 1 step of 50 images in 2 s; 9 more steps of 2 s each
    assert capsys.readouterr().err == "nice: step 1 of 10, loss 1.235, gradient 0.5, 25 images/s, 18 s left\n"


def test_a_resumed_run_counts_its_own_steps(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("nice", 1000, 50)
    clock.now += 2.0
    progress.step(901, 1.0, 1.0)  # the first step of this process
    err = capsys.readouterr().err
    assert "25 images/s" in err  # and not 901 steps' worth
    assert "198 s left" in err  # 99 steps at 2 s


def test_no_time_passed_is_no_division_by_zero(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    Progress("nice", 1, 1).step(1, float("nan"), float("inf"))
    assert "step 1 of 1, loss nan, gradient inf" in capsys.readouterr().err


def test_a_bar_on_a_terminal(clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress("nice", 10, 50)
    bar = progress._bar
    assert bar is not None
    for step in (1, 2, 3):
        clock.now += 1.0
        progress.step(step, 0.25, 1.0)
    task = bar.tasks[0]
    assert (task.completed, task.total, task.fields["loss"], task.fields["rate"]) == (3, 10, "0.25", "50")
    assert "images/s, " not in capsys.readouterr().err  # no plain lines beside it


def test_an_error_passes_through(clock: Clock) -> None:
    with pytest.raises(RuntimeError, match="diverged"), Progress("nice", 10, 50):
        raise RuntimeError("diverged")
