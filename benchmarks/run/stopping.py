"""How a run ends before its time: a signal, a time limit, a failure."""

import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks.files.errors import CheckFailed, InputError, refusal
from benchmarks.files.typed_files import write_json

FAILURES = Path(".failures")


class TimeLimit(CheckFailed):
    """The run used up its entry's timeout_minutes."""


class Stopped(CheckFailed):
    """A signal asked the run to stop."""


class Stop:
    """Asked after each step whether to stop: a signal came, or the time is over."""

    def __init__(self, seconds: float):
        self.deadline, self.signals = time.monotonic() + seconds, 0

    def out_of_time(self) -> bool:
        return time.monotonic() >= self.deadline

    def __call__(self) -> bool:
        return self.signals > 0 or self.out_of_time()


@contextmanager
def stopping(seconds: float) -> Iterator[Stop]:
    """SIGINT and SIGTERM ask for a checkpoint and a clean exit; a second signal ends at once."""
    stop = Stop(seconds)

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.signals:
            sys.exit(128 + number)
        stop.signals += 1

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def noting_failure(profile: str, entry: str, seed: int | None) -> Iterator[None]:
    """Keeps a note of a run that ended badly, for `claimbench status`; one that ends well removes it."""
    file = FAILURES / profile / (f"{entry}.json" if seed is None else f"{entry}_s{seed}.json")
    try:
        yield
    except InputError:
        raise
    except CheckFailed as error:
        status = "timeout" if isinstance(error, TimeLimit) else "failed"
        write_json(file, {"entry": entry, "seed": seed, "status": status, "reason": str(error)})
        raise
    except Exception as error:
        if isinstance(error, OSError) and (refused := refusal(error)):
            raise InputError(refused) from error
        reason = f"{type(error).__name__}: {error}"
        write_json(file, {"entry": entry, "seed": seed, "status": "failed", "reason": reason})
        traceback.print_exc()
        raise CheckFailed(f"{entry}: {reason}") from error
    file.unlink(missing_ok=True)
