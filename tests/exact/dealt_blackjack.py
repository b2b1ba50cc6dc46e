"""Blackjack dealt card by card, without a look at the MDP that it is held against."""

import numpy as np
from numpy.typing import NDArray

from implementations.tabular.parts.blackjack import CHANCES, DECISIONS, STICK, SUMS, Rules, _layout
from implementations.tabular.parts.mdp import Floats, Ints

AT_ONCE = 1 << 15  # games; their arrays fit into a cache, which halves the time of a million games


def play(rules: Rules, policy: Floats, count: int, generator: np.random.Generator, start: int | None = None) -> Floats:
    """Returns (count,) of games that are dealt card by card, without a look at the MDP.

    `policy` (S, 2) is over the states of `blackjack(rules)`. A game starts with a fresh deal, or in the state `start`.

    Raises:
        ValueError: other rules, a policy of another shape, or a start that is no state in which a player decides.
    """
    first_end, rewards = _layout(rules)
    if policy.shape != (first_end + len(rewards), 2):
        raise ValueError(f"under the rules {rules} a policy is {(first_end + len(rewards), 2)}, not {policy.shape}")
    if start is not None and not 0 <= start < first_end:
        raise ValueError(f"no decision is made in state {start}; those are 0 to {first_end - 1}")
    # Chances to stick, of hands without a usable ace, with one, and naturals, by sum and dealer's card: 0 below 12.
    sticking = np.zeros((3, SUMS.stop, 11))
    sticking[:2, SUMS.start :, 1:] = policy[:DECISIONS, STICK].reshape(2, len(SUMS), len(CHANCES))
    sticking[2, 21, 1:] = sticking[1, 21, 1:] if rules == "plain" else policy[DECISIONS:first_end, STICK]
    returns = np.empty(count)
    for begin in range(0, count, AT_ONCE):
        part = returns[begin : begin + AT_ONCE]
        part[:] = _games(rules, sticking, len(part), generator, start)
    return returns


def _games(rules: Rules, sticking: Floats, count: int, generator: np.random.Generator, start: int | None) -> Floats:
    """Returns of games played side by side; a hand is the sum of its cards, aces as 1, and whether an ace is in it."""
    if start is None:
        shown, first, second = _cards(count, generator), _cards(count, generator), _cards(count, generator)
        points, ace = first + second, (first == 1) | (second == 1)
        natural = ace & (points == 11)
    else:
        fresh = start >= DECISIONS  # a natural, which counts as 21 with a usable ace
        soft, above, card = np.unravel_index(start - fresh * len(CHANCES), (2, len(SUMS), len(CHANCES)))
        shown, points = np.full(count, card + 1), np.full(count, SUMS.start + above - 10 * soft)
        ace, natural = np.full(count, soft == 1), np.full(count, fresh)

    deciding = np.arange(count)
    while len(deciding):
        total, usable = _scored(points[deciding], ace[deciding])
        kind = np.add(usable, natural[deciding], dtype=np.int64)
        sticks = generator.random(len(deciding)) < sticking[kind, total, shown[deciding]]
        deciding = deciding[~sticks]
        drawn = _cards(len(deciding), generator)
        points[deciding] += drawn
        ace[deciding] |= drawn == 1
        natural[deciding] = False
        deciding = deciding[points[deciding] <= 21]

    standing = np.flatnonzero(points <= 21)
    totals, naturals = _scored(points[standing], ace[standing])[0], natural[standing]
    dealers, dealers_natural = _dealers(shown[standing], generator)
    outcome = np.sign(totals - np.where(dealers > 21, 0, dealers)).astype(np.float64)
    if rules == "sab":
        outcome[naturals & ~dealers_natural] = 1
    elif rules == "natural":
        outcome[naturals & (outcome == 1)] = 1.5
    returns = np.full(count, -1.0)
    returns[standing] = outcome
    return returns


def _dealers(shown: Ints, generator: np.random.Generator) -> tuple[Ints, NDArray[np.bool_]]:
    """Final sums (n,) of dealers who show the cards (n,), and whether they have a natural."""
    hole = _cards(len(shown), generator)
    points, ace = shown + hole, (shown == 1) | (hole == 1)
    natural = ace & (points == 11)
    taking = np.flatnonzero(_scored(points, ace)[0] < 17)
    while len(taking):
        drawn = _cards(len(taking), generator)
        points[taking] += drawn
        ace[taking] |= drawn == 1
        taking = taking[_scored(points[taking], ace[taking])[0] < 17]
    return _scored(points, ace)[0], natural


def _scored(points: Ints, ace: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Sums of hands, an ace counted as 11 where that is no bust, and where there is such a usable ace."""
    usable = ace & (points <= 11)
    return points + 10 * usable, usable


def _cards(count: int, generator: np.random.Generator) -> Ints:
    return np.minimum(generator.integers(1, 14, count), 10)
