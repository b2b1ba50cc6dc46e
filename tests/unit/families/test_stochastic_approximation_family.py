"""Evaluation of stochastic approximation: rows, protocols, drawings, and what happens to paths that diverge."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.families.stochastic_approximation.evaluate import evaluate
from benchmarks.families.stochastic_approximation.problems import Minimum, Root
from benchmarks.files.errors import InputError
from benchmarks.plan.methods import tasks
from benchmarks.record.evaluated import Board, Histogram, Lines
from benchmarks.record.measurement import Measurement, describe
from benchmarks.run.job import EvaluationJob, Trainer
from implementations.stochastic_approximation.parts.problems import cubic, linear, regression, square
from implementations.stochastic_approximation.robbins_monro import METHOD as robbins_monro
from implementations.stochastic_approximation.sgd import METHOD as sgd

LINE = Root("line", "made up", (5, 20, 200), linear(1.0, 0.0, 1.0, 1.0))
CUBIC = Root("cubic", "made up", (50,), cubic())
MEAN = Minimum("mean", "made up", (1, 5, 30), square)
REGRESSION = Minimum("regression", "made up", (20, 200), regression)
AVERAGED = {"gain": "power", "scale": 0.5, "average_from": 3}
CASES = {
    "line": (robbins_monro, {}, LINE, 300),
    "line, averaged": (robbins_monro, AVERAGED, LINE, 300),
    "cubic": (robbins_monro, {"offset": 1}, CUBIC, 50),
    "one path": (robbins_monro, {"offset": 2}, CUBIC, 1),
    "tanh": (robbins_monro, {}, tasks("stochastic_approximation")["tanh_root"], 1),
    "mean": (sgd, {"batch": 5}, MEAN, 20),
    "mean, all": (sgd, {"batch": None}, MEAN, 20),
    "regression": (sgd, AVERAGED, REGRESSION, 20),
}


def taken(method, settings, task, samples, seed=0):
    chosen = method.settings(**settings)
    return evaluate(
        EvaluationJob(
            entry="it",
            method_name="it",
            method=method,
            settings=chosen,
            task=task,
            seed=seed,
            samples=samples,
            trainer=Trainer(method, chosen),
        )
    )


@pytest.fixture(scope="module", params=CASES)
def found(request):
    return request.param, taken(*CASES[request.param])


def values(evaluated):
    return {(row.name, describe(row.variant)): row.value for row in evaluated.rows}


def test_rows_are_plain_named_once_and_state_their_protocol(found):
    _, evaluated = found
    names = [(row.name, describe(row.variant)) for row in evaluated.rows]
    assert len(names) == len(set(names)) > 0
    for row in evaluated.rows:
        assert type(row.value) is float
        assert Measurement.model_validate(row.measurement).instances
        assert row.n == row.measurement["samples"]
        assert row.direction == "lower"


def test_numbers_are_finite_unless_a_path_diverged(found):
    name, evaluated = found
    lost = [row.name for row in evaluated.rows if not math.isfinite(row.value)]
    assert set(lost) == ({"rms_error", "scaled_variance"} if name == "cubic" else set())


def test_drawings_hold_finite_numbers_of_equal_length(found):
    _, evaluated = found
    names = [drawing.name for drawing in evaluated.drawings]
    assert len(names) == len(set(names)) > 0
    for drawing in evaluated.drawings:
        assert not isinstance(drawing, Board)
        lines = drawing.lines if isinstance(drawing, Lines) else [drawing.theory]
        assert lines
        for line in lines:
            assert len(line.x) == len(line.y) > 0
            assert np.isfinite([*line.x, *line.y]).all()
            if isinstance(drawing, Lines) and drawing.logarithmic:
                assert min(*line.x, *line.y) > 0
        if isinstance(drawing, Histogram):
            assert len(drawing.edges) == len(drawing.densities) + 1
            # Bins and densities are kept to five digits.
            assert float(np.diff(drawing.edges) @ drawing.densities) == pytest.approx(1, abs=1e-3)
            step = drawing.theory.x[1] - drawing.theory.x[0]
            assert step * sum(drawing.theory.y) == pytest.approx(1, abs=1e-3)  # 4 sd on either side


def test_the_same_seed_gives_the_same_numbers_and_another_others(found):
    name, evaluated = found
    again, other = (taken(*CASES[name], seed=seed) for seed in (0, 1))
    assert repr(again) == repr(evaluated)
    assert (repr(other) == repr(evaluated)) == (name == "tanh")


def test_a_line_has_the_variance_of_the_recursion():
    numbers = values(taken(robbins_monro, {}, LINE, 2_000))
    for step in LINE.steps:
        assert numbers["scaled_variance_recursion", f"estimate last, step {step}"] == pytest.approx(1, rel=1e-12)
        # 4 standard errors of a variance of 2,000 normal numbers.
        assert numbers["scaled_variance", f"estimate last, step {step}"] == pytest.approx(1, rel=4 * (2 / 2_000) ** 0.5)


def test_a_path_that_diverges_ends_the_run_in_words():
    with pytest.raises(ArithmeticError, match=r"every path \(1 of them\) had diverged by step \d+"):
        taken(robbins_monro, {}, CUBIC, 1)


def test_some_paths_that_diverge_are_a_rate():
    numbers = values(taken(robbins_monro, {"offset": 1}, CUBIC, 200))
    assert 0.1 < numbers["divergence_rate", "default"] < 0.5
    assert math.isnan(numbers["rms_error", "estimate last, step 50"])


def test_identities_of_the_book_are_checked_where_they_hold():
    for batch in (1, 5, None):
        assert values(taken(sgd, {"batch": batch}, MEAN, 20))["identity_error", "default"] < 1e-12
    assert ("identity_error", "default") not in values(taken(sgd, {"scale": 0.5}, MEAN, 20))


def test_a_wrong_identity_would_be_seen():
    """The check does not look at gains that a method merely claims to have."""

    def iterates(problem, settings, paths, generator, checkpoints):
        return sgd.iterates(problem, sgd.settings(batch=5, offset=1), paths, generator, checkpoints)

    lazy = replace(sgd, iterates=iterates)
    assert values(taken(lazy, {"batch": 5}, MEAN, 20))["identity_error", "default"] > 0.1


def test_a_method_is_not_asked_for_what_it_does_not_take():
    with pytest.raises(InputError, match="task mean: a FiniteSum; the method takes a RootFinding"):
        taken(robbins_monro, {}, MEAN, 5)


def test_tasks_have_names_of_their_own_and_rising_steps():
    for name, task in tasks("stochastic_approximation").items():
        assert task.name == name
        assert list(task.steps) == sorted(set(task.steps))
        assert set(task.steps) <= set(task.marks())
        assert task.marks()[-1] == task.steps[-1]
        assert task.dataset is None
