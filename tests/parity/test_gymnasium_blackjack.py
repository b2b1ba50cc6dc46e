"""Blackjack against Gymnasium's: what it returns of given cards, exactly, and of drawn ones within chance."""

import warnings

import numpy as np
import pytest

from implementations.tabular.parts.blackjack import HIT, STICK, blackjack
from implementations.tabular.parts.mdp import evaluate_policy, greedy, solve
from tests.exact.dealt_blackjack import play
from tests.parity.conftest import peer

OPTIONS = {
    "plain": {"sab": False, "natural": False},
    "sab": {"sab": True, "natural": False},
    "natural": {"sab": False, "natural": True},
}
EPISODES = 16_000


@pytest.fixture(scope="module")
def gymnasium():
    return peer("gymnasium", "1.4.0")


def made(gymnasium, rules):
    return gymnasium.make("Blackjack-v1", **OPTIONS[rules]).unwrapped


def our_state(game, environment):
    """Our index of the hand on the table; the sum is 12 or more."""
    natural = sorted(environment.player) == [1, 10]
    player_sum, dealer, usable = environment._get_obs()
    if natural and game.rules != "plain":
        return 200 + dealer - 1
    return game.state(player_sum, bool(usable), dealer)


def test_actions_and_observations_are_gymnasiums(gymnasium):
    environment, game = made(gymnasium, "plain"), blackjack()
    environment.reset(seed=0)
    environment.player, environment.dealer = [1, 2], [5, 10]
    assert our_state(game, environment) == game.state(13, True, 5)
    _, _, ended, _, _ = environment.step(HIT)
    assert not ended
    assert len(environment.player) == 3
    _, _, ended, _, _ = environment.step(STICK)
    assert ended
    assert len(environment.player) == 3


@pytest.mark.parametrize("rules", OPTIONS)
def test_rewards_of_finished_hands_are_gymnasiums(gymnasium, rules):
    """Sticking against every final hand that a dealer has with two cards: each reward has a chance above 0 in ours."""
    environment, game = made(gymnasium, rules), blackjack(rules)
    environment.reset(seed=0)
    hands = [[first, second] for first in range(1, 11) for second in range(1, 11)] + [[10, 6, 5], [1, 5, 5], [10, 9, 2]]
    seen = {}
    for player in hands:
        for dealer in hands:
            environment.player, environment.dealer = list(player), list(dealer)
            if environment._get_obs()[0] < 12 or (sum(dealer) + 10 * (1 in dealer and sum(dealer) <= 11)) < 17:
                continue
            state = our_state(game, environment)
            reward = environment.step(STICK)[1]
            ends = np.flatnonzero((game.mdp.transition[state, STICK] > 0) & (game.mdp.reward[state, STICK] == reward))
            assert (game.mdp.terminal[ends]).any()
            seen.setdefault(state, set()).add(reward)
    # Against an ace or a ten a player's natural meets a natural, a longer 21 (with a ten up), and less than 21.
    expected = {"plain": {0, 1}, "sab": {0, 1}, "natural": {0, 1.5}}[rules]
    natural = game.state(21, True, 10) if rules == "plain" else 200 + 9
    assert seen[natural] == expected
    environment.player, environment.dealer = [1, 10], [10, 6, 5]
    assert environment.step(STICK)[1] == (1 if rules == "sab" else 0)


@pytest.mark.parametrize("rules", OPTIONS)
def test_returns_of_drawn_cards(gymnasium, rules):
    """The best play of ours in their hands; sums below 12 hit. Their episodes, ours, and the exact value agree."""
    environment, game = made(gymnasium, rules), blackjack(rules)
    policy = greedy(solve(game.mdp)[1])
    value = game.mdp.start @ evaluate_policy(game.mdp, policy)
    actions = policy.argmax(1)
    environment.reset(seed=1)
    returns = np.empty(EPISODES)
    for episode in range(EPISODES):
        (player_sum, _, _), _ = environment.reset()
        ended = False
        while not ended:
            action = HIT if player_sum < 12 else int(actions[our_state(game, environment)])
            (player_sum, _, _), reward, ended, _, _ = environment.step(action)
        returns[episode] = reward
    for found in (returns, play(rules, policy, EPISODES, np.random.default_rng(1))):
        assert abs(found.mean() - value) < 4 * found.std() / np.sqrt(EPISODES)  # 4 standard errors


def test_without_options_made_is_sab(gymnasium):
    """`make` turns on what the class, and its documentation, leave off: the options above are given explicitly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert gymnasium.make("Blackjack-v1").unwrapped.sab
    assert not made(gymnasium, "plain").sab
