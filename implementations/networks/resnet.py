"""Residual convolutional network, with no knowledge of any method.

Blocks with their rectifiers in front (He et al. 2016, arXiv 1603.05027), weight-normalised filters (Salimans and Kingma
2016, arXiv 1602.07868), batch normalisation as a choice, and a skip connection from every block to the output, as the
networks of RealNVP have them (arXiv 1605.08803, sections 3.7 and 4.1).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class WeightNormConvolution(nn.Module):
    """Convolution by the filters scale * direction / |direction|, one scale a filter; keeps height and width.

    Without `scale` each filter has length 1, without `bias` nothing is added: for places whose next normalisation would
    undo them.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, generator: torch.Generator, scale: bool = True, bias: bool = True
    ):
        """Filters of `size` x `size` pixels, an odd number; `generator` draws their directions."""
        super().__init__()
        self.direction = nn.Parameter(torch.empty(outputs, inputs, size, size))
        if not self.direction.is_meta:
            nn.init.normal_(self.direction, generator=generator)
        self.scale = nn.Parameter(torch.ones(outputs)) if scale else None
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.padding = size // 2

    def forward(self, x: Tensor) -> Tensor:
        factor = torch.linalg.vector_norm(self.direction, dim=(1, 2, 3), keepdim=True).reciprocal()
        if self.scale is not None:
            factor = self.scale[:, None, None, None] * factor
        return conv2d(x, self.direction * factor, self.bias, padding=self.padding)


def _rectifier(features: int, batch_norm: bool) -> nn.Module:
    if not batch_norm:
        return nn.ReLU()
    return nn.Sequential(nn.BatchNorm2d(features, eps=1e-4), nn.ReLU())  # eps: author code, real_nvp_utils.py


class ResidualBlock(nn.Module):
    """x + b(x), with b twice a rectifier (after a batch normalisation, if any) and a 3 x 3 convolution."""

    def __init__(self, features: int, batch_norm: bool, generator: torch.Generator):
        super().__init__()
        free = not batch_norm
        self.branch = nn.Sequential(
            _rectifier(features, batch_norm),
            WeightNormConvolution(features, features, 3, generator, scale=free, bias=free),
            _rectifier(features, batch_norm),
            WeightNormConvolution(features, features, 3, generator, bias=free),
        )

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.branch(x)
        return x + h


class ResidualNetwork(nn.Module):
    """(batch, i, height, width) to (batch, o, height, width), with F features and B blocks; its output starts at 0.

        h_0 = conv3(x),   h_k = block_k(h_k-1),   y = conv1(rectifier(conv1([h_0, ..., h_B])))

    Parameters: (19 B + 1) F^2 + (9 i + o + 5 B + 2) F + 2 o with batch normalisation, and
    (19 B + 1) F^2 + (9 i + o + 4 B + 3) F + 2 o without.
    """

    def __init__(
        self, inputs: int, outputs: int, features: int, blocks: int, batch_norm: bool, generator: torch.Generator
    ):
        super().__init__()
        free = not batch_norm  # everything that reads h_k is batch-normalised, which undoes a bias in it
        joined = (blocks + 1) * features
        self.first = WeightNormConvolution(inputs, features, 3, generator, scale=False, bias=free)
        self.blocks = nn.ModuleList(ResidualBlock(features, batch_norm, generator) for _ in range(blocks))
        self.skip = WeightNormConvolution(joined, features, 1, generator, scale=free, bias=free)
        self.rectifier = _rectifier(features, batch_norm)
        self.last = WeightNormConvolution(features, outputs, 1, generator)
        assert self.last.scale is not None
        nn.init.zeros_(self.last.scale)

    def forward(self, x: Tensor) -> Tensor:
        states = [self.first(x)]
        for block in self.blocks:
            states.append(block(states[-1]))
        y: Tensor = self.last(self.rectifier(self.skip(torch.cat(states, dim=1))))
        return y
