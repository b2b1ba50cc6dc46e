"""Episodes, their returns and averages of these: what every Monte Carlo estimate is made of.

    G_t = r_{t+1} + gamma G_{t+1},      w_{k+1} = w_k - (w_k - x_k) / k

The left one is the discounted return (Sutton and Barto 2018, equation 3.9), the right one the mean of x_1 .. x_k kept
incrementally (Zhao 2024, section 6.1; with weights Sutton and Barto, equations 5.7 and 5.8). Keys are states s or pairs
s A + a; key -1 is no visit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from implementations.common.errors import Unsupported
from implementations.tabular.parts.mdp import MDP, Episodes, Floats, Ints, roll_out, walk

STEPS_AT_ONCE = 1_000_000  # bounds the memory that episodes take

Visits = Callable[[Ints], Ints]
"""Keys (n, T), rows are episodes, to the same with -1 where a visit does not count."""

MOST_STEPS = 50_000_000  # some 2 GB
Experience = tuple[Ints, Floats, Floats]
"""Keys, samples and weights, (n, T) each."""


def evenly(mdp: MDP) -> Floats:
    """(S, A), the policy of even chances."""
    return np.full((mdp.states, mdp.actions), 1 / mdp.actions)


def all_pairs(mdp: MDP) -> Ints:
    """s A + a of every state that is not terminal and every action."""
    return np.flatnonzero(np.repeat(~mdp.terminal, mdp.actions))


def pairs_in(episodes: Episodes, actions: int) -> Ints:
    """Pairs (n, T) of each step, A = `actions`."""
    return np.where(episodes.states < 0, -1, episodes.states * actions + episodes.actions)


def episodes_from(
    mdp: MDP, policy: Floats, states: Ints, length: int, generator: np.random.Generator, actions: Ints | None = None
) -> Episodes:
    """Episodes from first states (n,), and first actions (n,) if given; a single one goes step by step.

    Raises:
        ValueError: more steps than fit in memory at once.
    """
    if len(states) * length > MOST_STEPS:
        raise Unsupported(
            f"{len(states):,} episodes of {length:,} steps at once; at most {MOST_STEPS:,} steps are held"
        )
    if len(states) > 1:
        return roll_out(mdp, policy, states, length, generator, actions)
    return walk(mdp, policy, int(states[0]), length, generator, None if actions is None else int(actions[0]))


def discounted(rewards: Floats, gamma: float) -> Floats:
    """Returns (n, T) that follow each step: the sum over k >= 0 of gamma^k rewards[:, t + k].

    By doubling, in log2(T) passes: the next 2m rewards are the next m and, gamma^m times, the m after them.
    """
    returns = rewards.copy()
    ahead = 1
    while ahead < rewards.shape[1]:
        returns[:, :-ahead] += gamma**ahead * returns[:, ahead:]
        ahead *= 2
    return returns


def importance_ratios(episodes: Episodes, target: Floats, behaviour: Floats) -> Floats:
    """Products (n, T) of pi(a|s) / b(a|s) from each step to the episode's end; policies (S, A), equation 5.3."""
    states, actions = episodes.states, episodes.actions
    chances = np.where(states >= 0, behaviour[states, actions], 1.0)
    ratios = np.where(states >= 0, target[states, actions], 1.0) / chances
    products: Floats = ratios[:, ::-1].cumprod(1)[:, ::-1]
    return products


def ordinary(ratios: Floats, returns: Floats) -> tuple[Floats, Floats]:
    """Samples and weights whose mean is ordinary importance sampling: rho G, all of one weight (equation 5.5)."""
    return ratios * returns, np.ones_like(returns)


def weighted(ratios: Floats, returns: Floats) -> tuple[Floats, Floats]:
    """Samples and weights whose mean is weighted importance sampling: G with weight rho (equation 5.6)."""
    return returns, ratios


def every_visit(keys: Ints) -> Ints:
    """The keys (n, T) as they are."""
    return keys


def first_visit(keys: Ints) -> Ints:
    """The keys (n, T), -1 where the episode, a row, has met the key before."""
    places = np.flatnonzero(keys >= 0)  # row by row, so that of an episode's equal keys the earliest comes first
    own = places // keys.shape[1] * (keys.max(initial=0) + 1) + keys.flat[places]
    first = places[np.unique(own, return_index=True)[1]]
    kept = np.full_like(keys, -1)
    kept.flat[first] = keys.flat[first]
    return kept


def visits_of(which: Literal["first", "every"]) -> Visits:
    """Which visits count, by its name in settings."""
    return first_visit if which == "first" else every_visit


def first_step(keys: Ints) -> Ints:
    """The keys (n, T) of first steps, -1 elsewhere."""
    kept = np.full_like(keys, -1)
    kept[:, 0] = keys[:, 0]
    return kept


@dataclass(frozen=True)
class Averages:
    """A mean for each of K keys, 0 where nothing with a weight above 0 has been taken in."""

    means: Floats  # (K,)
    weights: Floats  # (K,), sums of the weights
    counts: Ints  # (K,), how many samples

    @classmethod
    def of_nothing(cls, size: int) -> "Averages":
        return cls(np.zeros(size), np.zeros(size), np.zeros(size, np.int64))

    def including(self, keys: Ints, samples: Floats, weights: Floats) -> "Averages":
        """These and more samples; keys, samples and non-negative weights of one shape.

        w <- w - (W w - sum of weight x) / (all weights so far), W the weights of the new samples: of one sample with
        weight 1 the incremental mean, of all samples at once the batch mean. The two differ by rounding only.
        """
        visited, size = keys >= 0, len(self.means)
        keys, samples, weights = keys[visited], samples[visited], weights[visited]
        added = np.bincount(keys, weights, size)
        total = self.weights + added
        difference = added * self.means - np.bincount(keys, weights * samples, size)
        step = np.divide(difference, total, out=np.zeros(size), where=total > 0)
        return Averages(self.means - step, total, self.counts + np.bincount(keys, minlength=size))

    def replaced_by(self, later: "Averages") -> "Averages":
        """The later ones where they have samples, these elsewhere."""
        fresh = later.counts > 0
        return Averages(
            np.where(fresh, later.means, self.means),
            np.where(fresh, later.weights, self.weights),
            np.where(fresh, later.counts, self.counts),
        )


def running_averages(
    size: int, length: int, checkpoints: Sequence[int], draw: Callable[[int], Experience]
) -> Iterator[tuple[int, Averages]]:
    """Averages over so many episodes as each checkpoint says, with that number; checkpoints rise.

    `draw(n)` gives n episodes of at most `length` steps. As many are asked for at once as memory allows, so that what
    is drawn depends on the last checkpoint and on no other.
    """
    averages, spent, at_once = Averages.of_nothing(size), 0, max(1, STEPS_AT_ONCE // length)
    while spent < checkpoints[-1]:
        begin, end = spent, min(spent + at_once, checkpoints[-1])
        keys, samples, weights = draw(end - begin)
        for until in [*(point for point in checkpoints if begin < point < end), end]:
            rows = slice(spent - begin, until - begin)
            averages, spent = averages.including(keys[rows], samples[rows], weights[rows]), until
            if spent in checkpoints:
                yield spent, averages
