"""The one driver of training: what a family wants minimised, by the method's recipe, in the one training loop."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.run.job import TrainingJob
from benchmarks.run.seeds import torch_generator
from benchmarks.run.torch_flags import TorchFlags
from implementations.common.fit import Fitted, Plan, fit


@dataclass(frozen=True)
class Objective:
    """A model with its losses; the validation value is lower for a better model."""

    model: nn.Module
    examples: int  # in the training set
    loss: Callable[[Tensor, torch.Generator], Tensor]  # of the training examples at these indices
    validate: Callable[[], float]
    note: Callable[[], dict[str, float]] = dict  # at each validation
    state: dict[str, Any] = field(default_factory=dict)  # what else a checkpoint holds; has get_state and set_state


def fit_job(job: TrainingJob, objective: Objective, purpose: str = "training noise") -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation value, and how its training went.

    What the loss draws is of the generator for `purpose`. Under bfloat16 the matrix products of training, and only
    those, are taken in that precision.

    Raises:
        Unsupported: a batch is larger than the training set.
    """
    flags, settings, recipe = TorchFlags(**job.arithmetic), job.settings, job.method.recipe
    noise = job.generator(purpose)

    def loss(indices: Tensor) -> Tensor:
        with torch.autocast(flags.device, torch.bfloat16, enabled=flags.bfloat16):
            return objective.loss(indices, noise)

    def rate(seen: int) -> float:
        return float(recipe.rate(settings, seen))

    plan = Plan(
        examples=objective.examples,
        batch=settings.batch,
        steps=job.steps,
        validate_every=job.validate_every,
        gradient_clip=settings.gradient_clip,
        ema_half_life=settings.ema_half_life,
    )
    return objective.model, fit(
        objective.model,
        recipe.optimiser(objective.model, settings),
        loss,
        objective.validate,
        plan,
        torch_generator(job.seed, "order of examples"),
        {"noise": noise, **objective.state},
        job.checkpoint,
        job.report,
        job.stop,
        rate,
        objective.note,
    )
