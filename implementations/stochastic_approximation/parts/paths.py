"""Many independent paths of a recursion at once: where they stand, their running averages, which of them diverged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Iterate:
    """All paths after a step; nobody changes it afterwards. A path that diverged has NaN from then on."""

    step: int  # updates made
    values: Floats  # (paths, d)
    averages: Floats | None  # (paths, d), of the iterates that count; the last iterate while none does
    diverged: NDArray[np.bool_]  # (paths,)


def started(start: Floats, paths: int, average_from: int | None) -> Iterate:
    """`paths` paths at the point `start` (d,), before the first step."""
    values = np.tile(start, (paths, 1))
    return Iterate(0, values, None if average_from is None else values, np.zeros(paths, bool))


def advanced(before: Iterate, values: Floats, average_from: int | None, diverged_beyond: float) -> Iterate:
    """The paths after a step that leads to `values` (paths, d).

    A path has diverged once a coordinate exceeds `diverged_beyond` in size or is not finite. The average of Polyak
    and Ruppert is the running mean of the iterates of step `average_from` and later.
    """
    step = before.step + 1
    diverged = before.diverged | ~(np.abs(values) <= diverged_beyond).all(1)
    if diverged.any():
        values = np.where(diverged[:, None], np.nan, values)
    if average_from is None or before.averages is None:
        return Iterate(step, values, None, diverged)
    counted = max(1, step - average_from + 1)
    return Iterate(step, values, before.averages + (values - before.averages) / counted, diverged)
