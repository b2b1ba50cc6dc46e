"""Evaluation of stochastic approximation, by the kind of problem that the task is."""

from benchmarks.families.stochastic_approximation.measuring import minima, roots
from benchmarks.families.stochastic_approximation.problems import Minimum, Root, Task
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Evaluated
from benchmarks.run.job import EvaluationJob
from implementations.stochastic_approximation.parts.problems import FiniteSum, RootFinding
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod


def evaluate(job: EvaluationJob) -> Evaluated:
    """Metrics of `job.samples` independent paths, beside exact recursions, and drawings.

    Raises:
        InputError: the method does not take problems of the task's kind.
        ArithmeticError: every path diverged, so that there is nothing to measure.
    """
    task: Task = job.task
    method: StochasticApproximationMethod = job.method
    needed = RootFinding if isinstance(task, Root) else FiniteSum
    if method.problem is not needed:
        raise InputError(f"task {task.name}: a {needed.__name__}; the method takes a {method.problem.__name__}")
    match task:
        case Root():
            return roots.measure(task, job)
        case Minimum():
            return minima.measure(task, job)
