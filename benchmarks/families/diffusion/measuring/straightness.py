"""How straight the paths of a flow are, and how far they carry, for methods that say so."""

import torch

from benchmarks.families.diffusion.measuring.trained import BATCH, Subject
from benchmarks.record.evaluated import Measured, Value
from benchmarks.run.seeds import derive
from implementations.diffusion.parts.couplings import transport_cost
from implementations.diffusion.parts.samplers import Streams

MOST = 10_000  # paths; a mean over as many is known to a percent
STEPS = 100  # of Euler's rule, on which straightness is taken


def straightness(trained: Subject) -> list[Measured]:
    """Means over the paths of the samples' own noises, summed over the dimensions, data on [-1, 1]."""
    if trained.method.straightness is None or trained.method.recorded is None:
        return []
    paths = min(trained.job.samples, MOST)
    bent, costs = [], []
    for places in torch.arange(paths).split(BATCH):
        seeds = [derive(trained.job.seed, f"sample {place}") for place in places.tolist()]
        bent.append(trained.method.straightness(trained.model, trained.settings, STEPS, Streams(seeds)))
        pairs = trained.method.recorded(trained.model, trained.settings, Streams(seeds))
        costs.append(transport_cost(pairs.x0, pairs.noise))
    protocol: dict[str, Value] = {"samples": paths, **trained.data_range("[-1, 1]")}
    unit = "square distance"
    return [
        trained.row("straightness", float(torch.cat(bent).mean()), unit, "lower", paths, protocol, steps=STEPS),
        trained.row("transport_cost", float(torch.cat(costs).mean()), unit, "lower", paths, protocol),
    ]
