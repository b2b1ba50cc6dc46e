"""What every file in `implementations/stochastic_approximation/` offers; the conformance tests take each through it."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from implementations.stochastic_approximation.parts.paths import Floats, Iterate


class StochasticApproximationMethod(Protocol):
    """A method file, as a module."""

    Settings: Any
    """Frozen dataclass; each field says where its value comes from. `average_from` is the first step whose iterate
    counts in the average, None for no averages; `batch`, where there is one, says how many items a step sees."""

    PROBLEM: type
    """The problems that it takes, a class of `problems.py`."""

    def gains(self, settings: Any, steps: int) -> Floats | None:
        """(steps,) gains a_1, a_2, ...; None where they depend on what is observed."""

    def iterates(
        self, problem: Any, settings: Any, paths: int, generator: np.random.Generator, checkpoints: Sequence[int]
    ) -> Iterator[Iterate]:
        """Independent paths from the problem's start, told after the steps `checkpoints`, which rise from 1 on."""
