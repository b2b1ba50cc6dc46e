"""Bits per dimension, by DDPM's bound on grey levels or exactly of dequantised ones; nats above a known entropy."""

import math

import torch
from torch import Tensor

from benchmarks.families.diffusion.measuring.trained import BATCH, NOISE_SEED, Subject
from benchmarks.families.diffusion.mixtures import mixture
from benchmarks.families.diffusion.problems import ImageGeneration, MixtureGeneration
from benchmarks.record.evaluated import Measured, Value
from implementations.diffusion.parts.likelihood import trace

MOST_VALUES = 300_000  # of a batch along a flow; images of 3 x 32 x 32 come by 97, those of 8 x 8 by BATCH
SPLITS = {"test": "", "train": "train_"}  # and what their rows begin with


def likelihood(trained: Subject, task: ImageGeneration) -> list[Measured]:
    """Of some images of test and of train, where the method offers what the task can be asked for."""
    offered = trained.method.log_likelihood if task.dequantised else trained.method.variational_bound
    if not task.likelihood_images or offered is None:
        return []
    return [each for split in SPLITS for each in (_exact if task.dequantised else _bound)(trained, task, split)]


def above_entropy(trained: Subject, task: MixtureGeneration) -> list[Measured]:
    """E[log p - log q] at test points, p the law that drew them and q the model's: the divergence KL(p | q).

    The error of the entropy cancels in it. Of a method with a bound on -log q, the bound takes its place, and the
    number is larger by its gap.
    """
    x = trained.examples("test")
    truth = float(mixture(task, trained.device).log_prob(x).mean())
    protocol: dict[str, Value] = {"reference": "the law that drew the points", **_drawn_once("test", len(x))}
    rows = []
    if trained.method.log_likelihood is not None:
        nats, batch, solver = _along_the_flow(trained, x)
        told = ("nats_above_entropy", truth - nats, "nats", "lower", len(x), protocol | {"solver": solver})
        rows.append(trained.row(*told, batch=batch))
    if (bound := trained.method.variational_bound) is not None:
        noise = trained.generator("bound")
        nats = float(torch.cat([bound(trained.model, trained.settings, part, noise) for part in x.split(BATCH)]).mean())
        rows.append(trained.row("bound_above_entropy", truth + nats, "nats", "lower", len(x), protocol))
    return rows


def _exact(trained: Subject, task: ImageGeneration, split: str) -> list[Measured]:
    """One draw of the dequantisation an image, so in expectation no less than the bits of its grey levels."""
    x = trained.examples(split, task.likelihood_images)
    nats, batch, solver = _along_the_flow(trained, x)
    bits = -(nats / task.dimensions + math.log(task.bin_width)) / math.log(2)
    protocol = _protocol(split, len(x)) | {"dequantisation": task.dequantisation, "solver": solver}
    return [trained.row(f"{SPLITS[split]}bits_per_dim", bits, "bits/dim", "lower", len(x), protocol, batch=batch)]


def _along_the_flow(trained: Subject, x: Tensor) -> tuple[float, int, str]:
    """The mean log-likelihood of examples (n, *shape) in nats, the batch it was taken by, and how it was solved for."""
    settings, d, noise = trained.settings, trained.task.dimensions, trained.generator("likelihood")
    # An estimated trace keeps all activations of a batch, and the solver chooses its steps for a batch as a whole.
    batch = max(1, min(BATCH, MOST_VALUES // d))
    taken = trained.method.log_likelihood
    assert taken is not None
    nats = torch.cat([taken(trained.model, settings, part, noise) for part in x.split(batch)])
    solver = f"dopri5 at tolerance {settings.tolerance:g} from time {settings.first_time:g}, batches of {batch}"
    return float(nats.mean()), batch, f"{solver}; trace: {trace(d, settings.exact_trace_dimensions)}"


def _bound(trained: Subject, task: ImageGeneration, split: str) -> list[Measured]:
    """One draw of each x_t; of a method that tells the terms, also L_0, the distortion, and all others, the rate."""
    x, noise = trained.examples(split, task.likelihood_images), trained.generator("bound")
    parts = x.split(BATCH)
    protocol = _protocol(split, len(x))

    def told(name: str, nats: Tensor) -> Measured:
        bits = float(nats.mean()) / task.dimensions / math.log(2)
        return trained.row(f"{SPLITS[split]}{name}", bits, "bits/dim", "lower", len(x), protocol)

    if (terms_of := trained.method.bound_terms) is None:
        bound = trained.method.variational_bound
        assert bound is not None
        return [told("bound", torch.cat([bound(trained.model, trained.settings, part, noise) for part in parts]))]

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, dtype=like.dtype, generator=noise, device=like.device)

    terms = [terms_of(trained.model, trained.settings, part, normal) for part in parts]
    whole = torch.cat(terms, dim=1)
    return [
        told("bound", whole.sum(0)),
        told("bound_distortion", whole[0]),
        told("bound_rate", whole[1:].sum(0)),
    ]


def _protocol(split: str, images: int) -> dict[str, Value]:
    return {"data_range": "[-1, 1]", **_drawn_once(split, images)}


def _drawn_once(split: str, examples: int) -> dict[str, Value]:
    return {"split": split, "samples": examples, "noise_seed": NOISE_SEED, "draws": 1}
