"""What a method of `implementations/flows/` declares, and what its models offer. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from implementations.common.recipes import Recipe


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


@dataclass(frozen=True, kw_only=True)
class FlowMethod:
    """A density of examples of one shape: (d,), (height, width) or (channels, height, width).

    Its settings have `batch`, `gradient_clip` and `ema_half_life`; `initial_examples`, where there is such a setting,
    says how many training examples `FlowModel.initialise` is shown before the first step.
    """

    settings: type[Any]
    """Frozen dataclass; each field says where its value comes from."""

    build: Callable[[Any, Sequence[int], torch.Generator], nn.Module]
    """(settings, shape, generator) to an untrained model, whose initial values are all drawn from the generator.

    The model takes and gives (batch, d), d the product of the shape. Most methods give a `FlowModel`, a baseline may
    give a `DensityModel`. Raises ValueError for a shape that the method cannot model; the sentence says why.
    """

    loss: Callable[[Any, Tensor, torch.Generator], Tensor]
    """(model, x (batch, d), generator) to the scalar training loss."""

    recipe: Recipe

    posterior: Callable[[Any, int], AmortisedFlow] | None = None
    """(settings, dimensions) to the flow of a variational posterior, of methods that serve as one."""

    varies: tuple[str, ...] = ()
    """Settings along which papers compare: they name the rows, so that trends can be judged."""

    EVALUATION: ClassVar[frozenset[str]] = frozenset({"varies"})
