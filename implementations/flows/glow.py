"""Glow: Generative Flow with Invertible 1x1 Convolutions. Kingma, Dhariwal 2018, arXiv 1807.03039.

An image x is mapped to a standard normal z = f(x) by levels of steps. One step (table 1) on h of c channels:

    actnorm          h <- (h + shift) * scale           a channel; from training data h starts with mean 0, variance 1
    1x1 convolution  h <- W h                           log |det| = height * width * log |det W|
    coupling         h_2 <- (h_2 + t(h_1)) * s(h_1)     s = sigmoid(raw + 2), log |det| = sum log s; additive: s = 1

Before a level 2 x 2 pixels become four channels; after each level but the last, half of the channels leaves,
standardised by a mean and a deviation that a network reads off the other half. The last level's are learned too:

    log p(x) = sum_d log N(z_d; 0, 1) + log |det df/dx|

Conventions that the paper leaves open are those of the authors' code, openai/glow; docs/glow.md lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from implementations.common.errors import Unsupported
from implementations.common.recipes import Recipe
from implementations.common.settings import require_positive
from implementations.flows.parts.actnorm import ActNorm
from implementations.flows.parts.bijections import AdditiveCoupling, Chain, Rescale
from implementations.flows.parts.edge_convolution import coupling_network
from implementations.flows.parts.flow import Flow, negative_log_likelihood
from implementations.flows.parts.mixing import InvertibleLinear, InvertibleLinearLU, reversal, shuffle
from implementations.flows.parts.multiscale import Multiscale, Reshape, Squeeze, image_shape, squeezed
from implementations.flows.parts.protocol import FlowMethod
from implementations.flows.parts.split_coupling import SplitAffineCoupling, SplitPrior, TopPrior
from implementations.networks.mlp import mlp

Network = Callable[[int, int], nn.Module]  # of so many input and output channels


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the CIFAR-10 model; docs/glow.md has those of the others."""

    levels: int = 3  # openai/glow, README.md; images only
    depth: int = 32  # steps a level; openai/glow, README.md
    width: int = 512  # hidden channels of a coupling's network; openai/glow, train.py; images only
    coupling: Literal["affine", "additive"] = "affine"  # openai/glow, README.md
    permutation: Literal["conv1x1", "conv1x1_lu", "reverse", "shuffle"] = "conv1x1"  # README.md; LU is section 3.2
    learned_top: bool = True  # openai/glow, README.md; images only
    hidden_layers: int = 2  # ours: the networks of points (d,), of which the paper has none
    hidden_units: int = 128  # ours: as above
    initial_examples: int = 256  # openai/glow, train.py: n_batch_init
    batch: int = 512  # openai/glow, README.md: 64 on each of 8 GPUs
    learning_rate: float = 1e-3  # openai/glow, README.md
    warmup_examples: int = 500_000  # openai/glow, train.py: 10 epochs of 50,000 images
    beta1: float = 0.9  # openai/glow, train.py
    beta2: float = 0.999  # Adam's default, which the paper uses (paper, from memory)
    gradient_clip: float | None = None  # openai/glow clips nothing
    ema_half_life: int | None = None  # images; openai/glow evaluates the weights as trained

    def __post_init__(self) -> None:
        require_positive(self, "levels", "depth", "width", "hidden_layers", "hidden_units", "batch", "learning_rate")
        require_positive(self, "gradient_clip", "ema_half_life")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ValueError(f"beta1 and beta2 lie in [0, 1), not {self.beta1} and {self.beta2}")
        if self.initial_examples < 2:
            raise ValueError(
                f"actnorm measures a variance on initial_examples, of which {self.initial_examples} are too few"
            )
        if self.warmup_examples < 0:
            raise ValueError(f"warmup_examples must not be below 0, but is {self.warmup_examples}")


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Flow:
    """An untrained model; at the defaults and 3 x 32 x 32 pixels it has 44,603,604 parameters."""
    return points(settings, shape[0], generator) if len(shape) == 1 else images(settings, shape, generator)


def images(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Flow:
    """The paper's multiscale model."""

    def network(inputs: int, outputs: int) -> nn.Module:
        return coupling_network(inputs, outputs, settings.width, generator)

    shapes, levels, leaving = [squeezed(image_shape(shape))], [], []
    for number in range(settings.levels):
        channels, height, width = shapes[-1]
        steps: list[nn.Module] = [step(settings, channels, network, generator) for _ in range(settings.depth)]
        if number < settings.levels - 1:
            leaving.append(SplitPrior(channels // 2, channels // 2))
            shapes.append(squeezed((channels // 2, height, width)))
        elif settings.learned_top:
            steps.append(TopPrior(channels))
        levels.append(Chain(Squeeze(), *steps))
    pixels = Reshape(image_shape(shape))
    dimensions = torch.Size(shape).numel()
    # [0, 1) becomes [-0.5, 0.5), as in openai/glow.
    return Flow(Chain(Rescale(1.0, -0.5), pixels, Multiscale(levels, shapes, leaving)), dimensions)


def points(settings: Settings, dimensions: int, generator: torch.Generator) -> Flow:
    """The same steps on vectors, at one level; ours, as a density of points is not in the paper."""
    if dimensions < 2:
        raise Unsupported(f"a coupling splits at least 2 dimensions, not {dimensions}")

    def network(inputs: int, outputs: int) -> nn.Module:
        return mlp(inputs, outputs, settings.hidden_units, settings.hidden_layers, generator, zero_output=True)

    return Flow(Chain(*(step(settings, dimensions, network, generator) for _ in range(settings.depth))), dimensions)


def step(settings: Settings, channels: int, network: Network, generator: torch.Generator) -> Chain:
    """Actnorm, permutation, coupling: one step of the flow, section 3."""
    mixing: nn.Module
    match settings.permutation:
        case "conv1x1":
            mixing = InvertibleLinear(channels, generator)
        case "conv1x1_lu":
            mixing = InvertibleLinearLU(channels, generator)
        case "shuffle":
            mixing = shuffle(channels, generator)
        case "reverse":
            mixing = reversal(channels)
    kept, moved = channels // 2, channels - channels // 2
    coupling: nn.Module
    if settings.coupling == "affine":
        coupling = SplitAffineCoupling(network(kept, 2 * moved), kept)
    else:
        coupling = AdditiveCoupling(network(kept, moved), kept, moves="second")
    return Chain(ActNorm(channels), mixing, coupling)


def learning_rate_factor(settings: Settings, images: int) -> float:
    """Linear warm-up: 0 before the first example, 1 from `warmup_examples` on (openai/glow, train.py)."""
    return min(1.0, images / settings.warmup_examples) if settings.warmup_examples else 1.0


def optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Adam, as the paper says; openai/glow's default is Adamax (see docs/glow.md)."""
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=betas, fused=True)


RECIPE = Recipe(optimiser, learning_rate_factor)

METHOD = FlowMethod(
    settings=Settings, build=build, loss=negative_log_likelihood, recipe=RECIPE, varies=("coupling", "permutation")
)
