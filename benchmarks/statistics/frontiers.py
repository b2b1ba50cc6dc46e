"""The best that one quantity reaches for at most so much of another, between and beyond the points that were run."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.samples import checked


def frontier(
    costs: Sequence[float],
    values: Sequence[float],
    at: float,
    higher_is_better: bool = True,
    judged_by: Sequence[float] | None = None,
) -> float:
    """The value, at cost `at`, of the frontier through n points (cost, value), in the unit of `values`.

    The points in order of their cost, each raised to the best value so far, joined by straight lines; beyond the
    largest cost the last value holds, below the smallest there is none: NaN. `judged_by` are n other values that decide
    which point is the best so far; by default the values themselves. Why it does not fall, why it is straight in
    between, and who should decide: `maths.md`.
    Raises ValueError on no points, on unequal lengths and on non-finite values.
    """
    xs, ys = np.array(checked(costs, "costs")), np.array(checked(values, "values"))
    told = np.array(checked(values if judged_by is None else judged_by, "judged_by"))
    (place,) = checked([at], "at")
    if not len(xs) == len(ys) == len(told):
        raise ValueError(f"found {len(xs)} costs, {len(ys)} values and {len(told)} that judge; one a point is needed")
    told = told if higher_is_better else -told
    order = np.lexsort((-told, xs))  # of points of one cost, the best counts
    best = order[_places_of_running_best(told[order])]
    return float(np.interp(place, xs[order], ys[best], left=np.nan))


def frontiers(
    costs: NDArray[np.float64], values: NDArray[np.float64], at: Sequence[float], higher_is_better: bool = True
) -> list[float]:
    """The value of each seed's frontier at that seed's cost; (points, seeds) costs and values, (seeds,) `at`.

    Which point is the best so far is judged by the means over all other seeds, so that a seed's luck does not choose
    what is then taken from the same seed; a single seed judges for itself. NaN and errors as `frontier`.
    """
    others = values if values.shape[1] == 1 else values.sum(axis=1, keepdims=True) - values
    of_seeds = zip(costs.T.tolist(), values.T.tolist(), at, others.T.tolist(), strict=True)
    return [frontier(xs, ys, place, higher_is_better, judged_by) for xs, ys, place, judged_by in of_seeds]


def _places_of_running_best(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """(n,) place of the first largest value up to each; a later equal one changes nothing."""
    found = np.maximum.accumulate(values)
    fresh = np.concatenate(([True], found[1:] > found[:-1]))
    return np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))
