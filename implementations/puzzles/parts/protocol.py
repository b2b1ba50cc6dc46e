"""What a method of `implementations/puzzles/` declares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from implementations.puzzles.parts.solution import Solution

Algorithm = Callable[[NDArray[np.int64]], Solution]


@dataclass(frozen=True, kw_only=True)
class PuzzleMethod:
    """Algorithms that answer the same question about an array of integers."""

    settings: type[Any]
    """Frozen dataclass; each field says where its value comes from."""

    algorithms: tuple[Algorithm, ...]
    """A function's name is the variant `algorithm` of its rows."""

    EVALUATION: ClassVar[frozenset[str]] = frozenset({"algorithms"})
