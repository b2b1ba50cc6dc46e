"""Gradient descent on finite sums: the book's identities exactly, laws of the errors, least squares."""

import math

import numpy as np
import pytest

from implementations.stochastic_approximation.parts.gains import sequence
from implementations.stochastic_approximation.parts.problems import (
    FiniteSum,
    LeastSquares,
    MeanEstimation,
    regression,
    square,
)
from implementations.stochastic_approximation.parts.variances import best_covariance, squared_distances
from implementations.stochastic_approximation.sgd import Settings, iterates

ROUNDING = 1e-12  # of means of numbers up to 20


@pytest.fixture(scope="module")
def problem() -> MeanEstimation:
    return square(np.random.default_rng(0))


def walked(problem, settings, paths=3, steps=30, seed=1):
    return list(iterates(problem, settings, paths, np.random.default_rng(seed), range(1, steps + 1)))


def batches(problem, size, paths=3, steps=30, seed=1):
    """(steps, paths, 2) means of the batches that a run with the same seed draws."""
    random = np.random.default_rng(seed)
    return np.stack([problem.points[random.integers(100, size=(paths, size))].mean(1) for _ in range(steps)])


def numerical_gradient(function, w):
    return np.array([(function(w + d) - function(w - d)) / 2e-5 for d in 1e-5 * np.eye(len(w))])


def test_the_books_sample(problem):
    assert problem.points.shape == (100, 2)
    assert np.abs(problem.points).max() <= 10
    assert np.abs(problem.points).max() > 9
    assert problem.start.tolist() == [-20, 20]


def test_gradients_are_those_of_the_functions(problem):
    w, items = np.array([[0.3, -1.2]]), np.array([[3, 7, 7]])
    loss = lambda v: 0.5 * ((v - problem.points[items[0]]) ** 2).sum(1).mean()  # noqa: E731
    assert problem.gradient(w, items)[0] == pytest.approx(numerical_gradient(loss, w[0]), rel=1e-7)
    line = regression(np.random.default_rng(2))
    loss = lambda v: 0.5 * ((line.inputs[items[0]] @ v - line.targets[items[0]]) ** 2).mean()  # noqa: E731
    assert line.gradient(w, items)[0] == pytest.approx(numerical_gradient(loss, w[0]), rel=1e-7)


def test_gradients_are_path_by_path():
    for problem in (square(np.random.default_rng(0)), regression(np.random.default_rng(2))):
        random = np.random.default_rng(3)
        w, items = random.standard_normal((4, 2)), random.integers(100, size=(4, 6))
        whole = problem.gradient(w, items)
        for row in range(4):
            assert problem.gradient(w[row : row + 1], items[row : row + 1])[0] == pytest.approx(whole[row], rel=1e-13)
        everything = np.arange(100)[None]
        for row, found in enumerate(problem.gradient(w, everything)):
            assert found == pytest.approx(problem.gradient(w[row : row + 1], everything)[0], rel=1e-13)


def test_solutions_have_gradient_zero():
    for problem in (square(np.random.default_rng(0)), regression(np.random.default_rng(2))):
        assert isinstance(problem, FiniteSum)
        found = problem.gradient(problem.solution[None], np.arange(problem.size)[None])
        assert np.abs(found).max() < ROUNDING


def test_batch_gradient_descent_is_at_the_mean_after_one_step(problem):
    for found in walked(problem, Settings(batch=None)):
        assert np.abs(found.values - problem.points.mean(0)).max() < ROUNDING


def test_sgd_is_the_running_mean_of_the_items(problem):
    items = batches(problem, 1)
    for found in walked(problem, Settings(batch=1)):
        assert np.abs(found.values - items[: found.step].mean(0)).max() < ROUNDING


@pytest.mark.parametrize("size", [5, 50])
def test_mini_batch_descent_is_the_running_mean_of_the_batch_means(problem, size):
    means = batches(problem, size)
    for found in walked(problem, Settings(batch=size)):
        assert np.abs(found.values - means[: found.step].mean(0)).max() < ROUNDING


def test_the_start_is_forgotten_after_one_step(problem):
    elsewhere = MeanEstimation(problem.points, np.array([5.0, 7.0]))
    one, other = (walked(each, Settings(batch=5), steps=2) for each in (problem, elsewhere))
    assert one[0].values == pytest.approx(other[0].values, abs=ROUNDING)


def test_a_batch_as_large_as_the_sample_is_not_batch_gradient_descent(problem):
    first = walked(problem, Settings(batch=100), paths=2_000, steps=1)[0].values
    # Drawn with replacement: E |w - mean|^2 = tr(S) / m; 4 standard errors, the sd being below twice the mean.
    squares = ((first - problem.solution) ** 2).sum(1)
    assert squares.mean() == pytest.approx(np.trace(problem.noise) / 100, rel=4 * 2 / math.sqrt(2_000))


@pytest.mark.parametrize("settings", [Settings(), Settings(batch=5), Settings(batch=5, gain="constant", scale=0.2)])
def test_squared_distances_are_those_of_the_recursion(problem, settings):
    """Gradient noise of mean estimation does not depend on w, so that the recursion is exact."""
    gains, away = sequence(settings, 30), problem.start - problem.solution
    exact = squared_distances(gains, problem.hessian, problem.noise / settings.batch, away, [1, 5, 30])
    found = walked(problem, settings, paths=4_000)
    for step, (expected, _) in zip([1, 5, 30], exact, strict=True):
        squares = ((found[step - 1].values - problem.solution) ** 2).sum(1)
        assert squares.mean() == pytest.approx(expected, abs=4 * squares.std() / math.sqrt(4_000))


def test_running_means_have_the_variance_of_means(problem):
    away = problem.start - problem.solution
    for step, (found, _) in enumerate(
        squared_distances(sequence(Settings(), 30), problem.hessian, problem.noise, away, list(range(1, 31))), start=1
    ):
        assert step * found == pytest.approx(np.trace(problem.noise), rel=1e-12)


def test_least_squares_comes_to_the_solution_and_batch_descent_exactly():
    problem = regression(np.random.default_rng(2))
    found = walked(problem, Settings(batch=None, gain="constant", scale=1.0), paths=1, steps=300)[-1]
    # The smallest eigenvalue of A is about 1/3: (1 - 1/3)^300 is far below rounding.
    assert found.values[0] == pytest.approx(problem.solution, abs=1e-10)
    assert problem.solution == pytest.approx([1.0, 2.0], abs=4 * 0.5 / math.sqrt(100 / 3))  # 4 standard errors


def test_best_covariance_is_that_of_one_newton_step():
    """w* minus A^-1 times one item's gradient at w*: its covariance over the items is A^-1 S A^-T."""
    problem = regression(np.random.default_rng(2))
    items = np.arange(100)[:, None]
    gradients = problem.gradient(np.tile(problem.solution, (100, 1)), items)
    steps = gradients @ np.linalg.inv(problem.inputs.T @ problem.inputs / 100).T
    best = best_covariance(problem.hessian, problem.noise)
    assert best == pytest.approx(np.cov(steps.T, bias=True), rel=1e-10)


def test_averages_of_least_squares_come_near_the_best_covariance():
    problem, paths, steps = regression(np.random.default_rng(2)), 1_000, 3_000
    settings = Settings(gain="power", scale=1.0, exponent=0.6, average_from=301)
    (found,) = iterates(problem, settings, paths, np.random.default_rng(4), [steps])
    squares = [((v - problem.solution) ** 2).sum(1) for v in (found.values, found.averages)]
    gains, away = sequence(settings, steps), problem.start - problem.solution
    ((last, average),) = squared_distances(gains, problem.hessian, problem.noise, away, [steps], 301)
    for found_squares, expected in zip(squares, (last, average), strict=True):
        # 4 standard errors, and what the recursion leaves out: an item's Hessian is not the mean one, which adds
        # noise of relative order a_k, 0.033 where the average begins.
        error = 4 * found_squares.std() / math.sqrt(paths)
        assert found_squares.mean() == pytest.approx(expected, abs=error + 0.033 * expected)
    best = np.trace(best_covariance(problem.hessian, problem.noise))
    assert 1 < steps * average / best < steps * last / best / 3


def test_divergence_is_kept():
    problem = regression(np.random.default_rng(2))
    found = walked(problem, Settings(gain="constant", scale=5.0), paths=20, steps=200)
    assert found[-1].diverged.all()
    assert np.isnan(found[-1].values).all()


def test_problems_are_not_modified(problem):
    points = problem.points.copy()
    walked(problem, Settings(batch=5))
    assert np.array_equal(problem.points, points)
    line = LeastSquares(np.ones((3, 1)), np.arange(3.0), np.zeros(1))
    walked(line, Settings())
    assert line.start.tolist() == [0.0]


@pytest.mark.parametrize("settings", [{"batch": 0}, {"scale": -1.0}, {"average_from": 0}, {"diverged_beyond": 0.0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Settings(**settings)
