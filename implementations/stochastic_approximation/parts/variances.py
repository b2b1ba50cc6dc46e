"""Bias and variance of w <- w - a_k (h (w - w*) + noise), noise of variance S: exact recursions and their limits.

    e_k = (1 - a_k h) e_(k-1) - a_k noise_k,    so that
    bias_k = (1 - a_k h) bias_(k-1),            Var_k = (1 - a_k h)^2 Var_(k-1) + a_k^2 S,

and for the sum s_k of the iterates that an average counts, with C_k = Cov(s_k, e_k),

    Cov(s_(k-1), e_k) = (1 - a_k h) C_(k-1),    Var(s_k) = Var(s_(k-1)) + 2 Cov(s_(k-1), e_k) + Var_k.

Limits: a_k = c/k with 2 h c > 1 has n Var -> c^2 S / (2 h c - 1), least at c = 1/h, S / h^2; averages of iterates with
gains that fall more slowly reach that without knowing h (Polyak and Juditsky 1992). With 2 h c < 1 only n^(2hc) Var and
n^(hc) bias have limits. A constant gain a keeps a variance of a S / (h (2 - a h)).
"""

import math
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


def harmonic_limit(scale: float, slope: float, noise: float) -> float:
    """n Var for a_k = c/k. ValueError where 2 h c <= 1, since there is no limit then."""
    if 2 * slope * scale <= 1:
        raise ValueError(f"2 h c = {2 * slope * scale} must be above 1; below it n Var grows without end")
    return scale**2 * noise / (2 * slope * scale - 1)


def best_limit(slope: float, noise: float) -> float:
    """n Var of a_k = 1/(h k), and of averages: S / h^2."""
    return noise / slope**2


def best_covariance(slope: Floats, noise: Floats) -> Floats:
    """The same in d dimensions, A^-1 S A^-T, all (d, d)."""
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


def stationary_variance(gain: float, slope: float, noise: float) -> float:
    """Variance that a constant gain keeps. ValueError where a h >= 2, since the recursion explodes then."""
    if gain * slope >= 2:
        raise ValueError(f"a h = {gain * slope} must be below 2; the recursion explodes")
    return gain * noise / (slope * (2 - gain * slope))


def slow_bias(scale: float, slope: float) -> float:
    """n^(hc) bias_n of a bias of 1 for a_k = c/k: the limit of n^(hc) prod (1 - hc/k), 1 / Gamma(1 - hc), hc < 1."""
    return 1 / math.gamma(1 - scale * slope)


def slow_variance(scale: float, slope: float, noise: float, terms: int = 100_000) -> float:
    """n^(2hc) Var_n for a_k = c/k and 2 h c < 1: c^2 S sum over k of (Gamma(k) / Gamma(k + 1 - hc))^2.

    Terms beyond `terms` are k^(2hc-2) to rounding, and their sum is taken as an integral.
    """
    power = scale * slope
    if not 0 < 2 * power < 1:
        raise ValueError(f"2 h c = {2 * power} must lie in (0, 1); above it n Var is what has a limit")
    first = 1 / math.gamma(2 - power)
    # Gamma(k+1) / Gamma(k+2-hc) is k / (k + 1 - hc) times the one before.
    k = np.arange(1, terms)
    ratios = np.concatenate([[first], first * np.cumprod(k / (k + 1 - power))])
    tail = (terms + 0.5) ** (2 * power - 1) / (1 - 2 * power)
    return float(scale**2 * noise * ((ratios**2).sum() + tail))
