"""EDM: Elucidating the Design Space of Diffusion-Based Generative Models. Karras et al. 2022, arXiv 2206.00364.

Data y and noise alone, x = y + n with n ~ N(0, sigma^2 I); the network F sits in a denoiser, s is the data's deviation

    D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)    c_in = 1 / sqrt(sigma^2 + s^2)    c_skip = (s c_in)^2
    loss = E lambda |D(y + n; sigma) - y|^2              c_out = sigma s c_in              c_noise = ln(sigma) / 4

with ln sigma ~ N(P_mean, P_std^2) and lambda = 1 / c_out^2 = (sigma^2 + s^2) / (sigma s)^2, so that what F takes and
should give has variance 1. Samples follow dx/dsigma = (x - D) / sigma down to 0, at levels even in sigma^(1 / rho).
Of table 2's configs C has preconditioning and noise_density "vp" (or "ve") and weighting "inverse_variance"; D has the
first "edm"; E, the default, all three the paper's own; F adds augmentation.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.recipes import WARMED_ADAM
from implementations.common.settings import require_positive
from implementations.diffusion.parts import parameterisations, samplers
from implementations.diffusion.parts.augmentations import LABELS, changed, require_images
from implementations.diffusion.parts.backbones import Network, backbone, starting_noise
from implementations.diffusion.parts.grids import even_in_time, karras
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.paths import per_example, variance_exploding, variance_preserving
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Churn, Streams

Preconditioning = Literal["edm", "vp", "ve"]
Weighting = Literal["edm", "inverse_variance"]
NoiseDensity = Literal["log_normal", "vp", "ve"]

VP, VE = variance_preserving(0.1, 20.0), variance_exploding(0.02, 100.0)  # table 1: beta_min 0.1, beta_d 19.9
CHURN = Churn(30.0, 0.01, 1.0, 1.007)  # table 5, CIFAR-10 VP (as third-party codes give it)


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's unconditional CIFAR-10 model, config E with VP's network, but for `flips`."""

    network: Network = "ddpmpp_cifar10"  # appendix F; author code, arch
    width: int = 128  # author code, channels; for `mlp` hidden units
    dropout: float = 0.13  # appendix F
    flips: float = 0.0  # share of images mirrored; configs C to E have 0.5 (from memory), F none beside augmentation
    augmentation: float = 0.0  # probability of each change; appendix F, config F: 0.12
    preconditioning: Preconditioning = "edm"  # table 1
    weighting: Weighting = "edm"  # lambda; table 1
    noise_density: NoiseDensity = "log_normal"  # of sigma in training; table 1
    sigma_data: float = 0.5  # s; table 1
    p_mean: float = -1.2  # table 1
    p_std: float = 1.2  # table 1
    sigma_min: float = 0.002  # of the sampler's levels; table 1
    sigma_max: float = 80.0  # table 1
    rho: float = 7.0  # table 1
    batch: int = 512  # appendix F
    learning_rate: float = 1e-3  # appendix F
    warmup: int = 10_000_000  # images; appendix F
    gradient_clip: float | None = None  # the author code clips nothing
    ema_half_life: int | None = 500_000  # images; appendix F

    def __post_init__(self) -> None:
        positive = "width sigma_data p_std sigma_min rho batch learning_rate gradient_clip ema_half_life"
        require_positive(self, *positive.split())
        given = (self.preconditioning, self.weighting, self.noise_density)
        if any(g not in get_args(k) for g, k in zip(given, (Preconditioning, Weighting, NoiseDensity), strict=True)):
            raise ValueError(f"no preconditioning, weighting and noise_density {given}")
        inside = max(self.flips, self.augmentation) <= 1 and min(self.flips, self.augmentation, self.warmup) >= 0
        if not (inside and self.sigma_min < self.sigma_max):
            raise ValueError("sigma_max is above sigma_min, warmup at least 0, flips and augmentation are in [0, 1]")


def build(settings: Settings, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
    """Untrained; 55,732,739 parameters at the defaults and (3, 32, 32). ValueError as `backbone`, `require_images`."""
    require_images(shape, settings.flips, settings.augmentation)
    rows = {"edm": parameterisations.edm(settings.sigma_data), "ve": parameterisations.score_ve()}
    rows["vp"] = parameterisations.noise(parameterisations.time_label(VP, 999.0))
    size, labels = (settings.width, settings.dropout), LABELS if settings.augmentation > 0 else 0
    return Denoiser(backbone(settings.network, shape, *size, generator, labels), rows[settings.preconditioning])


def noise_levels(settings: Settings, count: int, generator: torch.Generator) -> Tensor:
    """sigma of `count` examples, (count,), float64; those of VP and VE are at uniform times."""
    if settings.noise_density == "log_normal":
        z = torch.randn(count, dtype=torch.float64, generator=generator, device=generator.device)
        return (settings.p_mean + settings.p_std * z).exp()
    t = torch.rand(count, dtype=torch.float64, generator=generator, device=generator.device)
    a, n = VE.at(t) if settings.noise_density == "ve" else VP.at(1e-5 + (1 - 1e-5) * t)  # epsilon_t of VP's; table 1
    return n / a


def loss(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """E lambda |D(y + n; sigma) - y|^2 of y = x, the mean over the batch and the dimensions."""
    x, told = changed(x, settings.flips, settings.augmentation, generator)
    sigma, s = noise_levels(settings, len(x), generator), settings.sigma_data
    weight = (sigma.square() + s**2) / (sigma * s).square() if settings.weighting == "edm" else 1 / sigma.square()
    n = per_example(sigma, x) * torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    d: Tensor = model(x + n, torch.ones_like(sigma), sigma, generator=generator, **told)
    return (per_example(weight, x) * (d - x).square()).mean()


def levels(settings: Settings, steps: int) -> Tensor:
    """The paper's, and then 0, (steps + 1, 2)."""
    return karras(steps, settings.sigma_min, settings.sigma_max, settings.rho)


def uniform_levels(settings: Settings, steps: int) -> Tensor:
    """As many, between the same ends, evenly spaced in VP's time (table 1), and then 0."""
    return even_in_time(VP, steps, settings.sigma_min, settings.sigma_max)


def _begun(model: Denoiser, streams: Streams, grid: Tensor) -> tuple[Tensor, Tensor]:
    return float(grid[0, 1]) * starting_noise(model, streams), grid


def heun(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Algorithm 1. 2 N - 1 evaluations."""
    return samplers.heun(model, *_begun(model, streams, levels(settings, steps)))


def euler(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Algorithm 1 without its correction. N evaluations."""
    return samplers.first_order(model, *_begun(model, streams, levels(settings, steps)))


def heun_uniform(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """`heun` at `uniform_levels`."""
    return samplers.heun(model, *_begun(model, streams, uniform_levels(settings, steps)))


def euler_uniform(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """`euler` at `uniform_levels`."""
    return samplers.first_order(model, *_begun(model, streams, uniform_levels(settings, steps)))


def churned(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Algorithm 2, stochastic, as the paper tuned it for CIFAR-10. 2 N - 1 evaluations."""
    return samplers.churned(model, *_begun(model, streams, levels(settings, steps)), streams, CHURN)


METHOD = DiffusionMethod(
    settings=Settings, build=build, loss=loss, recipe=WARMED_ADAM,
    samplers=(heun, euler, heun_uniform, euler_uniform, churned),
    varies=("preconditioning", "weighting", "noise_density"),
)  # fmt: skip
