"""Two calls timed in turns on one machine; only their ratio says anything elsewhere."""

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 9
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h


def keep_memory() -> None:
    """Lets glibc keep freed memory, up to 32 MiB a block, instead of having new pages zeroed by the kernel.

    Which calls pay for those pages is chance: without this, ratios here vary by half. Elsewhere it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 25)
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


@dataclass(frozen=True)
class Comparison:
    """Median seconds of both, or what the unit says where it is not of time."""

    what: str
    ours: float
    peer: float
    unit: str = "ms"


def compare(what: str, ours: Callable[[], object], peer: Callable[[], object]) -> Comparison:
    """Taken in turns so that a busy moment hits both; one warm-up each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for call, kept in zip((ours, peer), seconds, strict=True):
            began = time.perf_counter()
            call()
            if number:
                kept.append(time.perf_counter() - began)
    return Comparison(what, statistics.median(seconds[0]), statistics.median(seconds[1]))
