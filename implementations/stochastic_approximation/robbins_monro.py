"""Robbins-Monro: the root of a function of which only noisy observations can be had.

Robbins, Monro: A Stochastic Approximation Method, 1951, doi 10.1214/aoms/1177729586; Zhao: Mathematical Foundations of
Reinforcement Learning, 2024, chapter 6. With gains a_k and observations g(w_k) + noise_k,

    w_(k+1) = w_k - a_k (g(w_k) + noise_k).

Theorem 6.1 of the book: w_k -> w* almost surely where 0 < c1 <= g' <= c2, sum a_k = infinity, sum a_k^2 < infinity, and
the noise has mean 0 and a finite second moment, given the past. The paper shows convergence in mean square, for bounded
observations and gains of type 1/n (from memory). The book's own example g(w) = w^3 - 5 breaks g' <= c2, which is why
its start, its gains and a bound on the observations matter.

Averages of the iterates (Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging, 1992, doi
10.1137/0330046; gains c / k^exponent with an exponent in (0.5, 1)),

    mean_n = (1/n) sum of w_(k+1) over k <= n,

have the least asymptotic variance there is, for every c. `parts/variances.py` has variances before the limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from implementations.common.settings import require_positive
from implementations.stochastic_approximation.parts.gains import check, sequence
from implementations.stochastic_approximation.parts.paths import Iterate, advanced, started
from implementations.stochastic_approximation.parts.problems import RootFinding
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod


@dataclass(frozen=True)
class Settings:
    """The book's run: a_k = 1/k, the last iterate."""

    gain: Literal["harmonic", "power", "constant"] = "harmonic"  # Zhao 2024, figures 6.3 and 6.4: harmonic
    scale: float = 1.0  # c; Zhao 2024, figures 6.3 and 6.4
    offset: int = 0  # of harmonic gains; 0 in the book's text, the second point of its figure 6.3 tells of 1
    exponent: float = 0.7  # of power gains; ours, from the range (0.5, 1) of Polyak and Juditsky 1992
    average_from: int | None = None  # first step whose iterate the average counts; None: no averages, as in the book
    largest_observation: float | None = None  # cuts g + noise; Robbins and Monro 1951 assume a bound (from memory)
    largest_iterate: float | None = None  # projects w onto [-this, this]; ours, None as in the book
    diverged_beyond: float = 1e6  # |w| from which a path counts as diverged; ours

    def __post_init__(self) -> None:
        check(self)
        require_positive(self, "average_from", "largest_observation", "largest_iterate")
        if not 0 < self.diverged_beyond <= 1e100:  # cubes of what is smaller do not overflow
            raise ValueError(f"diverged_beyond must lie in (0, 1e100], not {self.diverged_beyond}")


def iterates(
    problem: RootFinding, settings: Settings, paths: int, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Iterate]:
    """Independent paths, values of shape (paths, 1), told after the steps `checkpoints`, which rise from 1 on."""
    told = set(checkpoints)
    now = started(np.array([problem.start]), paths, settings.average_from)
    for gain in sequence(settings, max(told)).tolist():
        observed = problem.observe(now.values, generator)
        if settings.largest_observation is not None:
            observed = observed.clip(-settings.largest_observation, settings.largest_observation)
        values = now.values - gain * observed
        if settings.largest_iterate is not None:
            values = values.clip(-settings.largest_iterate, settings.largest_iterate)
        now = advanced(now, values, settings.average_from, settings.diverged_beyond)
        if now.step in told:
            yield now


METHOD = StochasticApproximationMethod(settings=Settings, problem=RootFinding, gains=sequence, iterates=iterates)
