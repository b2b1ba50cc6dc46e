"""Bits per dimension: DDPM's bound on grey levels, or the exact likelihood of dequantised ones."""

import math

import torch
from torch import Tensor

from benchmarks.families.diffusion.measuring.trained import BATCH, NOISE_SEED, Trained
from benchmarks.metrics.measured import Measured, Value
from implementations.diffusion.parts.likelihood import trace

MOST_VALUES = 300_000  # of a batch along a flow; images of 3 x 32 x 32 come by 97, those of 8 x 8 by BATCH
SPLITS = {"test": "", "train": "train_"}  # and what their rows begin with


def likelihood(trained: Trained) -> list[Measured]:
    """Of some images of test and of train, where the method offers what the task can be asked for."""
    offered = "log_likelihood" if trained.task.dequantised else "variational_bound"
    if not trained.task.likelihood_images or not hasattr(trained.method, offered):
        return []
    return [
        each
        for split in SPLITS
        for each in (_exact(trained, split) if trained.task.dequantised else _bound(trained, split))
    ]


def _exact(trained: Trained, split: str) -> list[Measured]:
    """One draw of the dequantisation an image, so in expectation no less than the bits of its grey levels."""
    x, noise = trained.images(split, trained.task.likelihood_images), trained.generator("likelihood")
    settings, d = trained.settings, trained.task.dimensions
    # An estimated trace keeps all activations of a batch, and the solver chooses its steps for a batch as a whole.
    batch = max(1, min(BATCH, MOST_VALUES // d))
    nats = torch.cat([trained.method.log_likelihood(trained.model, settings, part, noise) for part in x.split(batch)])
    bits = -(float(nats.mean()) / d + math.log(trained.task.bin_width)) / math.log(2)
    solver = f"dopri5 at tolerance {settings.tolerance:g} from time {settings.first_time:g}, batches of {batch}"
    taken = f"{solver}; trace: {trace(d, settings.exact_trace_dimensions)}"
    protocol = _protocol(trained, split, len(x)) | {"dequantisation": trained.task.dequantisation, "solver": taken}
    return [trained.row(f"{SPLITS[split]}bits_per_dim", bits, "bits/dim", "lower", len(x), protocol, batch=batch)]


def _bound(trained: Trained, split: str) -> list[Measured]:
    """One draw of each x_t; of a method that tells the terms, also L_0, the distortion, and all others, the rate."""
    x, noise = trained.images(split, trained.task.likelihood_images), trained.generator("bound")
    parts = x.split(BATCH)
    protocol = _protocol(trained, split, len(x))

    def told(name: str, nats: Tensor) -> Measured:
        bits = float(nats.mean()) / trained.task.dimensions / math.log(2)
        return trained.row(f"{SPLITS[split]}{name}", bits, "bits/dim", "lower", len(x), protocol)

    if not hasattr(trained.method, "bound_terms"):
        bound = trained.method.variational_bound
        return [told("bound", torch.cat([bound(trained.model, trained.settings, part, noise) for part in parts]))]

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, dtype=like.dtype, generator=noise, device=like.device)

    terms = [trained.method.bound_terms(trained.model, trained.settings, part, normal) for part in parts]
    whole = torch.cat(terms, dim=1)
    return [
        told("bound", whole.sum(0)),
        told("bound_distortion", whole[0]),
        told("bound_rate", whole[1:].sum(0)),
    ]


def _protocol(trained: Trained, split: str, images: int) -> dict[str, Value]:
    return {"split": split, "samples": images, "data_range": "[-1, 1]", "noise_seed": NOISE_SEED, "draws": 1}
