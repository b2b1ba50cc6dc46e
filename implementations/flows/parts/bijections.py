"""Bijections with their log-determinants: the nouns of every flow.

Contract: `forward(x)` gives (y, logdet) and `inverse(y)` gives (x, logdet), with x, y of shape (batch, dimensions) or,
where a bijection can, (batch, channels, height, width), and logdet of shape (batch,) the log |det| of the Jacobian of
the map just applied, in the input's dtype.
No argument is modified.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn


class EvenFirst(nn.Module):
    """The even coordinates, then the odd ones: afterwards the halves of NICE's couplings lie side by side."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([x[:, 0::2], x[:, 1::2]], dim=1), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x, evens = torch.empty_like(y), (y.shape[1] + 1) // 2
        x[:, 0::2], x[:, 1::2] = y[:, :evens], y[:, evens:]
        return x, y.new_zeros(len(y))


class AdditiveCoupling(nn.Module):
    """y_moved = x_moved + m(x_kept), y_kept = x_kept; NICE (arXiv 1410.8516). Volume preserving."""

    def __init__(self, network: nn.Module, first: int, moves: Literal["first", "second"]):
        """The first part of a vector is its first `first` coordinates, the second all others; one of them is moved."""
        super().__init__()
        self.network = network
        self.first = first
        self.moves = moves

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one, other = x[:, : self.first], x[:, self.first :]
        y = (one + self._shift(other), other) if self.moves == "first" else (one, other + self._shift(one))
        return torch.cat(y, dim=1), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        one, other = y[:, : self.first], y[:, self.first :]
        x = (one - self._shift(other), other) if self.moves == "first" else (one, other - self._shift(one))
        return torch.cat(x, dim=1), y.new_zeros(len(y))

    def _shift(self, kept: Tensor) -> Tensor:
        shift: Tensor = self.network(kept).to(kept.dtype)  # under autocast a network answers in bfloat16
        return shift


class Rescale(nn.Module):
    """y = scale * x + shift, two numbers that stay as they are. logdet = d log |scale|."""

    def __init__(self, scale: float, shift: float):
        super().__init__()
        self.scale = scale
        self.shift = shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.scale * x + self.shift, x.new_full((len(x),), x[0].numel() * math.log(abs(self.scale)))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return (y - self.shift) / self.scale, y.new_full((len(y),), -y[0].numel() * math.log(abs(self.scale)))


class Diagonal(nn.Module):
    """y = exp(log_scale) * x, the last layer of NICE. logdet = sum(log_scale)."""

    def __init__(self, dimensions: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(dimensions))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(y))


class Chain(nn.Module):
    """Bijections applied one after the other; log-determinants add up."""

    def __init__(self, *bijections: nn.Module):
        super().__init__()
        self.bijections = nn.ModuleList(bijections)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for bijection in self.bijections:
            x, logdet = bijection(x)
            total = total + logdet
        return x, total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        total = y.new_zeros(len(y))
        for bijection in reversed(self.bijections):
            y, logdet = bijection.inverse(y)  # type: ignore[operator]  # modules type as Tensor | Module
            total = total + logdet
        return y, total
