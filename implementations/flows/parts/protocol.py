"""What every file in `implementations/flows/` offers; the conformance tests take each method through it.

A method may also offer
- `learning_rate_factor(settings, images)`: a float that multiplies the learning rate after `images` training examples;
- `posterior(settings, dimensions)`: an `AmortisedFlow`, for methods that serve as the flow of a variational posterior;
- a setting `initial_examples`: how many training examples `FlowModel.initialise` is shown before the first step.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class DensityModel(Protocol):
    """An exact density on (batch, d) tensors with draws; an `nn.Module`."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(batch, d) -> (batch,), nats on the scale of x."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws."""

    def initialise(self, x: Tensor) -> None:
        """Takes data-dependent initial values from training examples (batch, d); most models have none."""


@runtime_checkable
class FlowModel(DensityModel, Protocol):
    """A normalising flow; `parts/flow.py` makes one of any bijection.

    A flow that solves an ODE also has `solver` (its variant, such as {"solver": "dopri5", "tolerance": 1e-5}) and
    `evaluations` (how often the last solve evaluated its vector field).
    """

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) data to latent and log |det dz/dx| of shape (batch,)."""

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) latent to data and log |det dx/dz| of shape (batch,)."""


class AmortisedFlow(Protocol):
    """Maps whose parameters are given per example, by an inference network."""

    parameters: int
    """How many numbers an example's maps take."""

    def __call__(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """z (batch, d) and parameters (batch, `parameters`) to (z', log |det dz'/dz| of shape (batch,))."""


class FlowMethod(Protocol):
    """A method file, as a module."""

    Settings: Any
    """Frozen dataclass; each field says where its value comes from. Has `batch`, `gradient_clip`, `ema_half_life`."""

    def build(self, settings: Any, shape: Sequence[int], generator: torch.Generator) -> nn.Module:
        """An untrained model of examples of this shape: (d,), (height, width) or (channels, height, width).

        The model itself takes and gives (batch, d), d the product of the shape. Every initial value is drawn from
        `generator`. Most methods give a `FlowModel`, a baseline may give a `DensityModel`.

        Raises:
            ValueError: the method cannot model that shape; the sentence says why.
        """

    def optimiser(self, model: nn.Module, settings: Any) -> torch.optim.Optimizer:
        """The recipe's optimiser over the model's parameters."""

    def loss(self, model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        """Scalar training loss of a (batch, d) batch."""
