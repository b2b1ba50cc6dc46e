"""Training of a flow on dequantised images by maximum likelihood."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.families.flows.density import ImageDensity
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.common.fit import Checkpoint, Fitted, Plan, fit
from implementations.flows.parts.dequantisation import dequantise
from implementations.flows.parts.protocol import FlowMethod

VALIDATION_BATCH = 1000


def train(
    method: FlowMethod,
    settings: Any,
    task: ImageDensity,
    steps: int,
    validate_every: int,
    seed: int,
    flags: TorchFlags,
    images: Mapping[str, NDArray[np.uint8]],
    checkpoint: Checkpoint,
    report: Callable[[int, float, float], None],
    stop: Callable[[], bool],
) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the best validation likelihood, and how its training went.

    `images` holds grey levels of shape (n, *task.shape) for the splits train and valid. Under bfloat16 the matrix
    products of training, and only those, are taken in that precision.
    """
    flags.apply()
    device = flags.device
    train_set, valid_set = (flat_levels(images[split], device) for split in ("train", "valid"))
    model = method.build(settings, task.dimensions, torch_generator(seed, "initial weights")).to(device)
    noise = torch_generator(seed, "training noise", device)

    def loss(indices: Tensor) -> Tensor:
        x = dequantise(train_set[indices.to(device)], task.levels, noise)
        with torch.autocast(device, torch.bfloat16, enabled=flags.bfloat16):
            return method.loss(model, x, noise)

    def validate() -> float:
        # The same noise at every validation, so that values along a run differ by the weights alone.
        own = torch_generator(seed, "validation noise", device)
        total = 0.0
        with torch.no_grad():
            for batch in torch.split(valid_set, VALIDATION_BATCH):
                x = dequantise(batch, task.levels, own)
                total -= float(model.log_prob(x).double().sum())  # type: ignore[operator]
        return total / len(valid_set)

    plan = Plan(len(train_set), settings.batch, steps, validate_every, settings.gradient_clip, settings.ema_half_life)
    order = torch_generator(seed, "order of examples")
    optimiser = method.optimiser(model, settings)
    return model, fit(model, optimiser, loss, validate, plan, order, {"noise": noise}, checkpoint, report, stop)


def flat_levels(images: NDArray[np.uint8], device: str) -> Tensor:
    """(n, *shape) grey levels as an (n, d) uint8 tensor on the device."""
    return torch.from_numpy(images.reshape(len(images), -1)).to(device)
