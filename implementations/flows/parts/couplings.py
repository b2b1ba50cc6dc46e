"""Affine couplings, of images with masks and of vectors in two parts, and the batch normalisation that follows them.

RealNVP, arXiv 1605.08803.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from implementations.common.errors import Unsupported
from implementations.flows.parts.multiscale import Shape


def checkerboard(shape: Shape, parity: int) -> Tensor:
    """Mask of an image: 1, kept, where row + column is even (parity 0) or odd (parity 1), in every channel.

    Section 3.4 and figure 3.

    Raises:
        ValueError: there is only one pixel.
    """
    channels, height, width = shape
    if height * width < 2:
        raise Unsupported(f"a checkerboard splits at least 2 pixels, not {height} x {width}; use fewer levels")
    odd = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    return (odd == parity).float().repeat(channels, 1, 1)


def channel_halves(shape: Shape, parity: int) -> Tensor:
    """Mask of an image: 1, kept, in the first half of the channels (parity 0) or in the second (parity 1).

    Section 3.4 and figure 3.

    Raises:
        ValueError: there is only one channel.
    """
    channels, height, width = shape
    if channels < 2:
        raise Unsupported("a channel-wise mask splits at least 2 channels, not 1; squeeze first")
    second = (torch.arange(channels) >= channels // 2).long()
    return (second == parity).float()[:, None, None].repeat(1, height, width)


class AffineCoupling(nn.Module):
    """y = mask x + (1 - mask) (x exp(s) + t), with s and t functions of mask x (equation 9).

    s = scale * tanh(raw) with `scale` learned for each channel (section 4.1); it starts at 1. `network`
    maps examples (batch, channels, ...) to (batch, 2 channels, ...), raw and then t. logdet = sum of s where moved.
    """

    kept: Tensor
    moved: Tensor

    def __init__(self, network: nn.Module, mask: Tensor):
        """`mask` has the shape of one example; 1 is kept, 0 is moved."""
        super().__init__()
        self.network = network
        self.scale = nn.Parameter(torch.ones(len(mask), 1, 1))
        self.register_buffer("kept", mask, persistent=False)
        self.register_buffer("moved", 1 - mask, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self._affine(x)
        return torch.addcmul(t, x, s.exp()), s.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self._affine(y)
        return (y - t) * (-s).exp(), -s.flatten(1).sum(1)

    def _affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """s and t of the shape of `x`, 0 where it is kept, so that x exp(s) + t is y everywhere."""
        raw, t = self.network(x * self.kept).to(x.dtype).chunk(2, dim=1)
        return raw.tanh() * (self.scale * self.moved), t * self.moved


class VectorCoupling(nn.Module):
    """The same of vectors (batch, d) in two parts: y_moved = x_moved exp(s) + t, y_kept = x_kept.

    s = scale * tanh(raw) and t are functions of x_kept alone. `network` maps it to raw and then t, of which there are
    as many as coordinates are moved.
    """

    def __init__(self, network: nn.Module, first: int, moved: int, moves: Literal["first", "second"]):
        """The first part of a vector is its first `first` coordinates; one part, of `moved` coordinates, is moved."""
        super().__init__()
        self.network = network
        self.first = first
        self.moves = moves
        self.scale = nn.Parameter(torch.ones(moved))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        moved, kept = self._parts(x)
        s, t = self._affine(kept)
        return self._joined(moved * s.exp() + t, kept), s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        moved, kept = self._parts(y)
        s, t = self._affine(kept)
        return self._joined((moved - t) * (-s).exp(), kept), -s.sum(1)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one, other = x[:, : self.first], x[:, self.first :]
        return (one, other) if self.moves == "first" else (other, one)

    def _joined(self, moved: Tensor, kept: Tensor) -> Tensor:
        return torch.cat([moved, kept] if self.moves == "first" else [kept, moved], dim=1)

    def _affine(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw, t = self.network(kept).to(kept.dtype).chunk(2, dim=1)
        return raw.tanh() * self.scale, t


class BatchNormalisation(nn.Module):
    """y = (x - mean) / sqrt(variance + eps) a channel of images (batch, channels, height, width).

    Equation 17; logdet = -height width / 2 sum log(variance + eps), equation 18. In training `forward` takes mean and
    variance of the batch and moves the running ones towards them; `inverse` and evaluation take the running ones. So
    rows are independent, and the two maps inverse to each other, in evaluation only.
    """

    mean: Tensor
    variance: Tensor
    eps = 1e-4  # author code, real_nvp_utils.py
    momentum = 0.1  # author code, real_nvp_utils.py: the weight of the newest batch

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("variance", torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self.mean, self.variance
        if self.training:
            variance, mean = (moment[0] for moment in torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True))
            with torch.no_grad():
                self.mean.lerp_(mean, self.momentum)
                self.variance.lerp_(variance, self.momentum)
        return (x - mean) * (variance + self.eps).rsqrt(), self._logdet(x, variance)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y * (self.variance + self.eps).sqrt() + self.mean, -self._logdet(y, self.variance)

    def _logdet(self, x: Tensor, variance: Tensor) -> Tensor:
        pixels = x.shape[2] * x.shape[3]
        return (-0.5 * pixels * (variance + self.eps).log().sum()).expand(len(x))
