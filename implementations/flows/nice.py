"""NICE: Non-linear Independent Components Estimation. Dinh, Krueger, Bengio 2014, arXiv 1410.8516.

An image x is mapped to z = f(x) by couplings whose Jacobian determinant is 1, then scaled once; the density is exact:

    log p(x) = sum_d log p_d(z_d) + sum_d s_d,    z = f(x)

    coupling    z_moved = x_moved + m(x_kept),   z_kept = x_kept                   (additive coupling)
    scaling     z = exp(s) * h                                                      (diagonal, once, at the end)
    prior       log p_d(z) = -log(1 + e^z) - log(1 + e^-z)                          (logistic)

Even and odd pixels take turns in being moved. Inversion costs as much as evaluation: z_moved - m(z_kept).
Before the couplings an image may be mapped to [-1, 1] and whitened; both maps are part of f and of its determinant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import nn

from implementations.common.errors import Unsupported
from implementations.common.recipes import Recipe
from implementations.common.settings import require_positive
from implementations.flows.parts.bijections import AdditiveCoupling, Chain, Diagonal, EvenFirst, Rescale
from implementations.flows.parts.flow import Flow, negative_log_likelihood
from implementations.flows.parts.priors import Gaussian, Logistic, Prior
from implementations.flows.parts.protocol import FlowMethod
from implementations.flows.parts.whitening import ZcaWhitening
from implementations.networks.mlp import mlp


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's MNIST model; docs/nice.md has those of TFD, SVHN and CIFAR-10."""

    couplings: int = 4  # section 5.1, architecture table
    hidden_layers: int = 5  # section 5.1, architecture table
    hidden_units: int = 1000  # section 5.1, architecture table
    prior: Literal["logistic", "gaussian"] = "logistic"  # section 5.1, architecture table
    data_range: Literal["[0, 1]", "[-1, 1]"] = "[0, 1]"  # section 5.1, preprocessing
    whitening: Literal["none", "zca"] = "none"  # section 5.1, preprocessing
    whitening_ridge: float = 1e-8  # variance in `data_range`; ours, below the 1.3e-6 of dequantisation noise: exact ZCA
    initial_examples: int = 0  # ours: training images from which whitening takes mean and covariance
    batch: int = 200  # author code, exp/nice_mnist.yaml
    learning_rate: float = 1e-3  # section 5.1
    beta1: float = 0.9  # section 5.1
    beta2: float = 0.99  # section 5.1, written there as 0.01 in the older notation
    epsilon: float = 1e-4  # section 5.1
    gradient_clip: float | None = None  # ours: the paper clips nothing
    ema_half_life: int | None = None  # images; ours: the paper averages nothing

    def __post_init__(self) -> None:
        require_positive(self, "couplings", "hidden_layers", "hidden_units", "batch", "learning_rate", "epsilon")
        require_positive(self, "gradient_clip", "ema_half_life", "whitening_ridge")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ValueError(f"beta1 and beta2 lie in [0, 1), not {self.beta1} and {self.beta2}")
        if self.whitening != "none" and self.initial_examples < 2:
            raise ValueError(
                f"whitening measures a covariance on initial_examples, of which {self.initial_examples} are too few"
            )


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Flow:
    """An untrained model; at the defaults and 28 x 28 pixels it has 19,158,352 parameters."""
    dimensions = prod(shape)
    if dimensions < 2:
        raise Unsupported(f"a coupling splits at least 2 dimensions, not {dimensions}")
    evens, odds = (dimensions + 1) // 2, dimensions // 2
    steps: list[nn.Module] = []
    if settings.data_range == "[-1, 1]":
        steps.append(Rescale(2.0, -1.0))
    if settings.whitening == "zca":
        steps.append(ZcaWhitening(dimensions, settings.whitening_ridge))
    steps.append(EvenFirst())
    for number in range(settings.couplings):
        kept, moved = (evens, odds) if number % 2 == 0 else (odds, evens)
        network = mlp(kept, moved, settings.hidden_units, settings.hidden_layers, generator)
        steps.append(AdditiveCoupling(network, evens, moves="second" if number % 2 == 0 else "first"))
    steps.append(Diagonal(dimensions))
    priors: dict[str, Prior] = {"logistic": Logistic(), "gaussian": Gaussian()}
    return Flow(Chain(*steps), dimensions, priors[settings.prior])


def optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Adam with the paper's constants (section 5.1)."""
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(
        model.parameters(), lr=settings.learning_rate, betas=betas, eps=settings.epsilon, fused=True
    )


RECIPE = Recipe(optimiser)

METHOD = FlowMethod(settings=Settings, build=build, loss=negative_log_likelihood, recipe=RECIPE)
