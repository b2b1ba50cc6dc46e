"""What planar and radial flows have in common: settings and recipe of Rezende and Mohamed 2015, arXiv 1505.05770."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from implementations.common.recipes import Recipe
from implementations.common.settings import require_positive


@dataclass(frozen=True)
class Settings:
    """The paper's learning rate goes with its 500,000 updates; short runs need a larger one."""

    flow_length: int = 8  # K; figure 3 has 2, 8 and 32 for planar maps (paper, from memory)
    batch: int = 100  # section 6 (paper, from memory)
    learning_rate: float = 1e-5  # section 6 (paper, from memory)
    momentum: float = 0.9  # section 6 (paper, from memory)
    gradient_clip: float | None = None  # ours: the paper clips nothing
    ema_half_life: int | None = None  # examples; ours: the paper averages nothing

    def __post_init__(self) -> None:
        require_positive(self, "batch", "learning_rate", "gradient_clip", "ema_half_life")
        if self.flow_length < 0 or not 0 <= self.momentum < 1:
            raise ValueError(f"flow_length is at least 0, momentum in [0, 1), not {self.flow_length}, {self.momentum}")


def rmsprop_with_momentum(model: nn.Module, settings: Any) -> torch.optim.Optimizer:
    """RMSprop with momentum; its other constants, which the paper does not state, are torch's defaults."""
    return torch.optim.RMSprop(model.parameters(), lr=settings.learning_rate, momentum=settings.momentum)


RMSPROP_WITH_MOMENTUM = Recipe(rmsprop_with_momentum)
