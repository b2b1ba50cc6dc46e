"""Every method of stochastic approximation, through its protocol, on the problems that it takes."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from benchmarks.families.stochastic_approximation.problems import Root
from benchmarks.plan.methods import all_methods, tasks
from implementations.stochastic_approximation.parts.problems import FiniteSum, RootFinding

ROOT = Path(__file__).parents[2]
METHODS = {name: m.declaration() for name, m in all_methods(ROOT).items() if m.family == "stochastic_approximation"}
PROBLEMS = {
    name: task.problem if isinstance(task, Root) else task.draw(np.random.default_rng(0))
    for name, task in tasks("stochastic_approximation").items()
}
KINDS = {name: RootFinding if isinstance(problem, RootFinding) else FiniteSum for name, problem in PROBLEMS.items()}
CASES = [
    pytest.param(method, PROBLEMS[task], id=f"{name}-{task}")
    for name, method in METHODS.items()
    for task, kind in KINDS.items()
    if method.problem is kind
]
every_case = pytest.mark.parametrize(("method", "problem"), CASES)
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def walked(method, problem, checkpoints, paths=6, seed=0, **settings):
    return list(method.iterates(problem, method.settings(**settings), paths, np.random.default_rng(seed), checkpoints))


def same(one, other):
    return (
        one.step == other.step
        and np.array_equal(one.values, other.values, equal_nan=True)
        and np.array_equal(one.diverged, other.diverged)
        and (one.averages is None) == (other.averages is None)
        and (one.averages is None or np.array_equal(one.averages, other.averages, equal_nan=True))
    )


def test_there_is_a_case_of_every_method():
    assert {case.values[0] for case in CASES} == set(METHODS.values())


@every_method
def test_iterates_are_told_one_by_one(method):
    assert inspect.isgeneratorfunction(method.iterates)


@every_method
def test_gains_are_a_sequence_or_depend_on_what_is_seen(method):
    gains = method.gains(method.settings(), 20)
    if gains is not None:
        assert gains.shape == (20,)
        assert gains.dtype == np.float64
        assert (gains > 0).all()
        assert np.array_equal(gains[:5], method.gains(method.settings(), 5))


@every_case
def test_told_at_the_checkpoints_with_the_shapes_of_the_protocol(method, problem):
    dimensions = np.atleast_1d(problem.start).size
    for average_from in (None, 1, 4):
        found = walked(method, problem, [1, 3, 7], average_from=average_from)
        assert [iterate.step for iterate in found] == [1, 3, 7]
        for iterate in found:
            assert iterate.values.shape == (6, dimensions)
            assert iterate.values.dtype == np.float64
            assert iterate.diverged.shape == (6,)
            assert iterate.diverged.dtype == bool
            assert (iterate.averages is None) == (average_from is None)
            if iterate.averages is not None:
                assert iterate.averages.shape == iterate.values.shape


@every_case
def test_the_same_generator_gives_the_same_paths(method, problem):
    one, other = walked(method, problem, [2, 8]), walked(method, problem, [2, 8])
    assert all(same(a, b) for a, b in zip(one, other, strict=True))


@every_case
def test_checkpoints_change_no_path(method, problem):
    few, many = walked(method, problem, [4, 9], average_from=2), walked(method, problem, range(1, 10), average_from=2)
    assert all(same(iterate, many[iterate.step - 1]) for iterate in few)


@every_case
def test_what_was_told_stays_as_it_was(method, problem):
    generator = method.iterates(problem, method.settings(average_from=1), 6, np.random.default_rng(0), range(1, 9))
    first = next(generator)
    values, averages = first.values.copy(), first.averages.copy()
    list(generator)
    assert np.array_equal(first.values, values, equal_nan=True)
    assert np.array_equal(first.averages, averages, equal_nan=True)


@every_case
def test_averages_are_means_of_the_iterates_that_count(method, problem):
    found = walked(method, problem, range(1, 13), average_from=5)
    expected = np.mean([iterate.values for iterate in found[4:]], axis=0)
    assert np.allclose(found[-1].averages, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


@every_case
def test_diverged_paths_are_not_a_number_and_others_are(method, problem):
    found = walked(method, problem, range(1, 30), diverged_beyond=5.0)
    for iterate in found:
        assert np.array_equal(~np.isfinite(iterate.values).all(1), iterate.diverged)
        assert (np.abs(iterate.values[~iterate.diverged]) <= 5.0).all()


@every_case
def test_comes_nearer_to_what_is_looked_for(method, problem):
    """On average over paths, with small gains: those of the default may explode where the problem is steep."""
    aim = problem.root if isinstance(problem, RootFinding) else problem.solution
    (found,) = walked(method, problem, [400], paths=50, scale=0.1)
    start = np.linalg.norm(np.atleast_1d(problem.start) - aim)
    assert np.linalg.norm(found.values - aim, axis=1).mean() < 0.9 * start


@every_case
def test_another_generator_gives_other_paths_where_anything_is_drawn(method, problem):
    if isinstance(problem, RootFinding) and not problem.noise:
        pytest.skip("nothing is drawn")
    one, other = (walked(method, problem, [3], seed=seed)[0].values for seed in (0, 1))
    assert not np.array_equal(one, other)
