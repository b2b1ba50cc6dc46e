"""Tasks of the tabular methods. Every MDP is made when it is asked for, since composing a profile imports this file."""

from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.families.tabular.places import Place, at_blackjack, on_grid, plain
from benchmarks.families.tabular.problems import Control, Estimation, Exploration, Horizons, Prediction, Softness
from implementations.tabular.parts.blackjack import Rules, blackjack
from implementations.tabular.parts.gridworld import (
    book_grid,
    book_grid_3x3,
    book_policy_3x3,
    cliff_walking,
    frozen_lake,
    sutton_barto_4x4,
    sutton_barto_5x5,
)
from implementations.tabular.parts.loops import left_loop, visit_loop
from implementations.tabular.parts.mdp import Floats, one_hot

INFINITE_DECK = "blackjack, infinite deck, fresh deals"
CORNER, TARGET = 20, 17  # of the 5 x 5 grid: row 5, column 1; row 4, column 3


def _zhao(forbidden: float, gamma: float = 0.9) -> Place:
    return on_grid(book_grid(forbidden, gamma), f"5 x 5 grid of Zhao, forbidden {forbidden:g}, gamma {gamma:g}")


def _blackjack(rules: Rules) -> Place:
    return at_blackjack(blackjack(rules), f"{INFINITE_DECK}, rules {rules}")


def _stick_on_20(place: Place) -> Floats:
    return blackjack("plain").stick_from(20)


def _evenly(place: Place) -> Floats:
    return np.full((place.mdp.states, place.mdp.actions), 1 / place.mdp.actions)


def _one_hand() -> Place:
    """The state of figure 5.3 of Sutton and Barto: a sum of 13 with a usable ace, the dealer shows a deuce."""
    game = blackjack("plain")
    start = np.zeros(game.mdp.states)
    start[game.state(13, True, 2)] = 1
    return plain(replace(game.mdp, start=start), "blackjack, infinite deck, from 13 with a usable ace against a 2")


def _first_action(place: Place) -> Floats:
    return one_hot(np.zeros(place.mdp.states, np.int64), place.mdp.actions)


TASKS = (
    Control("grid_forbidden_10", places=(({}, partial(_zhao, -10.0)),)),
    Control(
        "grid_forbidden_1",
        places=tuple(({"gamma": gamma}, partial(_zhao, -1.0, gamma)) for gamma in (0.9, 0.5, 0.0)),
    ),
    Control("grid_epsilon_greedy", places=(({}, partial(_zhao, -1.0)),), told=(1, 2, 3)),
    Control(
        "frozen_lake_4x4",
        places=(({}, lambda: on_grid(frozen_lake(4, 0.99), "frozen lake 4 x 4, slippery, gamma 0.99")),),
        told=(1_000, 10_000),
    ),
    Control(
        "frozen_lake_8x8",
        places=(({}, lambda: on_grid(frozen_lake(8, 0.99), "frozen lake 8 x 8, slippery, gamma 0.99")),),
    ),
    Control("cliff_walking", places=(({}, lambda: on_grid(cliff_walking(), "cliff walking, gamma 1")),)),
    Control("blackjack", places=(({}, partial(_blackjack, "plain")),), told=(10_000, 100_000, 500_000)),
    Control("blackjack_sab", places=(({}, partial(_blackjack, "sab")),)),
    Control("blackjack_natural", places=(({}, partial(_blackjack, "natural")),)),
    Prediction(
        "grid_3x3",
        place=lambda: on_grid(book_grid_3x3(), "3 x 3 grid of Zhao, gamma 0.9"),
        policy=lambda place: book_policy_3x3(),
        action_values_of=0,
    ),
    Prediction(
        "random_walk_4x4",
        place=lambda: on_grid(sutton_barto_4x4(), "4 x 4 grid of Sutton and Barto, gamma 1"),
        policy=_evenly,
    ),
    Prediction(
        "random_walk_5x5",
        place=lambda: on_grid(sutton_barto_5x5(), "5 x 5 grid of Sutton and Barto, gamma 0.9"),
        policy=_evenly,
    ),
    Prediction(
        "blackjack_stick_on_20", place=partial(_blackjack, "plain"), policy=_stick_on_20, told=(10_000, 500_000)
    ),
    Estimation("blackjack_one_hand", place=_one_hand, policy=_stick_on_20, told=(10, 100, 1_000, 10_000)),
    Estimation(
        "left_loop",
        place=lambda: plain(left_loop(), "one state; left stays with probability 0.9, ends with 0.1 and reward 1"),
        policy=_first_action,
        told=(1_000, 10_000, 100_000),
    ),
    Estimation(
        "visit_loop",
        place=lambda: plain(visit_loop(10.0), "one state, reward 1 a step, value 10"),
        policy=_evenly,
        told=(1, 10, 100),
    ),
    Horizons(
        "grid_horizon",
        place=partial(_zhao, -10.0),
        lengths=(1, 2, 3, 4, 10, 14, 15, 20, 30, 50, 100),
        drawn=(15, 30, 100),
        corner=CORNER,
        target=TARGET,
    ),
    Softness(
        "grid_softness",
        worlds=tuple((wall, partial(book_grid, -10.0, 0.9, wall)) for wall in ("both", "boundary", "forbidden")),
        epsilons=(0.1, 0.15, 0.2, 0.5),
    ),
    Exploration("grid_exploration", place=partial(_zhao, -10.0), epsilons=(1.0, 0.5)),
)
