"""Planar and radial maps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from implementations.flows import planar, radial
from implementations.flows.planar import Planar
from implementations.flows.radial import Radial
from tests.exact.bijection_cases import Case, generator, moved

DIMENSIONS = 6


def one_planar(z: Tensor, u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """f(z) and its log |det| of shape (batch,); u, w of shape (d,) or (batch, d), b of shape () or (batch,)."""
    return planar.compose(z, u[None], w[None], b[None])


def one_radial(z: Tensor, centre: Tensor, alpha_raw: Tensor, beta_raw: Tensor) -> tuple[Tensor, Tensor]:
    """f(z) and its log |det| of shape (batch,); centre of shape (d,) or (batch, d), the others () or (batch,)."""
    return radial.compose(z, centre[None], alpha_raw[None], beta_raw[None])


def draws(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def planar_of(product: float, seed: int) -> Callable[[], nn.Module]:
    """One map with w.u = `product`, and w so short that the points of the test lie where it bends."""

    def make() -> nn.Module:
        u, w, b = (draws(1, size, seed=seed + number) for number, size in enumerate((DIMENSIONS, DIMENSIONS, 1)))
        w = 0.3 * w / w.norm()
        u = u + (product - (w * u).sum()) * w / w.square().sum()
        return Planar(u, w, b[0])

    return make


def planar_at_zero() -> nn.Module:
    return Planar(draws(1, DIMENSIONS, seed=20), torch.zeros(1, DIMENSIONS).double(), draws(1, seed=21))


def radial_of(alpha: float, slack: float, seed: int) -> Callable[[], nn.Module]:
    """One map with this alpha, and beta = -alpha + slack."""

    def make() -> nn.Module:
        raw = torch.tensor([[alpha], [slack]], dtype=torch.float64).expm1().log()  # the inverse of softplus
        return Radial(draws(1, DIMENSIONS, seed=seed), raw[0], raw[1])

    return make


def built(method, length: int, dimensions: int, seed: int) -> Callable[[], nn.Module]:
    settings = method.Settings(flow_length=length)
    return lambda: moved(method.build(settings, (dimensions,), generator(seed)).bijection, seed + 1)


CASES = {
    "planar": Case(planar_of(0.7, 0), (DIMENSIONS,)),
    "planar with w.u below -1": Case(planar_of(-3.0, 3), (DIMENSIONS,)),
    "planar with w.u = 50": Case(planar_of(50.0, 6), (DIMENSIONS,)),
    # Where w.z + b is 0 its slope is e^-50, and its inverse magnifies rounding without bound. The points of the test
    # lie where the slope is above 0.05: seen 2e-14, far inside the usual tolerance.
    "planar with w.u = -50": Case(planar_of(-50.0, 9), (DIMENSIONS,)),
    "planar with w = 0": Case(planar_at_zero, (DIMENSIONS,)),
    "planar in one dimension": Case(built(planar, 3, 1, 12), (1,)),
    "eight planar maps": Case(built(planar, 8, DIMENSIONS, 14), (DIMENSIONS,)),
    "radial with positive beta": Case(radial_of(0.5, 2.5, 22), (DIMENSIONS,)),
    "radial with negative beta": Case(radial_of(1.5, 0.5, 24), (DIMENSIONS,)),
    "radial with beta near -alpha": Case(radial_of(2.0, 1e-6, 26), (DIMENSIONS,)),
    "radial in one dimension": Case(built(radial, 3, 1, 28), (1,)),
    "eight radial maps": Case(built(radial, 8, DIMENSIONS, 30), (DIMENSIONS,)),
}
