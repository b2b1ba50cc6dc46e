"""Does a quantity rise, or fall, from sample to sample; does it level off?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from benchmarks.statistics.comparison import Comparison, contrast, paired, welch
from benchmarks.statistics.samples import check_share, checked

FEWEST = 3  # samples; of two, one can only say which is larger
LEVEL_SHARE = 0.1  # of the whole gain: more than this, gained or lost late, is no level


@dataclass(frozen=True)
class Trend:
    """`ends` is the last sample against the first; `reversed` has k where sample k + 1 goes back on sample k."""

    decision: Literal["holds", "fails", "undecided"]
    ends: Comparison
    reversed: tuple[int, ...]


def monotone(
    samples: Sequence[Sequence[float]], shape: Literal["rises", "falls"], shared_seeds: bool, alpha: float = 0.05
) -> Trend:
    """Whether the means of k samples, in the order of a field, rise (fall) from the first to the last.

    Two samples are compared by `paired` where all share their seeds, by `welch` otherwise. Steps from one sample to the
    next are reversed at alpha / (k - 1) (Bonferroni), and doubtful when they go back at alpha. `fails` when the last is
    less (greater) than the first at alpha, or a step is reversed; `holds` when the last is greater (less) than the
    first at alpha and no step is doubtful; otherwise `undecided`. Why not a line or a rank correlation: `maths.md`.
    Raises ValueError on fewer than three samples, and as the comparisons do.
    """
    check_share(alpha, "alpha", below=0.5)
    if len(samples) < FEWEST:
        raise ValueError(f"samples: found {len(samples)}; a trend needs at least {FEWEST}")
    compare: Callable[[Sequence[float], Sequence[float], float], Comparison] = paired if shared_seeds else welch
    onward, back = ("greater", "less") if shape == "rises" else ("less", "greater")
    ends = compare(samples[-1], samples[0], alpha)
    steps = [compare(later, earlier, alpha / (len(samples) - 1)) for earlier, later in pairwise(samples)]
    turned = tuple(place for place, step in enumerate(steps) if step.decision == back)
    if turned or ends.decision == back:
        return Trend("fails", ends, turned)
    doubtful = any(compare(later, earlier, alpha).decision == back for earlier, later in pairwise(samples))
    return Trend("holds" if ends.decision == onward and not doubtful else "undecided", ends, turned)


@dataclass(frozen=True)
class Saturation:
    """`gain` is the last sample minus the first, `late` the last minus the one at `middle`, where the late part begins.

    `middle` is 0 where no other sample lies in the first half of the places: then nothing is known of a level.
    """

    decision: Literal["holds", "fails", "undecided"]
    gain: Comparison
    late: Comparison
    middle: int
    reversed: tuple[int, ...]


def saturating(
    samples: Sequence[Sequence[float]],
    places: Sequence[float],
    shape: Literal["rises", "falls"],
    shared_seeds: bool,
    alpha: float = 0.05,
    share: float = LEVEL_SHARE,
) -> Saturation:
    """Whether the means of k samples, at rising places, rise (fall) as a whole and change little in the second half.

    The second half begins at the last sample whose place is not beyond the middle between first and last. With "slack"
    for `share` times the gain, all compared by `contrast` within one sum: `holds` when the gain is there at alpha, the
    late change is above -slack and below slack, each at alpha, and no step goes back by more than slack at alpha;
    `fails` when the gain is reversed or the late change is above slack, at alpha, or a step goes back by more than
    slack at alpha / (k - 1); otherwise `undecided`. Why: `maths.md`.
    Raises ValueError on fewer than three samples, on places that do not rise, one a sample, and as `contrast` does.
    """
    check_share(alpha, "alpha", below=0.5)
    check_share(share, "share")
    if len(samples) < FEWEST:
        raise ValueError(f"samples: found {len(samples)}; a trend needs at least {FEWEST}")
    xs = checked(places, "places")
    if len(xs) != len(samples) or any(later <= earlier for earlier, later in pairwise(xs)):
        raise ValueError(f"places: found {list(places)}; they rise, and each sample has one")
    sign, last = (1.0 if shape == "rises" else -1.0), len(samples) - 1
    middle = max(place for place in range(last) if place == 0 or xs[place] <= (xs[0] + xs[-1]) / 2)

    def compare(later: int, earlier: int, slack: float, level: float = alpha) -> Comparison:
        """Onward change between two samples, plus slack times the whole gain."""
        weights = [0.0] * len(samples)
        for place, weight in ((later, 1.0), (earlier, -1.0), (last, slack), (0, -slack)):
            weights[place] += sign * weight
        used = [place for place, weight in enumerate(weights) if weight]
        return contrast([samples[p] for p in used], [weights[p] for p in used], shared_seeds, level)

    gain = compare(last, 0, 0.0)
    steps = range(last)
    turned = tuple(k for k in steps if compare(k + 1, k, share, alpha / last).decision == "less")
    rising = middle > 0 and compare(last, middle, -share).decision == "greater"
    decision: Literal["holds", "fails", "undecided"] = "undecided"
    if gain.decision == "less" or rising or turned:
        decision = "fails"
    elif gain.decision == "greater" and middle > 0:
        level = compare(last, middle, -share).decision == "less" and compare(last, middle, share).decision == "greater"
        doubtful = any(compare(k + 1, k, share).decision == "less" for k in steps)
        decision = "holds" if level and not doubtful else "undecided"
    plain = contrast([samples[last], samples[0]], [1.0, -1.0], shared_seeds, alpha)
    late = contrast([samples[last], samples[middle]], [1.0, -1.0], shared_seeds, alpha)
    return Saturation(decision, plain, late, middle, turned)
