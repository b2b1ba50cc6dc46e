"""Density of points whose true density is known: likelihood, and how far above the entropy it stays."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.families.flows.measuring.trained import Subject, counts, exactness
from benchmarks.families.flows.mixtures import mixture, points
from benchmarks.families.flows.problems import MixtureDensity
from benchmarks.record.evaluated import Evaluated, Picture, Value
from benchmarks.run.seeds import torch_generator

EXACTNESS_POINTS = 1000
DRAWN = 20_000  # points of the picture
CELLS, REACH = 48, 6.0  # a side of the picture's histogram; it covers [-6, 6]^2


def measure(task: MixtureDensity, trained: Subject) -> Evaluated:
    """Rows in float64 and a picture of the first two coordinates."""
    test, truth = points(task, "test"), mixture(task)
    protocol: dict[str, Value] = {
        "split": "test",
        "samples": len(test),
        "checkpoint": "best validation likelihood",
        "arithmetic": "float64",
    }
    learned = trained.log_prob(test)
    nats, above = float(learned.mean()), float((truth.log_prob(test) - learned).mean())
    compared = {**protocol, "reference": "the density that drew the points, at the same points"}
    rows = [
        *counts(trained, protocol),
        trained.row("log_likelihood", nats, "nats", "higher", len(test), protocol),
        # E_p[log p - log q], the divergence KL(p || q); the entropy's own sampling error cancels.
        trained.row("nats_above_entropy", above, "nats", "lower", len(test), compared),
        *exactness(trained, test[:EXACTNESS_POINTS], protocol),
    ]
    with torch.no_grad():
        drawn = trained.model.sample(DRAWN, torch_generator(trained.job.seed, "samples"))  # type: ignore[operator]
    both = [_histogram(truth.sample(DRAWN, torch_generator(task.seed, "picture"))), _histogram(drawn)]
    top = max(counted.max() for counted in both)
    array = np.stack([np.rint(counted / top * 255).astype(np.uint8) for counted in both])
    title = "histogram of the first two coordinates: left the true density's draws, right the model's"
    return Evaluated(rows, pictures=[Picture("density", title, array, 255, 2)])


def _histogram(x: Tensor) -> NDArray[np.float64]:
    """Square roots of counts, so that thin parts can be seen; the second coordinate rises upwards."""
    edges = np.linspace(-REACH, REACH, CELLS + 1)
    counted, _, _ = np.histogram2d(x[:, 1].numpy(), x[:, 0].numpy(), bins=(edges, edges))
    roots: NDArray[np.float64] = np.sqrt(counted[::-1])
    return roots
