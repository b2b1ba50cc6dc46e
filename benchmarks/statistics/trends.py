"""Does a quantity rise, or fall, from sample to sample?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from benchmarks.statistics.comparison import Comparison, paired, welch
from benchmarks.statistics.samples import check_share

FEWEST = 3  # samples; of two, one can only say which is larger


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
