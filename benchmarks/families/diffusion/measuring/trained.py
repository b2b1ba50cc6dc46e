"""A trained model as measured, and samples drawn from it with its evaluations counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.families.diffusion.problems import ImageGeneration
from benchmarks.families.diffusion.scale import data
from benchmarks.metrics.fidelity import quantise
from benchmarks.metrics.given import Given
from benchmarks.metrics.measured import Measured, Value
from benchmarks.seeds import derive, torch_generator
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.protocol import Sampler
from implementations.diffusion.parts.samplers import Streams

BATCH = 1000
NOISE_SEED = 0  # of what is drawn while measuring: the same for every model, so that differences are the models'
VARIED = (
    "sde",
    "parameterisation",
    "objective",
    "preconditioning",
    "weighting",
    "noise_density",
    "path",
    "coupling",
    "reflows",
    "times",
)
PROTOCOL: dict[str, Value] = {
    "checkpoint": "best validation loss",
    "arithmetic": "float32 network, float64 state",
}


@dataclass(frozen=True)
class Trained:
    """A model in float32 with the weights of the best validation, and the method that samples it."""

    model: Denoiser
    method: Any  # the module
    settings: Any  # the method's
    task: ImageGeneration
    inputs: Given

    @property
    def device(self) -> str:
        return str(self.inputs.arithmetic["device"])

    def variant(self, **of_the_row: Value) -> dict[str, Value]:
        """How a row is named: settings of the training along which papers compare, and what is the row's own."""
        settings = self.inputs.trainer.settings
        return {**{name: getattr(settings, name) for name in VARIED if hasattr(settings, name)}, **of_the_row}

    def generator(self, purpose: str) -> torch.Generator:
        """For draws on the device while measuring."""
        return torch_generator(NOISE_SEED, purpose, self.device)

    def row(
        self, name: str, value: float, unit: str, direction: str, n: int, protocol: dict[str, Value], **variant: Value
    ) -> Measured:
        """A number of this model, with what all numbers of this family state."""
        return Measured(name, value, unit, direction, n, {**protocol, **PROTOCOL}, self.variant(**variant))  # type: ignore[arg-type]

    def images(self, split: str, most: int) -> Tensor:
        """The first of a split, at most so many, as the model sees them: (n, *shape), float64, on the device."""
        levels = torch.from_numpy(self.inputs.images(split)[:most]).to(self.device)
        return data(levels, self.task, self.generator(f"dequantisation of {split}"), torch.float64)


@dataclass(frozen=True)
class Drawn:
    """Samples of one sampler with one number of steps."""

    images: NDArray[np.uint8]  # (n, *shape), grey levels
    evaluations: float  # of the network for each image


@contextmanager
def _evaluations(model: Denoiser) -> Iterator[list[int]]:
    """How often the network is evaluated, counted call by call; each call takes a whole batch."""
    counted = [0]

    def count(*_: object) -> None:
        counted[0] += 1

    handle = model.network.register_forward_pre_hook(count)
    try:
        yield counted
    finally:
        handle.remove()


def drawn(trained: Trained, sampler: Sampler, steps: int, images: int) -> Drawn:
    """Image i begins with a noise of its own, which depends on the run's seed and on i alone.

    So all samplers of a run begin with the same noises, and their differences are not those of luck. Raises
    FloatingPointError on samples that are not finite.
    """
    found, evaluations = [], 0.0
    for first in range(0, images, BATCH):
        places = range(first, min(first + BATCH, images))
        streams = Streams([derive(trained.inputs.seed, f"sample {place}") for place in places])
        with _evaluations(trained.model) as counted:
            x = sampler(trained.model, trained.settings, steps, streams).cpu().numpy()
        if not np.isfinite(x).all():
            raise FloatingPointError(f"samples of {name_of(sampler)} with {steps} steps are not finite")
        found.append(quantise(x, trained.task.levels))
        evaluations += counted[0] * len(places) / images
    return Drawn(np.concatenate(found), round(evaluations, 6))


def name_of(sampler: Sampler) -> str:
    """As in the variant of its rows."""
    return str(getattr(sampler, "__name__", sampler))


@dataclass(frozen=True)
class Cost:
    """Evaluations of a sampler as a function of its steps: `each` a step and `more`; 0 a step where it is adaptive."""

    each: float
    more: float

    @property
    def adaptive(self) -> bool:
        return self.each == 0

    def steps(self, evaluations: int) -> int:
        """The most that need no more evaluations; below 1 where there are none."""
        return int((evaluations - self.more) // self.each)


def cost_of(trained: Trained, sampler: Sampler) -> Cost:
    """Tried out on one image, with 2 and 3 steps."""
    two, three = (drawn(trained, sampler, steps, 1).evaluations for steps in (2, 3))
    return Cost(three - two, two - 2 * (three - two))
