"""A method like those of the diffusion family, but small: one number is learned, and all answers are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.record.evaluated import Measured
from implementations.common.recipes import Recipe
from implementations.diffusion.parts.backbones import Backbone, starting_noise
from implementations.diffusion.parts.grids import uniform_time
from implementations.diffusion.parts.parameterisations import Denoiser, velocity
from implementations.diffusion.parts.paths import diffuse, linear
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams, first_order, heun


@dataclass(frozen=True)
class Settings:
    slope: float = 0.0  # what the model begins with
    batch: int = 20
    gradient_clip: float | None = None
    ema_half_life: int | None = None


@dataclass(frozen=True)
class Solved(Settings):
    """With what a likelihood along a flow is taken by."""

    tolerance: float = 1e-3
    first_time: float = 1e-5
    exact_trace_dimensions: int = 64


class Scale(nn.Module):
    """F = w x with one number w."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: Tensor, label: Tensor, **_: Any) -> Tensor:
        return self.slope * x


def build(settings: Settings, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
    return Denoiser(Backbone(Scale(settings.slope), shape), velocity())


def loss(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    eps, t = torch.randn(x.shape, generator=generator), torch.rand(len(x), generator=generator, dtype=torch.float64)
    return (model.output(diffuse(linear(), x, eps, t), *linear().at(t)) - (eps - x)).square().mean()


def euler(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    return first_order(model, starting_noise(model, streams), uniform_time(linear(), steps))


def corrected(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    return heun(model, starting_noise(model, streams), uniform_time(linear(), steps))


def adaptive(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    return euler(model, settings, 4, streams)


def steepest(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05)


SMALL_METHOD = DiffusionMethod(
    settings=Settings,
    samplers=(euler, corrected, adaptive),
    build=build,
    loss=loss,
    recipe=Recipe(steepest),
)


def named(rows: Sequence[Measured], name: str, **variant: Any) -> list[Measured]:
    """Rows of a metric whose variant has these fields."""
    return [row for row in rows if row.name == name and variant.items() <= row.variant.items()]
