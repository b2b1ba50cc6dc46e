"""Trends: what holds, fails and stays open, and how often chance alone decides. As a script: the rates of maths.md."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.statistics.trends import LEVEL_SHARE, monotone, saturating

SIZES = (3, 5, 10)
ALPHA = 0.05
TRIALS = 2000
FOUR_ERRORS = 4.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / TRIALS)  # four standard errors of a rate of alpha
SHARED = pytest.mark.parametrize("shared", [True, False])
FLAT, STAIRS, HUMP = (0.0, 0.0, 0.0, 0.0), (0.0, 5.0, 10.0, 15.0), (0.0, 10.0, 5.0, 15.0)
LEDGE = (0.0, 15.0, 15.0, 15.0)  # rises at once, then no more: the claim is true in the weak sense


PLACES = (0.0, 1.0, 2.0, 3.0, 4.0)  # of the shapes below; the second half begins at the third
NOTHING = (0.0,) * 5
PLATEAU = (0.0, 50.0, 95.0, 100.0, 100.0)  # spreads; the second half brings 5 % of the whole
QUARTER = tuple(mean / 4 for mean in PLATEAU)  # the same shape, its slack of 2.5 spreads
EDGE = (0.0, 50.0, 90.0, 95.0, 100.0)  # 10 %: just no level
LINE = (0.0, 25.0, 50.0, 75.0, 100.0)
RELAPSE = (0.0, 80.0, 100.0, 90.0, 75.0)
DIP = (0.0, 100.0, 70.0, 70.0, 70.0)


def rates(
    means: Sequence[float], n: int, shared: bool, trials: int, seed: int = 70, levels: bool = False
) -> dict[str, float]:
    """Shares of holds, fails and undecided, spread 1; shared seeds have a strong effect of their own.

    Of `rises` or, where `levels`, of rising and levelling off.
    """

    def decision(samples: list[list[float]]) -> str:
        if levels:
            return saturating(samples, PLACES, "rises", shared, ALPHA).decision
        return monotone(samples, "rises", shared, ALPHA).decision

    generator = np.random.default_rng(seed + n)
    draws = generator.normal(np.array(means)[None, :, None], 1.0, size=(trials, len(means), n))
    if shared:
        draws += generator.normal(0.0, 5.0, size=(trials, 1, n))
    counted = Counter(map(decision, draws.tolist()))
    return {word: counted[word] / trials for word in ("holds", "fails", "undecided")}


@SHARED
@pytest.mark.parametrize("n", SIZES)
def test_a_flat_line_holds_as_rarely_as_stated(n: int, shared: bool) -> None:
    found = rates(FLAT, n, shared, TRIALS)
    assert found["holds"] <= ALPHA + FOUR_ERRORS
    # Both the ends and, together, the steps may be reversed by chance, each at most alpha of the time.
    assert found["fails"] <= 2 * ALPHA + 2 * FOUR_ERRORS
    assert min(found["holds"], found["fails"]) > 0.01  # a test that never decides would pass the bounds above


@SHARED
@pytest.mark.parametrize("n", SIZES)
def test_a_ledge_fails_as_rarely_as_stated(n: int, shared: bool) -> None:
    """The ends are far apart, so that only the flat steps can be reversed."""
    assert rates(LEDGE, n, shared, TRIALS)["fails"] <= ALPHA + FOUR_ERRORS


@SHARED
def test_sees_stairs_and_a_hump(shared: bool) -> None:
    """Steps of five spreads; five seeds find them nearly always (maths.md)."""
    assert rates(STAIRS, 5, shared, 300)["holds"] > 0.98
    assert rates(HUMP, 5, shared, 300)["fails"] > 0.8
    assert rates([-mean for mean in STAIRS], 5, shared, 300)["fails"] > 0.98


@SHARED
@pytest.mark.parametrize(
    ("means", "decision", "turned"),
    [
        ((1.0, 2.0, 3.0), "holds", ()),
        ((1.0, 1.0, 3.0), "holds", ()),  # a flat step is no reversal
        ((1.0, 3.0, 2.0), "fails", (1,)),
        ((3.0, 2.0, 1.0), "fails", (0, 1)),
        ((2.0, 2.0, 2.0), "undecided", ()),
        ((2.0, 1.0, 2.0), "fails", (0,)),
    ],
)
def test_without_spread_the_signs_decide(
    means: tuple[float, ...], decision: str, turned: tuple[int, ...], shared: bool
) -> None:
    result = monotone([[mean] * 3 for mean in means], "rises", shared)
    assert (result.decision, result.reversed) == (decision, turned)
    assert result.ends.difference == means[-1] - means[0]
    mirrored = monotone([[-mean] * 3 for mean in means], "falls", shared)
    assert (mirrored.decision, mirrored.reversed) == (decision, turned)


def test_steps_are_reversed_at_a_stricter_level_than_the_ends() -> None:
    """One step back of t = -3.46 with 2 degrees of freedom: p = 0.037, below alpha and above half of it: doubtful."""
    samples = [[0.0, 0.0, 0.0], [9.0, 10.0, 11.0], [8.5, 9.0, 9.5]]
    back = [b - a for a, b in zip(samples[1], samples[2], strict=True)]
    t = np.mean(back) / (np.std(back, ddof=1) / math.sqrt(3))
    assert -4.30 < t < -2.92  # the quantiles of t for 0.025 and 0.05 in any printed table
    assert monotone(samples, "rises", True, alpha=0.03).decision == "holds"
    assert monotone(samples, "rises", True).decision == "undecided"
    assert monotone(samples, "rises", True, alpha=0.1).decision == "fails"


def test_pairing_sees_through_a_shared_seed_effect() -> None:
    seeds = [0.0, 10.0, -7.0, 3.0, 21.0]
    gains = ([0.0, 0.1, -0.1, 0.0, 0.1], [1.0, 1.2, 0.9, 1.1, 1.0], [2.1, 2.0, 1.9, 2.2, 2.0])
    samples = [[s + g for s, g in zip(seeds, gain, strict=True)] for gain in gains]
    assert monotone(samples, "rises", True).decision == "holds"
    assert monotone(samples, "rises", False).decision == "undecided"


@SHARED
def test_one_seed_is_undecided(shared: bool) -> None:
    assert monotone([[1.0], [2.0], [3.0]], "rises", shared).decision == "undecided"
    assert monotone([[3.0], [2.0], [1.0]], "rises", shared).decision == "undecided"


@pytest.mark.parametrize(
    ("samples", "alpha", "reason"),
    [
        ([[1.0, 2.0], [2.0, 3.0]], 0.05, "found 2; a trend needs at least 3"),
        ([[1.0, 2.0], [], [2.0, 3.0]], 0.05, "found no value"),
        ([[1.0, 2.0], [1.0, math.nan], [2.0, 3.0]], 0.05, "found nan"),
        ([[1.0, 2.0]] * 3, 0.0, "alpha: found"),
        ([[1.0, 2.0]] * 3, 0.5, "alpha: found"),
    ],
)
def test_bad_input_is_refused(samples: list[list[float]], alpha: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        monotone(samples, "rises", False, alpha)


def test_shared_seeds_need_equal_lengths() -> None:
    samples = [[1.0, 2.0], [2.0, 3.0, 4.0], [3.0, 4.0]]
    with pytest.raises(ValueError, match="same number"):
        monotone(samples, "rises", True)
    assert monotone(samples, "rises", False).decision == "undecided"


# Levelling off
@SHARED
@pytest.mark.parametrize("n", SIZES)
def test_a_level_is_claimed_as_rarely_as_stated(n: int, shared: bool) -> None:
    """Where the second half brings just the share that is no level, and where there is no gain at all."""
    assert rates(EDGE, n, shared, TRIALS, levels=True)["holds"] <= ALPHA + FOUR_ERRORS
    assert rates(NOTHING, n, shared, TRIALS, levels=True)["holds"] <= ALPHA + FOUR_ERRORS


@SHARED
@pytest.mark.parametrize("n", SIZES)
def test_a_level_is_denied_as_rarely_as_stated(n: int, shared: bool) -> None:
    """On the edge the change is above the share at most alpha of the time, and no step goes back."""
    found = rates(EDGE, n, shared, TRIALS, levels=True)["fails"]
    assert 0.01 < found <= ALPHA + FOUR_ERRORS
    assert rates(PLATEAU, n, shared, TRIALS, levels=True)["fails"] <= ALPHA + FOUR_ERRORS


@SHARED
def test_sees_a_plateau_a_line_and_a_relapse(shared: bool) -> None:
    """The gain is a hundred spreads; five seeds find what the second half does nearly always (maths.md)."""
    assert rates(PLATEAU, 5, shared, 300, levels=True)["holds"] > 0.9
    assert 0.3 < rates(QUARTER, 5, shared, 300, levels=True)["holds"] < 0.8  # the spread must fit into the slack
    for means in (LINE, RELAPSE, DIP, [-mean for mean in PLATEAU]):
        assert rates(means, 5, shared, 300, levels=True)["fails"] > 0.95


@SHARED
@pytest.mark.parametrize(
    ("means", "decision", "middle"),
    [
        ((0.0, 5.0, 9.5, 10.0, 10.0), "holds", 2),
        ((0.0, 10.0, 9.5, 9.5, 9.5), "holds", 2),  # back by 5 % of the gain
        ((0.0, 5.0, 8.0, 9.0, 10.0), "fails", 2),  # 20 % late
        ((0.0, 10.0, 8.0, 8.0, 8.0), "fails", 2),  # level, but a quarter of the gain was lost before
        ((0.0, 5.0, 10.0, 10.0, 8.0), "fails", 2),
        ((0.0, 0.0, 0.0, 0.0, 0.0), "undecided", 2),
        ((10.0, 5.0, 1.0, 0.0, 0.0), "fails", 2),
    ],
)
def test_without_spread_the_shares_decide(means: tuple[float, ...], decision: str, middle: int, shared: bool) -> None:
    result = saturating([[mean] * 3 for mean in means], PLACES, "rises", shared)
    assert (result.decision, result.middle) == (decision, middle)
    assert result.gain.difference == means[-1] - means[0]
    assert result.late.difference == means[-1] - means[middle]
    mirrored = saturating([[-mean] * 3 for mean in means], PLACES, "falls", shared)
    assert (mirrored.decision, mirrored.reversed) == (decision, result.reversed)


def test_the_late_part_is_of_the_range_not_of_the_count() -> None:
    """A straight line at many places changes little in its last step, and is no plateau."""
    places = [float(k) for k in range(41)]
    line = [[place, place + 0.1, place - 0.1] for place in places]
    assert LEVEL_SHARE > 1 / 40
    result = saturating(line, places, "rises", True)
    assert (result.decision, result.middle) == ("fails", 20)
    doubling = [2.0**k for k in range(5)]  # the same gain at each doubling: the last one is half of the range
    assert saturating(line[::10], doubling, "rises", True).middle == 3
    assert saturating([[0.0, 0.1], [9.9, 10.0], [10.0, 10.1]], [1.0, 900.0, 1000.0], "rises", True).decision == (
        "undecided"
    )  # nobody looked in the first half


def test_a_level_is_measured_in_gains_of_the_same_seeds() -> None:
    """Gains of 10, 20 and 40, a tenth of which is 1 to 4: the late change, of 5 % in each, needs no common slack."""
    gains = [10.0, 20.0, 40.0]
    samples = [[share * gain for gain in gains] for share in (0.0, 0.6, 0.95, 1.0, 1.0)]
    assert saturating(samples, PLACES, "rises", True, share=0.2).decision == "undecided"  # 3 seeds, a wide spread
    assert saturating([of * 3 for of in samples], PLACES, "rises", True).decision == "holds"
    assert saturating([of * 3 for of in samples], PLACES, "rises", False).decision == "undecided"


@SHARED
def test_one_seed_levels_nothing(shared: bool) -> None:
    assert saturating([[mean] for mean in PLATEAU], PLACES, "rises", shared).decision == "undecided"


@pytest.mark.parametrize(
    ("count", "places", "share", "reason"),
    [
        (2, [1.0, 2.0], 0.1, "found 2; a trend needs at least 3"),
        (3, [1.0, 2.0], 0.1, "each sample has one"),
        (3, [1.0, 2.0, 2.0], 0.1, "they rise"),
        (3, [1.0, 2.0, math.inf], 0.1, "found inf"),
        (3, [1.0, 2.0, 3.0], 0.0, "share: found"),
        (3, [1.0, 2.0, 3.0], 1.0, "share: found"),
    ],
)
def test_bad_places_and_shares_are_refused(count: int, places: list[float], share: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        saturating([[1.0, 2.0]] * count, places, "rises", False, share=share)


if __name__ == "__main__":
    for pairs in (True, False):
        for truth in (NOTHING, PLATEAU, QUARTER, EDGE, LINE, RELAPSE, DIP):
            told = "  ".join(f"n={n} {rates(truth, n, pairs, 5000, levels=True)}" for n in SIZES)
            print(f"levels off, {'paired' if pairs else 'Welch'} {truth}: {told}")
    for pairs in (True, False):
        for truth in (FLAT, LEDGE, STAIRS, HUMP):
            told = "  ".join(f"n={n} {rates(truth, n, pairs, 20000)}" for n in SIZES)
            print(f"{'paired' if pairs else 'Welch'} {truth}: {told}")
