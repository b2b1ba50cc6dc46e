"""Limits in closed form that the recursions and estimators of `implementations/` must reach."""

import math

import numpy as np


def harmonic_limit(scale: float, slope: float, noise: float) -> float:
    """n Var for a_k = c/k. ValueError where 2 h c <= 1, since there is no limit then."""
    if 2 * slope * scale <= 1:
        raise ValueError(f"2 h c = {2 * slope * scale} must be above 1; below it n Var grows without end")
    return scale**2 * noise / (2 * slope * scale - 1)


def best_limit(slope: float, noise: float) -> float:
    """n Var of a_k = 1/(h k), and of averages: S / h^2."""
    return noise / slope**2


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


def second_moment(length: int) -> float:
    """E[(rho G)^2] of `left_loop` over episodes of at most `length` steps: target always left, behaviour even.

    An episode of k steps that ends on the left has probability (0.5 0.9)^(k-1) 0.5 0.1, ratio 2^k and return 1, every
    other one contributes 0, so that the sum over k <= L of 0.2 1.8^(k-1) = 0.25 (1.8^L - 1) grows without end.
    """
    return float(0.25 * (1.8**length - 1))
