"""Stochastic, mini-batch and batch gradient descent on a finite sum.

Zhao: Mathematical Foundations of Reinforcement Learning, 2024, section 6.4. The mean of n functions f_i is minimised:

    w_(k+1) = w_k - a_k (1/m) sum over the batch of grad f_i(w_k).

A batch of m items is drawn with replacement at every step, so that m = n is not batch gradient descent (BGD), which
takes every item once; m = 1 is SGD, and what lies between MBGD. It is Robbins-Monro on the mean gradient.

Mean estimation, f_i(w) = |w - x_i|^2 / 2, with a_k = 1/k (section 6.4.4): BGD is at the sample's mean after one step,
MBGD is the running mean of the mini-batches' means, SGD that of the items drawn; as a_1 = 1 the start is forgotten at
once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from implementations.common.settings import require_positive
from implementations.stochastic_approximation.parts.gains import check, sequence
from implementations.stochastic_approximation.parts.paths import Iterate, advanced, started
from implementations.stochastic_approximation.parts.problems import FiniteSum
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod


@dataclass(frozen=True)
class Settings:
    """The book's run: a_k = 1/k, the last iterate."""

    batch: int | None = 1  # m items a step; None: all of them, each once; Zhao 2024, figure 6.5: 1, 5 and 50
    gain: Literal["harmonic", "power", "constant"] = "harmonic"  # Zhao 2024, figure 6.5
    scale: float = 1.0  # c; Zhao 2024, figure 6.5
    offset: int = 0  # of harmonic gains; Zhao 2024, figure 6.5
    exponent: float = 0.7  # of power gains; ours, from the range (0.5, 1) of Polyak and Juditsky 1992
    average_from: int | None = None  # first step whose iterate the average counts; None: no averages, as in the book
    diverged_beyond: float = 1e6  # size of a coordinate from which a path counts as diverged; ours

    def __post_init__(self) -> None:
        check(self)
        require_positive(self, "batch", "average_from")
        if not 0 < self.diverged_beyond <= 1e100:
            raise ValueError(f"diverged_beyond must lie in (0, 1e100], not {self.diverged_beyond}")


def iterates(
    problem: FiniteSum, settings: Settings, paths: int, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Iterate]:
    """Independent paths, values of shape (paths, d), told after the steps `checkpoints`, which rise from 1 on."""
    told = set(checkpoints)
    everything = np.arange(problem.size)[None]
    now = started(problem.start, paths, settings.average_from)
    for gain in sequence(settings, max(told)).tolist():
        items = everything if settings.batch is None else generator.integers(problem.size, size=(paths, settings.batch))
        values = now.values - gain * problem.gradient(now.values, items)
        now = advanced(now, values, settings.average_from, settings.diverged_beyond)
        if now.step in told:
            yield now


METHOD = StochasticApproximationMethod(settings=Settings, problem=FiniteSum, gains=sequence, iterates=iterates)
