"""Multilayer perceptron: the plain network, with no knowledge of any method."""

import itertools
import math

import torch
from torch import nn


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Affine layer with torch's default law, U(-1/sqrt(inputs), 1/sqrt(inputs)), drawn from `generator`.

    On the meta device nothing is drawn, so parameter counts cost no memory.
    """
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, device=torch.get_default_device())
    if not layer.weight.is_meta:
        bound = 1.0 / math.sqrt(inputs)
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def mlp(
    inputs: int,
    outputs: int,
    hidden_units: int,
    hidden_layers: int,
    generator: torch.Generator,
    zero_output: bool = False,
) -> nn.Sequential:
    """Hidden layers of rectified units and a linear output: (..., inputs) -> (..., outputs).

    With `zero_output` the output layer starts at zero, so that a flow may start at the identity. Parameters:
    (inputs + 1) h + (layers - 1)(h + 1) h + (h + 1) outputs for h hidden units.
    """
    widths = [inputs] + [hidden_units] * hidden_layers
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [linear(before, after, generator), nn.ReLU()]
    last = linear(widths[-1], outputs, generator)
    if zero_output:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
