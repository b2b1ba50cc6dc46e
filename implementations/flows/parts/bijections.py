"""Bijections with their log-determinants: the nouns of every flow.

Contract: `forward(x)` gives (y, logdet) and `inverse(y)` gives (x, logdet), with x, y of shape (batch, dimensions),
logdet of shape (batch,) the log |det| of the Jacobian of the map just applied, in the input's dtype.
No argument is modified.
"""

import torch
from torch import Tensor, nn


class AdditiveCoupling(nn.Module):
    """y_moved = x_moved + m(x_kept), y_kept = x_kept; NICE (arXiv 1410.8516). Volume preserving."""

    kept: Tensor
    moved: Tensor

    def __init__(self, network: nn.Module, kept: Tensor, moved: Tensor):
        """`kept` and `moved` are index vectors that together name every dimension once."""
        super().__init__()
        self.network = network
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("moved", moved, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._shift(x, 1.0), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self._shift(y, -1.0), y.new_zeros(len(y))

    def _shift(self, x: Tensor, sign: float) -> Tensor:
        shift = self.network(x[:, self.kept]).to(x.dtype)
        return x.index_add(1, self.moved, shift, alpha=sign)


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
