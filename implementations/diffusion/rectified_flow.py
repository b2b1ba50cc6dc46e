"""Rectified flow: Flow Straight and Fast. Liu, Gong, Liu 2022, arXiv 2209.03003.

A field v that moves noise to data on paths made straight. Here t = 0 is the data x_0 and t = 1 the noise eps; the paper
counts time the other way. Between the two of a pair lies a line, and v regresses its direction (equation 1):

    x_t = (1 - t) x_0 + t eps,    loss = E |v(x_t, t) - (eps - x_0)|^2,    dx/dt = v(x, t)

- 1-rectified flow: pairs of data and noise drawn apart, so that lines cross and paths, which cannot, bend.
- (k + 1)-rectified flow, or reflow: pairs of a noise and what the k-rectified flow makes of it. No convex cost of a
  pair rises in the mean, and paths become straighter: S = int_0^1 E |v(x_t, t) - (x_1 - x_0)|^2 dt is 0 where they are
  lines walked at constant speed, which one Euler step solves (theorems 3.5 and 3.7).
- distillation: the same loss on a flow's pairs at t = 1 alone; then eps - v(eps, 1) imitates the whole flow.

The law of t is uniform in the paper; Esser et al. 2024, arXiv 2403.03206, section 3.1, draw it from a logit-normal law.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.errors import Unsupported
from implementations.common.ode import Solver
from implementations.common.recipes import WARMED_ADAM
from implementations.common.settings import require_positive
from implementations.diffusion.parts import samplers
from implementations.diffusion.parts.augmentations import mirrored, require_images
from implementations.diffusion.parts.backbones import Network, backbone, starting_noise
from implementations.diffusion.parts.couplings import Recorded
from implementations.diffusion.parts.grids import at_times, uniform_time
from implementations.diffusion.parts.parameterisations import Denoiser, time_label, velocity
from implementations.diffusion.parts.paths import diffuse, linear
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams

Times = Literal["uniform", "logit_normal", "noise_end"]

NEAREST = 1e-5  # time at which `rk45` ends, one step of the line from the data; ours: n divides there


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's 1-rectified flow of CIFAR-10, but for `network`, `flips`, `ema_half_life`."""

    network: Network = "ddpmpp_cifar10"  # appendix; author code: DDPM++ of four levels, 1, 2, 2, 2 (this has three)
    width: int = 128  # author code, nf, channels; for `mlp` hidden units
    dropout: float = 0.15  # author code; 0.1 in its reflow and distillation
    flips: float = 0.0  # share of data mirrored; author code has 0.5, right only where mirrored data is data
    reflows: int = 0  # k - 1 of the k-rectified flow; section 2.2
    pairs: int | None = None  # of the flow before, to learn from; section 5: 4,000,000; None: data and fresh noise
    times: Times = "uniform"  # law of t; section 2.1; `noise_end`: t = 1, distillation, section 2.2
    time_location: float = 0.0  # of the logit-normal law; arXiv 2403.03206, table 1, its best
    time_scale: float = 1.0  # likewise
    batch: int = 128  # author code
    learning_rate: float = 2e-4  # author code
    warmup: int = 640_000  # images; author code: 5,000 updates of 128
    gradient_clip: float | None = 1.0  # author code
    ema_half_life: int | None = 8_872_000  # images; author code: its rate (1 + u) / (10 + u) at update u = 900,000
    tolerance: float = 1e-5  # of `rk45`; author code, ode_tol

    def __post_init__(self) -> None:
        require_positive(self, "width", "pairs", "time_scale", "batch", "learning_rate", "gradient_clip", "tolerance")
        require_positive(self, "ema_half_life")
        if self.times not in get_args(Times):
            raise ValueError(f"times is one of {', '.join(get_args(Times))}, not {self.times}")
        if self.reflows < 0 or not 0 <= self.flips <= 1 or self.warmup < 0:
            raise ValueError("reflows and warmup are at least 0, flips is in [0, 1]")
        if (self.pairs is None) != (self.reflows == 0 and self.times != "noise_end"):
            raise ValueError("reflow and distillation learn from pairs, and nothing else does")


def build(settings: Settings, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
    """Untrained; told 999 t, as in the author code. ValueError as `backbone` has it, or for flips of vectors."""
    require_images(shape, settings.flips)
    network = backbone(settings.network, shape, settings.width, settings.dropout, generator)
    return Denoiser(network, velocity(time_label(linear(), 999.0)))


def drawn_times(settings: Settings, count: int, generator: torch.Generator) -> Tensor:
    """t of `count` examples, (count,), float64, in [0, 1]."""
    if settings.times == "noise_end":
        return torch.ones(count, dtype=torch.float64, device=generator.device)
    if settings.times == "uniform":
        return torch.rand(count, dtype=torch.float64, generator=generator, device=generator.device)
    z = torch.randn(count, dtype=torch.float64, generator=generator, device=generator.device)
    return torch.sigmoid(settings.time_location + settings.time_scale * z)


def paired_loss(model: Denoiser, settings: Settings, x: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
    """E |v(x_t, t) - (eps - x_0)|^2 of pairs x_0 = x, eps = noise: the mean over the batch and the dimensions."""
    t = drawn_times(settings, len(x), generator)
    v = model.output(diffuse(linear(), x, noise, t), 1 - t, t, generator=generator)
    return (v - (noise - x)).square().mean()


def loss(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """`paired_loss` of data with fresh noise; ValueError where the settings ask for the pairs of a flow."""
    if settings.pairs is not None:
        raise Unsupported("reflow and distillation learn from the pairs of a flow, not from data")
    x = mirrored(x, settings.flips, generator)
    noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    return paired_loss(model, settings, x, noise, generator)


def _flowed(model: Denoiser, settings: Settings, noise: Tensor) -> Tensor:
    solver = Solver("dopri5", tolerance=settings.tolerance)
    near = samplers.solved(model, noise, linear(), solver, 1.0, NEAREST)[0]
    last = at_times(linear(), torch.tensor([NEAREST, 0.0], dtype=torch.float64))
    return samplers.first_order(model, near, last)


def euler(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """N equal steps of t. N evaluations."""
    return samplers.first_order(model, starting_noise(model, streams), uniform_time(linear(), steps))


def rk45(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Adaptive: it chooses its steps, for the batch as a whole, and does not read `steps`. "Full simulation"."""
    return _flowed(model, settings, starting_noise(model, streams))


def recorded(model: Denoiser, settings: Settings, streams: Streams) -> Recorded:
    """Noises and where `rk45` takes them, float64: what the next flow, or a distillation, learns from (algorithm 1)."""
    noise = starting_noise(model, streams)
    return Recorded(_flowed(model, settings, noise), noise)


def straightness(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """int |v(x_t, t) - (x_1 - x_0)|^2 dt along the path of each noise, by N steps of `euler`, (batch,), float64."""
    return samplers.straightness(model, starting_noise(model, streams), uniform_time(linear(), steps))


METHOD = DiffusionMethod(
    settings=Settings, build=build, loss=loss, recipe=WARMED_ADAM, paired_loss=paired_loss, recorded=recorded,
    samplers=(euler, rk45), straightness=straightness, varies=("reflows", "times"),
)  # fmt: skip
