"""Base densities of the flows: log-density summed over dimensions, and draws from an explicit generator."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


class Prior(Protocol):
    """A factorised density on R^d."""

    def log_prob(self, z: Tensor) -> Tensor:
        """(batch, d) -> (batch,), nats."""

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draws of the shape, dtype and device of `like`."""


class Logistic:
    """Standard logistic: log p(z) = -log(1 + e^z) - log(1 + e^-z) a dimension, the prior of NICE."""

    def log_prob(self, z: Tensor) -> Tensor:
        return (logsigmoid(z) + logsigmoid(-z)).sum(1)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        # logit(u) is infinite at u = 0, which rand can return; half its smallest step stands in for it.
        u = torch.rand(like.shape, dtype=like.dtype, device=like.device, generator=generator)
        return torch.logit(u.clamp_min(torch.finfo(like.dtype).eps / 4))


class Gaussian:
    """Standard normal: log p(z) = -z^2/2 - ln(2 pi)/2 a dimension."""

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, dtype=like.dtype, device=like.device, generator=generator)
