"""Blackjack as a finite MDP, exactly.

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

from implementations.tabular.parts.mdp import MDP, Floats, one_hot

Rules = Literal["plain", "sab", "natural"]
Hand = tuple[int, bool]  # sum, with an ace as 11 where that is no bust; whether it has such a usable ace

STICK, HIT = 0, 1
CHANCES = {card: (4 if card == 10 else 1) / 13 for card in range(1, 11)}  # an ace is 1
SUMS = range(12, 22)  # on which a player decides
DECISIONS = 2 * len(SUMS) * len(CHANCES)


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
