"""Grid worlds: their moves and rewards cell by cell, and the values that the books print or that follow from them."""

import numpy as np
import pytest

from implementations.tabular.parts.gridworld import (
    Rules,
    book_grid,
    book_grid_3x3,
    book_policy_3x3,
    cliff_walking,
    frozen_lake,
    grid,
    sutton_barto_4x4,
    sutton_barto_5x5,
)
from implementations.tabular.parts.mdp import action_values, evaluate_policy, greedy, solve

UP, RIGHT, DOWN, LEFT, STAY = range(5)
PRINTED = 5e-5  # half a unit of the fourth decimal


def cell(world, row, column):
    """A state by the books' row and column, from 1."""
    return (row - 1) * world.shape[1] + column - 1


def outcome(world, row, column, action):
    """The cell that the action surely leads to, from 1, and the reward."""
    state = cell(world, row, column)
    (to,) = np.flatnonzero(world.mdp.transition[state, action])
    assert world.mdp.transition[state, action, to] == 1
    return (*(int(place) + 1 for place in divmod(to, world.shape[1])), world.mdp.reward[state, action, to])


def evenly(mdp):
    return np.full((mdp.states, mdp.actions), 1 / mdp.actions)


@pytest.mark.parametrize(
    ("row", "column", "action", "expected"),
    [
        (1, 1, UP, (1, 1, -1)),
        (1, 1, RIGHT, (1, 2, 0)),
        (3, 1, LEFT, (3, 1, -1)),
        (1, 2, DOWN, (2, 2, -10)),  # forbidden cells can be entered
        (2, 2, RIGHT, (2, 3, -10)),
        (2, 2, STAY, (2, 2, -10)),
        (2, 2, UP, (1, 2, 0)),
        (4, 3, STAY, (4, 3, 1)),  # the target goes on rewarding
        (5, 3, UP, (4, 3, 1)),
        (3, 3, DOWN, (4, 3, 1)),
        (4, 3, UP, (3, 3, -10)),
        (5, 3, STAY, (5, 3, 0)),
        (5, 3, DOWN, (5, 3, -1)),
        (5, 2, DOWN, (5, 2, -11)),  # the only forbidden cell at the wall
    ],
)
def test_a_move_on_the_book_grid(row, column, action, expected):
    assert outcome(book_grid(-10.0), row, column, action) == expected


@pytest.mark.parametrize(("wall", "reward"), [("boundary", -1), ("forbidden", -10), ("both", -11)])
def test_wall_rules_differ_in_one_reward(wall, reward):
    world, other = book_grid(-10.0, wall=wall), book_grid(-10.0, wall="both")
    assert outcome(world, 5, 2, DOWN) == (5, 2, reward)
    differs = np.argwhere(world.mdp.reward[:, :, :] * world.mdp.transition != other.mdp.reward * other.mdp.transition)
    assert differs.tolist() == ([] if wall == "both" else [[cell(world, 5, 2), DOWN, cell(world, 5, 2)]])


def test_a_bump_at_the_target_costs_the_boundary_alone():
    world = grid(("T#",), Rules(forbidden=-10.0, target=3.0, boundary=-2.0, other=-0.5))
    assert outcome(world, 1, 1, UP) == (1, 1, -2)
    assert outcome(world, 1, 1, STAY) == (1, 1, 3)
    assert outcome(world, 1, 2, LEFT) == (1, 1, 3)
    assert outcome(grid(("..",), Rules(-1.0, other=-0.5)), 1, 1, RIGHT) == (1, 2, -0.5)


def test_maps_and_rules_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="one length"):
        grid(("..", "."), Rules(-1.0))
    with pytest.raises(ValueError, match="one length"):
        grid((), Rules(-1.0))
    with pytest.raises(ValueError, match="wall is"):
        Rules(-1.0, wall="none")
    with pytest.raises(ValueError, match="gamma"):
        book_grid(-1.0, gamma=1.5)


def test_book_grid_has_its_layout_and_can_be_drawn():
    world = book_grid(-10.0)
    marks = {(r + 1, c + 1): mark for r, row in enumerate(world.cells) for c, mark in enumerate(row)}
    assert {at for at, mark in marks.items() if mark == "#"} == {(2, 2), (2, 3), (3, 3), (4, 2), (4, 4), (5, 2)}
    assert [at for at, mark in marks.items() if mark == "T"] == [(4, 3)]
    assert world.arrows == ("↑", "→", "↓", "←", "○")
    assert world.shape == (5, 5)
    board = world.board(np.arange(25.0))
    assert board.shape == (5, 5)
    assert board[3, 2] == cell(world, 4, 3)
    assert not world.mdp.terminal.any()
    np.testing.assert_allclose(world.mdp.start, 1 / 25)


def test_action_values_of_the_3x3_example_are_the_printed_ones():
    """Figure 5.3: -1 / (1 - gamma), gamma^3 / (1 - gamma) twice, -1 / (1 - gamma), -gamma / (1 - gamma) at s1."""
    mdp, policy = book_grid_3x3().mdp, book_policy_3x3()
    assert policy.shape == (9, 5)
    q = action_values(mdp, evaluate_policy(mdp, policy))
    np.testing.assert_allclose(q[0], [-10, 7.29, 7.29, -10, -9], atol=1e-12)


def test_one_improvement_solves_the_3x3_example():
    """The book says that one iteration suffices; the policy that it starts from is not optimal."""
    mdp, policy = book_grid_3x3().mdp, book_policy_3x3()
    first = evaluate_policy(mdp, policy)
    improved = evaluate_policy(mdp, greedy(action_values(mdp, first)))
    optimum, _ = solve(mdp)
    assert first[0] == pytest.approx(-10)
    np.testing.assert_allclose(improved, optimum, atol=1e-12)


def test_5x5_grid_of_sutton_and_barto():
    """Figure 3.2, first row, from the notes of exact solutions; figure 3.5: V(A) = 10 / (1 - gamma^5)."""
    world = sutton_barto_5x5()
    random = world.board(evaluate_policy(world.mdp, evenly(world.mdp)))
    np.testing.assert_allclose(random[0], [3.3090, 8.7893, 4.4276, 5.3224, 1.4922], atol=PRINTED)
    optimum, _ = solve(world.mdp)
    assert optimum[cell(world, 1, 2)] == pytest.approx(10 / (1 - 0.9**5), abs=1e-10)
    for action in range(4):
        assert outcome(world, 1, 2, action) == (5, 2, 10)
        assert outcome(world, 1, 4, action) == (3, 4, 5)
    assert outcome(world, 5, 2, DOWN) == (5, 2, -1)
    assert outcome(world, 3, 3, LEFT) == (3, 2, 0)


def test_4x4_grid_of_sutton_and_barto():
    """Figure 4.1, the random policy's values."""
    world = sutton_barto_4x4()
    expected = [[0, -14, -20, -22], [-14, -18, -20, -20], [-20, -20, -18, -14], [-22, -20, -14, 0]]
    np.testing.assert_allclose(world.board(evaluate_policy(world.mdp, evenly(world.mdp))), expected, atol=1e-10)
    optimum, _ = solve(world.mdp)
    corners = np.abs(np.indices((4, 4))).sum(0)  # moves from one corner; from the other it is 6 less that
    np.testing.assert_allclose(world.board(optimum), -np.minimum(corners, 6 - corners), atol=1e-12)
    np.testing.assert_allclose(world.mdp.start[[0, 1, 15]], [0, 1 / 14, 0])


def test_cliff_walking():
    """Thirteen moves along the edge; off the cliff an agent starts again."""
    world = cliff_walking()
    optimum, _ = solve(world.mdp)
    assert optimum[cell(world, 4, 1)] == pytest.approx(-13, abs=1e-12)
    assert outcome(world, 4, 1, RIGHT) == (4, 1, -100)
    assert outcome(world, 3, 6, DOWN) == (4, 1, -100)
    assert outcome(world, 3, 12, DOWN) == (4, 12, -1)
    assert np.flatnonzero(world.mdp.terminal).tolist() == [cell(world, 4, 12)]
    assert np.flatnonzero(world.mdp.start).tolist() == [cell(world, 4, 1)]


@pytest.mark.parametrize(("size", "gamma", "value"), [(4, 1.0, 14 / 17), (4, 0.99, 0.54202593), (8, 0.99, 0.41464036)])
def test_value_of_a_slippery_lake(size, gamma, value):
    """A fraction in closed form, and pinned solutions to eight decimals."""
    optimum, _ = solve(frozen_lake(size, gamma).mdp)
    assert optimum[0] == pytest.approx(value, abs=5e-9)


@pytest.mark.parametrize(("size", "moves"), [(4, 6), (8, 14)])
def test_a_lake_without_slipping_is_a_shortest_path(size, moves):
    optimum, _ = solve(frozen_lake(size, 0.9, slippery=False).mdp)
    assert optimum[0] == pytest.approx(0.9 ** (moves - 1), abs=1e-12)


@pytest.mark.parametrize("world", [sutton_barto_4x4(), cliff_walking(), frozen_lake(4, 0.9), frozen_lake(8, 1.0)])
def test_an_end_leads_nowhere_and_earns_nothing(world):
    mdp = world.mdp
    for end in np.flatnonzero(mdp.terminal):
        assert (mdp.transition[end, :, end] == 1).all()
        assert (mdp.reward[end] == 0).all()
    assert mdp.start[mdp.terminal].sum() == 0
