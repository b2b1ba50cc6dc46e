"""The optimisers that these papers use, by the name that a method's setting gives them."""

from typing import Literal

import torch
from torch import nn

OptimiserName = Literal["adamw", "rmsprop"]


def named_optimiser(name: OptimiserName, model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Over every parameter, with torch's defaults, without weight decay.

    Raises:
        ValueError: there is none of that name.
    """
    if name == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0, fused=True)
    if name == "rmsprop":
        return torch.optim.RMSprop(model.parameters(), lr=learning_rate)
    raise ValueError(f"no optimiser {name}; there are adamw and rmsprop")


def warmed_up(warmup: int, examples: int) -> float:
    """What multiplies the learning rate: rises linearly from 0 to 1 over the first `warmup` examples."""
    return 1.0 if examples >= warmup else examples / warmup
