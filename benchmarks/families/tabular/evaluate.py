"""Evaluation of a tabular method, by the kind of problem that the task is."""

from typing import Any

from benchmarks.families.tabular.measuring import control, estimation, exploration, horizons, prediction, softness
from benchmarks.families.tabular.problems import (
    Control,
    Estimation,
    Exploration,
    Horizons,
    Prediction,
    Problem,
    Softness,
)
from benchmarks.metrics.measured import Evaluated, Inputs
from implementations.tabular.parts.protocol import TabularMethod


def evaluate(method: TabularMethod, settings: Any, task: Problem, inputs: Inputs) -> Evaluated:
    """Metrics of one run, against exact values; raises InputError when the entry's algorithm does not do the task."""
    match task:
        case Control():
            return control.measure(task, method, settings, inputs)
        case Prediction():
            return prediction.measure(task, method, settings, inputs)
        case Estimation():
            return estimation.measure(task, method, settings, inputs)
        case Horizons():
            return horizons.measure(task, method, settings, inputs)
        case Softness():
            return softness.measure(task, method, settings, inputs)
        case Exploration():
            return exploration.measure(task, method, settings, inputs)
