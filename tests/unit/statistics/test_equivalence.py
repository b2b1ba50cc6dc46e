"""TOST against scipy, its error rates at the edge, and its corners. Run as a script: the rates of maths.md."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics.equivalence import Equivalence, two_one_sided

SIZES = (3, 5, 10)
ALPHA = 0.05
TRIALS = 3000
FOUR_ERRORS = 4.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / TRIALS)  # four binomial standard errors of a rate of alpha


def decision_rates(truth: float, n: int, trials: int, spread: float = 0.2, seed: int = 30) -> dict[str, float]:
    """Share of each decision for normal values about `truth`, against the target 5 with tolerance 1."""
    draws = np.random.default_rng(seed + n).normal(truth, spread, size=(trials, n)).tolist()
    counts = Counter(two_one_sided(row, 5.0, 1.0, ALPHA).decision for row in draws)
    return {name: counts[name] / trials for name in ("equivalent", "above", "below", "undecided")}


@pytest.mark.parametrize("n", [2, *SIZES])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_interval_and_p_agree_with_scipy(n: int, alpha: float) -> None:
    values = np.random.default_rng(n).normal(5.2, 0.5, size=n).tolist()
    ours = two_one_sided(values, 5.0, 1.0, alpha)
    low_side = stats.ttest_1samp(values, 4.0, alternative="greater")
    high_side = stats.ttest_1samp(values, 6.0, alternative="less")
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(1.0 - 2.0 * alpha)
    # The same formula in float64 on values of size 5: a few roundings, not 1e-12.
    assert ours.p == pytest.approx(max(low_side.pvalue, high_side.pvalue), rel=1e-12)
    assert ours.low == pytest.approx(interval.low, rel=1e-12, abs=1e-12)
    assert ours.high == pytest.approx(interval.high, rel=1e-12, abs=1e-12)
    assert ours.n == n


def test_equivalent_is_the_same_as_p_at_most_alpha() -> None:
    draws = np.random.default_rng(3).normal(5.5, 0.5, size=(500, 4)).tolist()
    results = [two_one_sided(row, 5.0, 1.0) for row in draws]
    assert all((r.decision == "equivalent") == (r.p <= ALPHA) for r in results)
    assert len({r.decision for r in results}) > 1  # else the line above says nothing


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("edge", "outside"), [(6.0, "above"), (4.0, "below")])
def test_error_rates_at_the_edge(n: int, edge: float, outside: str) -> None:
    # With a spread of a fifth of the tolerance the far edge plays no part, so both rates are alpha itself: the lower
    # bounds are there to catch a test that never decides.
    rates = decision_rates(edge, n, TRIALS)
    assert ALPHA - FOUR_ERRORS <= rates["equivalent"] <= ALPHA + FOUR_ERRORS
    assert ALPHA - FOUR_ERRORS <= rates[outside] <= ALPHA + FOUR_ERRORS
    other = "below" if outside == "above" else "above"
    assert rates[other] == 0.0  # ten or more standard deviations away


@pytest.mark.parametrize("n", SIZES)
def test_a_wide_spread_makes_it_cautious_not_wrong(n: int) -> None:
    rates = decision_rates(6.0, n, 1000, spread=3.0)
    four_errors = 4.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / 1000)
    assert rates["equivalent"] <= ALPHA + four_errors
    assert rates["above"] <= ALPHA + four_errors
    assert rates["undecided"] > 0.8


@pytest.mark.parametrize(
    ("values", "decision"),
    [
        ([4.9, 5.1, 5.0], "equivalent"),
        ([7.9, 8.1, 8.0], "above"),
        ([1.9, 2.1, 2.0], "below"),
        ([5.0, 6.0, 7.0], "undecided"),
        ([3.0, 5.0, 7.0], "undecided"),  # wider than the band, on both sides
    ],
)
def test_the_four_decisions(values: list[float], decision: str) -> None:
    assert two_one_sided(values, 5.0, 1.0).decision == decision


@pytest.mark.parametrize("values", [[4.95, 5.1, 5.0, 5.05, 4.9], [7.9, 8.2, 8.0, 8.1, 7.8], [1.9, 2.2, 2.0, 2.1, 1.8]])
def test_removing_seeds_ends_in_undecided(values: list[float]) -> None:
    decisions = [two_one_sided(values[:n], 5.0, 0.4).decision for n in range(5, 0, -1)]
    assert decisions[0] != "undecided"
    assert decisions[-1] == "undecided"
    first = decisions.index("undecided")
    assert set(decisions[:first]) == {decisions[0]}


def test_one_value_is_undecided_even_on_target() -> None:
    assert two_one_sided([5.0], 5.0, 1.0) == Equivalence("undecided", 5.0, -math.inf, math.inf, 1.0, 1)


@pytest.mark.parametrize(
    ("value", "target", "tolerance", "decision", "p"),
    [
        (2.02, 1.97, 0.05, "equivalent", 0.0),
        (0.3, 0.1, 0.2, "equivalent", 0.0),  # 0.1 + 0.2 is above 0.3 in float64
        (0.1 + 0.2, 0.3, 0.0, "equivalent", 0.0),  # one unit in the last place above
        (-0.3, -0.1, 0.2, "equivalent", 0.0),
        (0.7, 1.0, 0.3, "equivalent", 0.0),
        (0.3 + 1e-12, 0.3, 0.0, "above", 1.0),  # the guard is a few units in the last place, not a tolerance
        (0.3 - 1e-12, 0.3, 0.0, "below", 1.0),
        (2.021, 1.97, 0.05, "above", 1.0),
        (0.0, 0.0, 0.0, "equivalent", 0.0),
        (5e-324, 0.0, 0.0, "above", 1.0),
    ],
)
def test_equal_values_are_judged_as_one_number(
    value: float, target: float, tolerance: float, decision: str, p: float
) -> None:
    assert two_one_sided([value] * 3, target, tolerance) == Equivalence(decision, value, value, value, p, 3)  # type: ignore[arg-type]


def test_mirror_image_gives_the_mirrored_answer() -> None:
    values = [5.9, 6.4, 6.1]
    right, left = two_one_sided(values, 5.0, 0.5), two_one_sided([-v for v in values], -5.0, 0.5)
    assert (right.decision, left.decision) == ("above", "below")
    assert (left.mean, left.low, left.high) == (-right.mean, -right.high, -right.low)
    assert left.p == pytest.approx(right.p, rel=1e-12)  # sf on one side, cdf on the other


def test_order_of_the_values_does_not_reach_the_bits() -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(5.0, 1.0, size=10)
    shuffled = {two_one_sided(generator.permutation(values).tolist(), 5.0, 1.0) for _ in range(30)}
    assert shuffled == {two_one_sided(values.tolist(), 5.0, 1.0)}


@pytest.mark.parametrize(
    ("values", "target", "tolerance", "alpha", "reason"),
    [
        ([], 1.0, 1.0, 0.05, "values: found no value"),
        ([1.0, math.nan], 1.0, 1.0, 0.05, "values: found nan"),
        ([1.0, 2.0], math.inf, 1.0, 0.05, "target: found inf"),
        ([1.0, 2.0], 1.0, math.nan, 0.05, "tolerance: found nan"),
        ([1.0, 2.0], 1.0, -0.1, 0.05, "must not be negative"),
        ([1.0, 2.0], 1.0, 1.0, 0.0, "alpha: found"),
        ([1.0, 2.0], 1.0, 1.0, 0.5, "alpha: found"),
        ([1.0, 2.0], 1.0, 1.0, math.nan, "alpha: found"),
    ],
)
def test_bad_input_is_refused(values: list[float], target: float, tolerance: float, alpha: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        two_one_sided(values, target, tolerance, alpha)


if __name__ == "__main__":
    for size in SIZES:
        print(f"n={size}: at the edge {decision_rates(6.0, size, 20000)}")
        print(f"n={size}: on target {decision_rates(5.0, size, 20000)}")
        print(f"n={size}: on target, spread half the tolerance {decision_rates(5.0, size, 20000, spread=0.5)}")
