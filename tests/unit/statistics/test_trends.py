"""Trends: what holds, fails and stays open, and how often chance alone decides. As a script: the rates of maths.md."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.statistics.trends import monotone

SIZES = (3, 5, 10)
ALPHA = 0.05
TRIALS = 2000
FOUR_ERRORS = 4.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / TRIALS)  # four standard errors of a rate of alpha
SHARED = pytest.mark.parametrize("shared", [True, False])
FLAT, STAIRS, HUMP = (0.0, 0.0, 0.0, 0.0), (0.0, 5.0, 10.0, 15.0), (0.0, 10.0, 5.0, 15.0)
LEDGE = (0.0, 15.0, 15.0, 15.0)  # rises at once, then no more: the claim is true in the weak sense


def rates(means: Sequence[float], n: int, shared: bool, trials: int, seed: int = 70) -> dict[str, float]:
    """Shares of holds, fails and undecided for `rises`, spread 1; shared seeds have a strong effect of their own."""
    generator = np.random.default_rng(seed + n)
    draws = generator.normal(np.array(means)[None, :, None], 1.0, size=(trials, len(means), n))
    if shared:
        draws += generator.normal(0.0, 5.0, size=(trials, 1, n))
    counted = Counter(monotone(samples, "rises", shared, ALPHA).decision for samples in draws.tolist())
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


if __name__ == "__main__":
    for pairs in (True, False):
        for truth in (FLAT, LEDGE, STAIRS, HUMP):
            told = "  ".join(f"n={n} {rates(truth, n, pairs, 20000)}" for n in SIZES)
            print(f"{'paired' if pairs else 'Welch'} {truth}: {told}")
