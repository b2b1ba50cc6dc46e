"""Bijections of one part of the channels given the other, in the conventions of Glow (arXiv 1807.03039; openai/glow).

A network's even output channels shift and its odd ones scale.
"""

import torch
from torch import Tensor, nn

from implementations.flows.parts.edge_convolution import ZeroConvolution


def _two(network: nn.Module, given: Tensor) -> tuple[Tensor, Tensor]:
    """Even and odd channels of what the network says; under autocast it answers in bfloat16."""
    h = network(given).to(given.dtype)
    return h[:, 0::2], h[:, 1::2]


class SplitAffineCoupling(nn.Module):
    """y_2 = (x_2 + shift(x_1)) * scale(x_1), y_1 = x_1, with scale = sigmoid(h + 2) below 1; openai/glow, model.py.

    x_1 are the first `kept` channels of (batch, c, h, w) or (batch, c). logdet = sum log scale.
    """

    def __init__(self, network: nn.Module, kept: int):
        """`network` maps x_1 to twice the channels of x_2."""
        super().__init__()
        self.network = network
        self.kept = kept

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one, two = x[:, : self.kept], x[:, self.kept :]
        shift, scale = self._affine(one)
        return torch.cat([one, (two + shift) * scale], dim=1), scale.log().flatten(1).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        one, two = y[:, : self.kept], y[:, self.kept :]
        shift, scale = self._affine(one)
        return torch.cat([one, two / scale - shift], dim=1), -scale.log().flatten(1).sum(1)

    def _affine(self, one: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = _two(self.network, one)
        # As in openai/glow; torch's float32 logsigmoid takes ten times as long on a CPU.
        return shift, torch.sigmoid(raw + 2.0)


class SplitPrior(nn.Module):
    """Channels that leave, given others: z = (out - mean(given)) / exp(log_deviation(given)).

    If out ~ N(mean, deviation^2), Glow's learned prior of a split, then z is standard normal. Both numbers are zero at
    first. `Multiscale` takes it for its `leaving`.
    """

    def __init__(self, given: int, leaving: int):
        """How many channels each of the two has."""
        super().__init__()
        self.network = ZeroConvolution(given, 2 * leaving)

    def forward(self, out: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_deviation = _two(self.network, given)
        return (out - mean) * (-log_deviation).exp(), -log_deviation.flatten(1).sum(1)

    def inverse(self, z: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_deviation = _two(self.network, given)
        return z * log_deviation.exp() + mean, log_deviation.flatten(1).sum(1)


class TopPrior(nn.Module):
    """The learned prior of the last level as a bijection: a split prior that is given zeros.

    Of 2 c channels of zeros, as in openai/glow: what is learned are bias and scale of a channel and, by the channel
    that marks the border, how they differ there. The filters over the zeros have no effect and a gradient of 0; they
    are kept because the parameter counts of that code include them.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.prior = SplitPrior(2 * channels, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, logdet = self.prior(x, self._nothing(x))
        return z, logdet.expand(len(x))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x, logdet = self.prior.inverse(z, self._nothing(z))
        return x, logdet.expand(len(z))

    def _nothing(self, like: Tensor) -> Tensor:
        return like.new_zeros(1, 2 * self.channels, *like.shape[2:])
