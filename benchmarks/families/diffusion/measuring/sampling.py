"""Samples of every sampler of a method, drawn along the task's numbers of evaluations."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from benchmarks.families.diffusion.measuring.trained import Drawn, Subject, drawn, name_of, variants
from benchmarks.record.evaluated import Measured, Value
from implementations.diffusion.parts.protocol import Sampler


@dataclass(frozen=True)
class Sampled:
    """What one sampler gave with one number of steps, as pictures and drawings show it."""

    sampler: str
    examples: NDArray[Any]  # points, or the first images
    evaluations: float
    distance: float  # FID, or energy distance
    by_true_score: tuple[float, float] = (0.0, 0.0)  # of points: evaluations and distance by the true score


@dataclass(frozen=True)
class Sampling:
    """Rows, what is shown of the samples that they are of, and the seconds that each sampler took to draw them."""

    rows: list[Measured] = field(default_factory=list)
    sampled: list[Sampled] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def by_sampler(self) -> dict[str, list[Sampled]]:
        """In the order of the samplers, each by evaluations."""
        found: dict[str, list[Sampled]] = {}
        for each in self.sampled:
            found.setdefault(each.sampler, []).append(each)
        return found

    def best(self) -> Sampled:
        """That of the least distance."""
        return min(self.sampled, key=lambda each: each.distance)


@dataclass(frozen=True)
class Draw:
    """Samples as they come, with the name of their rows; `last` are those of the most evaluations."""

    sampler: Sampler
    steps: int
    variant: dict[str, Value]
    samples: Drawn
    last: bool


def draws(trained: Subject, seconds: dict[str, float]) -> Iterator[Draw]:
    """Every sampler at every number of evaluations of the task, an adaptive one once; adds up the time it took."""
    for sampler in trained.method.samplers:
        name = f"sampling by {name_of(sampler)}"
        asked = variants(trained, sampler)
        seconds[name] = 0.0
        for number, (steps, variant) in enumerate(asked, start=1):
            began = time.monotonic()
            samples = drawn(trained, sampler, steps, trained.job.samples)
            seconds[name] += time.monotonic() - began
            yield Draw(sampler, steps, variant, samples, number == len(asked))
