"""Monte Carlo methods against exact values: bias, convergence, and the numbers of both books."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from implementations.tabular.monte_carlo import (
    Settings,
    epsilon_greedy,
    every_visit,
    exploring_starts,
    first_visit,
    mc_basic,
    ordinary_importance_sampling,
    weighted_importance_sampling,
)
from implementations.tabular.parts.blackjack import blackjack
from implementations.tabular.parts.gridworld import book_grid, book_grid_3x3, book_policy_3x3
from implementations.tabular.parts.loops import left_loop, visit_loop
from implementations.tabular.parts.mdp import (
    MDP,
    action_values,
    epsilon_soft,
    evaluate_policy,
    greedy,
    one_hot,
    roll_out,
    solve,
)
from implementations.tabular.parts.returns import discounted
from tests.exact.limits import second_moment

ROUNDING = 1e-10
ONE_HAND = -0.27720419  # 13 with a usable ace against a 2, sticking on 20
FIRST = one_hot(np.zeros(2, np.int64), 2)  # action 0 in both states of a loop
ONLY = np.ones((2, 1))


def generator(seed=0):
    return np.random.default_rng(seed)


def settings(algorithm, **given):
    if algorithm is epsilon_greedy:
        given = {"epsilon": 0.1, **given}
    return Settings(algorithm=algorithm.__name__, **given)


def runs(algorithm, mdp, policy, checkpoints, count, **given):
    """Estimates (count, checkpoints, S) of independent runs."""
    draws, asked = generator(), settings(algorithm, **given)
    return np.array([[it.values for it in algorithm(mdp, policy, asked, draws, checkpoints)] for _ in range(count)])


def within_4_standard_errors(samples, expected):
    assert abs(samples.mean() - expected) < 4 * samples.std(ddof=1) / np.sqrt(len(samples))


def random_mdp(seed=0, states=7, actions=3, gamma=0.8):
    """Dirichlet rows and normal rewards; the last state is terminal, and every step leads there with chance 0.2."""
    draws = generator(seed)
    transition = draws.dirichlet(np.ones(states), (states, actions))
    transition = 0.8 * transition + 0.2 * (np.arange(states) == states - 1)
    reward = draws.normal(size=(states, actions, states))
    terminal = np.arange(states) == states - 1
    return MDP(transition, reward, gamma, terminal, np.where(terminal, 0, 1 / (states - 1)))


@pytest.fixture(scope="module")
def game():
    return blackjack("plain")


@pytest.fixture(scope="module")
def one_hand(game):
    start = np.zeros(game.mdp.states)
    start[game.state(13, True, 2)] = 1
    return replace(game.mdp, start=start)


# Which visits count.


def pooled(episodes, value=10.0):
    """Expected every-visit estimate of `visit_loop` from n episodes of N steps: E[sum N (N + 1) / 2 / sum N].

    Given the sum M, all ways to cut it into n parts are as likely, so that E[N^2 | M] = M (2 M - n + 1) / (n (n + 1));
    with E[M] = n v that makes (n v + 1) / (n + 1).
    """
    return (episodes * value + 1) / (episodes + 1)


def test_expected_every_visit_estimates_of_the_loop():
    """Simulations have been quoted as 5.5, 9.17 and 9.90 for 1, 10 and 100 episodes; the formula against 400,000."""
    assert [pooled(episodes) for episodes in (1, 10, 100)] == pytest.approx([5.5, 101 / 11, 1001 / 101])
    for episodes in (1, 10, 100):
        steps = generator(episodes).geometric(0.1, (400_000 // episodes, episodes)).astype(float)
        within_4_standard_errors((steps * (steps + 1) / 2).sum(1) / steps.sum(1), pooled(episodes))


def test_first_visits_are_unbiased_and_every_visit_is_biased_as_expected():
    counts = [1, 10, 100]
    first = runs(first_visit, visit_loop(), ONLY, counts, 500, episode_length=1000)[:, :, 0]
    every = runs(every_visit, visit_loop(), ONLY, counts, 500, episode_length=1000)[:, :, 0]
    for place, episodes in enumerate(counts):
        within_4_standard_errors(first[:, place], 10)
        within_4_standard_errors(every[:, place], pooled(episodes))
    assert every[:, 0].mean() < 7 < first[:, 0].mean()  # the bias of 4.5 is 30 standard errors of the one, 10 of both


def test_visits_are_counted():
    (first,) = first_visit(visit_loop(), ONLY, settings(first_visit, episode_length=1000), generator(), [50])
    (every,) = every_visit(visit_loop(), ONLY, settings(every_visit, episode_length=1000), generator(), [50])
    assert first.visits.tolist() == [50, 0]
    assert every.visits[0] > 300  # 500 are expected, 67 their standard deviation


def test_an_episode_cut_off_counts_with_its_return():
    (found,) = first_visit(visit_loop(1e9), ONLY, settings(first_visit, episode_length=7), generator(), [5])
    assert found.values.tolist() == [7, 0]


# MC Basic.


@pytest.mark.parametrize("length", [1, 2, 3, 4, 14, 15, 30, 100])
def test_mc_basic_learns_the_values_of_its_horizon(length):
    mdp = book_grid(-10.0).mdp
    horizon = np.zeros(25)
    for _ in range(length):
        horizon = action_values(mdp, horizon).max(1)
    *_, last = mc_basic(mdp, settings(mc_basic, episode_length=length), generator(), [15 * 125])
    np.testing.assert_allclose(last.action_values.max(1), horizon, rtol=0, atol=ROUNDING)
    best, of_actions = solve(mdp)
    assert np.abs(horizon - best).max() <= 0.9**length / 0.1 + ROUNDING
    if length >= 30:
        assert (
            of_actions.max(1) - (of_actions * last.policy).sum(1)
        ).max() < ROUNDING  # optimal long before the values


def test_mc_basic_counts_its_episodes():
    told = list(mc_basic(book_grid(-10.0).mdp, settings(mc_basic, episodes_per_pair=2), generator(), [250, 1000]))
    assert [(it.spent, it.improvements) for it in told] == [(250, 1), (1000, 4)]
    assert (told[-1].visits == 2).all()  # of the latest iteration only


def test_mc_basic_solves_the_3x3_example():
    """Figure 5.3: from the printed policy one iteration finds the optimal action of s1; here its action values."""
    mdp, policy = book_grid_3x3().mdp, book_policy_3x3()
    episodes = roll_out(mdp, policy, np.zeros(5, np.int64), 400, generator(), np.arange(5))
    found = discounted(episodes.rewards, mdp.gamma)[:, 0]
    closed = [-1 / (1 - 0.9), 0.9**3 / (1 - 0.9), 0.9**3 / (1 - 0.9), -1 / (1 - 0.9), -0.9 / (1 - 0.9)]
    np.testing.assert_allclose(found, closed, rtol=0, atol=ROUNDING)  # what follows 400 steps is below 1e-17
    *_, last = mc_basic(mdp, settings(mc_basic, episode_length=400), generator(), [450])
    np.testing.assert_allclose(last.action_values, solve(mdp)[1], rtol=0, atol=ROUNDING)


# Exploring starts.


def test_exploring_starts_find_the_policy_of_blackjack(game):
    values, of_actions = solve(game.mdp)
    told = list(exploring_starts(game.mdp, settings(exploring_starts), generator(), [10_000, 100_000, 500_000]))
    regrets = [float((values - evaluate_policy(game.mdp, it.policy)) @ game.mdp.start) for it in told]
    assert regrets[0] > regrets[-1]
    assert regrets[1] <= 0.02  # 0.003 to 0.005 were seen with other seeds
    assert regrets[2] <= 0.005
    decided = np.flatnonzero(~game.mdp.terminal)
    wrong = decided[(told[-1].policy.argmax(1) != of_actions.argmax(1))[decided]]
    gaps = np.abs(of_actions[:, 0] - of_actions[:, 1])[wrong]
    # Returns have a standard deviation of 1 at most, so that 4 of them bound what the means may be off by.
    assert (gaps < 4 * np.sqrt((1 / told[-1].visits[wrong]).sum(1))).all()
    # Not 3 at most, all of them below 0.03, as one seed once had it: of ten seeds 8 have one above, up to 0.052.
    # Of the 200 gaps 8 are below 0.038, the deviation of a difference of two means of 1,400 returns, wrong by chance.
    assert len(wrong) <= 8


def test_exploring_starts_visit_every_pair_about_evenly_at_first():
    mdp = random_mdp()
    (found,) = exploring_starts(mdp, settings(exploring_starts, batch=18_000, episode_length=1), generator(), [1])
    assert found.spent == 18_000
    assert found.visits[-1].tolist() == [0, 0, 0]  # the terminal state
    # 1000 each, with a standard deviation of about 31; 18 pairs.
    assert np.abs(found.visits[:-1] - 1000).max() < 4.5 * 31


@pytest.mark.parametrize("algorithm", [exploring_starts, epsilon_greedy])
def test_states_without_a_return_keep_the_even_policy(algorithm):
    mdp = book_grid(-1.0).mdp
    asked = settings(algorithm, batch=2, episode_length=3)
    (found,) = algorithm(mdp, asked, generator(), [2])
    unseen = found.visits.sum(1) == 0
    assert 0 < unseen.sum() < 25
    assert (found.policy[unseen] == 0.2).all()
    assert np.array_equal(found.policy[~unseen], epsilon_soft(greedy(found.action_values), asked.epsilon)[~unseen])


def test_one_episode_at_a_time_is_the_books_algorithm():
    mdp = random_mdp()
    values, _ = solve(mdp)
    *_, last = exploring_starts(mdp, settings(exploring_starts, batch=1), generator(), [5000])
    assert last.improvements == last.spent == 5000
    # About 200 episodes start with each pair; an action is off by a return's deviation over sqrt(200), near 0.1.
    assert 0 <= (values - evaluate_policy(mdp, last.policy)) @ mdp.start < 0.1


# Epsilon-greedy.


@pytest.mark.parametrize("visit", ["first", "every"])
@pytest.mark.parametrize("average", ["all", "latest"])
def test_epsilon_greedy_reaches_the_best_of_its_class(visit, average):
    mdp, epsilon = random_mdp(), 0.3
    best, of_actions = solve(mdp, epsilon)
    asked = settings(epsilon_greedy, epsilon=epsilon, batch=10_000, average=average, visit=visit)
    *_, last = epsilon_greedy(mdp, asked, generator(), [100_000])
    assert last.policy.min() == pytest.approx(epsilon / 3)
    found = evaluate_policy(mdp, last.policy)
    assert (best - found).max() < 0.01
    if average == "latest":  # means over all episodes keep the returns of the first, worse policies
        errors = np.abs(last.action_values - of_actions)[:-1]
        # 18 means of returns within 4.5 standard errors; returns deviate by less than 2.5, as rewards by about 1 and
        # episodes have 5 steps on average. The last policy may be worse than the best by what is asserted above.
        assert (errors < 4.5 * 2.5 / np.sqrt(last.visits[:-1]) + 0.01).all()


def test_one_long_episode_of_every_visit():
    """Zhao's figure 5.5 in small: one episode an iteration; the counts are those of its steps."""
    mdp = book_grid(-1.0).mdp
    asked = settings(epsilon_greedy, epsilon=0.5, batch=1, episode_length=20_000, visit="every", average="latest")
    first, second = epsilon_greedy(mdp, asked, generator(), [1, 2])
    assert first.visits.sum() == 20_000
    assert second.visits.sum() >= 20_000  # pairs that the second episode misses keep what they have
    even = evaluate_policy(mdp, np.full((25, 5), 0.2))
    # 160 visits to a pair: their returns have a deviation of about 3 and are correlated, hence a wide bound.
    assert np.abs(first.action_values - action_values(mdp, even)).max() < 1.5


def test_two_exact_improvements_are_not_enough_for_figure_5_5():
    """The book reads two iterations off its figure; with exact action values the third still changes a cell."""
    mdp = book_grid(-1.0).mdp
    _, of_actions = solve(mdp, 0.5)
    policy, wrong = np.full((25, 5), 0.2), []
    for _ in range(3):
        policy = epsilon_soft(greedy(action_values(mdp, evaluate_policy(mdp, policy))), 0.5)
        behind = of_actions.max(1) - of_actions[np.arange(25), policy.argmax(1)]
        wrong.append(np.flatnonzero(behind > ROUNDING).tolist())
    assert wrong[1:] == [[20], []]  # the bottom left cell


# Importance sampling.


@pytest.mark.parametrize("algorithm", [ordinary_importance_sampling, weighted_importance_sampling])
def test_importance_sampling_of_one_hand_of_blackjack(algorithm, game, one_hand):
    hand = game.state(13, True, 2)
    found = runs(algorithm, one_hand, game.stick_from(20), [10_000], 40)[:, 0, hand]
    within_4_standard_errors(found, ONE_HAND)  # the weighted one's bias, of order 1 / 10,000, is far below that
    assert found.std() < 0.08  # so that the test says something


def test_ordinary_is_unbiased_from_the_first_episode_on_and_weighted_is_not():
    """Right first: with chance 1/2 the weight is 0, and so is the weighted estimate, where the value is 1."""
    ordinary = runs(ordinary_importance_sampling, left_loop(), FIRST, [1], 3000, episode_length=3)[:, 0, 0]
    weighted = runs(weighted_importance_sampling, left_loop(), FIRST, [1], 3000, episode_length=3)[:, 0, 0]
    within_4_standard_errors(ordinary, 1 - 0.9**3)  # what episodes of 3 steps return
    ended = sum(0.5**k * 0.9 ** (k - 1) * 0.1 for k in (1, 2, 3))
    within_4_standard_errors(weighted, ended)  # 1 after a success and 0 otherwise


def test_weighted_is_far_below_ordinary_at_the_start(game, one_hand):
    hand = game.state(13, True, 2)
    squared = [
        np.square(runs(algorithm, one_hand, game.stick_from(20), [10, 100], 200)[:, :, hand] - ONE_HAND).mean(0)
        for algorithm in (ordinary_importance_sampling, weighted_importance_sampling)
    ]
    assert (squared[1] < squared[0]).all()


def test_on_the_loop_weighted_is_exactly_1_after_the_first_success():
    told = runs(weighted_importance_sampling, left_loop(), FIRST, range(1, 400), 10, episode_length=1000)[:, :, 0]
    assert set(told.ravel()) == {0.0, 1.0}
    assert (np.diff(told, axis=1) >= 0).all()
    assert (told[:, -1] == 1).all()  # 399 episodes fail with chance 1e-17: each succeeds with 1/11


def test_on_the_loop_ordinary_does_not_settle_where_weighted_does():
    told = runs(ordinary_importance_sampling, left_loop(), FIRST, [10_000], 10, episode_length=1000)[:, 0, 0]
    assert (np.abs(told - 1) > 1e-3).all()
    assert np.ptp(told) > 0.05


@pytest.mark.parametrize("length", range(1, 9))
def test_second_moment_of_the_loop_by_enumeration(length):
    """Over all sequences of (action, stays) of `length` steps, cut where an episode ends."""
    moment = 0.0
    for steps in product(((0, True, 0.45), (0, False, 0.05), (1, False, 0.5)), repeat=length):
        chance, ratio, won, running = 1.0, 1.0, 0.0, True
        for action, stays, probability in steps:
            chance *= probability
            if running:
                ratio *= 2.0 if action == 0 else 0.0
                won, running = float(action == 0 and not stays), stays
        moment += chance * (ratio * won) ** 2
    assert second_moment(length) == pytest.approx(moment, rel=ROUNDING)


def test_second_moment_grows_without_end_and_simulation_agrees_while_it_can():
    assert [second_moment(length) for length in (1, 2)] == pytest.approx([0.2, 0.56])
    assert second_moment(100) > 1e24
    draws, mdp, length = generator(), left_loop(), 4
    episodes = roll_out(mdp, np.full((2, 2), 0.5), np.zeros(200_000, np.int64), length, draws)
    left = (episodes.actions == 0) | (episodes.states < 0)
    samples = left.all(1) * 2.0**episodes.lengths * episodes.rewards.sum(1)
    within_4_standard_errors(samples**2, second_moment(length))


def test_loops_have_their_values():
    assert evaluate_policy(left_loop(), FIRST)[0] == pytest.approx(1)
    for value in (1.0, 2.5, 10.0):
        assert evaluate_policy(visit_loop(value), ONLY)[0] == pytest.approx(value)
    with pytest.raises(ValueError, match="value must be 1 or more"):
        visit_loop(0.5)


# Settings.


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"episode_length": 0}, "episode_length"),
        ({"batch": -1}, "batch"),
        ({"episodes_per_pair": 0}, "episodes_per_pair"),
        ({"algorithm": "epsilon_greedy", "epsilon": 1.1}, "epsilon"),
        ({"algorithm": "epsilon_greedy"}, "epsilon"),
        ({"epsilon": 0.1}, "epsilon"),
    ],
)
def test_settings_out_of_range_are_refused(given, word):
    with pytest.raises(ValueError, match=word):
        Settings(**given)
