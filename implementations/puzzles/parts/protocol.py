"""What every file in `implementations/puzzles/` offers; the conformance tests take each method through it."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from implementations.puzzles.parts.solution import Solution

Algorithm = Callable[[NDArray[np.int64]], Solution]


class PuzzleMethod(Protocol):
    """A method file, as a module."""

    Settings: Any
    """Frozen dataclass; each field says where its value comes from."""

    ALGORITHMS: tuple[Algorithm, ...]
    """Functions that answer the same question; a function's name is the variant `algorithm` of its rows."""
