"""Between integer grey levels and the continuous scale of a density, and between nats and bits per dimension."""

import math

import torch
from torch import Tensor


def dequantise(levels: Tensor, count: int, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """x = (level + u) / count with u ~ U[0, 1): integers 0..count-1, any shape, to [0, 1).

    For 8-bit images this is (255 x + u) / 256; every bin has width 1/count and none overlap (Theis et al. 2016,
    arXiv 1511.01844, section 3.1). A sum that rounding would carry into the next bin stays just below its edge.
    """
    noise = torch.rand(levels.shape, dtype=dtype, device=levels.device, generator=generator)
    edge = (levels.to(dtype) + 1) / count
    return torch.minimum((levels.to(dtype) + noise) / count, torch.nextafter(edge, torch.zeros_like(edge)))


def quantise(x: Tensor, count: int) -> Tensor:
    """The level of the bin that holds x; values outside [0, 1) go to the nearest bin. Inverse of `dequantise`."""
    edges = torch.arange(1, count, dtype=x.dtype, device=x.device) / count  # the same floats as in `dequantise`
    return torch.bucketize(x, edges, right=True).to(torch.uint8)


def bits_per_dimension(log_likelihood: float, dimensions: int, count: int) -> float:
    """log2(count) - LL / (d ln 2): bits of the discrete data that a density on [0, 1)^d bounds from above.

    `log_likelihood` in nats an image on the scale of `dequantise`.
    """
    return math.log2(count) - log_likelihood / (dimensions * math.log(2.0))
