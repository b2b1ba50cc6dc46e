"""Returns, visits, importance ratios and averages against plain loops."""

import numpy as np
import pytest

from implementations.tabular.parts import returns
from implementations.tabular.parts.loops import left_loop
from implementations.tabular.parts.mdp import Episodes, roll_out, walk
from implementations.tabular.parts.returns import Averages, discounted, first_step, first_visit, importance_ratios

ROUNDING = 1e-12  # of float64 sums of up to a thousand numbers of size 1


def generator(seed=0):
    return np.random.default_rng(seed)


def some_keys(seed=0, episodes=50, length=17, keys=5):
    """Episodes of all lengths from 1 to `length`, padded with -1."""
    draws = generator(seed)
    found = draws.integers(0, keys, (episodes, length))
    found[np.arange(length) >= draws.integers(1, length, (episodes, 1), endpoint=True)] = -1
    return found


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("length", [1, 2, 3, 8, 9, 100])
def test_returns_follow_the_recursion(gamma, length):
    rewards = generator(length).normal(size=(4, length))
    given, expected = rewards.copy(), np.zeros((4, length + 1))
    for step in reversed(range(length)):
        expected[:, step] = rewards[:, step] + gamma * expected[:, step + 1]
    np.testing.assert_allclose(discounted(rewards, gamma), expected[:, :-1], rtol=0, atol=ROUNDING)
    assert np.array_equal(rewards, given)


def test_returns_of_a_long_episode():
    found = discounted(np.ones((1, 1_000_000)), 0.9)
    np.testing.assert_allclose(found[0, [0, -3, -2, -1]], [10.0, 2.71, 1.9, 1.0], rtol=0, atol=ROUNDING)


def test_first_visits_are_those_a_loop_finds():
    keys = some_keys()
    given, expected = keys.copy(), np.full_like(keys, -1)
    for row, episode in enumerate(keys.tolist()):
        for step, key in enumerate(episode):
            if key not in episode[:step]:
                expected[row, step] = key
    assert np.array_equal(first_visit(keys), expected)
    assert np.array_equal(keys, given)


def test_visits_of_nothing_are_none():
    nothing = np.full((3, 1), -1)
    for visits in (first_visit, returns.every_visit, first_step):
        assert np.array_equal(visits(nothing), nothing)


def test_first_steps():
    assert first_step(np.array([[2, 2, 1], [0, -1, -1]])).tolist() == [[2, -1, -1], [0, -1, -1]]


def test_visits_by_name():
    assert returns.visits_of("first") is first_visit
    assert returns.visits_of("every") is returns.every_visit


def test_ratios_are_products_to_the_end():
    target, behaviour = generator(1).dirichlet(np.ones(3), 4), generator(2).dirichlet(np.ones(3), 4)
    states, actions = some_keys(3, keys=4), generator(3).integers(0, 3, (50, 17))
    lengths = (states >= 0).sum(1)
    found = importance_ratios(
        Episodes(states, actions, np.zeros(states.shape), lengths, lengths > 0), target, behaviour
    )
    for row, length in enumerate(lengths):
        for step in range(length):
            taken = states[row, step:length], actions[row, step:length]
            assert found[row, step] == pytest.approx((target[taken] / behaviour[taken]).prod(), rel=ROUNDING)


def test_ratios_of_a_policy_to_itself_are_exactly_one_even_where_it_is_deterministic():
    mdp, policy = left_loop(), np.array([[1.0, 0.0], [1.0, 0.0]])
    episodes = roll_out(mdp, policy, np.zeros(50, np.int64), 30, generator())
    assert (importance_ratios(episodes, policy, policy) == 1).all()


def test_incremental_and_batch_means_agree():
    """w <- w - (w - x) / k one by one, some at once, all at once, and numpy's mean."""
    keys, samples = some_keys().ravel(), generator(4).normal(size=850)
    ones = np.ones_like(samples)
    at_once = Averages.of_nothing(5).including(keys, samples, ones)
    one_by_one = in_parts = Averages.of_nothing(5)
    for one in range(len(keys)):
        one_by_one = one_by_one.including(keys[one : one + 1], samples[one : one + 1], ones[:1])
    for part in np.array_split(np.arange(len(keys)), 7):
        in_parts = in_parts.including(keys[part], samples[part], ones[part])
    by_hand = np.zeros(5)
    for key in range(5):
        for k, sample in enumerate(samples[keys == key], 1):
            by_hand[key] -= (by_hand[key] - sample) / k
    for found in (at_once, one_by_one, in_parts):
        np.testing.assert_allclose(found.means, [samples[keys == key].mean() for key in range(5)], atol=ROUNDING)
        np.testing.assert_allclose(found.means, by_hand, atol=ROUNDING)
        assert found.counts.tolist() == [(keys == key).sum() for key in range(5)]


def test_weighted_means():
    keys, samples, weights = some_keys(5).ravel(), generator(6).normal(size=850), generator(7).random(850)
    found = Averages.of_nothing(6)
    for part in np.array_split(np.arange(len(keys)), 7):
        found = found.including(keys[part], samples[part], weights[part])
    for key in range(5):
        there = keys == key
        assert found.means[key] == pytest.approx(np.average(samples[there], weights=weights[there]), abs=ROUNDING)
        assert found.weights[key] == pytest.approx(weights[there].sum(), abs=ROUNDING)
    assert (found.means[5], found.weights[5], found.counts[5]) == (0, 0, 0)


def test_samples_of_weight_zero_leave_the_mean_at_zero_and_are_counted():
    found = Averages.of_nothing(1).including(np.zeros(3, np.int64), np.full(3, 7.0), np.zeros(3))
    assert (found.means[0], found.counts[0]) == (0, 3)


def test_averages_are_not_modified_by_what_follows():
    keys, samples = np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0])
    first = Averages.of_nothing(2).including(keys, samples, np.ones(3))
    kept = first.means.copy(), first.weights.copy(), first.counts.copy()
    first.including(keys, 5 * samples, np.ones(3))
    first.replaced_by(Averages.of_nothing(2).including(keys[:1], samples[:1], np.ones(1)))
    assert all(np.array_equal(*pair) for pair in zip(kept, (first.means, first.weights, first.counts), strict=True))


def test_later_averages_replace_earlier_ones_where_there_are_any():
    earlier = Averages.of_nothing(3).including(np.array([0, 1, 1]), np.array([1.0, 2.0, 4.0]), np.ones(3))
    later = Averages.of_nothing(3).including(np.array([1]), np.array([9.0]), np.ones(1))
    found = earlier.replaced_by(later)
    assert found.means.tolist() == [1, 9, 0]
    assert found.counts.tolist() == [1, 1, 0]


def test_running_averages_stop_at_every_checkpoint_and_draw_the_same_whatever_they_are(monkeypatch):
    monkeypatch.setattr(returns, "STEPS_AT_ONCE", 120)  # 40 episodes of 3 steps at once
    asked = []

    def drawing(seed):
        draws = generator(seed)

        def draw(count):
            asked.append(count)
            return draws.integers(-1, 2, (count, 3)), draws.normal(size=(count, 3)), np.ones((count, 3))

        return draw

    every = dict(returns.running_averages(2, 3, [1, 7, 40, 41, 79, 80, 100], drawing(8)))
    assert asked == [40, 40, 20]
    assert list(every) == [1, 7, 40, 41, 79, 80, 100]
    ((spent, last),) = returns.running_averages(2, 3, [100], drawing(8))
    assert spent == 100
    np.testing.assert_allclose(last.means, every[100].means, atol=ROUNDING)
    assert last.counts.tolist() == every[100].counts.tolist()


def test_a_single_episode_goes_step_by_step():
    mdp, policy = left_loop(), np.full((2, 2), 0.5)
    one = returns.episodes_from(mdp, policy, np.array([0]), 20, generator(9), np.array([0]))
    same = walk(mdp, policy, 0, 20, generator(9), 0)
    assert np.array_equal(one.states, same.states)
    assert np.array_equal(one.actions, same.actions)
    assert one.actions[0, 0] == 0


def test_pairs():
    mdp = left_loop()
    assert returns.all_pairs(mdp).tolist() == [0, 1]
    episodes = Episodes(
        np.array([[3, 1, -1]]), np.array([[1, 0, 0]]), np.zeros((1, 3)), np.array([2]), np.array([True])
    )
    assert returns.pairs_in(episodes, 2).tolist() == [[7, 2, -1]]
    assert returns.evenly(mdp).tolist() == [[0.5, 0.5], [0.5, 0.5]]
