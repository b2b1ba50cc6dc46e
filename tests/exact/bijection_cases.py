"""Every bijection of the flows, as the parametrised test of `test_bijections.py` takes it; one function an area."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """How to make a bijection in float64, off its initial values, and what it maps."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]  # of one example
    tolerance: float = (
        1e-10  # notes on exactness: seen 1e-16 to 7e-16 a layer; a wide margin, still far below a mistake
    )
    unit_interval: bool = False  # examples lie in [0, 1), not on the whole line
    float32: bool = True  # whether the inverse is well enough conditioned to be asked in float32 too


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moved(module: nn.Module, seed: int, scale: float = 0.3) -> nn.Module:
    """Float64, every parameter moved off its initial value, so that nothing is the identity by chance."""
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, dtype=torch.float64, generator=generator(seed)))
    return module
