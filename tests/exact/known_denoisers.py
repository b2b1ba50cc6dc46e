"""More denoisers in closed form, as those of `implementations/common/denoisers.py`."""

import torch
from torch import Tensor


class GaussianDenoiser:
    """Of N(mean, L L^T) on R^d, and the exact flow of its probability-flow ODE."""

    def __init__(self, mean: Tensor, factor: Tensor):
        """Mean (d,) and lower triangular factor L (d, d)."""
        self.mean = mean
        self.variances, self.axes = torch.linalg.eigh(factor @ factor.mT)

    def __call__(self, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        a, n = (value.to(x).reshape(-1, 1) for value in (a, n))
        share = a * self.variances / (a.square() * self.variances + n.square())
        d: Tensor = self.mean + (share * ((x - a * self.mean) @ self.axes)) @ self.axes.mT
        return d

    def flow_map(self, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Where the ODE takes x, (batch, d), from the pair `start` = (a, n) to the pair `end`, each of shape (2,).

        Standard deviations scale along each axis, on whatever path from one pair to the other.
        """
        (a, n), (a_end, n_end) = start.to(x), end.to(x)
        gain = ((a_end**2 * self.variances + n_end**2) / (a**2 * self.variances + n**2)).sqrt()
        moved: Tensor = a_end * self.mean + (gain * ((x - a * self.mean) @ self.axes)) @ self.axes.mT
        return moved


class EmpiricalDenoiser:
    """Of the uniform law on finitely many points: their mean, weighted by a softmax of distances.

    A sampler that uses it ends on the points: the optimum of training, and the end of generalisation.
    """

    def __init__(self, points: Tensor):
        """(m, ...)."""
        self.points = points

    def __call__(self, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        a, n = (value.to(x).reshape(-1, 1) for value in (a, n))
        points = self.points.flatten(1)
        squares = (x.flatten(1)[:, None] - a[:, :, None] * points).square().sum(2)  # (batch, m)
        # Nearest first: at n = 0 it alone has weight, and is not 0 / 0.
        behind = squares - squares.min(1, keepdim=True).values
        share = torch.softmax(-0.5 * behind / n.square().clamp_min(torch.finfo(x.dtype).tiny), dim=1)
        return (share @ points).reshape(x.shape)
