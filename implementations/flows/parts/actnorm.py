"""Activation normalisation: a scale and a shift a channel, which start from training data."""

import torch
from torch import Tensor, nn

from implementations.flows.parts.flow import DataDependent

LOG_SCALE_FACTOR = 3.0  # openai/glow, tfops.py: a third of a log-scale is learned, so that it moves three times as fast


def per_channel(values: Tensor, like: Tensor) -> Tensor:
    """(c,) shaped so that it broadcasts over `like`, (batch, c, h, w) or (batch, c)."""
    return values.reshape(-1, *[1] * (like.dim() - 2))


class ActNorm(DataDependent):
    """y = (x + shift) * exp(3 log_scale) a channel, of (batch, c, h, w) or (batch, c) (Glow, arXiv 1807.03039, 3.1).

    logdet = h w sum of 3 log_scale. The first batch that `Flow.initialise` shows sets shift and log_scale such that
    each channel of y has mean 0 and variance 1. Further calls change nothing, because by then the two may have been
    learned; the buffer `initialised` says so in the state dict too.
    """

    initialised: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.normalised(x), self._log_determinant(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        scale = (-LOG_SCALE_FACTOR * self.log_scale).exp()
        return y * per_channel(scale, y) - per_channel(self.shift, y), -self._log_determinant(y)

    def normalised(self, x: Tensor) -> Tensor:
        """y alone, for networks, which have no determinant."""
        if self.initialising and not self.initialised:
            self._measure(x)
        scale = (LOG_SCALE_FACTOR * self.log_scale).exp()
        return (x + per_channel(self.shift, x)) * per_channel(scale, x)

    def _log_determinant(self, like: Tensor) -> Tensor:
        positions = like[0, 0].numel()
        return (positions * LOG_SCALE_FACTOR * self.log_scale.sum()).expand(len(like))

    @torch.no_grad()
    def _measure(self, x: Tensor) -> None:
        variance, mean = torch.var_mean(x, dim=[0, *range(2, x.dim())], correction=0)
        self.shift.copy_(-mean)
        # openai/glow adds 1e-6 too: a channel that does not vary is scaled up, but to something finite.
        self.log_scale.copy_(-(variance.sqrt() + 1e-6).log() / LOG_SCALE_FACTOR)
        self.initialised.fill_(True)
