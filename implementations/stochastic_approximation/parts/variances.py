"""Bias and variance of w <- w - a_k (h (w - w*) + noise), noise of variance S: exact recursions and their limits.

    e_k = (1 - a_k h) e_(k-1) - a_k noise_k,    so that
    bias_k = (1 - a_k h) bias_(k-1),            Var_k = (1 - a_k h)^2 Var_(k-1) + a_k^2 S,

and for the sum s_k of the iterates that an average counts, with C_k = Cov(s_k, e_k),

    Cov(s_(k-1), e_k) = (1 - a_k h) C_(k-1),    Var(s_k) = Var(s_(k-1)) + 2 Cov(s_(k-1), e_k) + Var_k.

Limits: a_k = c/k with 2 h c > 1 has n Var -> c^2 S / (2 h c - 1), least at c = 1/h, S / h^2; averages of iterates with
gains that fall more slowly reach that without knowing h (Polyak and Juditsky 1992). With 2 h c < 1 only n^(2hc) Var and
n^(hc) bias have limits. A constant gain a keeps a variance of a S / (h (2 - a h)).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from implementations.stochastic_approximation.parts.paths import Floats


@dataclass(frozen=True)
class Moments:
    """After a step: of the iterate, and of the average (of the iterate itself while none counts)."""

    step: int
    bias: float
    variance: float
    averaged_bias: float
    averaged_variance: float


def recursion(
    gains: Floats, slope: float, noise: float, bias: float, checkpoints: Sequence[int], average_from: int = 1
) -> list[Moments]:
    """Exact moments after the steps `checkpoints`.

    Args:
        gains: (steps,), at least as many as the last checkpoint.
        slope: h.
        noise: S, a variance.
        bias: start minus root, where all paths begin.
        checkpoints: rising steps from 1 on.
        average_from: first step whose iterate counts in the average.
    """
    told: list[Moments] = []
    wanted = set(checkpoints)
    variance = covariance = of_sum = sum_of_biases = 0.0
    for step, gain in enumerate(gains[: checkpoints[-1]].tolist(), start=1):
        kept = 1 - gain * slope
        bias *= kept
        variance = kept * kept * variance + gain * gain * noise
        if step >= average_from:
            before = kept * covariance
            of_sum += 2 * before + variance
            covariance = before + variance
            sum_of_biases += bias
        if step in wanted:
            count = step - average_from + 1
            mean = (sum_of_biases / count, of_sum / count**2) if count > 0 else (bias, variance)
            told.append(Moments(step, bias, variance, *mean))
    return told


def best_covariance(slope: Floats, noise: Floats) -> Floats:
    """n Cov of averages in d dimensions, the least in the limit: A^-1 S A^-T, all (d, d)."""
    inverse = np.linalg.inv(slope)
    covariance: Floats = inverse @ noise @ inverse.T
    return covariance


def squared_distances(
    gains: Floats, slope: Floats, noise: Floats, away: Floats, checkpoints: Sequence[int], average_from: int = 1
) -> list[tuple[float, float]]:
    """E |w - w*|^2 of the iterate and of the average, in d dimensions, for a symmetric A: one recursion an eigenvector.

    `away` (d,) is start minus solution; `slope` and `noise` are (d, d), the noise the same everywhere.
    """
    values, vectors = np.linalg.eigh(slope)
    noises, biases = np.diag(vectors.T @ noise @ vectors), vectors.T @ away
    totals = np.zeros((len(checkpoints), 2))
    for h, s, bias in zip(values.tolist(), noises.tolist(), biases.tolist(), strict=True):
        for row, found in enumerate(recursion(gains, h, s, bias, checkpoints, average_from)):
            totals[row] += found.variance + found.bias**2, found.averaged_variance + found.averaged_bias**2
    return [(last, average) for last, average in totals.tolist()]
