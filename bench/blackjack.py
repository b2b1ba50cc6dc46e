"""Games of blackjack and exploring starts against plain loops over Gymnasium's Blackjack-v1, on the same rules.

Both sides play the same games with the same policy; what differs is that ours are played side by side, in arrays. So
that each side runs at its own pace for long enough, ours plays more games, and the times are scaled to as many. The
environment is taken out of its wrappers, and the loops index plain lists, which is the fastest such a loop gets.

`play` deals cards as the environment does. Exploring starts run on the MDP, whose rows of probabilities stand for all
cards of a dealer at once, and improve the policy after every batch of episodes; the loop improves it after each one.
"""

from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from bench.timing import Comparison, compare
from implementations.tabular import monte_carlo
from implementations.tabular.parts.blackjack import HIT, STICK, blackjack, play
from implementations.tabular.parts.protocol import Controlled

GAMES, THEIR_GAMES = 200_000, 1_000
EPISODES, THEIR_EPISODES = 500_000, 2_000


def against_gymnasium() -> list[Comparison]:
    """Games a policy plays from fresh deals, and the looking for the best policy."""
    import gymnasium

    environment = gymnasium.make("Blackjack-v1", sab=False, natural=False).unwrapped
    environment.reset(seed=0)
    game, generator, seeds = blackjack("plain"), np.random.default_rng(0), count()
    policy = game.stick_from(20)

    def explored() -> Controlled:
        (last,) = monte_carlo.exploring_starts(
            game.mdp, monte_carlo.Settings(), np.random.default_rng(next(seeds)), [EPISODES]
        )
        return last

    games = compare(
        f"blackjack, stick on 20: {THEIR_GAMES:,} games, gymnasium",
        lambda: play("plain", policy, GAMES, generator),
        lambda: played(environment, 20, THEIR_GAMES),
    )
    control = compare(
        f"blackjack, exploring starts: {EPISODES:,} episodes, gymnasium",
        explored,
        lambda: exploring_starts(environment, THEIR_EPISODES, generator),
    )
    return [
        replace(games, ours=games.ours * THEIR_GAMES / GAMES),
        replace(control, peer=control.peer * EPISODES / THEIR_EPISODES),
    ]


def played(environment: Any, threshold: int, games: int) -> list[float]:
    """Returns of games that stick on `threshold` and more."""
    returns = []
    for _ in range(games):
        (player_sum, _, _), _ = environment.reset()
        ended, reward = False, 0.0
        while not ended:
            action = STICK if player_sum >= threshold else HIT
            (player_sum, _, _), reward, ended, _, _ = environment.step(action)
        returns.append(reward)
    return returns


def exploring_starts(environment: Any, episodes: int, generator: np.random.Generator) -> list[list[float]]:
    """Action values (200, 2), means of the returns of episodes that start with a state and action drawn evenly."""
    values, visits = [[0.0, 0.0] for _ in range(200)], [[0, 0] for _ in range(200)]
    for state, action in generator.integers((200, 2), size=(episodes, 2)).tolist():
        total, usable, dealer = 12 + state // 10 % 10, state >= 100, 1 + state % 10
        environment.player = [1, total - 11] if usable else [10, 2, total - 12]  # 0 is no card
        environment.dealer = [dealer, min(int(generator.integers(1, 14)), 10)]
        seen, ended, reward = [], False, 0.0
        while not ended:
            seen.append((state, action))
            (total, dealer, usable), reward, ended, _, _ = environment.step(action)
            if not ended:
                state = 100 * usable + 10 * (total - 12) + dealer - 1
                action = STICK if values[state][STICK] >= values[state][HIT] else HIT
        for state, action in seen:  # no state comes twice in a game, and the return is the last reward
            visits[state][action] += 1
            values[state][action] += (reward - values[state][action]) / visits[state][action]
    return values
