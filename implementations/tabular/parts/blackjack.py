"""Blackjack as a finite MDP, exactly, and a dealer of cards that plays it.

Example 5.1 of Sutton and Barto (2018): an infinite deck, so that an ace and each of 2 to 9 come with chance 1/13 and a
ten with 4/13; the dealer takes cards below 17 and sticks on 17 and more, with a usable ace too; the player takes cards
below 12, where none can hurt, and from 12 to 21 decides. Rewards are -1, 0 and +1 at the end, gamma is 1.

A natural is an ace and a ten as the first two cards. `Rules` says what it is worth in the player's hand:

    plain     as much as any 21; ShangtongZhang's code for the book, and Gymnasium's Blackjack-v1 with both options off
    sab       it draws with a natural and beats all else, a longer 21 too; the book's text, Gymnasium's sab=True
    natural   it pays 1.5 where it beats the dealer's sum, and draws with any 21; Gymnasium's natural=True, sab=False

A dealer's natural is as good as any 21 against other hands of the player. The player may hit on a natural.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from implementations.tabular.parts.mdp import MDP, Floats, Ints, one_hot

Rules = Literal["plain", "sab", "natural"]
Hand = tuple[int, bool]  # sum, with an ace as 11 where that is no bust; whether it has such a usable ace

STICK, HIT = 0, 1
CHANCES = {card: (4 if card == 10 else 1) / 13 for card in range(1, 11)}  # an ace is 1
SUMS = range(12, 22)  # on which a player decides
DECISIONS = 2 * len(SUMS) * len(CHANCES)
AT_ONCE = 1 << 15  # games; their arrays fit into a cache, which halves the time of a million games


@dataclass(frozen=True)
class Blackjack:
    """The MDP and the meaning of its states.

    First come the 200 states in which a player decides, by usable ace, sum and the dealer's card; then, unless the
    rules are plain, a fresh natural against each card of the dealer; then a terminal state for each reward.
    """

    mdp: MDP  # its `start` is that of a fresh deal: the law of the first state in which the player decides
    rules: Rules

    def state(self, player_sum: int, usable_ace: bool, dealer: int) -> int:
        """Index of a sum of 12 to 21 against the dealer's card, ace 1 to ten 10; a natural has states of its own.

        Raises:
            ValueError: another sum or card.
        """
        if player_sum not in SUMS or dealer not in CHANCES:
            raise ValueError(f"no decision is made on {player_sum} against {dealer}; sums are 12 to 21, cards 1 to 10")
        return _state(player_sum, usable_ace, dealer)

    def table(self, values: Floats) -> Floats:
        """(S,) to (2, 10, 10): no usable ace and usable ace, sums of 12 to 21, dealer's ace to ten."""
        return values[:DECISIONS].reshape(2, len(SUMS), len(CHANCES))

    def stick_from(self, threshold: int) -> Floats:
        """Policy (S, 2) that sticks on sums of `threshold` and more, which a natural is too.

        Raises:
            ValueError: a threshold outside 12, always stick, to 22, never stick.
        """
        if not SUMS.start <= threshold <= SUMS.stop:
            raise ValueError(f"threshold must lie in [12, 22], not {threshold}")
        sums = np.full(self.mdp.states, 21)
        sums[:DECISIONS] = np.tile(np.repeat(SUMS, len(CHANCES)), 2)
        return one_hot(np.where(sums >= threshold, STICK, HIT), 2)


def blackjack(rules: Rules = "plain") -> Blackjack:
    """The game under the given rules.

    Raises:
        ValueError: other rules.
    """
    first_end, rewards = _layout(rules)
    states = first_end + len(rewards)
    lose, draw, win, best = first_end, first_end + 1, first_end + 2, states - 1  # win is best unless a natural pays 1.5
    transition = np.zeros((states, 2, states))
    for dealer in CHANCES:
        finals = dealer_totals(dealer)
        for usable, total in product((False, True), SUMS):
            here = _state(total, usable, dealer)
            for final, chance in finals.items():
                end = win if final > 21 or final < total else draw if final == total else lose
                transition[here, STICK, end] += chance
            for card, chance in CHANCES.items():
                after, still_usable = with_card((total, usable), card)
                to = lose if after > 21 else _state(after, still_usable, dealer)
                transition[here, HIT, to] += chance
        if rules != "plain":
            here, dealers_natural = DECISIONS + dealer - 1, {1: CHANCES[10], 10: CHANCES[1]}.get(dealer, 0.0)
            drawn = dealers_natural if rules == "sab" else finals[21]
            transition[here, STICK, [draw, best]] = drawn, 1 - drawn
            transition[here, HIT] = transition[_state(21, True, dealer), HIT]
    reward = np.zeros_like(transition)
    reward[:first_end, :, first_end:] = rewards
    mdp = MDP(transition, reward, 1.0, np.arange(states) >= first_end, _fresh_deal(rules, states))
    return Blackjack(mdp, rules)


def _layout(rules: Rules) -> tuple[int, tuple[float, ...]]:
    """Index of the first terminal state and the rewards of all of them."""
    if rules not in get_args(Rules):
        raise ValueError(f"rules are one of {', '.join(get_args(Rules))}, not {rules!r}")
    naturals = 0 if rules == "plain" else len(CHANCES)
    return DECISIONS + naturals, (-1.0, 0.0, 1.0, 1.5) if rules == "natural" else (-1.0, 0.0, 1.0)


def _state(total: int, usable: bool, dealer: int) -> int:
    """Index of (usable, sum, dealer's card), the last one fastest."""
    return (usable * len(SUMS) + total - SUMS.start) * len(CHANCES) + dealer - 1


def _fresh_deal(rules: Rules, states: int) -> Floats:
    """Law (S,) of the first state in which the player decides."""
    start = np.zeros(states)
    for dealer, first, second in product(CHANCES, repeat=3):
        chance = CHANCES[dealer] * CHANCES[first] * CHANCES[second]
        if {first, second} == {1, 10} and rules != "plain":
            start[DECISIONS + dealer - 1] += chance
            continue
        for (total, usable), of_hand in grown(with_card(with_card((0, False), first), second), SUMS.start).items():
            start[_state(total, usable, dealer)] += chance * of_hand
    return start


def with_card(hand: Hand, card: int) -> Hand:
    """The hand that has taken a card; its sum is above 21 where it is bust."""
    total, usable = hand
    if card == 1 and total <= 10:
        return total + 11, True
    if usable and total + card > 21:
        return total + card - 10, False
    return total + card, usable


def grown(hand: Hand, enough: int) -> dict[Hand, float]:
    """Law of the hand that takes cards until its sum is `enough` or more."""
    done: dict[Hand, float] = defaultdict(float)
    growing = {hand: 1.0}
    while growing:
        following: dict[Hand, float] = defaultdict(float)
        for one, chance in growing.items():
            if one[0] >= enough:
                done[one] += chance
            else:
                for card, of_card in CHANCES.items():
                    following[with_card(one, card)] += chance * of_card
        growing = following
    return dict(done)


def dealer_totals(dealer: int) -> dict[int, float]:
    """Law of the sum that a dealer showing this card ends with: 17 to 21, or above, which is bust."""
    finals: dict[int, float] = defaultdict(float)
    for (total, _), chance in grown(with_card((0, False), dealer), 17).items():
        finals[total] += chance
    return dict(finals)


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
