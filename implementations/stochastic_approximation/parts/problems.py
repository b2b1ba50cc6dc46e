"""Problems with known answers: roots of functions seen under noise, and minima of finite sums.

Near its root w* a problem is linear: g(w) = A (w - w*), and an observation has noise of covariance S. Averages of n
iterates have at best the covariance A^-1 S A^-T / n (Polyak and Juditsky 1992).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from implementations.stochastic_approximation.parts.paths import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RootFinding:
    """The root of an increasing function g of one variable, observed with normal noise."""

    g: Callable[[Floats], Floats]  # elementwise
    root: float
    slope: float  # g'(root)
    start: float
    noise: float  # standard deviation; 0: g itself is observed
    linear: bool = False  # whether g(w) = slope (w - root), where recursions of the variance are exact

    def observe(self, values: Floats, generator: np.random.Generator) -> Floats:
        """g(values) + noise, of the shape of `values`; without noise nothing is drawn."""
        seen = self.g(values)
        return seen + self.noise * generator.standard_normal(values.shape) if self.noise else seen


def cubic() -> RootFinding:
    """g(w) = w^3 - 5 from w = 0 under N(0, 1) noise: Zhao 2024, figure 6.3. Its slope is not bounded."""
    root = 5 ** (1 / 3)
    return RootFinding(lambda w: w * w * w - 5, root, 3 * root**2, start=0.0, noise=1.0)


def tanh() -> RootFinding:
    """To find where the hyperbolic tangent of w - 1 is 0, from w = 3 and without noise: Zhao 2024, figure 6.4."""
    return RootFinding(lambda w: np.tanh(w - 1), root=1.0, slope=1.0, start=3.0, noise=0.0)


def linear(slope: float, root: float, start: float, noise: float) -> RootFinding:
    """g(w) = slope (w - root)."""
    return RootFinding(lambda w: slope * (w - root), root, slope, start, noise, linear=True)


@runtime_checkable
class FiniteSum(Protocol):
    """The minimum of the mean of n functions; an observation is the mean gradient of some of them."""

    @property
    def start(self) -> Floats:
        """(d,)."""

    @property
    def size(self) -> int:
        """n."""

    @property
    def solution(self) -> Floats:
        """(d,), where the mean of all gradients is 0."""

    @property
    def hessian(self) -> Floats:
        """A, (d, d), of the mean."""

    @property
    def noise(self) -> Floats:
        """S, (d, d), covariance of one function's gradient at the solution."""

    def gradient(self, values: Floats, items: Ints) -> Floats:
        """(paths, d) mean gradient at `values` (paths, d) of the functions `items` (paths, m), or (1, m) for all."""


@dataclass(frozen=True)
class MeanEstimation:
    """Functions |w - x_i|^2 / 2 of n points (n, d): the minimum is their mean (Zhao 2024, section 6.4)."""

    points: Floats
    start: Floats

    @property
    def size(self) -> int:
        return len(self.points)

    @cached_property
    def solution(self) -> Floats:
        mean: Floats = self.points.mean(0)
        return mean

    @property
    def hessian(self) -> Floats:
        return np.eye(self.points.shape[1])

    @cached_property
    def noise(self) -> Floats:
        off = self.points - self.solution
        covariance: Floats = off.T @ off / self.size
        return covariance

    def gradient(self, values: Floats, items: Ints) -> Floats:
        means: Floats = self.points[items].mean(1)
        return values - means


@dataclass(frozen=True)
class LeastSquares:
    """Functions (x_i.w - y_i)^2 / 2 of inputs (n, d) and targets (n,): linear regression."""

    inputs: Floats
    targets: Floats
    start: Floats

    @property
    def size(self) -> int:
        return len(self.inputs)

    @cached_property
    def solution(self) -> Floats:
        return np.asarray(np.linalg.lstsq(self.inputs, self.targets, rcond=None)[0], np.float64)

    @cached_property
    def hessian(self) -> Floats:
        mean: Floats = self.inputs.T @ self.inputs / self.size
        return mean

    @cached_property
    def noise(self) -> Floats:
        gradients = (self.inputs @ self.solution - self.targets)[:, None] * self.inputs
        covariance: Floats = gradients.T @ gradients / self.size
        return covariance

    def gradient(self, values: Floats, items: Ints) -> Floats:
        chosen = self.inputs[items]  # (paths, m, d)
        errors = np.einsum("pmd,pd->pm", np.broadcast_to(chosen, (len(values), *chosen.shape[1:])), values)
        errors = errors - self.targets[items]
        mean: Floats = (errors[..., None] * chosen).mean(1)
        return mean


def square(generator: np.random.Generator) -> MeanEstimation:
    """100 points uniform on a 20 x 20 square around 0, from (-20, 20): Zhao 2024, figure 6.5 (start read off it)."""
    return MeanEstimation(generator.uniform(-10, 10, (100, 2)), np.array([-20.0, 20.0]))


def regression(generator: np.random.Generator) -> LeastSquares:
    """A line through 100 points: x uniform on [-1, 1], y = 1 + 2 x + N(0, 1/4), from (0, 0). Ours."""
    x = generator.uniform(-1, 1, 100)
    y = 1 + 2 * x + 0.5 * generator.standard_normal(100)
    return LeastSquares(np.stack([np.ones(100), x], 1), y, np.zeros(2))
