"""What the methods have in common: the model is the language model itself, and settings name the optimiser."""

from typing import Any, Literal, cast

import torch
from torch import nn

from implementations.common.recipes import Recipe, linear_warmup
from implementations.preferences.parts.models import LanguageModel

OptimiserName = Literal["adamw", "rmsprop"]


def named_optimiser(model: nn.Module, settings: Any) -> torch.optim.Optimizer:
    """The setting `optimiser` over every parameter, with torch's defaults, without weight decay.

    Raises:
        ValueError: there is none of that name.
    """
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.0, fused=True)
    if settings.optimiser == "rmsprop":
        return torch.optim.RMSprop(model.parameters(), lr=settings.learning_rate)
    raise ValueError(f"no optimiser {settings.optimiser}; there are adamw and rmsprop")


NAMED = Recipe(named_optimiser, linear_warmup)


def trunk_alone(settings: Any, trunk: LanguageModel) -> nn.Module:
    """The trunk without a head. Where there is a reference, the weights to start from are the reference's."""
    return cast(nn.Module, trunk)


def whole_model(model: LanguageModel) -> LanguageModel:
    """The policy of a model without a head: the model itself."""
    return model
