"""Tasks of the puzzles: instances with known answers, a law of random instances, and an answer to agree with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Puzzle:
    """A question about an array of integers."""

    name: str
    dataset: None  # puzzles draw their instances
    examples: tuple[tuple[tuple[int, ...], int], ...]  # numbers, answer: those printed in the puzzle's source
    largest: int  # numbers are uniform on 0..largest
    longest: int  # lengths of random arrays are log-uniform on 2..longest
    longest_once: int  # one array of this length, the bound of the source, a seed
    lengths: tuple[int, ...]  # at which operations are counted for the cost exponent
    reference: Callable[[NDArray[np.int64]], int]  # the answer that methods must agree with

    def draw(self, length: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """A random instance."""
        return generator.integers(0, self.largest, size=length, endpoint=True)

    def lengths_drawn(self, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Lengths of `count` random instances, log-uniform, so that short arrays with their ties are frequent."""
        return np.exp(generator.uniform(np.log(2), np.log(self.longest + 1), size=count)).astype(np.int64)

    @property
    def instances(self) -> str:
        """The law of the random instances, as a measurement states it."""
        return f"heights uniform on 0..{self.largest}, n log-uniform on 2..{self.longest}, one n = {self.longest_once}"

    def settings(self) -> dict[str, object]:
        """Nothing: evaluation imports this file, so that its hash tells of every change."""
        return {}


def largest_area(heights: NDArray[np.int64]) -> int:
    """The container puzzle by brute force, a left line at a time: no method's code, so that none judges itself."""
    widths = np.arange(1, len(heights))
    areas = [
        int((np.minimum(heights[left], heights[left + 1 :]) * widths[: len(heights) - left - 1]).max())
        for left in range(len(heights) - 1)
    ]
    return max(areas)


TASKS = (
    Puzzle(
        name="container",
        dataset=None,
        examples=(((1, 8, 6, 2, 5, 4, 8, 3, 7), 49), ((1, 1), 1)),
        largest=10_000,
        longest=1_000,
        longest_once=100_000,
        lengths=(64, 128, 256, 512, 1024, 2048, 4096),
        reference=largest_area,
    ),
)
