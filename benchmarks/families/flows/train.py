"""Training of a flow: the problem's loss, the method's recipe, the one training loop."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.families.flows.learning import Run, learning
from benchmarks.families.flows.problems import Problem
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.common.fit import Checkpoint, Fitted, Plan, fit
from implementations.flows.parts.protocol import FlowMethod


def train(
    method: FlowMethod,
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
) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation loss, and how its training went.

    `images` gives grey levels of shape (n, *task.shape) of the split train or valid, where the task has a data set.
    Under bfloat16 the matrix products of training, and only those, are taken in that precision.

    Raises:
        ValueError: the method cannot be used for this task, or a batch is larger than the training set.
    """
    flags.apply()
    learned = learning(task, Run(method, settings, seed, flags.device, images))
    model, noise = learned.model, torch_generator(seed, "training noise", flags.device)
    factor = getattr(method, "learning_rate_factor", None)

    def loss(indices: Tensor) -> Tensor:
        with torch.autocast(flags.device, torch.bfloat16, enabled=flags.bfloat16):
            return learned.loss(indices, noise)

    def rate(seen: int) -> float:
        return 1.0 if factor is None else float(factor(settings, seen))

    def note() -> dict[str, float]:
        # Of a flow that solves an ODE: how often the last solve of this validation evaluated its vector field.
        evaluations = getattr(model, "evaluations", None)
        return {} if evaluations is None else {"evaluations": float(evaluations)}

    plan = Plan(learned.examples, settings.batch, steps, validate_every, settings.gradient_clip, settings.ema_half_life)
    order = torch_generator(seed, "order of examples")
    optimiser = method.optimiser(model, settings)
    generators = {"noise": noise}
    return model, fit(
        model, optimiser, loss, learned.validate, plan, order, generators, checkpoint, report, stop, rate, note
    )
