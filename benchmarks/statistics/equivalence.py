"""Is a mean equal to a target, within a tolerance? Shown by rejecting both "too low" and "too high"."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.statistics import student
from benchmarks.statistics.intervals import student_t
from benchmarks.statistics.samples import check_share, checked, rounding_guard, summarise

Position = Literal["equivalent", "above", "below", "undecided"]


@dataclass(frozen=True)
class Equivalence:
    """[low, high] is the 1 - 2 alpha interval of the mean; p is the larger of the two one-sided p values."""

    decision: Position
    mean: float
    low: float
    high: float
    p: float
    n: int


def two_one_sided(values: Sequence[float], target: float, tolerance: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided t tests (TOST) of the mean of n independent values against target +- tolerance, all in one unit.

    `equivalent`: the 1 - 2 alpha interval lies within the band (edges included), which is p <= alpha. `above`, `below`:
    it lies wholly outside, on that side. `undecided`: it crosses an edge. One value is always undecided, with p = 1.
    Equal values have an interval of one point, and p is 0 or 1. Edges carry a guard of four units in the last place.
    Source: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987); Berger and Hsu, Statistical Science 11
    (1996).
    Raises ValueError on empty input, non-finite numbers, a negative tolerance and an alpha outside (0, 0.5).
    """
    check_share(alpha, "alpha", below=0.5)
    checked([target], "target")
    checked([tolerance], "tolerance")
    if tolerance < 0.0:
        raise ValueError(f"tolerance: found {tolerance}; it must not be negative")

    sample = summarise(values)
    interval = student_t(values, 1.0 - 2.0 * alpha)
    floor, ceiling = target - tolerance, target + tolerance
    decision = _place(interval.low, interval.high, floor, ceiling, rounding_guard(target, tolerance))
    if sample.n == 1:
        p = 1.0
    elif sample.standard_error == 0.0:
        p = 0.0 if decision == "equivalent" else 1.0
    else:
        error, degrees = sample.standard_error, sample.n - 1
        too_low = student.tail((sample.mean - floor) / error, degrees)
        too_high = student.tail((ceiling - sample.mean) / error, degrees)
        p = max(too_low, too_high)
    return Equivalence(decision, sample.mean, interval.low, interval.high, p, sample.n)


def _place(low: float, high: float, floor: float, ceiling: float, guard: float) -> Position:
    """Where [low, high] lies against [floor, ceiling], each edge taken as equal within the guard."""
    if math.isinf(low) or math.isinf(high):
        return "undecided"
    if low >= floor - guard and high <= ceiling + guard:
        return "equivalent"
    if low > ceiling + guard:
        return "above"
    if high < floor - guard:
        return "below"
    return "undecided"
