"""Places: MDPs of the tasks, each with the words that a measurement names it by, its tables and its boards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.record.evaluated import Board, rounded_rows
from implementations.tabular.parts.blackjack import Blackjack
from implementations.tabular.parts.gridworld import World
from implementations.tabular.parts.mdp import MDP, Floats, Ints

Table = list[Any]  # nested lists of numbers
DEALER = ["A", *map(str, range(2, 11))]
SUMS = range(12, 22)
HANDS = ("no usable ace", "usable ace")
STICK = 0
# Usable ace, sum from 12 and the dealer's card from the ace: hands that are hard to tell by simulation.
CLOSE_CALLS = ((0, 0, 3), (0, 4, 9), (0, 0, 5), (0, 0, 2), (1, 6, 0), (1, 6, 9))


@dataclass(frozen=True)
class Told:
    """A number or table that a place takes of action values."""

    name: str
    value: float | Table
    unit: str


@dataclass(frozen=True)
class Place:
    """An MDP, and how its values are shown."""

    law: str  # as a measurement states it
    mdp: MDP
    table: Callable[[Floats], Table]  # values (S,) in the shape of the source's tables
    boards: Callable[[str, str, Floats, Floats], list[Board]]  # name, title, values (S,), policy (S, A)
    surfaces: dict[str, Ints] = field(default_factory=dict)  # parts of the states that are judged apart
    states: dict[str, int] = field(default_factory=dict)  # states whose value is told, by the metric's name
    told: Callable[[Floats], list[Told]] = lambda action_values: []  # of action values (S, A)


def on_grid(world: World, law: str) -> Place:
    """A grid: tables and boards are its rows and columns."""

    def boards(name: str, title: str, values: Floats, policy: Floats) -> list[Board]:
        drawn = ~world.mdp.terminal & (np.ptp(policy, axis=1) > 0)  # where acting evenly, no action stands out
        marks = [world.arrows[int(row.argmax())] if shown else "" for row, shown in zip(policy, drawn, strict=True)]
        rows, columns = world.shape
        return [
            Board(
                name=name,
                title=title,
                values=rounded_rows(world.board(values)),
                marks=[marks[row * columns : (row + 1) * columns] for row in range(rows)],
                decimals=2,
            )
        ]

    return Place(law, world.mdp, lambda values: world.board(values).tolist(), boards)


def at_blackjack(game: Blackjack, law: str) -> Place:
    """Blackjack: tables are (2, 10, 10), without and with a usable ace, sums of 12 to 21, the dealer's ace to ten."""

    def boards(name: str, title: str, values: Floats, policy: Floats) -> list[Board]:
        sticking = np.array(game.table(policy[:, STICK]))
        found = []
        for hand, surface, stick in zip(HANDS, np.array(game.table(values)), sticking, strict=True):
            top_down = slice(None, None, -1)  # large sums above, as the book draws them
            found.append(
                Board(
                    name=f"{name}_{hand.replace(' ', '_')}",
                    title=f"{title}, {hand}; S sticks, H hits",
                    values=rounded_rows(surface[top_down]),
                    marks=[["S" if sticks > 0.5 else "H" for sticks in row] for row in stick[top_down]],
                    rows=[str(total) for total in reversed(SUMS)],
                    columns=DEALER,
                    row_title="player's sum",
                    column_title="dealer shows",
                )
            )
        return found

    def told(action_values: Floats) -> list[Told]:
        ahead = np.array(game.table(action_values[:, 0] - action_values[:, 1]))  # of sticking over hitting
        # The lowest sum from which on a player sticks; 22 where he never does.
        lowest = [
            [next((s for s in SUMS if (surface[s - 12 :, d] > 0).all()), 22) for d in range(10)] for surface in ahead
        ]
        close = [ahead[hand] for hand in CLOSE_CALLS]
        return [
            Told("sticking_thresholds", lowest, "sum"),
            Told("close_calls", [float(gap) for gap in close], "return"),
        ]

    counted = np.array(game.table(np.arange(game.mdp.states, dtype=float))).astype(np.int64)
    surfaces = {hand: states.ravel() for hand, states in zip(HANDS, counted, strict=True)}
    named = {"value_13_ace_2": game.state(13, True, 2)}
    return Place(law, game.mdp, lambda v: np.asarray(game.table(v)).tolist(), boards, surfaces, named, told)


def plain(mdp: MDP, law: str) -> Place:
    """An MDP without a picture."""
    return Place(law, mdp, lambda values: values.tolist(), lambda *_: [])
