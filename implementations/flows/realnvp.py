"""RealNVP: Density estimation using Real NVP. Dinh, Sohl-Dickstein, Bengio 2016, arXiv 1605.08803.

Affine couplings, on several scales for images: z = f(x) with a standard normal z, and

    log p(x) = log N(f(x); 0, I) + log |det df/dx|,   to which a coupling adds the sum of its s over what it moves

    coupling   y = b x + (1 - b) (x exp(s(b x)) + t(b x)),   b a mask of 0 and 1                  (equation 9)
    inverse    x = b y + (1 - b) (y - t(b y)) exp(-s(b y)),  as cheap as the map itself           (equation 8)
    level      3 couplings by checkerboard, squeeze 2 x 2 pixels to 4 channels, 3 couplings by halves of the channels;
               then half of the channels leaves for z; the last level has 4 couplings by checkerboard (section 3.6)
    images     enter as logit(alpha + (1 - alpha) x) (section 4.1)

Vectors (d,) have couplings that move even and odd dimensions in turns, and no logit, since they have no bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from implementations.common.errors import Unsupported
from implementations.common.recipes import Recipe
from implementations.common.settings import require_positive
from implementations.flows.parts.bijections import Chain, EvenFirst
from implementations.flows.parts.couplings import (
    AffineCoupling,
    BatchNormalisation,
    VectorCoupling,
    channel_halves,
    checkerboard,
)
from implementations.flows.parts.flow import Flow, negative_log_likelihood
from implementations.flows.parts.logit import Logit
from implementations.flows.parts.multiscale import Multiscale, Reshape, Squeeze, image_shape, squeezed
from implementations.flows.parts.protocol import FlowMethod
from implementations.networks.mlp import mlp
from implementations.networks.resnet import ResidualNetwork, WeightNormConvolution


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's CIFAR-10 model; what only vectors use is ours."""

    levels: int = 2  # images; section 4.1: for CIFAR-10 "downscale only once", else down to 4 x 4
    residual_blocks: int = 8  # images, of each network; section 4.1
    feature_maps: int = 64  # images, of the first couplings, doubled by each squeezing; sections 4.1, 3.6
    batch_norm: bool = True  # images, in the networks and after each coupling; section 3.7
    alpha: float = 0.05  # images, of the logit; section 4.1
    weight_scale_penalty: float = 5e-5  # images, of the squared scales of weight normalisation; section 4.1
    couplings: int = 8  # vectors; ours
    hidden_units: int = 64  # vectors; ours
    hidden_layers: int = 2  # vectors; ours
    batch: int = 64  # section 4.1
    learning_rate: float = 1e-3  # section 4.1: Adam "with default hyperparameters"
    gradient_clip: float | None = 100.0  # author code, clip_gradient; the paper does not say
    ema_half_life: int | None = None  # images; ours: the paper averages nothing

    def __post_init__(self) -> None:
        require_positive(self, "levels", "residual_blocks", "feature_maps", "couplings", "hidden_units")
        require_positive(self, "hidden_layers", "batch", "learning_rate", "gradient_clip", "ema_half_life")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not {self.alpha}")
        if not self.weight_scale_penalty >= 0:
            raise ValueError(f"weight_scale_penalty is at least 0, not {self.weight_scale_penalty}")


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Flow:
    """An untrained model of images or vectors; at the defaults and (3, 32, 32) it has 19,564,185 parameters.

    Raises:
        ValueError: a vector of one dimension, or an image whose sides cannot be halved at every level but the last.
    """
    if len(shape) == 1:
        return Flow(_of_vectors(settings, shape[0], generator), shape[0])
    return Flow(_of_images(settings, shape, generator), prod(shape))


def _of_vectors(settings: Settings, dimensions: int, generator: torch.Generator) -> Chain:
    if dimensions < 2:
        raise Unsupported(f"a coupling splits at least 2 dimensions, not {dimensions}")
    evens, odds = (dimensions + 1) // 2, dimensions // 2
    parts: list[nn.Module] = [EvenFirst()]
    for number in range(settings.couplings):
        kept, moved = (evens, odds) if number % 2 == 0 else (odds, evens)
        network = mlp(kept, 2 * moved, settings.hidden_units, settings.hidden_layers, generator, zero_output=True)
        parts.append(VectorCoupling(network, evens, moved, moves="second" if number % 2 == 0 else "first"))
    return Chain(*parts)


def _of_images(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Chain:
    now = whole = image_shape(shape)
    levels, shapes = [], []
    for level in range(settings.levels):
        features, last = settings.feature_maps * 2**level, level == settings.levels - 1
        masks = [checkerboard(now, number % 2) for number in range(4 if last else 3)]
        parts = _couplings(settings, masks, features, generator)
        if not last:
            now = squeezed(now)
            masks = [channel_halves(now, number % 2) for number in range(3)]
            parts += [Squeeze(), *_couplings(settings, masks, 2 * features, generator)]
        levels.append(Chain(*parts))
        shapes.append(now)
        now = (now[0] // 2, *now[1:])
    return Chain(Reshape(whole), Logit(settings.alpha), Multiscale(levels, shapes))


def _couplings(
    settings: Settings, masks: Sequence[Tensor], features: int, generator: torch.Generator
) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for mask in masks:
        channels, blocks = len(mask), settings.residual_blocks
        network = ResidualNetwork(channels, 2 * channels, features, blocks, settings.batch_norm, generator)
        parts.append(AffineCoupling(network, mask))
        if settings.batch_norm:
            parts.append(BatchNormalisation(channels))
    return parts


def optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Adam with its defaults; the penalty c g^2 on a scale g enters as its gradient, 2 c g, and not in the loss."""
    normalised = [module for module in model.modules() if isinstance(module, WeightNormConvolution)]
    scales = [module.scale for module in normalised if module.scale is not None]
    penalised = {id(scale) for scale in scales}
    others = [parameter for parameter in model.parameters() if id(parameter) not in penalised]
    groups: list[dict[str, Any]] = [{"params": others}]
    groups.append({"params": scales, "weight_decay": 2 * settings.weight_scale_penalty})
    return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)


RECIPE = Recipe(optimiser)

METHOD = FlowMethod(settings=Settings, build=build, loss=negative_log_likelihood, recipe=RECIPE)
