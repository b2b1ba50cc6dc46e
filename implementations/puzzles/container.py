"""Container with most water: the smallest complete method of this repository, and the one to copy.

n vertical lines stand at positions 0..n-1 with heights h; two of them hold water up to the lower one:

    area(i, j) = min(h_i, h_j) * (j - i),      wanted: the largest over i < j.

Brute force looks at all n(n-1)/2 pairs. Two pointers start at both ends and move the lower one inwards: every pair
left out with it is narrower and no higher than the lower line, so none of them can beat the pair just seen. That is
n-1 looks. (Problem 11 of LeetCode; its bounds are 2 <= n <= 100,000 and 0 <= h <= 10,000.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from implementations.puzzles.parts.protocol import PuzzleMethod
from implementations.puzzles.parts.solution import Solution, checked


@dataclass(frozen=True)
class Settings:
    """The puzzle has none."""


def two_pointers(heights: NDArray[np.int64]) -> Solution:
    """The largest area in n-1 looks. `heights` (n,), n >= 2, non-negative; ValueError otherwise."""
    h = checked(heights).tolist()  # plain integers: indexing an array one by one costs five times as much
    left, right, best = 0, len(h) - 1, 0
    looks = 0
    while left < right:
        looks += 1
        low, high = h[left], h[right]
        best = max(best, min(low, high) * (right - left))
        if low < high:
            left += 1
        else:
            right -= 1
    return Solution(best, looks)


def brute_force(heights: NDArray[np.int64]) -> Solution:
    """The largest area over all pairs, a width at a time. `heights` as for `two_pointers`."""
    h = checked(heights)
    best, looks = 0, 0
    for width in range(1, len(h)):
        lower = np.minimum(h[:-width], h[width:])
        looks += len(lower)
        best = max(best, int(lower.max()) * width)
    return Solution(best, looks)


METHOD = PuzzleMethod(settings=Settings, algorithms=(two_pointers, brute_force))
