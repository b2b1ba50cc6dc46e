"""Training of a diffusion model: the method's loss and recipe, the one training loop."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.families.diffusion.mixtures import points
from benchmarks.families.diffusion.pairs import Origin, Pairs
from benchmarks.families.diffusion.problems import ImageGeneration, MixtureGeneration, Problem
from benchmarks.families.diffusion.scale import data
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.common.fit import Checkpoint, Fitted, Plan, fit
from implementations.diffusion.parts.protocol import DiffusionMethod

VALIDATION_EXAMPLES = 3000  # at least; a small split is gone through several times, each time with other noise


def train(
    method: DiffusionMethod,
    settings: Any,
    task: Problem,
    steps: int,
    validate_every: int,
    seed: int,
    flags: TorchFlags,
    images: Callable[[str], NDArray[np.uint8]],
    checkpoint: Checkpoint,
    report: Callable[[int, float, float], None],
    stop: Callable[[], bool],
    origin: Origin | None = None,
) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation loss, which is the method's own, and how its training went.

    `images` gives grey levels of shape (n, *task.shape) of the split train or valid, for tasks of images. What starts
    from an `origin` has its weights at first, and learns from its pairs alone.
    Under bfloat16 the matrix products of training, and only those, are taken in that precision.

    Raises:
        ValueError: the method cannot be used for this task, or a batch is larger than the training set.
    """
    flags.apply()
    device = flags.device
    model = method.build(settings, task.shape, torch_generator(seed, "initial weights")).to(device)
    if origin is not None:
        model.load_state_dict(origin.weights())
        learned = _of_pairs(method, settings, model, device, origin.pairs)
    elif isinstance(task, MixtureGeneration):
        learned = _of_points(method, settings, task, model, device)
    else:
        learned = _of_images(method, settings, task, model, device, images)
    noise = torch_generator(seed, "training noise", device)
    factor = getattr(method, "learning_rate_factor", None)

    def loss(indices: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=flags.bfloat16):
            return learned.loss("train", indices, noise)

    def validate() -> float:
        # The same noise at every validation, so that values along a run differ by the weights alone; and batches as in
        # training, since the law of some losses depends on their size.
        own, total, seen = torch_generator(seed, "validation noise", device), 0.0, 0
        with torch.no_grad():
            for _ in range(ceil(VALIDATION_EXAMPLES / learned.valid)):
                for batch in torch.arange(learned.valid).split(settings.batch):
                    total += float(learned.loss("valid", batch, own)) * len(batch)
                    seen += len(batch)
        return total / seen

    def rate(shown: int) -> float:
        return 1.0 if factor is None else float(factor(settings, shown))

    clip, half_life = settings.gradient_clip, settings.ema_half_life
    plan = Plan(learned.examples, settings.batch, steps, validate_every, clip, half_life)
    order = torch_generator(seed, "order of examples")
    optimiser = method.optimiser(model, settings)
    return model, fit(model, optimiser, loss, validate, plan, order, {"noise": noise}, checkpoint, report, stop, rate)


@dataclass(frozen=True)
class _Learned:
    """How many examples there are to learn from and to validate on, and the loss of some of a split."""

    examples: int
    valid: int
    loss: Callable[[str, Tensor, torch.Generator], Tensor]  # (split, indices, noise)


def _of_images(
    method: Any,
    settings: Any,
    task: ImageGeneration,
    model: nn.Module,
    device: str,
    images: Callable[[str], NDArray[np.uint8]],
) -> _Learned:
    levels = {split: torch.from_numpy(images(split)).to(device) for split in ("train", "valid")}

    def loss(split: str, indices: Tensor, noise: torch.Generator) -> Tensor:
        x = data(levels[split][indices.to(device)], task, noise, torch.float32)
        found: Tensor = method.loss(model, settings, x, noise)
        return found

    return _Learned(len(levels["train"]), len(levels["valid"]), loss)


def _of_points(method: Any, settings: Any, task: MixtureGeneration, model: nn.Module, device: str) -> _Learned:
    if getattr(settings, "grey_levels", None) is not None:
        raise ValueError(f"settings.grey_levels: found {settings.grey_levels}; points have none, so null")
    splits = {split: points(task, split).float().to(device) for split in ("train", "valid")}

    def loss(split: str, indices: Tensor, noise: torch.Generator) -> Tensor:
        found: Tensor = method.loss(model, settings, splits[split][indices.to(device)], noise)
        return found

    return _Learned(task.train, task.valid, loss)


def _of_pairs(method: Any, settings: Any, model: nn.Module, device: str, pairs: Callable[[str], Pairs]) -> _Learned:
    """There may be more than memory holds: each batch is read from the disk."""
    splits = {split: pairs(split) for split in ("train", "valid")}

    def loss(split: str, indices: Tensor, noise: torch.Generator) -> Tensor:
        of, rows = splits[split], indices.numpy()
        x, eps = (torch.from_numpy(part[rows]).to(device) for part in (of.data, of.noise))
        found: Tensor = method.paired_loss(model, settings, x, eps, noise)
        return found

    return _Learned(len(splits["train"].data), len(splits["valid"].data), loss)
