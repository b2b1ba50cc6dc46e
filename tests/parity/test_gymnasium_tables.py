"""Transition tables against Gymnasium's own, and dynamic programming on its worlds against independent solutions."""

import numpy as np
import pytest
from scipy.optimize import linprog

from implementations.tabular.dynamic_programming import Settings, policy_iteration, value_iteration
from implementations.tabular.parts.gridworld import cliff_walking, frozen_lake
from implementations.tabular.parts.mdp import MDP, evaluate_policy, solve
from tests.parity.conftest import peer

WORLDS = {
    "lake 4x4": ("FrozenLake-v1", {"map_name": "4x4", "is_slippery": True}),
    "lake 8x8": ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": True}),
    "ice without slipping": ("FrozenLake-v1", {"map_name": "4x4", "is_slippery": False}),
    "cliff": ("CliffWalking-v1", {}),
    "taxi": ("Taxi-v4", {}),
}


@pytest.fixture(scope="module")
def gymnasium():
    return peer("gymnasium", "1.4.0")


def unwrapped(gymnasium, name):
    identity, options = WORLDS[name]
    return gymnasium.make(identity, **options).unwrapped


def converted(environment, gamma):
    """Gymnasium's table P[s][a] = [(probability, next state, reward, terminated), ...] as an MDP.

    There an end is a property of the step: one more state, which all ending steps lead to, keeps that to the letter.
    """
    table, states = environment.P, len(environment.P)
    actions = environment.action_space.n
    transition, earned = np.zeros((2, states + 1, actions, states + 1))
    for state, action in np.ndindex(states, actions):
        for probability, to, reward, terminated in table[state][action]:
            target = states if terminated else to
            transition[state, action, target] += probability
            earned[state, action, target] += probability * reward  # steps to one state may differ in reward
    transition[states, :, states] = 1
    reward = np.divide(earned, transition, out=np.zeros_like(earned), where=transition > 0)
    start = np.append(environment.initial_state_distrib, 0.0)
    return MDP(transition, reward, gamma, np.arange(states + 1) == states, start)


def bellman_errors(environment, values, gamma):
    """|v(s) - max_a sum p (r + gamma v(s'))| with Gymnasium's table, in plain Python."""
    for state, of_actions in environment.P.items():
        best = max(
            sum(p * (r + (0 if terminated else gamma * values[to])) for p, to, r, terminated in outcomes)
            for outcomes in of_actions.values()
        )
        yield abs(values[state] - best)


def same_table(ours, environment):
    """Probability and reward of every step from states that are no end; an end is a terminal state of ours."""
    for state, of_actions in environment.P.items():
        if ours.terminal[state]:
            continue
        for action, outcomes in of_actions.items():
            probabilities = np.zeros(ours.states)
            for probability, to, reward, terminated in outcomes:
                probabilities[to] += probability
                assert ours.reward[state, action, to] == reward
                assert bool(ours.terminal[to]) is bool(terminated)
            # Thirds are added up in another order.
            np.testing.assert_allclose(ours.transition[state, action], probabilities, rtol=0, atol=1e-15)


@pytest.mark.parametrize("slippery", [True, False])
@pytest.mark.parametrize("size", [4, 8])
def test_frozen_lake_is_gymnasiums(gymnasium, size, slippery):
    theirs = gymnasium.make("FrozenLake-v1", map_name=f"{size}x{size}", is_slippery=slippery).unwrapped
    ours = frozen_lake(size, 0.99, slippery)
    assert [row.decode() for row in theirs.desc.astype("S1").view(f"S{size}").ravel()] == list(ours.cells)
    same_table(ours.mdp, theirs)
    np.testing.assert_array_equal(ours.mdp.start, theirs.initial_state_distrib)


def test_cliff_walking_is_gymnasiums(gymnasium):
    theirs, ours = unwrapped(gymnasium, "cliff"), cliff_walking()
    assert ours.shape == theirs.shape
    same_table(ours.mdp, theirs)
    np.testing.assert_array_equal(ours.mdp.start, theirs.initial_state_distrib)


def test_ends_of_gymnasiums_lake_lead_nowhere_as_ours(gymnasium):
    theirs, ours = unwrapped(gymnasium, "lake 4x4"), frozen_lake(4, 0.99).mdp
    for state in np.flatnonzero(ours.terminal):
        assert all(outcomes == [(1.0, state, 0, True)] for outcomes in theirs.P[state].values())


@pytest.mark.parametrize("algorithm", [value_iteration, policy_iteration])
@pytest.mark.parametrize("name", WORLDS)
def test_dynamic_programming_solves_gymnasiums_worlds(gymnasium, name, algorithm):
    """Bellman's equation holds in a plain sum over their table, so that the values are right to ten times its error."""
    environment = unwrapped(gymnasium, name)
    mdp = converted(environment, 0.9)
    (*_, last) = algorithm(mdp, Settings(), np.random.default_rng(0), [10_000])
    values = last.action_values.max(1)
    # The rule to stop is 1e-12, and values up to 1000 are rounded to 1e-13.
    assert max(bellman_errors(environment, values, 0.9)) < 1e-11
    np.testing.assert_allclose(values, solve(mdp)[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(evaluate_policy(mdp, last.policy), values, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["lake 4x4", "lake 8x8", "cliff"])
def test_values_are_those_of_the_linear_programme(gymnasium, name):
    """min sum v subject to v(s) >= r(s, a) + gamma P v(s'): a way to the optimum without a sweep or a solution."""
    mdp = converted(unwrapped(gymnasium, name), 0.99)
    rows = np.repeat(np.eye(mdp.states), mdp.actions, axis=0) - 0.99 * mdp.continuing.reshape(-1, mdp.states)
    limits = mdp.expected_reward.ravel()
    found = linprog(np.ones(mdp.states), A_ub=-rows, b_ub=-limits, bounds=(None, None), method="highs")
    # HiGHS meets each constraint to 1e-7, which adds up to at most 1e-7 / (1 - gamma).
    np.testing.assert_allclose(solve(mdp)[0], found.x, rtol=0, atol=1e-5)


def test_taxi_at_gamma_1_by_policy_iteration(gymnasium):
    """Rewards are whole and the best way is sure, so that values are whole; the best place to be is at the goal."""
    environment = unwrapped(gymnasium, "taxi")
    (*_, last) = policy_iteration(converted(environment, 1.0), Settings(), np.random.default_rng(0), [1_000])
    values = last.action_values.max(1)
    assert max(bellman_errors(environment, values, 1.0)) < 1e-10  # rounding of values in the thousands on the way
    np.testing.assert_allclose(values, np.round(values), atol=1e-9)
    assert values.max() == pytest.approx(20)  # to put down the passenger
