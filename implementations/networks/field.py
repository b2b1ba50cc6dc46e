"""Vector fields: networks that map a time and a point to a vector of the point's shape; they know no method.

Time is one more input, or one more channel, of every layer. Parameters of the MLP on d dimensions with n layers of h
units: (d + 2) h + (n - 1)(h + 2) h + (h + 2) d; of the convolutional one on c channels, with h filters of 3 x 3:
(9 (c + 1) + 1) h + (n - 1)(9 (h + 1) + 1) h + (9 (h + 1) + 1) c.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from implementations.networks.mlp import linear

START = 0.1  # of torch's default law, for the last layer, so that a flow starts near the identity


class VectorField(nn.Module):
    """Layers that each see time; (t, x) -> a tensor of the shape and dtype of x, which is (batch, features, ...)."""

    def __init__(self, layers: list[nn.Module], activation: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = activation

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        h = x
        for layer in hidden:
            h = self.activation(layer(_with_time(t, h)))
        value: Tensor = last(_with_time(t, h)).to(x.dtype)
        return value


def mlp_field(
    dimensions: int, hidden_units: int, hidden_layers: int, activation: nn.Module, generator: torch.Generator
) -> VectorField:
    """A field on (batch, dimensions)."""
    return _field(linear, dimensions, hidden_units, hidden_layers, activation, generator)


def conv_field(
    channels: int, filters: int, hidden_layers: int, activation: nn.Module, generator: torch.Generator
) -> VectorField:
    """A field on (batch, channels, height, width), whose layers convolve with 3 x 3 kernels, padded with zeros."""
    return _field(_conv, channels, filters, hidden_layers, activation, generator)


def _field(
    layer: Callable[[int, int, torch.Generator], nn.Module],
    features: int,
    hidden: int,
    hidden_layers: int,
    activation: nn.Module,
    generator: torch.Generator,
) -> VectorField:
    widths = [features] + [hidden] * hidden_layers + [features]
    layers = [layer(before + 1, after, generator) for before, after in itertools.pairwise(widths)]
    with torch.no_grad():
        for parameter in layers[-1].parameters():
            parameter.mul_(START)
    return VectorField(layers, activation)


def _conv(inputs: int, outputs: int, generator: torch.Generator) -> nn.Conv2d:
    """3 x 3 convolution with torch's default law, drawn from `generator`; nothing is drawn on the meta device."""
    layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1, device=torch.get_default_device())
    if not layer.weight.is_meta:
        bound = 1.0 / math.sqrt(9 * inputs)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
    return layer


def _with_time(t: Tensor, h: Tensor) -> Tensor:
    return torch.cat([h, t.to(h.dtype).expand(len(h), 1, *h.shape[2:])], dim=1)
