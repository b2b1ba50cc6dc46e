"""Convolutions that see where the image ends, with activation normalisation or zero at first; Glow's networks.

Glow (arXiv 1807.03039) describes the networks in section 5 and appendix B; that the border is marked is from its code,
openai/glow, tfops.py: a further input channel is 1 on the padding around the image and 0 inside.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from implementations.flows.parts.actnorm import LOG_SCALE_FACTOR, ActNorm

INITIAL_DEVIATION = 0.05  # standard deviation of filters; openai/glow, tfops.py


def scaled(filters: Tensor, scale: Tensor | None) -> Tensor:
    """Each filter times its number, if any."""
    return filters if scale is None else filters * scale[:, None, None, None]


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

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """convolution(x) * scale + shift a channel; the scale goes into the filters, sparing passes over images."""
        height, width = x.shape[2:]
        border = pad(x.new_zeros(1, 1, height, width), (1, 1, 1, 1), value=1.0)
        # In place: nothing else, the gradient included, needs the sum over the inputs alone.
        return conv2d(x, scaled(self.weight, scale), padding=1).add_(conv2d(border, scaled(self.edge, scale), shift))


class PointwiseConvolution(nn.Module):
    """1x1 convolution of (batch, inputs, h, w) to (batch, outputs, h, w), without bias."""

    def __init__(self, inputs: int, outputs: int):
        """Filters start at zero."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """convolution(x) * scale + shift a channel."""
        return conv2d(x, scaled(self.weight, scale), shift)


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
        norm = self.norm
        if norm.initialising and not norm.initialised:
            return norm.normalised(self.convolution(x))
        scale = (LOG_SCALE_FACTOR * norm.log_scale).exp()
        y: Tensor = self.convolution(x, scale, norm.shift * scale)
        return y


class ZeroConvolution(nn.Module):
    """(convolution(x) + bias) * exp(3 log_scale), all of it zero at first."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = EdgeConvolution(inputs, outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.log_scale = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        scale = (LOG_SCALE_FACTOR * self.log_scale).exp()
        y: Tensor = self.convolution(x, scale, self.bias * scale)
        return y


def coupling_network(inputs: int, outputs: int, width: int, generator: torch.Generator) -> nn.Sequential:
    """3x3, 1x1 and 3x3 convolutions with `width` hidden channels; zero at first.

    Parameters: 9 (inputs + 1) width + 2 width + width^2 + 2 width + 9 (width + 1) outputs + 2 outputs.
    """
    return nn.Sequential(
        NormalisedConvolution(EdgeConvolution(inputs, width), width, generator),
        nn.ReLU(inplace=True),
        NormalisedConvolution(PointwiseConvolution(width, width), width, generator),
        nn.ReLU(inplace=True),
        ZeroConvolution(width, outputs),
    )
