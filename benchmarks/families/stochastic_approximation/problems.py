"""Kinds of problem that methods of stochastic approximation are asked to solve; a task is one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from implementations.stochastic_approximation.parts.problems import FiniteSum, RootFinding


@dataclass(frozen=True)
class _Task:
    name: str
    instances: str  # the law of what is drawn, as a measurement states it
    steps: tuple[int, ...]  # at which metrics are taken; paths end with the last one

    @property
    def dataset(self) -> None:
        """None: what is observed is drawn."""
        return None

    def measured(self, paths: int) -> dict[str, Any]:
        """The protocol of a number taken over `paths` paths."""
        return {"instances": self.instances, "samples": paths}

    def marks(self) -> list[int]:
        """Steps to look at: all of a short path, evenly apart in logarithm on a long one."""
        last = self.steps[-1]
        spread = range(1, last + 1) if last <= 100 else np.geomspace(1, last, 41).round().astype(int).tolist()
        return sorted({*spread, *self.steps})


@dataclass(frozen=True)
class Root(_Task):
    """Find the root of a function; an entry's `samples` are its paths."""

    problem: RootFinding


@dataclass(frozen=True)
class Minimum(_Task):
    """Find the minimum of a finite sum, which each seed draws; an entry's `samples` are its paths."""

    draw: Callable[[np.random.Generator], FiniteSum]


Task = Root | Minimum
