"""Horizons: what the length of episodes does to the values and the policy found."""

import math

import numpy as np

from benchmarks.families.tabular.measuring.chosen import changed, chosen, exact, told, variant
from benchmarks.families.tabular.measuring.control import MASK, NEAR_TIE
from benchmarks.families.tabular.problems import Horizons
from benchmarks.record.evaluated import Drawing, Evaluated, Line, Lines, Measured, Value, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.tabular.parts.mdp import solve


def measure(task: Horizons, job: EvaluationJob) -> Evaluated:
    """Rows at every length T (settings `episode_length`), and `shortest_length`.

    `state_values`, `value_error`, also over its bound gamma^T / (1 - gamma) as `error_over_bound`, `wrong_actions`, the
    values of the target and of the corner; `shortest_length` is the least at which the corner's value is above 0.
    """
    method, settings = job.method, job.settings
    algorithm = chosen(method.control, settings, task.name)
    place = task.place()
    best, of_actions = solve(place.mdp)
    taken, states = exact(place), place.mdp.states
    rows: list[Measured] = []
    drawings: list[Drawing] = []
    errors, bounds, corners = [], [], {}
    for length in task.lengths:
        generator = np.random.default_rng(derive(job.seed, f"horizon {length}"))
        asked = changed(task.name, settings, episode_length=length)
        *_, last = told(task.name, algorithm, place.mdp, asked, generator, [job.samples])
        values = last.action_values.max(1)
        lost = of_actions.max(1) - of_actions[np.arange(states), last.policy.argmax(1)]
        errors.append(float(np.abs(values - best).max()))
        bounds.append(place.mdp.gamma**length / (1 - place.mdp.gamma))
        corners[length] = float(values[task.corner])
        named: dict[str, Value] = {**variant(settings), "episode_length": length}
        rows += [
            Measured("state_values", place.table(values), "return", "higher", states, taken, named),
            Measured("value_error", errors[-1], "return", "lower", states, taken, named),
            Measured("error_over_bound", errors[-1] / bounds[-1], "ratio", "lower", states, taken, named),
            Measured(
                "wrong_actions",
                int((lost >= NEAR_TIE).sum()),
                "states",
                "lower",
                states,
                {**taken, "judge": MASK},
                named,
            ),
            Measured("target_value", float(values[task.target]), "return", "higher", 1, taken, named),
            Measured("corner_value", corners[length], "return", "higher", 1, taken, named),
        ]
        if length in task.drawn:
            title = f"policy and values, episodes of {length} steps"
            drawings += place.boards(f"length_{length}", title, values, last.policy)
    # Above rounding: a value that is a sum of rewards 0 is 0 exactly, one that reaches the target at least gamma^T.
    shortest = next((length for length, value in corners.items() if value > 1e-9), math.inf)
    rows.append(Measured("shortest_length", shortest, "steps", "lower", len(corners), taken, variant(settings)))
    x = rounded(task.lengths)
    lines = [Line("largest error of values", x, rounded(errors))]
    lines.append(Line("bound, gamma^T / (1 - gamma)", x, rounded(bounds), theory=True))
    drawings.append(Lines("errors", "error of the values by the length of episodes", "steps", "return", lines, "y"))
    return Evaluated(rows, drawings=drawings)
