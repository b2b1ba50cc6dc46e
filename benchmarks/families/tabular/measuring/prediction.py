"""Prediction: how far the values of a given policy are from exact."""

from typing import Any

import numpy as np

from benchmarks.families.tabular.measuring.chosen import checkpoints, chosen, exact, told, variant
from benchmarks.families.tabular.problems import Prediction
from benchmarks.record.evaluated import Drawing, Evaluated, Line, Lines, Measured, Value, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.tabular.parts.mdp import Floats, action_values, evaluate_policy


def measure(task: Prediction, job: EvaluationJob) -> Evaluated:
    """Rows after the episodes that the task tells of, and at the end; boards of the values at those points.

    `value_error` (largest over states), `rmse` (over states, and of each of the place's surfaces), `start_value`
    (expected over first states), values of the place's named states, `state_values`, and the action values of the
    task's state by one backup of the estimates.
    """
    method, settings = job.method, job.settings
    algorithm = chosen(method.prediction, settings, task.name)
    place = task.place()
    policy, taken = task.policy(place), exact(place)
    true = evaluate_policy(place.mdp, policy)
    rows_at = [count for count in task.told if method.spends == "episodes" and count < job.samples]
    generator = np.random.default_rng(derive(job.seed, f"prediction {settings}"))
    asked = sorted({*checkpoints(job.samples, method.spends), *rows_at})
    iterates = told(task.name, algorithm, place.mdp, policy, settings, generator, asked)
    living = np.flatnonzero(~place.mdp.terminal)
    surfaces = {"all": living, **place.surfaces}
    rows: list[Measured] = []
    drawings: list[Drawing] = []
    for iterate in iterates:
        if iterate.spent not in rows_at and iterate is not iterates[-1]:
            continue
        named = variant(settings) | ({"episodes": iterate.spent} if method.spends == "episodes" else {})
        largest = float(np.abs(iterate.values - true)[living].max())
        rows.append(Measured("value_error", largest, "return", "lower", len(living), taken, named))
        for surface, states in surfaces.items():
            of_surface: dict[str, Value] = {**named, "surface": surface}
            rows.append(
                Measured("rmse", _rmse(iterate.values, true, states), "return", "lower", len(states), taken, of_surface)
            )
        title = f"values, {method.spends}: {iterate.spent:,}"
        drawings += place.boards(f"values_{iterate.spent}", title, iterate.values, policy)
    last = iterates[-1].values
    rows.append(Measured("start_value", float(last @ place.mdp.start), "return", "higher", len(last), taken, named))
    rows += [
        Measured(name, float(last[state]), "return", "higher", 1, taken, named) for name, state in place.states.items()
    ]
    rows.append(Measured("state_values", place.table(last), "return", "higher", len(last), taken, named))
    if task.action_values_of is not None:
        of_state = action_values(place.mdp, last)[task.action_values_of].tolist()
        rows.append(Measured("first_action_values", of_state, "return", "higher", len(of_state), taken, named))
    lines = []
    for surface, states in surfaces.items():
        errors = [(it.spent, _rmse(it.values, true, states)) for it in iterates]
        drawn = [(x, y) for x, y in errors if y > 1e-14]
        if len(drawn) > 1:
            lines.append(Line(surface, rounded([x for x, _ in drawn]), rounded([y for _, y in drawn])))
    if lines:
        title = f"root mean squared error of values after so many {method.spends}"
        drawings.append(Lines("errors", title, method.spends, "return", lines, "xy"))
    return Evaluated(rows, drawings=drawings)


def _rmse(values: Floats, true: Floats, states: Any) -> float:
    return float(np.sqrt(np.square(values - true)[states].mean()))
