"""Recipes: the optimiser that a method trains with, and what multiplies its learning rate as training goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """How weights are moved; both functions are given the method's settings."""

    optimiser: Callable[[nn.Module, Any], torch.optim.Optimizer]  # over the model's parameters
    learning_rate_factor: Callable[[Any, int], float] | None = None  # after so many examples; None: constant

    def rate(self, settings: Any, examples: int) -> float:
        """What multiplies the learning rate after `examples` training examples."""
        return 1.0 if self.learning_rate_factor is None else float(self.learning_rate_factor(settings, examples))


def adam(model: nn.Module, settings: Any) -> torch.optim.Optimizer:
    """Adam with its defaults."""
    return torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)


def linear_warmup(settings: Any, examples: int) -> float:
    """Rises linearly from 0 to 1 over the first `warmup` examples."""
    return 1.0 if examples >= settings.warmup else examples / settings.warmup


ADAM = Recipe(adam)
WARMED_ADAM = Recipe(adam, linear_warmup)
