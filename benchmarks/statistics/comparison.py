"""Which of two lists of scores has the larger mean, with shared seeds (paired) or without (Welch); sums of several."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.statistics import student
from benchmarks.statistics.samples import Sample, check_share, checked, rounding_guard, summarise

Order = Literal["greater", "less", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """Mean of a minus mean of b, with its 1 - 2 alpha interval; p is one-sided, for the direction seen."""

    difference: float
    low: float
    high: float
    decision: Order
    p: float
    test: str
    n: int


def paired(a: Sequence[float], b: Sequence[float], alpha: float = 0.05) -> Comparison:
    """Paired t test: a[i] and b[i] share seed i, and the n differences are independent and near normal.

    `greater` when the 1 - 2 alpha interval of the mean difference lies above 0, `less` when below, else `undecided`.
    One pair is always undecided, with p = 1. Equal differences are decided by their sign. Zero carries a guard of four
    units in the last place of the largest value. Source: Casella and Berger, Statistical Inference, section 8.3.
    Raises ValueError on empty input, unequal lengths, non-finite values and an alpha outside (0, 0.5).
    """
    check_share(alpha, "alpha", below=0.5)
    left, right = checked(a, "a"), checked(b, "b")
    if len(left) != len(right):
        raise ValueError(f"a and b: found {len(left)} and {len(right)} values; pairs need the same number")
    gaps = summarise([x - y for x, y in zip(left, right, strict=True)], "a - b")
    error = gaps.standard_error if gaps.n > 1 else math.inf
    guard = rounding_guard(*left, *right)
    return _compare(gaps.mean, error, gaps.n - 1, guard, alpha, "paired t", gaps.n)


def welch(a: Sequence[float], b: Sequence[float], alpha: float = 0.05) -> Comparison:
    """Welch's t test of two independent samples, whose sizes and variances may differ; all values in one unit.

    Decisions, guard and p as in `paired`; n is the smaller sample. Fewer than two values on a side is undecided, with
    p = 1. No spread on either side: decided by the sign of the difference. Source: Welch, Biometrika 34 (1947);
    Satterthwaite, Biometrics Bulletin 2 (1946), for the degrees of freedom.
    Raises ValueError on empty input, non-finite values and an alpha outside (0, 0.5).
    """
    check_share(alpha, "alpha", below=0.5)
    left, right = summarise(a, "a"), summarise(b, "b")
    error, degrees = _welch_error(left, right)
    guard = rounding_guard(*a, *b)
    return _compare(left.mean - right.mean, error, degrees, guard, alpha, "Welch t", min(left.n, right.n))


def contrast(
    samples: Sequence[Sequence[float]], weights: Sequence[float], shared_seeds: bool, alpha: float = 0.05
) -> Comparison:
    """The weighted sum of the means of k samples against 0, in the unit of the values; n is the smallest sample.

    Weights 1 and -1 of two samples are `paired` and `welch`. With shared seeds the sum is taken seed by seed, then t
    with n - 1 degrees of freedom; otherwise the errors add up and Satterthwaite's degrees of freedom hold. Decisions,
    guard and p as in `paired`.
    Raises ValueError on other numbers of samples than weights, on unequal lengths where seeds are shared, and as
    `welch`.
    """
    check_share(alpha, "alpha", below=0.5)
    if len(samples) != len(weights) or not samples:
        raise ValueError(f"samples and weights: found {len(samples)} and {len(weights)}; one weight a sample is needed")
    weighted = [[w * x for x in checked(of)] for of, w in zip(samples, weights, strict=True)]
    guard = rounding_guard(*(x for of in weighted for x in of))
    if shared_seeds:
        if len({len(of) for of in weighted}) > 1:
            raise ValueError(f"samples: found {[len(of) for of in weighted]} values; shared seeds need the same number")
        sums = summarise([math.fsum(of_seed) for of_seed in zip(*weighted, strict=True)])
        error = sums.standard_error if sums.n > 1 else math.inf
        return _compare(sums.mean, error, sums.n - 1, guard, alpha, "paired t", sums.n)
    parts = [summarise(of) for of in weighted]
    difference, least = math.fsum(part.mean for part in parts), min(part.n for part in parts)
    error = math.inf if least < 2 else math.hypot(*sorted(part.standard_error for part in parts))
    if error in (0.0, math.inf):
        return _compare(difference, error, 1.0, guard, alpha, "Welch t", least)
    degrees = 1.0 / math.fsum(sorted((part.standard_error / error) ** 4 / (part.n - 1) for part in parts))
    return _compare(difference, error, degrees, guard, alpha, "Welch t", least)


def _welch_error(left: Sample, right: Sample) -> tuple[float, float]:
    """Standard error of the difference of means and its degrees of freedom; infinite error with a single value."""
    if min(left.n, right.n) < 2:
        return math.inf, 1.0
    errors = sorted((left.standard_error, right.standard_error))  # hypot does not promise to ignore the order
    error = math.hypot(*errors)
    if error == 0.0:
        return 0.0, 1.0
    left_share = (left.standard_error / error) ** 2
    right_share = (right.standard_error / error) ** 2
    return error, 1.0 / (left_share**2 / (left.n - 1) + right_share**2 / (right.n - 1))


def _compare(
    difference: float, error: float, degrees: float, guard: float, alpha: float, test: str, n: int
) -> Comparison:
    """Decide from a difference, its standard error (0: known exactly, inf: unknown) and degrees of freedom."""
    if math.isinf(error):
        return Comparison(difference, -math.inf, math.inf, "undecided", 1.0, test, n)
    half = student.quantile(1.0 - 2.0 * alpha, degrees) * error
    low, high = difference - half, difference + half
    without_spread = 0.0 if abs(difference) > guard else 0.5
    p = student.tail(abs(difference) / error, degrees) if error != 0.0 else without_spread
    decision: Order = "greater" if low > guard else "less" if high < -guard else "undecided"
    return Comparison(difference, low, high, decision, p, test, n)
