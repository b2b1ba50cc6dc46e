"""Confidence intervals: of a mean over seeds, and of the slope of a power law."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.statistics.samples import check_share, checked, summarise
from benchmarks.statistics.student import quantile


@dataclass(frozen=True)
class Interval:
    """A point estimate (`mean`) with the two-sided interval [low, high]; n values or points went in."""

    mean: float
    low: float
    high: float
    n: int
    method: str


def student_t(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of the mean of n independent values, in their unit.

    One value says nothing of the spread: the interval is then the whole line. Equal values give low == high == mean,
    exactly. Source: Student, Biometrika 6 (1908); Casella and Berger, Statistical Inference, section 9.2.
    Raises ValueError on empty input, on non-finite values and on a level outside (0, 1).
    """
    check_share(level, "level")
    sample = summarise(values)
    if sample.n == 1:
        return Interval(sample.mean, -math.inf, math.inf, 1, "Student t")
    half = quantile(level, sample.n - 1) * sample.standard_error
    return Interval(sample.mean, sample.mean - half, sample.mean + half, sample.n, "Student t")


def log_log_slope(x: Sequence[float], y: Sequence[float], level: float = 0.95) -> Interval:
    """Exponent k of y = c x^k: least squares on (log x, log y), t interval of the slope with n - 2 degrees of freedom.

    x and y are n positive numbers each, in any unit (the slope has none). The interval speaks of scatter about the
    line, not of whether a line is the right shape. Source: Casella and Berger, Statistical Inference, section 11.3.
    Raises ValueError on fewer than 3 points, on unequal lengths, on values that are not positive and finite, on x that
    are all equal and on a level outside (0, 1).
    """
    check_share(level, "level")
    xs, ys = checked(x, "x"), checked(y, "y")
    n = len(xs)
    if n != len(ys):
        raise ValueError(f"x and y: found {n} and {len(ys)} values; both need the same number")
    if n < 3:
        raise ValueError(f"x and y: found {n} points; a slope with an interval needs at least 3")
    if min(*xs, *ys) <= 0.0:
        raise ValueError(f"x and y: found {min(*xs, *ys)}; every value must be positive to have a logarithm")

    points = sorted((math.log(a), math.log(b)) for a, b in zip(xs, ys, strict=True))
    centre_x = summarise([a for a, _ in points]).mean
    centre_y = summarise([b for _, b in points]).mean
    run = [a - centre_x for a, _ in points]
    rise = [b - centre_y for _, b in points]
    run_length = math.hypot(*run)
    if run_length == 0.0:
        raise ValueError("x: found one logarithm for all points; a slope needs at least two different x")
    slope = math.fsum((a / run_length) * b for a, b in zip(run, rise, strict=True)) / run_length
    residual = math.hypot(*(b - slope * a for a, b in zip(run, rise, strict=True)))
    half = quantile(level, n - 2) * (residual / math.sqrt(n - 2)) / run_length
    return Interval(slope, slope - half, slope + half, n, "log-log least squares")
