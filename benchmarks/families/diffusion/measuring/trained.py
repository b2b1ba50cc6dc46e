"""A trained model as measured, and samples drawn from it with its evaluations counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.families.diffusion.mixtures import points
from benchmarks.families.diffusion.problems import ImageGeneration, Task
from benchmarks.families.diffusion.scale import data
from benchmarks.metrics.fidelity import quantise
from benchmarks.record.evaluated import Measured, Value
from benchmarks.run import inputs
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive, torch_generator
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.protocol import DiffusionMethod, Sampler
from implementations.diffusion.parts.samplers import Streams

BATCH = 1000
NOISE_SEED = 0  # of what is drawn while measuring: the same for every model, so that differences are the models'
PROTOCOL: dict[str, Value] = {
    "checkpoint": "best validation loss",
    "arithmetic": "float32 network, float64 state",
}


@dataclass(frozen=True)
class Subject:
    """A model in float32 with the weights of the best validation, and the method that samples it."""

    model: Denoiser
    method: DiffusionMethod
    settings: Any  # the method's
    task: Task
    job: EvaluationJob

    @property
    def device(self) -> str:
        return self.job.device

    def variant(self, **of_the_row: Value) -> dict[str, Value]:
        """How a row is named: settings of the training along which papers compare, and what is the row's own."""
        trainer = self.job.trainer
        return {**{name: getattr(trainer.settings, name) for name in trainer.method.varies}, **of_the_row}

    def generator(self, purpose: str) -> torch.Generator:
        """For draws on the device while measuring."""
        return torch_generator(NOISE_SEED, purpose, self.device)

    def row(
        self, name: str, value: float, unit: str, direction: str, n: int, protocol: dict[str, Value], **variant: Value
    ) -> Measured:
        """A number of this model, with what all numbers of this family state."""
        return Measured(name, value, unit, direction, n, {**protocol, **PROTOCOL}, self.variant(**variant))  # type: ignore[arg-type]

    def data_range(self, of_images: str, of_points: str = "as drawn") -> dict[str, Value]:
        """The scale on which squares are taken, as a measurement states it."""
        return {"data_range": of_images if isinstance(self.task, ImageGeneration) else of_points}

    def examples(self, split: str, most: int | None = None) -> Tensor:
        """The first of a split, at most so many, as the model sees them: (n, *shape), float64, on the device."""
        if not isinstance(self.task, ImageGeneration):
            return points(self.task, split)[:most].to(self.device)
        levels = torch.from_numpy(inputs.images(self.job, split)[:most]).to(self.device)
        return data(levels, self.task, self.generator(f"dequantisation of {split}"), torch.float64)


@dataclass(frozen=True)
class Drawn:
    """Samples of one sampler with one number of steps."""

    examples: NDArray[Any]  # (n, *shape); of images uint8 grey levels, of points float64
    evaluations: float  # of the network for each


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


def drawn(trained: Subject, sampler: Sampler, steps: int, samples: int, pool: int = 0) -> Drawn:
    """Sample i begins with a noise of its own, which depends on the run's seed, on i and on the pool alone.

    So all samplers of a run begin with the same noises, and their differences are not those of luck; pools are
    unrelated. Raises FloatingPointError on samples that are not finite.
    """
    found, evaluations = [], 0.0
    of_pool = f" of pool {pool}" if pool else ""
    for first in range(0, samples, BATCH):
        places = range(first, min(first + BATCH, samples))
        streams = Streams([derive(trained.job.seed, f"sample {place}{of_pool}") for place in places])
        with _evaluations(trained.model) as counted:
            x = sampler(trained.model, trained.settings, steps, streams).cpu().numpy()
        if not np.isfinite(x).all():
            raise FloatingPointError(f"samples of {name_of(sampler)} with {steps} steps are not finite")
        found.append(quantise(x, trained.task.levels) if isinstance(trained.task, ImageGeneration) else x)
        evaluations += counted[0] * len(places) / samples
    return Drawn(np.concatenate(found), round(evaluations, 6))


def name_of(sampler: Sampler) -> str:
    """As in the variant of its rows."""
    return sampler.__name__


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


def cost_of(trained: Subject, sampler: Sampler) -> Cost:
    """Tried out on one sample, with 2 and 3 steps."""
    two, three = (drawn(trained, sampler, steps, 1).evaluations for steps in (2, 3))
    return Cost(three - two, two - 2 * (three - two))


def variants(trained: Subject, sampler: Sampler) -> list[tuple[int, dict[str, Value]]]:
    """Steps that a sampler is asked for, with the name of the row that they make, by evaluations."""
    name, cost = name_of(sampler), cost_of(trained, sampler)
    if cost.adaptive:
        # Its steps depend on the whole batch, so the batch is part of the name.
        tolerance = {"tolerance": trained.settings.tolerance} if hasattr(trained.settings, "tolerance") else {}
        return [(max(trained.task.evaluations), trained.variant(sampler=name, batch=BATCH, **tolerance))]
    found: dict[int, tuple[int, dict[str, Value]]] = {}
    for steps in sorted({cost.steps(evaluations) for evaluations in trained.task.evaluations}):
        if steps >= 1:
            # Of steps that coincide a grid may keep one, so that evaluations are counted, on one sample.
            nfe = int(drawn(trained, sampler, steps, 1).evaluations)
            found[nfe] = (steps, trained.variant(sampler=name, nfe=nfe))
    return list(found.values())


def counted_evaluations(found: Drawn, variant: dict[str, Value]) -> list[Measured]:
    """Of an adaptive sampler: its number is a result, and not the same for every seed. None where it is in the name."""
    if "nfe" in variant:
        return []
    count = len(found.examples)
    protocol: dict[str, Value] = {"samples": count, **PROTOCOL}
    return [Measured("evaluations", found.evaluations, "evaluations", "lower", count, protocol, variant)]
