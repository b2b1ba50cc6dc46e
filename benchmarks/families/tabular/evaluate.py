"""Evaluation of a tabular method, by the kind of problem that the task is."""

from benchmarks.families.tabular.measuring import control, estimation, exploration, horizons, prediction, softness
from benchmarks.families.tabular.problems import (
    Control,
    Estimation,
    Exploration,
    Horizons,
    Prediction,
    Softness,
    Task,
)
from benchmarks.record.evaluated import Evaluated
from benchmarks.run.job import EvaluationJob


def evaluate(job: EvaluationJob) -> Evaluated:
    """Metrics of one run, against exact values; raises InputError when the entry's algorithm does not do the task."""
    task: Task = job.task
    match task:
        case Control():
            return control.measure(task, job)
        case Prediction():
            return prediction.measure(task, job)
        case Estimation():
            return estimation.measure(task, job)
        case Horizons():
            return horizons.measure(task, job)
        case Softness():
            return softness.measure(task, job)
        case Exploration():
            return exploration.measure(task, job)
