"""Intervals against scipy, against a known truth, and at their edges. As a script: the coverage table of maths.md."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics.intervals import Interval, log_log_slope, student_t

SIZES = (3, 5, 10)
# Both sides run the same formula in float64 on values of size 1 to 10: they differ by a few roundings, not by 1e-12.
SAME: dict[str, Any] = {"rel": 1e-12, "abs": 1e-12}


def t_coverage(n: int, trials: int, seed: int = 20) -> float:
    """Share of trials whose 95 % interval holds the true mean, for normal values."""
    draws = np.random.default_rng(seed).normal(3.0, 2.0, size=(trials, n)).tolist()
    intervals = [student_t(row) for row in draws]
    return sum(i.low <= 3.0 <= i.high for i in intervals) / trials


def misfit_coverage(n: int, trials: int, seed: int = 22) -> tuple[float, float]:
    """t coverage where normality fails: exponential values; a score near 1 where one seed in five collapses to 0."""
    generator = np.random.default_rng(seed)
    skewed = generator.exponential(1.0, size=(trials, n))
    scattered = generator.normal(1.0, 0.05, size=(trials, n))
    collapsing = np.where(generator.random((trials, n)) < 0.2, 0.0, scattered)
    rates = []
    for draws, truth in ((skewed, 1.0), (collapsing, 0.8)):
        intervals = [student_t(row) for row in draws.tolist()]
        rates.append(sum(i.low <= truth <= i.high for i in intervals) / trials)
    return rates[0], rates[1]


def bootstrap_coverage(n: int, trials: int, seed: int = 20, resamples: int = 400) -> float:
    """The same for the percentile bootstrap: the control that shows what the test can see."""
    generator = np.random.default_rng(seed)
    hits = 0
    for row in generator.normal(3.0, 2.0, size=(trials, n)):
        means = row[generator.integers(0, n, size=(resamples, n))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        hits += bool(low <= 3.0 <= high)
    return hits / trials


def slope_coverage(n: int, trials: int, seed: int = 21) -> float:
    """Share of trials whose 95 % interval holds the true exponent -0.5, for log-normal scatter."""
    x = 2.0 ** np.arange(n)
    noise = np.random.default_rng(seed).normal(0.0, 0.3, size=(trials, n))
    intervals = [log_log_slope(x.tolist(), row) for row in (4.0 * x**-0.5 * np.exp(noise)).tolist()]
    return sum(i.low <= -0.5 <= i.high for i in intervals) / trials


@pytest.mark.parametrize("n", [2, *SIZES])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_student_t_agrees_with_scipy(n: int, level: float) -> None:
    values = np.random.default_rng(n).normal(3.0, 2.0, size=n).tolist()
    ours = student_t(values, level)
    theirs = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    assert ours.low == pytest.approx(theirs.low, **SAME)
    assert ours.high == pytest.approx(theirs.high, **SAME)
    assert ours.mean == pytest.approx(np.mean(values), **SAME)
    assert (ours.n, ours.method) == (n, "Student t")


@pytest.mark.parametrize("n", SIZES)
def test_student_t_covers_the_truth_where_the_bootstrap_does_not(n: int) -> None:
    # 4000 trials: one standard error is 0.34 points, so the band of 2 points is nearly 6 of them. The bootstrap is
    # below 93 % by 2 points or more at these n; 2000 trials (0.7 points) tell that.
    assert 0.93 <= t_coverage(n, 4000) <= 0.97
    assert bootstrap_coverage(n, 2000) < 0.93


def test_one_value_says_nothing_of_the_spread() -> None:
    assert student_t([1.97]) == Interval(1.97, -math.inf, math.inf, 1, "Student t")


@pytest.mark.parametrize("value", [0.1, -0.3, 1.97, 1e-300, 1e300, 0.0])
@pytest.mark.parametrize("n", [2, 3, 7, 10, 49])
def test_equal_values_give_exactly_that_value(value: float, n: int) -> None:
    assert student_t([value] * n) == Interval(value, value, value, n, "Student t")


def test_tiny_and_huge_spreads_neither_vanish_nor_overflow() -> None:
    unit = student_t([-1.0, 0.5, 2.0])
    for scale in (2.0**-900, 2.0**900):  # powers of two: scaling is exact, squares would underflow or overflow
        scaled = student_t([-scale, 0.5 * scale, 2.0 * scale])
        assert scaled.high / scale == pytest.approx(unit.high, rel=1e-15)


def test_order_of_the_values_does_not_reach_the_bits() -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(1e6, 1.0, size=10)
    assert {student_t(generator.permutation(values).tolist()) for _ in range(50)} == {student_t(values.tolist())}


def test_removing_seeds_widens_the_interval() -> None:
    # The same two values, repeated: the spread stays about equal, the number of seeds does not.
    widths = [(i.high - i.low) for i in (student_t([1.0, 2.0] * k) for k in (1, 2, 3, 5))]
    assert widths == sorted(widths, reverse=True)
    assert math.isinf(student_t([1.0]).high)


def test_interval_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        student_t([1.0, 2.0]).mean = 3.0  # type: ignore[misc]


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [1.0, math.inf], [-math.inf], [1e301, 1.0]])
def test_student_t_refuses_bad_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values: found"):
        student_t(values)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, math.nan])
def test_a_level_outside_0_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level: found"):
        student_t([1.0, 2.0], level)
    with pytest.raises(ValueError, match="level: found"):
        log_log_slope([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], level)


@pytest.mark.parametrize("n", SIZES)
def test_slope_agrees_with_linregress(n: int) -> None:
    generator = np.random.default_rng(n)
    x = generator.uniform(1.0, 100.0, size=n)
    y = x**-0.5 * np.exp(generator.normal(0.0, 0.5, size=n))
    ours = log_log_slope(x.tolist(), y.tolist(), 0.9)
    theirs = stats.linregress(np.log(x), np.log(y))
    half = stats.t.ppf(0.95, n - 2) * theirs.stderr
    assert ours.mean == pytest.approx(theirs.slope, **SAME)
    assert ours.low == pytest.approx(theirs.slope - half, **SAME)
    assert ours.high == pytest.approx(theirs.slope + half, **SAME)
    assert (ours.n, ours.method) == (n, "log-log least squares")


@pytest.mark.parametrize("n", SIZES)
def test_slope_interval_covers_the_true_exponent(n: int) -> None:
    # 4000 trials: the band of 2 points is nearly 6 standard errors.
    assert 0.93 <= slope_coverage(n, 4000) <= 0.97


def test_slope_of_an_exact_power_law() -> None:
    x = [1.0, 2.0, 4.0, 8.0]
    fit = log_log_slope(x, [3.0 * v**-2 for v in x])
    # Logarithms are rounded at 1e-16; four points on a range of 2 keep the slope and its interval well inside 1e-13.
    assert fit.mean == pytest.approx(-2.0, abs=1e-13)
    assert fit.high - fit.low < 1e-13
    assert log_log_slope(x, [0.3] * 4) == Interval(0.0, 0.0, 0.0, 4, "log-log least squares")


def test_slope_does_not_depend_on_units_or_order() -> None:
    x, y = [1.0, 2.0, 5.0, 9.0], [4.0, 2.5, 1.1, 0.9]
    fit = log_log_slope(x, y)
    assert log_log_slope(x[::-1], y[::-1]) == fit
    rescaled = log_log_slope([1000.0 * v for v in x], [0.01 * v for v in y])
    assert rescaled.mean == pytest.approx(fit.mean, **SAME)
    assert rescaled.low == pytest.approx(fit.low, **SAME)


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([], [], "x: found no value"),
        ([1.0, 2.0], [1.0, 2.0], "at least 3"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "same number"),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 2.0], "positive"),
        ([-1.0, 2.0, 3.0], [1.0, 1.0, 2.0], "positive"),
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], "different x"),
        ([1.0, 2.0, math.nan], [1.0, 2.0, 3.0], "x: found nan"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, math.inf], "y: found inf"),
    ],
)
def test_slope_refuses_bad_points(x: list[float], y: list[float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        log_log_slope(x, y)


if __name__ == "__main__":
    for size in SIZES:
        print(f"n={size}: t {t_coverage(size, 20000):.4f}", end="  ")
        print(f"bootstrap {bootstrap_coverage(size, 20000):.4f}  slope {slope_coverage(size, 20000):.4f}", end="  ")
        print("exponential {:.4f}  collapsing {:.4f}".format(*misfit_coverage(size, 20000)))
