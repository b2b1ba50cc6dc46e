"""What every file in `implementations/flows/` offers; the conformance tests take each method through it."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class FlowModel(Protocol):
    """A normalising flow on (batch, dimensions) tensors; an `nn.Module`."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) data to latent and log |det dz/dx| of shape (batch,)."""

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) latent to data and log |det dx/dz| of shape (batch,)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(batch, d) -> (batch,), nats on the scale of x."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws."""


class FlowMethod(Protocol):
    """A method file, as a module."""

    Settings: Any
    """Frozen dataclass; each field says where its value comes from."""

    def build(self, settings: Any, dimensions: int, generator: torch.Generator) -> nn.Module:
        """An untrained `FlowModel`; every initial value is drawn from `generator`."""

    def optimiser(self, model: nn.Module, settings: Any) -> torch.optim.Optimizer:
        """The recipe's optimiser over the model's parameters."""

    def loss(self, model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        """Scalar training loss of a (batch, d) batch."""
