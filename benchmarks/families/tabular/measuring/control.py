"""Control: how good the policy found is, by exact evaluation, and what finding it took."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from benchmarks.families.tabular.measuring.chosen import checkpoints, chosen, exact, returned, told, variant
from benchmarks.families.tabular.places import Place
from benchmarks.families.tabular.problems import Control
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Drawing, Evaluated, Line, Lines, Measured, Value, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.common.errors import Unsupported
from implementations.tabular.parts.iterates import contraction
from implementations.tabular.parts.mdp import Floats, epsilon_soft_backup, solve
from implementations.tabular.parts.protocol import Controlled

NEAR_TIE = 0.03  # an action worse than the best by less is not called wrong: returns of blackjack deviate by about 1
MASK = f"an action {NEAR_TIE} worse than the best is wrong"
ROUNDING = 1e-9  # as in `greedy`: actions and returns within it of the best are as good


@dataclass(frozen=True)
class Optimum:
    """What the algorithm could have found, in its class of policies."""

    values: Floats  # (S,)
    action_values: Floats  # (S, A)
    returned: float
    by_chance: float  # return of the policy that acts evenly


@dataclass(frozen=True)
class Point:
    """An iterate, judged."""

    spent: int
    improvements: int
    regret: float
    value_error: float
    wrong: int  # states whose greedy action is worse than the best by NEAR_TIE and more
    wrong_at_all: int


def measure(task: Control, job: EvaluationJob) -> Evaluated:
    """Rows of every place of the task, with boards of the policy found and the errors along the way.

    Of each place: `expected_return` and `regret` (what is lost against the best policy of the class) from the law of
    first states, `return_share` (0 acting evenly, 1 optimal), `value_error` (largest over states), `wrong_actions`
    (near ties left out; `wrong_actions_unmasked` with them), `episodes_to_1_percent` or `sweeps_to_1_percent` (until
    the share first reaches 0.99), `improvements_to_optimal`, `state_values`; of sweeps also `contraction_rate`.
    """
    method, settings = job.method, job.settings
    algorithm = chosen(method.control, settings, task.name)
    rows: list[Measured] = []
    drawings: list[Drawing] = []
    for named, make in task.places:
        place = make()
        asked = checkpoints(job.samples, method.spends)
        rows_at = [count for count in task.told if method.spends == "episodes" and count < job.samples]
        generator = np.random.default_rng(derive(job.seed, f"control {place.law} {settings}"))
        optimum = _optimum(place, settings.epsilon)
        iterates = told(task.name, algorithm, place.mdp, settings, generator, sorted({*asked, *rows_at}))
        points = [_judged(place, optimum, iterate, settings.epsilon) for iterate in iterates]
        if passed := set(rows_at) - {point.spent for point in points}:
            sentence = f"settings.batch: rows after {min(passed):,} episodes are asked for, and no batch ends there"
            raise InputError(f"task {task.name}: {sentence}")
        of_place = {**variant(settings), **named}
        taken = {**exact(place), "reference": _reference(settings.epsilon)}
        for point in points:
            if point.spent in rows_at:
                rows += _standing(point, optimum, {**of_place, "episodes": point.spent}, taken)
        last = {**of_place, "episodes": points[-1].spent} if method.spends == "episodes" else of_place
        rows += _standing(points[-1], optimum, last, taken)
        rows += _way(points, optimum, method.spends, of_place, taken)
        values = epsilon_soft_backup(iterates[-1].action_values, settings.epsilon)
        rows.append(Measured("state_values", place.table(values), "return", "higher", len(values), taken, of_place))
        rows += [
            Measured(one.name, one.value, one.unit, "higher", 1, taken, of_place)
            for one in place.told(iterates[-1].action_values)
        ]
        if method.spends == "sweeps" and (rate := _contraction(iterates, settings.epsilon)) is not None:
            rows.append(Measured("contraction_rate", rate, "ratio", "lower", len(iterates), taken, of_place))
        suffix = "".join(f"_{field}_{value:g}" for field, value in named.items()).replace(".", "_")
        title = f"policy and values, {method.spends}: {points[-1].spent:,}"
        drawings += place.boards(f"policy{suffix}", title, values, iterates[-1].policy)
        errors = _errors(f"errors{suffix}", points, method.spends, place.mdp.gamma)
        drawings += [errors] if errors.lines else []
    return Evaluated(rows, drawings=drawings)


def _optimum(place: Place, epsilon: float) -> Optimum:
    values, of_actions = solve(place.mdp, epsilon)
    evenly = np.full_like(of_actions, 1 / place.mdp.actions)
    return Optimum(values, of_actions, float(values @ place.mdp.start), returned(place.mdp, evenly))


def _reference(epsilon: float) -> str:
    return f"best epsilon-soft policy, epsilon {epsilon:g}" if epsilon else "best policy"


def _judged(place: Place, optimum: Optimum, iterate: Controlled, epsilon: float) -> Point:
    lost = optimum.returned - returned(place.mdp, iterate.policy)
    regret = 0.0 if abs(lost) <= ROUNDING else lost
    error = np.abs(epsilon_soft_backup(iterate.action_values, epsilon) - optimum.values)[~place.mdp.terminal].max()
    taken = optimum.action_values[np.arange(place.mdp.states), iterate.policy.argmax(1)]
    behind = np.where(place.mdp.terminal, 0.0, optimum.action_values.max(1) - taken)
    wrong, wrong_at_all = int((behind >= NEAR_TIE).sum()), int((behind > ROUNDING).sum())
    return Point(iterate.spent, iterate.improvements, regret, float(error), wrong, wrong_at_all)


def _share(point: Point, optimum: Optimum) -> float:
    """0 acting evenly, 1 optimal, minus infinity of a policy without a value; acting evenly has one in every place."""
    return 1 - point.regret / (optimum.returned - optimum.by_chance)


def _standing(point: Point, optimum: Optimum, named: dict[str, Value], taken: dict[str, Value]) -> list[Measured]:
    states = len(optimum.values)
    return [
        Measured("expected_return", optimum.returned - point.regret, "return", "higher", states, taken, named),
        Measured("regret", point.regret, "return", "lower", states, taken, named),
        Measured("return_share", _share(point, optimum), "share", "higher", states, taken, named),
        Measured("value_error", point.value_error, "return", "lower", states, taken, named),
        Measured("wrong_actions", point.wrong, "states", "lower", states, {**taken, "judge": MASK}, named),
        Measured("wrong_actions_unmasked", point.wrong_at_all, "states", "lower", states, taken, named),
    ]


def _way(
    points: Sequence[Point], optimum: Optimum, spends: str, named: dict[str, Value], taken: dict[str, Value]
) -> list[Measured]:
    """What it took; infinite, which a record keeps as no value, where it was not reached."""
    close = next((point.spent for point in points if _share(point, optimum) >= 0.99), math.inf)
    optimal = next((point.improvements for point in points if point.wrong_at_all == 0), math.inf)
    return [
        Measured(f"{spends}_to_1_percent", close, spends, "lower", len(points), taken, named),
        Measured("improvements_to_optimal", optimal, "improvements", "lower", len(points), taken, named),
    ]


def _contraction(iterates: Sequence[Controlled], epsilon: float) -> float | None:
    """Of iterations of one sweep each; None of others, and where too few of them change anything."""
    if any(later.spent - earlier.spent != 1 for earlier, later in pairwise(iterates)):
        return None
    try:
        return contraction([epsilon_soft_backup(iterate.action_values, epsilon) for iterate in iterates])
    except Unsupported:
        return None


def _errors(name: str, points: Sequence[Point], spends: str, gamma: float) -> Lines:
    """Errors that are 0, or have no number, cannot be drawn on a logarithmic axis."""
    lines = []
    of_points = {"regret": [p.regret for p in points], "largest error of values": [p.value_error for p in points]}
    for label, taken in of_points.items():
        drawn = [(p.spent, y) for p, y in zip(points, taken, strict=True) if y > 1e-14 and math.isfinite(y)]
        if len(drawn) > 1:
            lines.append(Line(label, rounded([x for x, _ in drawn]), rounded([y for _, y in drawn])))
    if spends == "sweeps" and 0 < gamma < 1 and lines and lines[-1].label.startswith("largest"):
        x, first = lines[-1].x, lines[-1].y[0]
        theory = first * gamma ** (np.array(x) - x[0])
        lines.append(Line(f"gamma to the power of sweeps, gamma {gamma:g}", x, rounded(theory), theory=True))
    axes: Literal["xy", "y"] = "xy" if spends == "episodes" else "y"
    return Lines(name, f"what is lost after so many {spends}", spends, "return", lines, axes)
