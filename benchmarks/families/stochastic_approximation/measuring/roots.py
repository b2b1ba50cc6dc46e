"""Measures of paths that look for a root: errors, variance beside the recursion's, divergence."""

import math
from typing import Any

import numpy as np

from benchmarks.families.stochastic_approximation.measuring import estimates
from benchmarks.families.stochastic_approximation.problems import Root
from benchmarks.record.evaluated import Drawing, Evaluated, Histogram, Line, Lines, Measured, rounded
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from implementations.stochastic_approximation.parts.paths import Iterate
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod
from implementations.stochastic_approximation.parts.variances import Moments, recursion

DRAWN_PATHS = 5
DRAWN_WITHIN = 10.0  # a path is drawn until it leaves [-10, 10]
ENOUGH = 200  # paths for a histogram


def measure(task: Root, job: EvaluationJob) -> Evaluated:
    """At each step of the task, of the last iterate and of the average where there is one.

    `rms_error`, the root of the mean squared distance from the root of g; `scaled_variance`, the step times the
    variance over paths; `scaled_variance_recursion`, the same by the exact recursion of g linearised at its root (for
    the last two: under noise, with two paths or more). And, off a line, `divergence_rate`, the share of paths that
    diverged; the other numbers are not finite once a path did.
    """
    method, settings = job.method, job.settings
    generator = np.random.default_rng(derive(job.seed, f"paths {settings}"))
    found = list(method.iterates(task.problem, settings, job.samples, generator, task.marks()))
    estimates.refuse_if_lost(found)
    exact = _moments(task, method, settings)
    told: dict[str, Any] = task.measured(job.samples)
    rows: list[Measured] = []
    for iterate in (iterate for iterate in found if iterate.step in task.steps):
        k, n = iterate.step, job.samples
        for name, values in estimates.of(iterate).items():
            variant: dict[str, Any] = {"estimate": name, "step": k}
            rows.append(Measured("rms_error", _rms(values, task), "w", "lower", n, told, variant))
            if task.problem.noise and n > 1:
                scaled = k * float(values.var(ddof=1))
                rows.append(Measured("scaled_variance", scaled, "w^2", "lower", n, told, variant))
            if k in exact and n > 1:
                scaled = k * _of(exact[k], name)[1]
                rows.append(Measured("scaled_variance_recursion", scaled, "w^2", "lower", n, told, variant))
    if not task.problem.linear:
        rate = float(found[-1].diverged.mean())
        rows.append(Measured("divergence_rate", rate, "share of paths", "lower", job.samples, told))
    return Evaluated(rows, drawings=_drawings(task, found, exact))


def _moments(task: Root, method: StochasticApproximationMethod, settings: Any) -> dict[int, Moments]:
    """By step; empty without noise and where gains depend on what is observed. Off a line, of the noise alone."""
    problem, gains = task.problem, method.gains(settings, task.steps[-1])
    if gains is None or not problem.noise:
        return {}
    bias = problem.start - problem.root if problem.linear else 0.0
    start = settings.average_from or 1
    told = recursion(gains, problem.slope, problem.noise**2, bias, task.marks(), start)
    return {moments.step: moments for moments in told}


def _of(moments: Moments, estimate: str) -> tuple[float, float]:
    """Bias and variance."""
    if estimate == "average":
        return moments.averaged_bias, moments.averaged_variance
    return moments.bias, moments.variance


def _rms(values: Any, task: Root) -> float:
    return math.sqrt(float(((values - task.problem.root) ** 2).mean()))


def _drawings(task: Root, found: list[Iterate], exact: dict[int, Moments]) -> list[Drawing]:
    drawings: list[Drawing] = []
    lost = bool(found[-1].diverged.any())
    if not lost and (lines := _errors(task, found, exact)):
        drawings.append(Lines("error", "Distance from the root by step", "step", "rms error", lines, "xy"))
    if found[-1].step == len(found):  # every step was looked at
        drawings.append(Lines("paths", "Paths to the root", "step", "w", _paths(task, found)))
    if lost:
        shares = estimates.line("diverged", [i.step for i in found], [i.diverged.mean() for i in found])
        drawings.append(Lines("diverged", "Share of paths that diverged", "step", "share", [shares] if shares else []))
    elif exact and len(found[-1].values) >= ENOUGH:
        drawings.append(_histogram(task, found[-1], exact[found[-1].step]))
    return drawings


def _errors(task: Root, found: list[Iterate], exact: dict[int, Moments]) -> list[Line]:
    lines: list[Line | None] = []
    steps = [iterate.step for iterate in found]
    for name in estimates.of(found[0]):
        errors = [_rms(estimates.of(iterate)[name], task) for iterate in found]
        lines.append(estimates.line(estimates.NAMES[name], steps, errors, positive=True))
        if exact and lines[-1]:
            theory = [math.hypot(bias, math.sqrt(v)) for bias, v in (_of(exact[step], name) for step in steps)]
            lines.append(estimates.line("recursion", steps, theory, theory=True, positive=True))
    return [line for line in lines if line]


def _paths(task: Root, found: list[Iterate]) -> list[Line]:
    walked = np.array([[task.problem.start] * len(found[0].values), *(i.values[:, 0] for i in found)])
    lines = []
    for number, w in enumerate(walked.T[:DRAWN_PATHS], start=1):
        left = np.flatnonzero(~(np.abs(w) <= DRAWN_WITHIN))
        end = int(left[0]) if len(left) else len(w)
        lines.append(Line(f"path {number}", [float(k) for k in range(end)], rounded(w[:end])))
    root = rounded([task.problem.root] * 2)
    return [*lines, Line("root", [0.0, float(found[-1].step)], root, theory=True)]


def _histogram(task: Root, last: Iterate, moments: Moments) -> Histogram:
    """Of the average where there is one, against the normal law of the recursion's bias and variance."""
    name, values = list(estimates.of(last).items())[-1]
    scale = math.sqrt(last.step)
    densities, edges = np.histogram(scale * (values[:, 0] - task.problem.root), bins=30, density=True)
    bias, variance = _of(moments, name)
    deviation = scale * math.sqrt(variance)
    z = np.linspace(-4, 4, 81)
    normal = np.exp(-z * z / 2) / (deviation * math.sqrt(2 * math.pi))
    theory = Line("normal law", rounded(scale * bias + deviation * z), rounded(normal), theory=True)
    title = f"sqrt(n) (w - root) of the {estimates.NAMES[name]} at step n = {last.step}"
    return Histogram("histogram", title, "sqrt(n) (w - root)", rounded(edges), rounded(densities), theory)
