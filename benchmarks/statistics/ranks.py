"""Ranks with intervals: which places in a leaderboard the seeds leave open to each group."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from benchmarks.statistics.comparison import welch
from benchmarks.statistics.samples import check_share, summarise


def rank_intervals(
    groups: Mapping[str, Sequence[float]], higher_is_better: bool, alpha: float = 0.05
) -> dict[str, tuple[int, int]]:
    """(rank_low, rank_high) of each of N groups, 1 being best, in the order of `groups`.

    rank_low is 1 + the groups significantly better, rank_high is N - the groups significantly worse. Each of the
    N (N - 1) / 2 pairs gets a two-sided Welch test, all of them one Holm correction, so the chance that any two equal
    groups are told apart is at most about alpha. A group with one value counts among the pairs, with p = 1: it is told
    apart from nobody. Source: Holm, Scandinavian J. Statistics 6 (1979); Al Mohamad, Goeman and van Zwet, "Simultaneous
    Confidence Intervals for Ranks", for reading ranks off pairwise tests (theirs are Tukey's, ours Welch's).
    Raises ValueError on no groups, an empty group, non-finite values and an alpha outside (0, 1).
    """
    check_share(alpha, "alpha")
    if not groups:
        raise ValueError("groups: found none; at least one is needed")
    sign = 1.0 if higher_is_better else -1.0
    score = {name: sign * summarise(values, name).mean for name, values in groups.items()}
    pairs = list(combinations(groups, 2))
    apart = holm([min(1.0, 2.0 * welch(groups[a], groups[b]).p) for a, b in pairs], alpha)

    better = dict.fromkeys(groups, 0)
    worse = dict.fromkeys(groups, 0)
    for (a, b), differs in zip(pairs, apart, strict=True):
        if differs:
            winner, loser = (a, b) if score[a] > score[b] else (b, a)
            better[loser] += 1
            worse[winner] += 1
    return {name: (1 + better[name], len(groups) - worse[name]) for name in groups}


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects, with family-wise error at most alpha, in their order.

    The k-th smallest of m p values (k from 0) is held against alpha / (m - k); the first to exceed it stops the walk.
    Source: Holm, Scandinavian J. Statistics 6 (1979).
    """
    rejected = [False] * len(p_values)
    for k, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[index] > alpha / (len(p_values) - k):
            break
        rejected[index] = True
    return rejected
