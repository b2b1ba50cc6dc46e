"""Measures of paths that look for a minimum: distances, variance beside the least possible, the book's identities."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.stochastic_approximation.measuring import estimates
from benchmarks.families.stochastic_approximation.problems import Minimum
from benchmarks.record.evaluated import Drawing, Evaluated, Line, Lines, Measured, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.stochastic_approximation.parts.paths import Floats, Iterate
from implementations.stochastic_approximation.parts.problems import FiniteSum, MeanEstimation
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod
from implementations.stochastic_approximation.parts.variances import best_covariance, squared_distances


@dataclass(frozen=True)
class Recorded(MeanEstimation):
    """Mean estimation that keeps the mean of every batch it is asked about, (paths or 1, d) a step."""

    means: list[Floats] = field(default_factory=list)

    def gradient(self, values: Floats, items: NDArray[np.int64]) -> Floats:
        self.means.append(self.points[items].mean(1))
        return super().gradient(values, items)


def measure(task: Minimum, job: EvaluationJob) -> Evaluated:
    """At each step of the task, of the last iterate and of the average where there is one.

    `distance` from the minimum, a mean over paths; of batches that are drawn `variance_ratio`, the mean squared
    distance times items seen, over tr(A^-1 S A^-T), the least that is possible in the limit; and
    `variance_ratio_recursion`, the same by the recursion, which is exact where the noise is the same everywhere, as in
    mean estimation. There, with a_k = 1/k, `identity_error` is the largest distance, over paths and steps, of the last
    iterate from the running mean of the means of the batches that were drawn.
    """
    method, settings = job.method, job.settings
    problem: FiniteSum = task.draw(np.random.default_rng(derive(job.seed, "instance")))
    if isinstance(problem, MeanEstimation):
        problem = Recorded(problem.points, problem.start)
    generator = np.random.default_rng(derive(job.seed, f"paths {settings}"))
    found = list(method.iterates(problem, settings, job.samples, generator, task.marks()))
    estimates.refuse_if_lost(found)
    exact = _squares(task, method, settings, problem)
    told: dict[str, Any] = task.measured(job.samples)
    best = float(np.trace(best_covariance(problem.hessian, problem.noise)))
    rows: list[Measured] = []
    for iterate in (iterate for iterate in found if iterate.step in task.steps):
        for name, values in estimates.of(iterate).items():
            n = job.samples
            variant: dict[str, Any] = {"estimate": name, "step": iterate.step}
            squares = ((values - problem.solution) ** 2).sum(1)
            rows.append(Measured("distance", float(np.sqrt(squares).mean()), "w", "lower", n, told, variant))
            if settings.batch is None:
                continue
            unit = "of the least possible"
            items = iterate.step * settings.batch
            ratio = items * float(squares.mean()) / best
            rows.append(Measured("variance_ratio", ratio, unit, "lower", n, told, variant))
            if exact:
                ratio = items * exact[iterate.step][name] / best
                rows.append(Measured("variance_ratio_recursion", ratio, unit, "lower", n, told, variant))
    if isinstance(problem, Recorded) and _are_harmonic(method.gains(settings, task.steps[-1])):
        error = _identity_error(found, problem)
        rows.append(Measured("identity_error", error, "w", "lower", job.samples, told))
    return Evaluated(rows, drawings=_drawings(problem, found, exact))


def _squares(
    task: Minimum, method: StochasticApproximationMethod, settings: Any, problem: FiniteSum
) -> dict[int, dict[str, float]]:
    """Mean squared distances by step and estimate; empty where gains depend on what is observed."""
    gains = method.gains(settings, task.steps[-1])
    if gains is None:
        return {}
    noise = 0 * problem.noise if settings.batch is None else problem.noise / settings.batch
    away, start = problem.start - problem.solution, settings.average_from or 1
    told = squared_distances(gains, problem.hessian, noise, away, task.marks(), start)
    return {step: {"last": last, "average": mean} for step, (last, mean) in zip(task.marks(), told, strict=True)}


def _are_harmonic(gains: Floats | None) -> bool:
    return gains is not None and bool(np.array_equal(gains, 1 / np.arange(1, len(gains) + 1)))


def _identity_error(found: list[Iterate], problem: Recorded) -> float:
    """Every step was looked at; means of batches are (paths, d), or (1, d) of all items."""
    total, worst = np.zeros(found[0].values.shape), 0.0
    for iterate, means in zip(found, problem.means, strict=True):
        total = total + means
        worst = max(worst, float(np.sqrt(((iterate.values - total / iterate.step) ** 2).sum(1)).max()))
    return worst


def _drawings(problem: FiniteSum, found: list[Iterate], exact: dict[int, dict[str, float]]) -> list[Drawing]:
    short = found[-1].step == len(found)  # every step was looked at
    steps = [iterate.step for iterate in found]
    lines: list[Line | None] = []
    for name in estimates.of(found[0]):
        errors = [_rms(estimates.of(iterate)[name], problem) for iterate in found]
        lines.append(estimates.line(estimates.NAMES[name], steps, errors, positive=not short))
        if exact and lines[-1]:
            theory = [math.sqrt(exact[step][name]) for step in steps]
            lines.append(estimates.line("recursion", steps, theory, theory=True, positive=not short))
    kept = [line for line in lines if line]
    title = "Distance from the minimum by step"
    drawings: list[Drawing] = [Lines("distance", title, "step", "rms distance", kept, "" if short else "xy")]
    if short:
        walked = np.array([problem.start, *(iterate.values[0] for iterate in found)])
        path = Line("path 1", rounded(walked[:, 0]), rounded(walked[:, 1]))
        drawings.append(Lines("path", "A path in the plane", "first coordinate", "second coordinate", [path]))
    return drawings


def _rms(values: Floats, problem: FiniteSum) -> float:
    return math.sqrt(float(((values - problem.solution) ** 2).sum(1).mean()))
