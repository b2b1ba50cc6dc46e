"""Blocks of convolutional networks that are told a noise level: residual, attention, and changes of resolution.

    block:      h = (shortcut(x) + conv3(dropout(silu(norm(conv3(silu(norm(x))) + W e + b))))) * s
    attention:  h = (x + W_o v softmax(q.k / sqrt(c)) + b_o) * s,   q, k, v = W norm(x) + b, over all pixels

for an embedding e and a fixed s: 1 in DDPM (arXiv 2006.11239), sqrt(1/2) in score SDE (arXiv 2011.13456). The last
layer of each branch starts at exactly zero, where the authors' codes scale its weights by 1e-5.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pad, silu

from implementations.networks.conditioning import ExplicitDropout, Random, dense, xavier


def convolution(inputs: int, outputs: int, size: int, generator: Random, gain: float = 1.0, **how: int) -> nn.Conv2d:
    """`size` x `size` filters with initial weights of `xavier`; `how` is handed on to torch."""
    device = torch.get_default_device()
    layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, inputs, outputs, size, device=device, **how)
    return xavier(layer, generator, gain)


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups, or fewer where that leaves less than 4 channels a group or does not divide them."""
    return nn.GroupNorm(math.gcd(channels, min(32, channels // 4)), channels, eps=1e-6)


def halved(h: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; at an odd edge, of those that are there."""
    return avg_pool2d(h, 2, ceil_mode=True)


def doubled(h: Tensor) -> Tensor:
    """Every pixel four times."""
    return interpolate(h, scale_factor=2, mode="nearest")


def unchanged(h: Tensor) -> Tensor:
    """The identity, where a block does not resize."""
    return h


class Attention(nn.Module):
    """One head over all pixels: (batch, c, height, width) to the same, by 4 c^2 + 6 c parameters."""

    def __init__(self, channels: int, scale: float, gain: float, generator: Random):
        """`scale` is s of the module's docstring, `gain` that of the initial q, k, v."""
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = convolution(channels, 3 * channels, 1, generator, gain)
        self.out = convolution(channels, channels, 1, generator, gain=0.0)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).flatten(2).chunk(3, dim=1)  # (batch, c, pixels)
        weights = torch.softmax(q.mT @ (k / math.sqrt(k.shape[1])), dim=-1)  # (batch, pixels that look, looked at)
        h: Tensor = (x + self.out((v @ weights.mT).view_as(x))) * self.scale
        return h


class ResidualBlock(nn.Module):
    """(batch, i, height, width) and an embedding (batch, m) to (batch, o, height', width'), with attention after it.

    Parameters without attention: 9 i o + 9 o^2 + 2 i + (m + 5) o, and (i + 1) o for a shortcut that is a convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        dropout: float,
        scale: float,
        generator: Random,
        resample: Callable[[Tensor], Tensor] = unchanged,
        attention: Attention | None = None,
    ):
        """`resample` comes before the first convolution and before the shortcut, which then is a convolution too."""
        super().__init__()
        self.norms = nn.ModuleList([group_norm(inputs), group_norm(outputs)])
        self.first = convolution(inputs, outputs, 3, generator, padding=1)
        self.shift = dense(embedding, outputs, generator)
        self.dropout = ExplicitDropout(dropout)
        self.last = convolution(outputs, outputs, 3, generator, gain=0.0, padding=1)
        plain = inputs == outputs and resample is unchanged
        self.shortcut = None if plain else convolution(inputs, outputs, 1, generator)
        self.resample, self.attention, self.scale = resample, attention, scale

    def forward(self, x: Tensor, embedding: Tensor, generator: Random) -> Tensor:
        before, after = self.norms
        h = self.first(self.resample(silu(before(x)))) + self.shift(embedding)[:, :, None, None]
        h = self.last(self.dropout(silu(after(h)), generator))
        kept = x if self.shortcut is None else self.shortcut(self.resample(x))
        h = (kept + h) * self.scale
        y: Tensor = h if self.attention is None else self.attention(h)
        return y


class StridedConvolution(nn.Module):
    """3 x 3 at every second pixel: n to ceil(n / 2), padded on the right, and on the left only where n is odd.

    Parameters: 9 c^2 + c; with the padding that the original's TensorFlow calls SAME.
    """

    def __init__(self, channels: int, generator: Random):
        super().__init__()
        self.convolution = convolution(channels, channels, 3, generator, stride=2)

    def forward(self, h: Tensor, embedding: Tensor, generator: Random) -> Tensor:
        height, width = h.shape[2:]
        halves: Tensor = self.convolution(pad(h, (width % 2, 1, height % 2, 1)))
        return halves


class DoublingConvolution(nn.Module):
    """Every pixel four times, then 3 x 3. Parameters: 9 c^2 + c."""

    def __init__(self, channels: int, generator: Random):
        super().__init__()
        self.convolution = convolution(channels, channels, 3, generator, padding=1)

    def forward(self, h: Tensor, embedding: Tensor, generator: Random) -> Tensor:
        doubles: Tensor = self.convolution(doubled(h))
        return doubles
