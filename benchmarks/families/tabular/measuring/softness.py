"""Softness: policies that explore with probability epsilon, the best of them and those made of the best policy."""

import numpy as np

from benchmarks.families.tabular.measuring.chosen import changed, chosen, told
from benchmarks.families.tabular.places import Place, on_grid
from benchmarks.families.tabular.problems import Softness
from benchmarks.record.evaluated import Drawing, Evaluated, Measured, Value
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.tabular.parts.mdp import Floats, epsilon_soft, epsilon_soft_backup, evaluate_policy, greedy


def measure(task: Softness, job: EvaluationJob) -> Evaluated:
    """Rows of every wall rule and epsilon.

    `optimal_values`, the best of the epsilon-soft class; `consistent_values`, of the epsilon-soft version of the best
    policy; `states_changed`, whose greedy action differs between both; `consistent`, 1 where none does.
    """
    method, settings = job.method, job.settings
    algorithm = chosen(method.control, settings, task.name)
    rows: list[Measured] = []
    drawings: list[Drawing] = []
    for wall, make in task.worlds:
        place = on_grid(make(), f"5 x 5 grid of Zhao, forbidden -10, gamma 0.9, wall rule {wall}")
        taken: dict[str, Value] = {"instances": place.law, "arithmetic": "float64"}
        best = np.zeros((place.mdp.states, place.mdp.actions))
        for epsilon in (0.0, *task.epsilons):
            generator = np.random.default_rng(derive(job.seed, f"softness {wall} {epsilon}"))
            asked = changed(task.name, settings, epsilon=epsilon)
            *_, last = told(task.name, algorithm, place.mdp, asked, generator, [job.samples])
            if epsilon == 0:
                best = greedy(last.action_values)
                continue
            named: dict[str, Value] = {"algorithm": settings.algorithm, "epsilon": epsilon, "wall": wall}
            rows += _rows(place, best, last.action_values, epsilon, named, taken)
            if wall == "both":
                name = f"soft_{epsilon:g}".replace(".", "_")
                values = epsilon_soft_backup(last.action_values, epsilon)
                drawings += place.boards(name, f"the best policy at epsilon {epsilon:g}", values, last.policy)
    return Evaluated(rows, drawings=drawings)


def _rows(
    place: Place, best: Floats, soft: Floats, epsilon: float, named: dict[str, Value], taken: dict[str, Value]
) -> list[Measured]:
    """Of the best policy (S, A) and the action values (S, A) of the best soft one."""
    states = place.mdp.states
    values = epsilon_soft_backup(soft, epsilon)
    consistent = evaluate_policy(place.mdp, epsilon_soft(best, epsilon))
    changed = int((greedy(soft) != best).any(1).sum())
    return [
        Measured("optimal_values", place.table(values), "return", "higher", states, taken, named),
        Measured("consistent_values", place.table(consistent), "return", "higher", states, taken, named),
        Measured("states_changed", changed, "states", "lower", states, taken, named),
        Measured("consistent", float(changed == 0), "boolean", "higher", states, taken, named),
    ]
