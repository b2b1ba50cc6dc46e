"""Estimation: bias and spread of an estimate of one value, over many independent runs."""

import numpy as np

from benchmarks.families.tabular.measuring.chosen import checkpoints, chosen, told, variant
from benchmarks.families.tabular.problems import Estimation
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Evaluated, Line, Lines, Measured, Value, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.tabular.parts.mdp import Floats, evaluate_policy

NORMAL_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
DRAWN_RUNS = 10  # of estimates along episodes; the figures of the source show as many


def measure(task: Estimation, job: EvaluationJob) -> Evaluated:
    """Rows after the episodes that the task tells of. Raises InputError where nothing plays episodes.

    `mean_squared_error`, `bias` with its 95 % interval over runs, `standard_deviation` and `worst_error`, the largest
    over runs.
    """
    method, settings = job.method, job.settings
    algorithm = chosen(method.prediction, settings, task.name)
    if method.spends != "episodes":
        raise InputError(f"task {task.name}: settings.algorithm: {settings.algorithm} plays no episodes")
    place = task.place()
    policy = task.policy(place)
    first = int(place.mdp.start.argmax())
    true = float(evaluate_policy(place.mdp, policy)[first])
    asked = sorted({*checkpoints(task.told[-1], method.spends), *task.told})
    generator = np.random.default_rng(derive(job.seed, f"estimation {settings}"))
    estimates = np.array(
        [
            [
                iterate.values[first]
                for iterate in told(task.name, algorithm, place.mdp, policy, settings, generator, asked)
            ]
            for _ in range(job.samples)
        ]
    )  # (runs, checkpoints)
    named = variant(settings)
    taken: dict[str, Value] = {"instances": place.law, "reference": "exact value", "samples": job.samples}
    rows: list[Measured] = []
    for count in task.told:
        rows += _rows(estimates[:, asked.index(count)] - true, {**named, "episodes": count}, taken)
    return Evaluated(rows, drawings=[_runs(estimates, asked, true), _squared(estimates - true, asked)])


def _rows(errors: Floats, named: dict[str, Value], taken: dict[str, Value]) -> list[Measured]:
    runs, bias, spread = len(errors), float(errors.mean()), float(errors.std())
    half = NORMAL_95 * spread / np.sqrt(max(1, runs - 1))
    return [
        Measured("mean_squared_error", float(np.square(errors).mean()), "return^2", "lower", runs, taken, named),
        Measured("bias", bias, "return", "lower", runs, taken, named, (bias - half, bias + half)),
        Measured("standard_deviation", spread, "return", "lower", runs, taken, named),
        Measured("worst_error", float(np.abs(errors).max()), "return", "lower", runs, taken, named),
    ]


def _runs(estimates: Floats, asked: list[int], true: float) -> Lines:
    x = rounded(asked)
    lines = [Line(f"run {run + 1}", x, rounded(row)) for run, row in enumerate(estimates[:DRAWN_RUNS])]
    lines.append(Line("exact", [x[0], x[-1]], rounded([true, true]), theory=True))
    return Lines("runs", "estimates of single runs along episodes", "episodes", "return", lines, "x")


def _squared(errors: Floats, asked: list[int]) -> Lines:
    means = np.square(errors).mean(0)
    drawn = [(count, mean) for count, mean in zip(asked, means.tolist(), strict=True) if mean > 0]
    line = Line(f"mean over {len(errors)} runs", rounded([x for x, _ in drawn]), rounded([y for _, y in drawn]))
    return Lines("squared_error", "mean squared error along episodes", "episodes", "return^2", [line], "xy")
