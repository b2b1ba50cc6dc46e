"""Samples of a known mixture on the plane against the mixture itself, and the learned score against the true one.

Each sampler walks by the true score as well: the distance is then that of its steps alone, without a model's error.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.families.diffusion.measuring.energy_distance import energy_distance
from benchmarks.families.diffusion.measuring.sampling import Sampled, Sampling, draws
from benchmarks.families.diffusion.measuring.trained import (
    NOISE_SEED,
    PROTOCOL,
    Subject,
    counted_evaluations,
    drawn,
    name_of,
)
from benchmarks.families.diffusion.mixtures import mixture
from benchmarks.families.diffusion.problems import MixtureGeneration
from benchmarks.record.evaluated import Drawing, Line, Lines, Measured, Picture, Value, rounded
from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion.parts.backbones import Backbone
from implementations.diffusion.parts.parameterisations import Denoiser, data
from implementations.diffusion.parts.paths import mixed

SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # noise over scale; the data's deviation is 0.5
REFERENCE = "the law that drew the points"
CELLS, REACH = 64, 1.25  # a side of the picture; it covers [-1.25, 1.25]^2


class _TrueNetwork(nn.Module):
    """F = D of a mixture, for the parameterisation `data` with sigma itself as its label."""

    def __init__(self, law: GaussianMixture):
        super().__init__()
        self.denoise = MixtureDenoiser(law)

    def forward(self, x: Tensor, sigma: Tensor, **_: object) -> Tensor:
        one = torch.ones_like(sigma)
        found: Tensor = self.denoise(x, 1 / torch.hypot(one, sigma), 1 / torch.hypot(one, 1 / sigma))  # at infinity too
        return found


def _true(trained: Subject, task: MixtureGeneration) -> Subject:
    """The same, with a model that is exact."""
    network = Backbone(_TrueNetwork(mixture(task)), task.shape)
    return replace(trained, model=Denoiser(network, data(lambda sigma: sigma)))


def judged(trained: Subject, task: MixtureGeneration) -> Sampling:
    """Energy distance of every sampler at every number of evaluations of the task, of an adaptive one once."""
    law, true = mixture(task), _true(trained, task)
    count = trained.job.samples
    protocol: dict[str, Value] = {"reference": REFERENCE, "samples": count}
    of_true: dict[str, Value] = {**protocol, "arithmetic": "float64"}
    unit = "energy distance"
    found = Sampling()
    for draw in draws(trained, found.seconds):
        samples, other = draw.samples, drawn(true, draw.sampler, draw.steps, count)
        far, least = (energy_distance(torch.from_numpy(x.examples), law, task.deviation) for x in (samples, other))
        found.rows.extend(
            [
                Measured("energy_distance", far, unit, "lower", count, protocol | PROTOCOL, draw.variant),
                Measured("energy_distance_true_score", least, unit, "lower", count, of_true, draw.variant),
                *counted_evaluations(samples, draw.variant),
            ]
        )
        by_true = other.evaluations, least
        found.sampled.append(Sampled(name_of(draw.sampler), samples.examples, samples.evaluations, far, by_true))
    return found


def score_errors(trained: Subject, task: MixtureGeneration) -> list[Measured]:
    """E (e - e*)^2, a mean over the dimensions, at several levels of noise.

    These are the noises that the learned and the true denoiser imply, so it is sigma^2 times the square error of the
    score of x + sigma noise. Points and noises are the same for every model.
    """
    x0, true = trained.examples("test"), MixtureDenoiser(mixture(task, trained.device))
    noise = torch.randn(x0.shape, dtype=x0.dtype, generator=trained.generator("score"), device=trained.device)
    protocol: dict[str, Value] = {"reference": REFERENCE, "split": "test", "samples": len(x0), "noise_seed": NOISE_SEED}
    rows = []
    for sigma in SIGMAS:
        a, n = (torch.tensor(value / math.hypot(1.0, sigma), dtype=torch.float64) for value in (1.0, sigma))
        x = mixed(x0, noise, a, n)
        off = (trained.model(x, a, n) - true(x, a, n)) / sigma
        told = ("score_error", float(off.square().mean()), "square error a dimension", "lower", len(x0), protocol)
        rows.append(trained.row(*told, sigma=sigma))
    return rows


def drawings(judged_samples: Sampling, errors: list[Measured]) -> list[Drawing]:
    """Energy distance against evaluations, two lines a sampler, and the score's error against the noise."""
    lines = []
    for name, found in judged_samples.by_sampler().items():
        lines.append(_line(name, [(each.evaluations, each.distance) for each in found]))
        lines.append(_line(f"{name}, true score", [each.by_true_score for each in found], theory=True))
    along = "evaluations of the network for each point"
    title = "energy distance to the law against evaluations of the network, by sampler"
    sigmas = rounded([float(str(row.variant["sigma"])) for row in errors])
    error = Line("learned score", sigmas, rounded([row.value for row in errors]))
    score = "square error of the learned score, times sigma squared, against the noise"
    return [
        Lines("energy_distance", title, along, "energy distance", lines, "xy"),
        Lines("score_error", score, "sigma, noise over scale", "square error a dimension", [error], "xy"),
    ]


def _line(label: str, places: list[tuple[float, float]], theory: bool = False) -> Line:
    x, y = np.array(places).T
    return Line(label, rounded(x), rounded(y), theory)


def pictures(task: MixtureGeneration, judged_samples: Sampling) -> list[Picture]:
    """The density beside a histogram of the samples that lie nearest to it."""
    best = judged_samples.best()
    edges = np.linspace(-REACH, REACH, CELLS + 1)
    counted, _, _ = np.histogram2d(best.examples[:, 1], best.examples[:, 0], bins=(edges, edges))
    centres = torch.from_numpy((edges[:-1] + edges[1:]) / 2)
    across = torch.cartesian_prod(centres, centres).flip(1)
    cell = (edges[1] - edges[0]) ** 2
    expected = mixture(task).log_prob(across).exp().reshape(CELLS, CELLS).numpy() * cell * len(best.examples)
    # Square roots, so that thin parts can be seen; the second coordinate rises upwards.
    grey = [np.rint(np.sqrt(np.clip(each / expected.max(), 0, 1)) * 255)[::-1] for each in (expected, counted)]
    title = f"left the density, right samples by {best.sampler} with {best.evaluations:g} evaluations"
    return [Picture("density", title, np.stack(grey).astype(np.uint8), 255, 2)]
