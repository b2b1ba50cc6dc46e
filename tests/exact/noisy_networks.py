"""What tests of networks that are told a noise level share."""

import torch
from torch import Tensor, nn


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def moved(network: nn.Module, scale: float = 0.1, seed: int = 1) -> nn.Module:
    """Float64 and off its initial values, which make it zero."""
    network, random = network.double(), generator(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, dtype=torch.float64, generator=random))
    return network


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
