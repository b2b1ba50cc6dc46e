"""Convolutions that see where the image ends, with activation normalisation or zero at first; Glow's networks.

Glow (arXiv 1807.03039) describes the networks in section 5 and appendix B; that the border is marked is from its code,
openai/glow, tfops.py: a further input channel is 1 on the padding around the image and 0 inside.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from implementations.flows.parts.actnorm import LOG_SCALE_FACTOR, ActNorm, per_channel

INITIAL_DEVIATION = 0.05  # standard deviation of filters; openai/glow, tfops.py


class EdgeConvolution(nn.Module):
    """3x3 convolution of zero-padded (batch, inputs, h, w) to (batch, outputs, h, w), without bias.

    `edge` are the filters of the channel that marks the border. That channel is the same for every example, so it is
    convolved once and added: the same sum as over inputs + 1 channels.
    """

    def __init__(self, inputs: int, outputs: int):
        """Filters start at zero."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
        self.edge = nn.Parameter(torch.zeros(outputs, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        border = pad(x.new_zeros(1, 1, height, width), (1, 1, 1, 1), value=1.0)
        return conv2d(x, self.weight, padding=1) + conv2d(border, self.edge)


class NormalisedConvolution(nn.Module):
    """A convolution, then ActNorm in place of a bias."""

    def __init__(self, convolution: nn.Module, outputs: int, generator: torch.Generator):
        """Draws the filters of `convolution`; on the meta device nothing is drawn."""
        super().__init__()
        self.convolution = convolution
        self.norm = ActNorm(outputs)
        for filters in convolution.parameters():
            if not filters.is_meta:
                nn.init.normal_(filters, std=INITIAL_DEVIATION, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm.normalised(self.convolution(x))


class ZeroConvolution(nn.Module):
    """(convolution(x) + bias) * exp(3 log_scale), all of it zero at first."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = EdgeConvolution(inputs, outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.log_scale = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        h = self.convolution(x) + per_channel(self.bias, x)
        return cast(Tensor, h * per_channel((LOG_SCALE_FACTOR * self.log_scale).exp(), x))


def coupling_network(inputs: int, outputs: int, width: int, generator: torch.Generator) -> nn.Sequential:
    """3x3, 1x1 and 3x3 convolutions with `width` hidden channels; zero at first.

    Parameters: 9 (inputs + 1) width + 2 width + width^2 + 2 width + 9 (width + 1) outputs + 2 outputs.
    """
    pointwise: nn.Module = nn.utils.skip_init(nn.Conv2d, width, width, 1, bias=False, device=torch.get_default_device())
    return nn.Sequential(
        NormalisedConvolution(EdgeConvolution(inputs, width), width, generator),
        nn.ReLU(),
        NormalisedConvolution(pointwise, width, generator),
        nn.ReLU(),
        ZeroConvolution(width, outputs),
    )
