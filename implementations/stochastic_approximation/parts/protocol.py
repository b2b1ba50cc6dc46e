"""What a method of `implementations/stochastic_approximation/` declares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from implementations.stochastic_approximation.parts.paths import Floats, Iterate


@dataclass(frozen=True, kw_only=True)
class StochasticApproximationMethod:
    """Iterates that near a root or a minimum.

    `average_from` of its settings is the first step whose iterate counts in the average, None for no averages; `batch`,
    where there is one, says how many items a step sees.
    """

    settings: type[Any]
    """Frozen dataclass; each field says where its value comes from."""

    problem: type
    """The problems that it takes, a class of `problems.py`."""

    gains: Callable[[Any, int], Floats | None]
    """(settings, steps) to gains a_1, a_2, ... of shape (steps,); None where they depend on what is observed."""

    iterates: Callable[[Any, Any, int, np.random.Generator, Sequence[int]], Iterator[Iterate]]
    """(problem, settings, paths, generator, checkpoints): independent paths from the problem's start, yielded after the
    steps `checkpoints`, which rise from 1 on."""

    EVALUATION: ClassVar[frozenset[str]] = frozenset({"problem", "gains", "iterates"})
