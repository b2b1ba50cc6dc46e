"""What a puzzle's algorithm returns, and the check of what it is given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Solution:
    """The answer, and how often the algorithm looked at the objective: its cost in operations, not in seconds."""

    value: int
    looks: int


def checked(numbers: ArrayLike) -> NDArray[np.int64]:
    """A one-dimensional int64 array of at least two non-negative integers; the argument itself is not touched.

    Raises:
        ValueError: another shape, fewer than two, negative or not integers.
    """
    array = np.asarray(numbers)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"at least two numbers in one dimension are needed, not shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"integers are needed, not {array.dtype}")
    if int(array.min()) < 0:
        raise ValueError(f"numbers must not be negative, the least is {int(array.min())}")
    if int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"numbers must fit 64 bits with a sign, the largest is {int(array.max())}")
    return array.astype(np.int64, copy=False)
