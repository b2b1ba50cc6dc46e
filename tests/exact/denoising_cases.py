"""What the tests of paths, samplers and likelihoods have in common."""

import math

import torch
from torch import Tensor

from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from tests.exact.known_denoisers import GaussianDenoiser


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def close(one: Tensor, other: Tensor | float, tolerance: float) -> None:
    torch.testing.assert_close(one, torch.as_tensor(other, dtype=one.dtype), rtol=0.0, atol=tolerance)


def mixture() -> GaussianMixture:
    """Three correlated components in the plane, uneven in weight and width."""
    factors = torch.tensor([[[0.5, 0.0], [0.2, 0.3]], [[0.3, 0.0], [-0.1, 0.4]], [[0.8, 0.0], [0.0, 0.2]]])
    means = torch.tensor([[1.5, 0.0], [-1.0, 1.0], [0.0, -1.5]])
    return GaussianMixture(torch.tensor([0.5, 0.3, 0.2]).double(), means.double(), factors.double())


def mixture_denoiser() -> MixtureDenoiser:
    return MixtureDenoiser(mixture())


def gaussian_denoiser(deviation: float, mean: float = 0.0) -> GaussianDenoiser:
    """Of N(mean, deviation^2) on the line."""
    return GaussianDenoiser(torch.full((1,), mean).double(), torch.full((1, 1), deviation).double())


class Counted:
    """A denoiser that counts how often it is asked."""

    def __init__(self, denoise):
        self.denoise, self.evaluations = denoise, 0

    def __call__(self, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        self.evaluations += 1
        return self.denoise(x, a, n)


def slope(errors: list[float]) -> float:
    """The order that the last two errors show, the steps having doubled between them."""
    return math.log2(errors[-2] / errors[-1])
