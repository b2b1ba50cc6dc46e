"""Grid worlds, from maps drawn as text: those of Zhao, of Sutton and Barto, and of Gymnasium.

States are cells in row-major order. A move into the wall leaves the agent where it is. What a move earns differs from
world to world; in Zhao's (2024, chapters 2 to 5) it is the reward of the cell entered, also where the agent stays, and
nothing ends an episode:

    r(s, a) = r_boundary for a bump into the wall, else r_forbidden, r_target or r_other by the cell of s'
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from implementations.tabular.parts.mdp import MDP, Floats, Ints, one_hot

Wall = Literal["boundary", "forbidden", "both"]

MOVES = {"↑": (-1, 0), "→": (0, 1), "↓": (1, 0), "←": (0, -1), "○": (0, 0)}  # rows and columns
ZHAO = ("↑", "→", "↓", "←", "○")  # a1 to a5
COMPASS = ("↑", "→", "↓", "←")
LAKE = ("←", "↓", "→", "↑")

FORBIDDEN, TARGET = "#", "T"
BOOK_5X5 = (".....", ".##..", "..#..", ".#T#.", ".#...")
BOOK_3X3 = ("...", "..#", "#.T")
JUMPS_5X5 = (".A.B.", ".....", "...b.", ".....", ".a...")  # from a capital to its small letter
CORNERS_4X4 = ("T...", "....", "....", "...T")
CLIFF = ("............", "............", "............", "SCCCCCCCCCCG")
LAKE_4X4 = ("SFFF", "FHFH", "FFFH", "HFFG")
LAKE_8X8 = (
    "SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """An MDP on a grid, with what a picture of it needs."""

    mdp: MDP
    shape: tuple[int, int]  # rows, columns
    arrows: tuple[str, ...]  # a mark for each action, in their order
    cells: tuple[str, ...]  # the map's rows

    def board(self, values: Floats) -> Floats:
        """(S,) values to (rows, columns)."""
        return values.reshape(self.shape)


@dataclass(frozen=True)
class Rules:
    """Rewards of a grid of Zhao's kind.

    `wall` says what a bump into the wall from a forbidden cell earns: r_boundary as in the book's text, r_forbidden, or
    both added up, which alone gives the tables that the book prints for epsilon-greedy policies.
    """

    forbidden: float
    boundary: float = -1.0
    target: float = 1.0
    other: float = 0.0
    gamma: float = 0.9
    wall: Wall = "both"

    def __post_init__(self) -> None:
        if self.wall not in ("boundary", "forbidden", "both"):
            raise ValueError(f"wall is boundary, forbidden or both, not {self.wall!r}")


def grid(cells: tuple[str, ...], rules: Rules) -> World:
    """A grid of Zhao's kind: # forbidden, T target, any other mark an ordinary cell.

    Forbidden cells can be entered, and the target does not end an episode; to stay in a cell enters it again. Episodes
    start in any cell, evenly.
    """
    marks, (to, bumped) = _marks(cells), _moves(cells, ZHAO)
    forbidden = marks == FORBIDDEN
    entered = np.where(forbidden, rules.forbidden, np.where(marks == TARGET, rules.target, rules.other))
    against = np.full(len(marks), rules.boundary)
    if rules.wall == "forbidden":
        against[forbidden] = rules.forbidden
    elif rules.wall == "both":
        against[forbidden] += rules.forbidden
    reward = np.where(bumped, against[:, None], entered[to])
    return _world(cells, ZHAO, one_hot(to, len(marks)), reward[:, :, None], rules.gamma)


def book_grid(forbidden: float, gamma: float = 0.9, wall: Wall = "both") -> World:
    """The 5 x 5 grid of Zhao's figures 3.4 and 5.4 to 5.8; its r_forbidden is -1 or -10."""
    return grid(BOOK_5X5, Rules(forbidden, gamma=gamma, wall=wall))


def book_grid_3x3() -> World:
    """The 3 x 3 grid of Zhao's figure 5.3, by which he explains MC Basic.

    r_boundary = r_forbidden = -1, and a bump costs -1 in every cell. The printed action values of s1 fix only that s2,
    s4, s5 and s8 are ordinary cells and s9 is the target; s6 and s7 are forbidden as in his chapter 1, from memory.
    """
    return grid(BOOK_3X3, Rules(-1.0, wall="boundary"))


def book_policy_3x3() -> Floats:
    """(9, 5), the policy that figure 5.3 starts from.

    The printed action values of s1 fix it in s1, s2, s4, s5, s8 and s9. In s3, s6 and s7 it is ours: away from the
    forbidden cell, to the target, out of the forbidden cell.
    """
    return one_hot(np.array([ZHAO.index(mark) for mark in "↑↓←→↓↓→→○"]), len(ZHAO))


def sutton_barto_5x5() -> World:
    """Example 3.5 of Sutton and Barto: A leads to A' for +10, B to B' for +5, a bump costs -1; gamma 0.9, no end."""
    marks, (to, bumped) = _marks(JUMPS_5X5), _moves(JUMPS_5X5, COMPASS)
    reward = np.where(bumped, -1.0, 0.0)
    for mark, earned in (("A", 10.0), ("B", 5.0)):
        to[marks == mark] = np.flatnonzero(marks == mark.lower())
        reward[marks == mark] = earned
    return _world(JUMPS_5X5, COMPASS, one_hot(to, len(marks)), reward[:, :, None], gamma=0.9)


def sutton_barto_4x4() -> World:
    """Example 4.1 of Sutton and Barto: -1 a move until one of two corners ends the episode; gamma 1."""
    marks, (to, _) = _marks(CORNERS_4X4), _moves(CORNERS_4X4, COMPASS)
    return _world(CORNERS_4X4, COMPASS, one_hot(to, len(marks)), np.array(-1.0), gamma=1.0, terminal=marks == TARGET)


def cliff_walking() -> World:
    """Example 6.6 of Sutton and Barto as Gymnasium has it; gamma 1.

    A move costs 1, one off the cliff 100 and leads back to the start. Cliff cells are states, though none is entered.
    """
    marks, (to, _) = _marks(CLIFF), _moves(CLIFF, COMPASS)
    fell = marks[to] == "C"
    to[fell] = np.flatnonzero(marks == "S")
    reward = np.where(fell, -100.0, -1.0)[:, :, None]
    return _world(CLIFF, COMPASS, one_hot(to, len(marks)), reward, gamma=1.0, terminal=marks == "G", start=marks == "S")


def frozen_lake(size: Literal[4, 8], gamma: float, slippery: bool = True) -> World:
    """Gymnasium's FrozenLake-v1: +1 at the goal, which ends an episode as holes do; 8 has an easier map than 4.

    On slippery ice the agent moves as asked, to the left of that or to the right of that, a third of the time each.
    Gymnasium's limit of 100 or 200 steps is left out.
    """
    cells = LAKE_4X4 if size == 4 else LAKE_8X8
    marks, (to, _) = _marks(cells), _moves(cells, LAKE)
    transition = one_hot(to, len(marks))
    if slippery:  # neighbours in the order of the actions are at right angles
        transition = (np.roll(transition, 1, axis=1) + transition + np.roll(transition, -1, axis=1)) / 3
    reward = np.where(marks == "G", 1.0, 0.0)
    return _world(cells, LAKE, transition, reward, gamma, terminal=np.isin(marks, ("G", "H")), start=marks == "S")


def _marks(cells: tuple[str, ...]) -> NDArray[np.str_]:
    """(S,), the marks of all cells."""
    if len({len(row) for row in cells}) != 1:
        raise ValueError("the rows of a map must be of one length, and there must be at least one")
    return np.array(list("".join(cells)))


def _moves(cells: tuple[str, ...], arrows: tuple[str, ...]) -> tuple[Ints, NDArray[np.bool_]]:
    """The cell that each action leads to, and whether that was a bump into the wall; both (S, A)."""
    rows, columns = len(cells), len(cells[0])
    place = np.indices((rows, columns)).reshape(2, -1, 1)  # rows and columns of the cells
    wanted = place + np.array([MOVES[arrow] for arrow in arrows]).T[:, None]
    bumped = (wanted < 0).any(0) | (wanted[0] >= rows) | (wanted[1] >= columns)
    reached = np.where(bumped, place, wanted)
    return reached[0] * columns + reached[1], bumped


def _world(
    cells: tuple[str, ...],
    arrows: tuple[str, ...],
    transition: Floats,
    reward: Floats,
    gamma: float,
    terminal: NDArray[np.bool_] | None = None,
    start: NDArray[np.bool_] | None = None,
) -> World:
    """`reward` broadcasts to (S, A, S); episodes start evenly in the cells of `start`, or in all that are no end."""
    states = len(transition)
    ends = np.zeros(states, bool) if terminal is None else terminal
    first = ~ends if start is None else start
    stuck = np.broadcast_to(np.eye(states)[:, None], transition.shape)  # an end leads nowhere else, and earns nothing
    mdp = MDP(
        transition=np.where(ends[:, None, None], stuck, transition),
        reward=np.where(ends[:, None, None], 0.0, np.broadcast_to(reward, transition.shape)),
        gamma=gamma,
        terminal=ends,
        start=first / first.sum(),
    )
    return World(mdp, (len(cells), len(cells[0])), arrows, cells)
