"""Frontiers: their shape, who decides what is best so far, how often chance decides. As a script: rates of maths.md."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.statistics.comparison import paired
from benchmarks.statistics.frontiers import frontier, frontiers

SIZES = (3, 5, 10)
ALPHA = 0.05
TRIALS = 1000
FOUR_ERRORS = 4.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / TRIALS)  # four standard errors of a rate of alpha
COSTS = (0.0, 1.0, 2.0, 4.0, 8.0)  # of the frontier's points, the first of them the origin
FLAT, RISING, OVERDONE = (0.0,) * 5, (0.0, 10.0, 14.0, 20.0, 28.0), (0.0, 10.0, 14.0, 14.0, 0.0)


def rates(
    means: Sequence[float],
    points: Sequence[tuple[float, float]],
    n: int,
    trials: int,
    own: bool = False,
    seed: int = 90,
) -> dict[str, float]:
    """Shares of holds, fails and undecided for points (cost, mean) below a frontier of these means, spread 1.

    Shared seeds have a strong effect of their own. With `own` each seed judges for itself which point is the best.
    """
    generator = np.random.default_rng(seed + n)
    costs = np.repeat(np.array(COSTS)[:, None], n, axis=1)
    counted: Counter[str] = Counter()
    for _ in range(trials):
        shared = generator.normal(0.0, 5.0, n)
        values = np.array(means)[:, None] + shared + generator.normal(0.0, 1.0, (len(means), n))
        at_points = []
        for cost, mean in points:
            theirs = mean + shared + generator.normal(0.0, 1.0, n)
            if own:
                found = [frontier(x, y, cost) for x, y in zip(costs.T, values.T, strict=True)]
            else:
                found = frontiers(costs, values, [cost] * n)
            at_points.append((found, theirs.tolist()))
        strict = ALPHA / len(points)
        if all(paired(a, b, ALPHA).decision == "greater" for a, b in at_points):
            counted["holds"] += 1
        elif any(paired(a, b, strict).decision == "less" for a, b in at_points):
            counted["fails"] += 1
    rest = trials - counted["holds"] - counted["fails"]
    return {"holds": counted["holds"] / trials, "fails": counted["fails"] / trials, "undecided": rest / trials}


# Shape
def test_through_the_points_straight_in_between_and_level_beyond() -> None:
    found = [frontier([1.0, 3.0, 5.0], [2.0, 6.0, 7.0], at) for at in (1.0, 2.0, 3.0, 4.0, 5.0, 9.0)]
    assert found == [2.0, 4.0, 6.0, 6.5, 7.0, 7.0]
    assert math.isnan(frontier([1.0, 3.0], [2.0, 6.0], 0.999))


def test_never_falls() -> None:
    """The point at 4 is no better than the one at 2, and is raised to it."""
    found = [frontier([1.0, 2.0, 4.0, 6.0], [1.0, 5.0, 3.0, 6.0], at) for at in (2.0, 3.0, 4.0, 5.0, 6.0)]
    assert found == [5.0, 5.0, 5.0, 5.5, 6.0]


def test_the_order_of_points_does_not_matter_nor_which_way_is_better() -> None:
    generator = np.random.default_rng(3)
    costs, values = generator.uniform(0, 9, 12), generator.normal(size=12)
    order = generator.permutation(12)
    for at in (*generator.uniform(costs.min(), 12, 20).tolist(), *costs.tolist()):
        found = frontier(costs, values, at)
        assert found == frontier(costs[order], values[order], at)
        assert found == -frontier(costs, -values, at, higher_is_better=False)
        assert found <= values[costs <= at].max() or at < costs.max()  # nothing is above what was run


def test_of_points_of_one_cost_the_best_counts() -> None:
    for values in ([1.0, 2.0, 5.0], [1.0, 5.0, 2.0]):
        assert frontier([0.0, 2.0, 2.0], values, 2.0) == 5.0
        assert frontier([0.0, 2.0, 2.0], values, 1.0) == 3.0
        assert frontier([0.0, 2.0, 2.0], values, 3.0) == 5.0
    assert frontier([0.0, 2.0, 2.0], [9.0, 2.0, 5.0], 2.0, higher_is_better=False) == 2.0


def test_others_decide_which_point_is_the_best_so_far() -> None:
    """By itself the seed would take its lucky 9; the others know that the second point is no better than the first."""
    assert frontier([0.0, 1.0, 2.0], [1.0, 9.0, 2.0], 2.0, judged_by=[1.0, 0.0, 5.0]) == 2.0
    assert frontier([0.0, 1.0, 2.0], [1.0, 9.0, 2.0], 1.0, judged_by=[1.0, 0.0, 5.0]) == 1.0
    assert frontier([0.0, 1.0, 2.0], [1.0, 9.0, 2.0], 2.0) == 9.0


def test_each_seed_has_the_frontier_of_its_own_points_chosen_by_the_others() -> None:
    costs = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    values = np.array([[0.0, 1.0, 2.0], [4.0, 8.0, 16.0]])
    assert frontiers(costs, values, [0.5, 1.0, 6.0]) == [2.0, 4.5, 16.0]
    lucky = np.array([[0.0, 0.0, 0.0], [30.0, -1.0, -1.0]])  # the first seed's luck helps the others, not itself
    assert frontiers(costs, lucky, [5.0, 5.0, 5.0]) == [0.0, -1.0, -1.0]
    assert frontiers(costs[:, :1], lucky[:, :1], [5.0]) == [30.0]
    assert math.isnan(frontiers(costs + 1, values, [0.5, 1.0, 6.0])[0])


@pytest.mark.parametrize(
    ("costs", "values", "at", "judged_by", "reason"),
    [
        ([], [], 1.0, None, "costs: found no value"),
        ([1.0], [1.0, 2.0], 1.0, None, "one a point is needed"),
        ([1.0], [1.0], 1.0, [1.0, 2.0], "one a point is needed"),
        ([1.0], [math.nan], 1.0, None, "values: found nan"),
        ([math.inf], [1.0], 1.0, None, "costs: found inf"),
        ([1.0], [1.0], math.nan, None, "at: found nan"),
    ],
)
def test_bad_input_is_refused(
    costs: list[float], values: list[float], at: float, judged_by: list[float] | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        frontier(costs, values, at, judged_by=judged_by)


# Rates
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("cost", [3.0, 12.0])
def test_a_point_on_a_flat_frontier_is_rarely_told_below_it(n: int, cost: float) -> None:
    """Twice alpha, and no more: that seeds judge for each other makes their differences a little dependent."""
    found = rates(FLAT, [(cost, 0.0)], n, TRIALS)["holds"]
    assert 0.01 < found <= 2 * ALPHA + FOUR_ERRORS
    assert rates(FLAT, [(cost, 0.0)], n, TRIALS, own=True)["holds"] > 3 * ALPHA  # why seeds do not judge themselves


@pytest.mark.parametrize("n", SIZES)
def test_points_on_the_frontier_are_rarely_told_off_it(n: int) -> None:
    """Where points coincide with the frontier's own, nothing is in between that a line could miss."""
    on_it = list(zip(COSTS[1:], RISING[1:], strict=True))
    found = rates(RISING, on_it, n, TRIALS)
    assert found["holds"] <= ALPHA + FOUR_ERRORS
    assert found["fails"] <= 2 * ALPHA + FOUR_ERRORS


def test_sees_points_below_above_and_beyond() -> None:
    below = [(cost, mean - 5.0) for cost, mean in zip(COSTS[1:], RISING[1:], strict=True)]
    assert rates(RISING, below, 5, 200)["holds"] > 0.95
    assert rates(RISING, [*below[:3], (8.0, 33.0)], 5, 200)["fails"] > 0.95
    assert rates(OVERDONE, [(12.0, 9.0)], 5, 200)["holds"] > 0.95  # above its last point, below its best


if __name__ == "__main__":
    on_rising = list(zip(COSTS[1:], RISING[1:], strict=True))
    lower = [(cost, mean - 4.0) for cost, mean in on_rising]
    one_higher = [*lower[:3], (8.0, 32.0)]
    for label, truth, of, alone in (
        ("flat, one point on it", FLAT, [(3.0, 0.0)], False),
        ("flat, one point on it, seeds judge for themselves", FLAT, [(3.0, 0.0)], True),
        ("flat, one point beyond it", FLAT, [(12.0, 0.0)], False),
        ("flat, three points on it", FLAT, [(1.5, 0.0), (3.0, 0.0), (6.0, 0.0)], False),
        ("rising, four points on it", RISING, on_rising, False),
        ("rising, four points 2 below", RISING, [(cost, mean - 2.0) for cost, mean in on_rising], False),
        ("rising, four points 4 below", RISING, lower, False),
        ("rising, three points 4 below, one 4 above", RISING, one_higher, False),
        ("overdone, one point 5 below its best", OVERDONE, [(12.0, 9.0)], False),
    ):
        print(f"{label}: " + "  ".join(f"n={n} {rates(truth, of, n, 5000, alone)}" for n in SIZES), flush=True)
