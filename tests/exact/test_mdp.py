"""Finite MDPs: checks of their arrays, exact values, and roll-outs that follow their law."""

from dataclasses import replace

import numpy as np
import pytest

from implementations.tabular.parts.gridworld import book_grid, cliff_walking, frozen_lake, sutton_barto_4x4
from implementations.tabular.parts.mdp import (
    MDP,
    action_values,
    epsilon_soft,
    epsilon_soft_backup,
    evaluate_policy,
    greedy,
    one_hot,
    roll_out,
    solve,
    walk,
)

EXACT = 1e-10


def generator(seed=0):
    return np.random.default_rng(seed)


def random_mdp(seed=0, states=7, actions=3, gamma=0.9, ends=0):
    """Dirichlet rows and normal rewards; the last `ends` states are terminal and hold nonsense, never to be read."""
    draws = generator(seed)
    transition = draws.dirichlet(np.ones(states), (states, actions))
    reward = draws.normal(size=(states, actions, states))
    terminal = np.arange(states) >= states - ends
    transition[terminal], reward[terminal] = 99.0, 1e6
    start = np.where(terminal, 0.0, 1.0)
    return MDP(transition, reward, gamma, terminal, start / start.sum())


def random_policy(mdp, seed=1):
    return generator(seed).dirichlet(np.ones(mdp.actions), mdp.states)


def returns(episodes, gamma):
    return (episodes.rewards * gamma ** np.arange(episodes.rewards.shape[1])).sum(1)


def horizon_values(mdp, policy, length):
    values = np.zeros(mdp.states)
    for _ in range(length):
        values = (policy * action_values(mdp, values)).sum(1)
    return values


def within_4_standard_errors(samples, expected):
    assert abs(samples.mean() - expected) < 4 * samples.std() / np.sqrt(len(samples))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"transition": np.full((2, 1, 3), 1 / 3)}, "must both be"),
        ({"reward": np.zeros((2, 2, 2))}, "must both be"),
        ({"terminal": np.zeros(3, bool)}, "must be"),
        ({"start": np.full(3, 1 / 3)}, "must be"),
        ({"gamma": 1.1}, "gamma"),
        ({"gamma": -0.1}, "gamma"),
        ({"transition": np.full((2, 1, 2), 0.4)}, "a row of P"),
        ({"transition": np.array([[[-0.5, 1.5]], [[0.0, 1.0]]])}, "a row of P"),
        ({"start": np.array([0.5, 0.6])}, "a row of start"),
        ({"start": np.array([-1.0, 2.0])}, "a row of start"),
    ],
)
def test_arrays_that_make_no_mdp_are_refused(change, sentence):
    good = MDP(np.full((2, 1, 2), 0.5), np.zeros((2, 1, 2)), 0.9, np.zeros(2, bool), np.full(2, 0.5))
    with pytest.raises(ValueError, match=sentence):
        replace(good, **change)


def test_rows_of_terminal_states_are_never_read():
    mdp = random_mdp(ends=2)
    other_rows = np.where(mdp.terminal[:, None, None], -7.0, mdp.transition)
    other = replace(mdp, transition=other_rows, reward=np.where(mdp.terminal[:, None, None], np.nan, mdp.reward))
    policy = random_policy(mdp)
    for of_one, of_other in (
        (evaluate_policy(mdp, policy), evaluate_policy(other, policy)),
        (solve(mdp)[1], solve(other)[1]),
        (roll_out(mdp, policy, np.arange(7), 20, generator()).rewards,
         roll_out(other, policy, np.arange(7), 20, generator()).rewards),
    ):  # fmt: skip
        np.testing.assert_array_equal(of_one, of_other)
    values, q = solve(mdp)
    assert (values[mdp.terminal] == 0).all()
    assert (q[mdp.terminal] == 0).all()
    assert (evaluate_policy(mdp, policy)[mdp.terminal] == 0).all()


def test_action_values_are_bellmans_sum():
    mdp, values = random_mdp(ends=1), generator(2).normal(size=7)
    kept = np.where(mdp.terminal, 0.0, values)  # an end is worth 0, whatever is said of it
    expected = [
        [sum(p * (r + 0.9 * v) for p, r, v in zip(mdp.transition[s, a], mdp.reward[s, a], kept, strict=True))
         for a in range(3)]
        for s in range(6)
    ]  # fmt: skip
    np.testing.assert_allclose(action_values(mdp, values)[:6], expected, atol=1e-12)


@pytest.mark.parametrize(("gamma", "ends"), [(0.0, 0), (0.5, 1), (0.99, 0), (1.0, 2)])
def test_values_of_a_policy_are_the_limit_of_sweeps(gamma, ends):
    mdp = random_mdp(seed=3, gamma=gamma, ends=ends)
    policy = random_policy(mdp)
    np.testing.assert_allclose(evaluate_policy(mdp, policy), horizon_values(mdp, policy, 3_000), atol=EXACT)


def test_a_policy_that_may_never_end_has_no_values_at_gamma_1():
    mdp = sutton_barto_4x4().mdp
    left = one_hot(np.full(16, 3), 4)
    with pytest.raises(ValueError, match="may never end an episode"):
        evaluate_policy(mdp, left)
    discounted = evaluate_policy(replace(mdp, gamma=0.9), left)
    assert discounted[5] == pytest.approx(-10)
    assert np.isfinite(evaluate_policy(mdp, epsilon_soft(left, 0.01))).all()


def test_values_that_grow_without_end_are_not_solved_for(monkeypatch):
    monkeypatch.setattr("implementations.tabular.parts.mdp.MOST_SWEEPS", 1_000)
    one = np.ones((1, 1, 1))
    with pytest.raises(ValueError, match="still change after 1,000 sweeps"):
        solve(MDP(one, one, 1.0, np.array([False]), np.ones(1)))


def test_greedy_takes_the_first_of_the_best():
    q = np.array([[0.0, 1.0, 1.0 + 1e-12], [3.0, 2.0, 3.0], [-1.0, -1.0, -0.9]])
    np.testing.assert_array_equal(greedy(q), np.eye(3)[[1, 0, 2]])


def test_epsilon_soft_mixes_in_every_action_evenly():
    soft = epsilon_soft(np.eye(5)[[2]], 0.5)
    np.testing.assert_allclose(soft, [[0.1, 0.1, 0.6, 0.1, 0.1]])  # 1 - 4 eps / 5 and eps / 5
    q = generator(4).normal(size=(6, 5))
    np.testing.assert_allclose(epsilon_soft_backup(q, 0.3), (epsilon_soft(greedy(q), 0.3) * q).sum(1), atol=1e-14)
    np.testing.assert_array_equal(epsilon_soft_backup(q, 0.0), q.max(1))


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5, 1.0])
def test_the_optimum_of_the_soft_class_is_a_fixed_point(epsilon):
    """V = (1 - eps) max Q + eps mean Q on a random 7 x 3 MDP, and it is the value of the policy that it induces."""
    mdp = random_mdp()
    values, q = solve(mdp, epsilon)
    np.testing.assert_allclose((1 - epsilon) * q.max(1) + epsilon * q.mean(1), values, atol=EXACT)
    np.testing.assert_allclose(evaluate_policy(mdp, epsilon_soft(greedy(q), epsilon)), values, atol=EXACT)


@pytest.mark.parametrize("epsilon", [0.0, 0.4])
def test_no_policy_of_the_class_is_better_anywhere(epsilon):
    """All 3^4 deterministic policies, made epsilon-soft: the optimum is their largest value in every state at once."""
    mdp = random_mdp(seed=5, states=4)
    every = [
        evaluate_policy(mdp, epsilon_soft(one_hot(np.array(actions), 3), epsilon)) for actions in np.ndindex(3, 3, 3, 3)
    ]
    np.testing.assert_allclose(solve(mdp, epsilon)[0], np.max(every, axis=0), atol=EXACT)


def test_successors_hold_what_is_possible_and_no_more():
    mdp = frozen_lake(4, 0.9).mdp
    to, cumulative = mdp.successors
    assert to.shape == cumulative.shape == (16, 4, 3)
    np.testing.assert_array_equal(cumulative[..., -1], 1)
    probabilities = np.diff(cumulative, prepend=0, axis=-1)
    rebuilt = np.zeros_like(mdp.transition)
    for state, action, place in np.ndindex(to.shape):
        rebuilt[state, action, to[state, action, place]] += probabilities[state, action, place]
    np.testing.assert_allclose(rebuilt, mdp.transition, atol=1e-15)


@pytest.mark.parametrize("ends", [0, 2])
def test_roll_outs_have_the_exact_mean_return(ends):
    mdp = random_mdp(seed=6, ends=ends)
    policy = random_policy(mdp)
    expected = horizon_values(mdp, policy, 12)
    episodes = roll_out(mdp, policy, np.zeros(40_000, np.int64), 12, generator(7))
    within_4_standard_errors(returns(episodes, 0.9), expected[0])


def test_first_actions_are_taken_as_given():
    mdp = random_mdp(seed=6, ends=1)
    policy, actions = random_policy(mdp), np.arange(30_000) % 3
    episodes = roll_out(mdp, policy, np.full(30_000, 2), 8, generator(8), actions)
    np.testing.assert_array_equal(episodes.actions[:, 0], actions)
    expected = action_values(mdp, horizon_values(mdp, policy, 7))[2]
    for action in range(3):
        within_4_standard_errors(returns(episodes, 0.9)[actions == action], expected[action])
    # From the second step on the policy acts again.
    late = episodes.actions[(episodes.lengths > 1) & (episodes.states[:, 1] == 3), 1]
    shares = np.bincount(late, minlength=3) / len(late)
    assert (np.abs(shares - policy[3]) < 4 * np.sqrt(policy[3] * (1 - policy[3]) / len(late))).all()


def test_steps_follow_transition_and_reward():
    """Counts of the transitions that a long path makes are those of P, each of the 108 within 4.5 standard errors."""
    mdp = random_mdp(seed=9, states=6)
    path = walk(mdp, random_policy(mdp), 0, 200_000, generator(10))
    s, a, t = path.states[0, :-1], path.actions[0, :-1], path.states[0, 1:]
    np.testing.assert_array_equal(path.rewards[0, :-1], mdp.reward[s, a, t])
    counts = np.zeros((6, 3, 6))
    np.add.at(counts, (s, a, t), 1)
    visits = counts.sum(-1, keepdims=True)
    spread = np.sqrt(mdp.transition * (1 - mdp.transition) / visits)
    assert (np.abs(counts / visits - mdp.transition) < 4.5 * spread).all()


def test_endings_lengths_and_padding():
    mdp = cliff_walking().mdp
    along = one_hot(np.where(np.arange(48) == 36, 0, np.where(np.arange(48) % 12 == 11, 2, 1)), 4)  # up, right, down
    first = np.array([36, 35, 47, 24])
    episodes = roll_out(mdp, along, first, 30, generator())
    np.testing.assert_array_equal(episodes.lengths, [13, 1, 0, 12])
    np.testing.assert_array_equal(episodes.ended, [True, True, True, True])
    assert episodes.states.shape == (4, 13)
    np.testing.assert_array_equal(episodes.rewards.sum(1), [-13, -1, 0, -12])
    assert (episodes.states[2] == -1).all()
    after = np.arange(13) >= episodes.lengths[:, None]
    assert (episodes.states[after] == -1).all()
    assert (episodes.states[~after] >= 0).all()
    assert (episodes.actions[after] == 0).all()
    assert (episodes.rewards[after] == 0).all()
    cut = roll_out(mdp, along, first, 12, generator())
    np.testing.assert_array_equal(cut.lengths, [12, 1, 0, 12])
    np.testing.assert_array_equal(cut.ended, [False, True, True, True])


@pytest.mark.parametrize("ends", [0, 2])
def test_walk_and_roll_out_agree_in_law(ends):
    """Means of return, length and ending over the same number of episodes differ by at most 4 standard errors."""
    mdp = random_mdp(seed=11, ends=ends)
    policy, draws = random_policy(mdp), generator(12)
    walks = [walk(mdp, policy, 1, 6, draws) for _ in range(4_000)]
    together = roll_out(mdp, policy, np.ones(4_000, np.int64), 6, generator(13))
    pairs = [
        (np.array([returns(one, 0.9)[0] for one in walks]), returns(together, 0.9)),
        (np.array([one.lengths[0] for one in walks]), together.lengths),
        (np.array([one.ended[0] for one in walks]), together.ended),
        (np.array([one.actions[0, 0] for one in walks]), together.actions[:, 0]),
    ]
    for one, other in pairs:
        assert abs(one.mean() - other.mean()) <= 4 * np.sqrt((one.var() + other.var()) / 4_000)


def test_a_walk_takes_its_first_action_as_given():
    mdp = random_mdp(seed=11, ends=2)
    policy, draws = random_policy(mdp), generator(14)
    walks = [walk(mdp, policy, 1, 5, draws, action=2) for _ in range(4_000)]
    assert {int(one.actions[0, 0]) for one in walks} == {2}
    expected = action_values(mdp, horizon_values(mdp, policy, 4))[1, 2]
    within_4_standard_errors(np.array([returns(one, 0.9)[0] for one in walks]), expected)


@pytest.mark.parametrize("action", [None, 0])
def test_a_walk_has_the_length_asked_for(action):
    mdp = cliff_walking().mdp
    up = one_hot(np.zeros(48, np.int64), 4)
    path = walk(mdp, up, 36, 25, generator(), action)
    assert path.states.shape == path.actions.shape == path.rewards.shape == (1, 25)
    assert path.lengths.tolist() == [25]
    assert path.ended.tolist() == [False]
    ended = walk(mdp, one_hot(np.full(48, 2), 4), 35, 25, generator(), None if action is None else 2)
    assert (ended.lengths.tolist(), ended.ended.tolist(), ended.rewards.tolist()) == ([1], [True], [[-1.0]])
    nothing = walk(mdp, up, 47, 25, generator(), action)
    assert (nothing.states.shape, nothing.lengths.tolist(), nothing.ended.tolist()) == ((1, 0), [0], [True])


def test_the_generator_determines_the_episodes():
    mdp = random_mdp()
    policy, first = random_policy(mdp), np.zeros(5, np.int64)
    one, same, other = (roll_out(mdp, policy, first, 30, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.states, same.states)
    assert (one.states != other.states).any()
    one, same = (walk(mdp, policy, 0, 30, generator(1)) for _ in range(2))
    np.testing.assert_array_equal(one.rewards, same.rewards)


def test_nothing_is_modified_in_place():
    mdp = book_grid(-10.0).mdp
    policy, first, actions, values = random_policy(mdp), np.arange(25), np.arange(25) % 5, np.ones(25)
    q = action_values(mdp, values)
    arrays = (mdp.transition, mdp.reward, mdp.start, policy, first, actions, values, q)
    before = [array.copy() for array in arrays]
    evaluate_policy(mdp, policy)
    solve(mdp, 0.1)
    roll_out(mdp, policy, first, 10, generator(), actions)
    walk(mdp, policy, 0, 10, generator(), 1)
    greedy(q)
    epsilon_soft(policy, 0.5)
    epsilon_soft_backup(q, 0.5)
    for array, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, kept)
