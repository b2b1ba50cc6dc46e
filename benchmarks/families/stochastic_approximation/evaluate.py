"""Evaluation of stochastic approximation, by the kind of problem that the task is."""

from typing import Any

from benchmarks.errors import InputError
from benchmarks.families.stochastic_approximation.measuring import minima, roots
from benchmarks.families.stochastic_approximation.problems import Minimum, Problem, Root
from benchmarks.metrics.drawings import Drawn
from benchmarks.metrics.measured import Inputs
from implementations.stochastic_approximation.parts.problems import FiniteSum, RootFinding
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod


def evaluate(method: StochasticApproximationMethod, settings: Any, task: Problem, inputs: Inputs) -> Drawn:
    """Metrics of `inputs.samples` independent paths, beside exact recursions, and drawings.

    Raises:
        InputError: the method does not take problems of the task's kind.
        ArithmeticError: every path diverged, so that there is nothing to measure.
    """
    needed = RootFinding if isinstance(task, Root) else FiniteSum
    if method.PROBLEM is not needed:
        raise InputError(f"task {task.name}: a {needed.__name__}; the method takes a {method.PROBLEM.__name__}")
    match task:
        case Root():
            return roots.measure(task, method, settings, inputs)
        case Minimum():
            return minima.measure(task, method, settings, inputs)
