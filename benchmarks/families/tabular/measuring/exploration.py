"""Exploration: how evenly one long episode of an epsilon-soft policy visits the pairs of states and actions."""

from typing import Any

import numpy as np

from benchmarks.families.tabular.measuring.chosen import changed, chosen, told
from benchmarks.families.tabular.problems import Exploration
from benchmarks.record.evaluated import Drawing, Evaluated, Line, Lines, Measured, Value, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive


def measure(task: Exploration, job: EvaluationJob) -> Evaluated:
    """Rows of every epsilon: `visits_least`, `visits_most` and `visits_median` over the pairs.

    In the method's second long episode, which follows the policy that the first one, acting evenly, has led to.
    """
    method, settings = job.method, job.settings
    algorithm = chosen(method.control, settings, task.name)
    place = task.place()
    mdp = place.mdp
    rows: list[Measured] = []
    drawings: list[Drawing] = []
    lines = []
    for epsilon in task.epsilons:
        generator = np.random.default_rng(derive(job.seed, f"exploration {epsilon}"))
        asked = changed(task.name, settings, epsilon=epsilon, batch=1, average="all", visit="every")
        first, second = told(task.name, algorithm, mdp, asked, generator, [1, 2])
        visits = (second.visits - first.visits).ravel()
        named: dict[str, Value] = {"epsilon": epsilon}
        taken: dict[str, Value] = {"instances": place.law, "samples": int(visits.sum())}
        for name, count in (("least", visits.min()), ("median", np.median(visits)), ("most", visits.max())):
            # Evenness is wanted: many visits of the least visited pair, few of the most visited one.
            direction: Any = "lower" if name == "most" else "higher"
            rows.append(Measured(f"visits_{name}", float(count), "visits", direction, len(visits), taken, named))
        by_state = visits.reshape(mdp.states, mdp.actions).sum(1).astype(float)
        drawings += place.boards(
            f"visits_{epsilon:g}".replace(".", "_"), f"visits, epsilon {epsilon:g}", by_state, first.policy
        )
        lines.append(Line(f"epsilon {epsilon:g}", rounded(range(1, len(visits) + 1)), rounded(np.sort(visits)[::-1])))
    title = f"visits of the {len(visits)} pairs of an episode, most visited first"
    shown = [Line(one.label, one.x, [max(y, 0.5) for y in one.y]) for one in lines]  # 0 has no logarithm
    drawings.append(Lines("visits", title, "pair", "visits", shown, "y"))
    return Evaluated(rows, drawings=drawings)
