"""What every file in `implementations/diffusion/` offers; the conformance tests take each method through it.

A method that trains nothing of its own, but samples another one's model, has no `build`, `optimiser` and `loss`; its
entries name in `needs` the entry that trained the model.

A method may also offer
- `learning_rate_factor(settings, images)`: a float that multiplies the learning rate after `images` training examples;
- `log_likelihood(model, settings, x, generator)`: nats of examples (batch, *shape), (batch,): up to its solver exact,
  or with an unbiased estimate of the trace where there are many dimensions; its settings then name `tolerance`,
  `first_time` and `exact_trace_dimensions`;
- `variational_bound(model, settings, x, generator)`: upper bounds of their negative, (batch,).
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.samplers import Streams

Sampler = Callable[[Denoiser, Any, int, Streams], Tensor]
"""(model, settings, steps, streams) to samples (batch, *shape) of the data's scale, float64.

`steps` are those of the grid; how often the model is evaluated is counted, not stated. `streams` give each image its
own draws, the starting noise first.
"""


class DiffusionMethod(Protocol):
    """A method file, as a module. Data is on [-1, 1], (batch, *shape), float32 in training."""

    Settings: Any
    """Frozen dataclass; each field says where its value comes from. Has `batch`, `gradient_clip`, `ema_half_life`."""

    SAMPLERS: tuple[Sampler, ...]
    """Ways to sample a trained model; a function's name is the variant `sampler` of its rows."""

    def build(self, settings: Any, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
        """An untrained model of examples of this shape: (d,), (height, width) or (channels, height, width)."""

    def optimiser(self, model: nn.Module, settings: Any) -> torch.optim.Optimizer:
        """The recipe's optimiser over the model's parameters."""

    def loss(self, model: Denoiser, settings: Any, x: Tensor, generator: torch.Generator) -> Tensor:
        """Scalar training loss of a batch (batch, *shape)."""
