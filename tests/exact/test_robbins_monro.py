"""Robbins-Monro: paths against the exact recursion, divergence of the book's cubic, clipping, averages."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest

from implementations.stochastic_approximation.parts.gains import sequence
from implementations.stochastic_approximation.parts.problems import RootFinding, cubic, linear, tanh
from implementations.stochastic_approximation.parts.variances import recursion
from implementations.stochastic_approximation.robbins_monro import METHOD, Settings, iterates

NOISE = 2.0  # S, the variance


def last(problem, settings, paths=1, steps=50, seed=0):
    (found,) = iterates(problem, settings, paths, np.random.default_rng(seed), [steps])
    return found


def diverged(offset: int, paths: int = 20_000) -> float:
    return float(last(cubic(), Settings(offset=offset), paths).diverged.mean())


@pytest.mark.parametrize("problem", [cubic(), tanh(), linear(0.7, -2.0, 3.0, 0.0)])
def test_roots_and_slopes_are_those_of_the_function(problem):
    root = np.array([problem.root])
    assert float(problem.g(root)[0]) == pytest.approx(0.0, abs=1e-14)
    difference = (problem.g(root + 1e-5) - problem.g(root - 1e-5)) / 2e-5
    assert float(difference[0]) == pytest.approx(problem.slope, rel=1e-8)  # central differences, 1e-10 off


def test_the_books_root_and_slope():
    assert cubic().root == pytest.approx(1.70998, abs=5e-6)
    assert cubic().slope == pytest.approx(8.772, abs=5e-4)


def test_gains_are_the_rules():
    k = np.arange(1, 6)
    assert np.array_equal(METHOD.gains(Settings(), 5), 1 / k)
    assert np.array_equal(METHOD.gains(Settings(scale=2.0, offset=3), 5), 2 / (k + 3))
    assert METHOD.gains(Settings(gain="power", scale=2.0, exponent=0.6), 5) == pytest.approx(2 / k**0.6, rel=1e-15)
    assert METHOD.gains(Settings(gain="constant", scale=0.3), 5).tolist() == [0.3] * 5


def test_a_step_is_the_equation():
    problem = linear(1.5, 0.25, 3.0, 0.7)
    settings = Settings(scale=0.8, offset=1)
    random = np.random.default_rng(5)
    w = np.full((4, 1), 3.0)
    for k, found in enumerate(iterates(problem, settings, 4, np.random.default_rng(5), [1, 2, 3]), start=1):
        w = w - 0.8 / (k + 1) * (1.5 * (w - 0.25) + 0.7 * random.standard_normal((4, 1)))
        assert found.step == k
        assert found.values == pytest.approx(w, rel=1e-14)


def test_harmonic_gains_on_a_line_are_the_running_mean():
    """g(w) = w - x_k with a_k = 1/k: after n steps the mean of the x_k, whatever the start."""
    draws = np.random.default_rng(3).standard_normal((40, 6, 1))
    found = last(linear(1.0, 0.0, 17.0, 1.0), Settings(), paths=6, steps=40, seed=3)
    assert found.values == pytest.approx(-draws.mean(0), abs=1e-14)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(scale=2.0),
        Settings(scale=0.25),
        Settings(gain="constant", scale=0.1),
        Settings(gain="power", scale=0.5, average_from=1),
        Settings(gain="power", scale=0.5, average_from=20),
    ],
)
def test_paths_have_the_moments_of_the_recursion(settings):
    problem, paths, steps = linear(1.0, 0.0, 1.0, math.sqrt(NOISE)), 4_000, [10, 200]
    found = list(iterates(problem, settings, paths, np.random.default_rng(7), steps))
    exact = recursion(sequence(settings, steps[-1]), 1.0, NOISE, 1.0, steps, settings.average_from or 1)
    for iterate, moments in zip(found, exact, strict=True):
        cases = [(iterate.values, moments.bias, moments.variance)]
        if iterate.averages is not None:
            cases.append((iterate.averages, moments.averaged_bias, moments.averaged_variance))
        for values, bias, variance in cases:
            # The law is normal: 4 standard errors of the mean, and of the variance, sqrt(2/n) of it.
            assert values.mean() == pytest.approx(bias, abs=4 * math.sqrt(variance / paths))
            assert values.var(ddof=1) == pytest.approx(variance, rel=4 * math.sqrt(2 / paths))


def test_averages_are_the_means_of_the_iterates_that_count():
    settings = Settings(gain="power", scale=0.5, average_from=4)
    found = list(iterates(linear(1.0, 0.0, 1.0, 1.0), settings, 5, np.random.default_rng(1), range(1, 13)))
    for iterate in found[:4]:
        assert np.array_equal(iterate.averages, iterate.values)
    for n in range(4, 13):
        expected = np.mean([iterate.values for iterate in found[3:n]], axis=0)
        assert found[n - 1].averages == pytest.approx(expected, abs=1e-14)


def test_averaging_changes_no_path():
    plain, averaged = (last(cubic(), Settings(offset=2, average_from=start), 50) for start in (None, 1))
    assert plain.averages is None
    assert np.array_equal(plain.values, averaged.values)


def test_the_books_gains_diverge_as_often_as_was_seen():
    """99.6 %, 28 % and none of 2,000; 4 standard errors of the difference of 2,000 and 20,000 paths."""
    for offset, seen in ((0, 0.996), (1, 0.28)):
        error = math.sqrt(seen * (1 - seen) * (1 / 2_000 + 1 / 20_000))
        assert diverged(offset) == pytest.approx(seen, abs=4 * error)
    assert diverged(2) <= 10 / 20_000  # 0 of 2,000 excludes a rate above 1/200, and a tenth of that is plenty


def test_divergence_is_kept_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(iterates(cubic(), Settings(), 500, np.random.default_rng(0), range(1, 51)))
    rates = [iterate.diverged.mean() for iterate in found]
    assert rates[0] == 0
    assert rates[-1] > 0.95
    for before, after in pairwise(found):
        assert (after.diverged >= before.diverged).all()
    for iterate in found:
        assert np.array_equal(np.isnan(iterate.values[:, 0]), iterate.diverged)
        assert np.nanmax(np.abs(iterate.values)) <= 1e6


def test_what_is_not_finite_diverged_too():
    broken = RootFinding(lambda w: np.where(w > 0.5, np.inf, w - 1), 1.0, 1.0, 0.0, 0.0)
    found = list(iterates(broken, Settings(), 1, np.random.default_rng(0), [1, 2, 3]))
    assert [bool(iterate.diverged[0]) for iterate in found] == [False, True, True]


def test_a_path_does_not_depend_on_whether_others_diverge():
    wide, narrow = (last(cubic(), Settings(offset=1, diverged_beyond=beyond), 300) for beyond in (1e6, 50.0))
    both = ~wide.diverged & ~narrow.diverged
    assert 0 < both.sum() < 300
    assert np.array_equal(wide.values[both], narrow.values[both])


def test_bounded_observations_keep_the_books_gains_from_diverging():
    found = last(cubic(), Settings(largest_observation=10.0), 2_000)
    assert not found.diverged.any()
    # sd about 0.036 at step 50 (asymptotically 0.035); the median of paths is far better known than 0.02.
    assert float(np.median(found.values)) == pytest.approx(cubic().root, abs=0.02)


def test_projection_keeps_iterates_within_their_bound():
    found = list(iterates(cubic(), Settings(largest_iterate=3.0), 200, np.random.default_rng(0), range(1, 51)))
    assert max(np.abs(iterate.values).max() for iterate in found) == 3.0
    assert not found[-1].diverged.any()


def test_the_spread_of_the_books_example_is_the_limit_laws():
    """Simulated sd 0.036 at step 50, predicted 0.035, with gains that do not diverge."""
    values = last(cubic(), Settings(offset=2), 20_000).values
    assert float(np.nanstd(values)) == pytest.approx(0.036, abs=5e-4 + 4 * 0.036 / math.sqrt(2 * 20_000))
    assert math.sqrt(1 / (2 * 8.772 - 1) / 50) == pytest.approx(0.035, abs=5e-4)


def test_tanh_comes_to_its_root_and_draws_nothing():
    random = np.random.default_rng(0)
    before = random.bit_generator.state
    found = list(iterates(tanh(), Settings(), 3, random, [10, 100, 1_000, 10_000]))
    assert random.bit_generator.state == before
    errors = [float(iterate.values[0, 0]) - 1 for iterate in found]
    assert errors == sorted(errors, reverse=True)
    # The slope at the root is 1: an error e becomes (1 - 1/k) e, so that k e has a limit.
    assert 10_000 * errors[3] == pytest.approx(1_000 * errors[2], rel=0.01)
    assert (found[-1].values == found[-1].values[0]).all()


def test_what_is_told_does_not_depend_on_the_checkpoints():
    few = list(iterates(cubic(), Settings(offset=2), 20, np.random.default_rng(2), [7, 30]))
    many = list(iterates(cubic(), Settings(offset=2), 20, np.random.default_rng(2), range(1, 31)))
    for iterate in few:
        assert np.array_equal(iterate.values, many[iterate.step - 1].values)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scale": 0.0}, "scale"),
        ({"offset": -1}, "offset"),
        ({"exponent": 0.0}, "exponent"),
        ({"average_from": 0}, "average_from"),
        ({"largest_observation": 0.0}, "largest_observation"),
        ({"largest_iterate": -1.0}, "largest_iterate"),
        ({"diverged_beyond": 1e200}, "diverged_beyond"),
        ({"diverged_beyond": math.nan}, "diverged_beyond"),
    ],
)
def test_settings_out_of_range_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        Settings(**settings)
