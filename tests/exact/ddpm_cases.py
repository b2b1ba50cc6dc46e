"""Models of a DDPM table that are known exactly, and what tests ask of samplers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion import ddpm
from implementations.diffusion.parts.backbones import Backbone
from implementations.diffusion.parts.samplers import Streams
from tests.exact.known_denoisers import GaussianDenoiser
from tests.exact.noisy_networks import generator, moved


class Exact(nn.Module):
    """A denoiser in closed form in the place of a model; it counts how often it is asked."""

    def __init__(self, denoise: Callable[[Tensor, Tensor, Tensor], Tensor], dimensions: int = 1):
        super().__init__()
        self.network = Backbone(nn.Identity(), (dimensions,))
        self.denoise, self.evaluations = denoise, 0

    def forward(self, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        self.evaluations += 1
        return self.denoise(x, a, n)


class Impulses(Streams):
    """Example j draws 1 at its draw j and 0 at all others: the answers of a linear sampler to each of its draws."""

    def __init__(self, draws: int):
        super().__init__(range(draws))
        self.number = 0

    def draw(self, shape):
        drawn = torch.zeros(len(self.generators), *shape, dtype=torch.float64)
        drawn[self.number] = 1.0
        self.number += 1
        return drawn


def normal_model(deviation: float = 1.0, dimensions: int = 1) -> Exact:
    """Of N(0, deviation^2 I)."""
    eye = torch.eye(dimensions, dtype=torch.float64)
    return Exact(GaussianDenoiser(torch.zeros(dimensions, dtype=torch.float64), deviation * eye), dimensions)


def point_model() -> Exact:
    """Of data that is always 0."""
    return Exact(lambda x, a, n: torch.zeros_like(x))


def mixture() -> GaussianMixture:
    """Three components in the plane, one of them stretched, within about [-1, 1]."""
    means = torch.tensor([[0.6, 0.3], [-0.5, 0.5], [0.0, -0.6]], dtype=torch.float64)
    factors = torch.tensor([[[0.1, 0.0], [0.0, 0.1]], [[0.15, 0.0], [0.1, 0.05]], [[0.2, 0.0], [-0.1, 0.1]]])
    return GaussianMixture(torch.tensor([0.5, 0.3, 0.2]).double(), means, factors.double())


def mixture_model() -> Exact:
    return Exact(MixtureDenoiser(mixture()), 2)


def small_model(shape: tuple[int, ...] = (3,), **settings: object):
    """A network of DDPM's, float64, with every parameter off its initial value, and its settings."""
    chosen = ddpm.Settings(**({"network": "mlp", "width": 16, "dropout": 0.0} | settings))
    return moved(ddpm.build(chosen, shape, generator(0))).eval(), chosen


def squares(betas: Tensor) -> list[float]:
    """abar_0 = 1, abar_1, ..., abar_T by plain multiplication."""
    values = [1.0]
    for beta in betas.tolist():
        values.append(values[-1] * (1 - beta))
    return values


def root(value: float) -> float:
    return math.sqrt(max(value, 0.0))
