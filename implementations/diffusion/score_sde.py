"""Score SDE: Score-Based Generative Modeling through Stochastic Differential Equations. Song et al. 2020, 2011.13456.

An SDE dx = f x dt + g dw carries data at t = 0 to noise at t = 1. Given x_0 its states are normal, x_t = a x_0 + n eps:

    ve        f = 0           g = n sqrt(2 ln(sigma_max / sigma_min))   a = 1              n from sigma_min to sigma_max
    vp        f = -beta / 2   g = sqrt(beta)                            a = exp(-L / 2)    n = sqrt(1 - exp(-L))
    sub_vp    f = -beta / 2   g = sqrt(beta (1 - exp(-2 L)))            a = exp(-L / 2)    n = 1 - exp(-L)

with ln n or beta rising linearly, and L the integral of beta from 0 to t. A score s is learned by score matching,

    loss = E lambda(t) |s(x_t, t) - grad log p(x_t | x_0)|^2,    grad log p(x_t | x_0) = -eps / n           (equation 7)

with lambda = n^2. It gives the SDE in reverse, dx = (f x - g^2 s) dt + g dw (equation 6), and an ODE with the same
marginals, dx = (f x - g^2 s / 2) dt (equation 13), along which likelihoods are exact.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.ode import Solver
from implementations.common.recipes import WARMED_ADAM
from implementations.common.settings import require_positive
from implementations.diffusion.parts import likelihood, parameterisations, paths, samplers
from implementations.diffusion.parts.augmentations import mirrored, require_images
from implementations.diffusion.parts.backbones import Network, backbone, starting_noise
from implementations.diffusion.parts.grids import falling_times
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams

Sde = Literal["ve", "vp", "sub_vp"]


@dataclass(frozen=True)
class Settings:
    """Defaults are the author code's for CIFAR-10 under VP and sub-VP, but for `flips`; VE's are told where others."""

    sde: Sde = "vp"  # section 3.4
    network: Network = "ddpmpp_cifar10"  # author code has DDPM++, here in EDM's layout; ve: NCSN++, which is not here
    width: int = 128  # author code, channels; for `mlp` hidden units
    dropout: float = 0.1  # author code
    flips: float = 0.0  # share of images mirrored; author code 0.5, right only where mirrored data is data
    beta_min: float = 0.1  # author code
    beta_max: float = 20.0  # author code
    sigma_min: float = 0.02  # author code: 0.01 and 50 on the scale from 0 to 1
    sigma_max: float = 100.0  # as above
    first_time: float = 1e-5  # epsilon of training and of likelihoods; author code
    sampling_end: float = 1e-3  # epsilon of sampling; author code; ve: 1e-5
    snr: float = 0.16  # r of the corrector; author code
    corrections: int = 1  # at each level; author code
    tolerance: float = 1e-5  # of dopri5; author code
    exact_trace_dimensions: int = 64  # ours: with more, likelihoods take the Rademacher estimator, as author code
    batch: int = 128  # author code
    learning_rate: float = 2e-4  # author code
    warmup: int = 640_000  # images; author code: 5,000 updates of 128
    gradient_clip: float | None = 1.0  # author code
    ema_half_life: int | None = 887_184  # images; author code: 0.9999 an update of 128; ve: 88,678, from 0.999

    def __post_init__(self) -> None:
        require_positive(self, "width", "beta_min", "sigma_min", "snr", "tolerance", "batch", "learning_rate")
        require_positive(self, "gradient_clip", "ema_half_life", "corrections")
        if self.sde not in get_args(Sde) or self.beta_max < self.beta_min or self.sigma_max <= self.sigma_min:
            raise ValueError(f"sde is one of {', '.join(get_args(Sde))}, and beta and sigma rise, not {self}")
        if not (0 < self.first_time < 1 and 0 < self.sampling_end < 1 and 0 <= self.flips <= 1 and self.warmup >= 0):
            raise ValueError("first_time and sampling_end lie in (0, 1), flips in [0, 1], warmup is at least 0")


def path_of(settings: Settings) -> tuple[paths.Path, float]:
    """The SDE's a and n, and the deviation of its prior, N(0, sigma_max^2 I) or N(0, I)."""
    if settings.sde == "ve":
        return paths.variance_exploding(settings.sigma_min, settings.sigma_max), settings.sigma_max
    kind = paths.variance_preserving if settings.sde == "vp" else paths.sub_variance_preserving
    return kind(settings.beta_min, settings.beta_max), 1.0


def build(settings: Settings, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
    """Untrained; F of the SDE's own x_t is n s under VE, else -n s. ValueError as `backbone`, or flips of vectors."""
    require_images(shape, settings.flips)
    path, meaning = path_of(settings)[0], parameterisations.score_ve()
    if settings.sde != "ve":
        meaning = parameterisations.noise(parameterisations.time_label(path, 999.0))
        meaning = replace(meaning, scale_in=lambda a, n: torch.hypot(*path.at(path.time_of(n / a))) / torch.hypot(a, n))
    return Denoiser(backbone(settings.network, shape, settings.width, settings.dropout, generator), meaning)


def loss(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """Equation 7 as E |n s + eps|^2, t uniform on [first_time, 1]; the mean over the batch and the dimensions."""
    x = mirrored(x, settings.flips, generator)
    t = torch.rand(len(x), dtype=torch.float64, generator=generator, device=generator.device)
    eps = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    a, n = path_of(settings)[0].at(settings.first_time + (1 - settings.first_time) * t)
    output = model.output(paths.mixed(x, eps, a, n), a, n, generator=generator)
    return (output - model.parameterisation.target(x, eps, a, n)).square().mean()


def _begun(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> tuple[Tensor, Tensor, Tensor]:
    """A draw of the prior; N times, evenly spaced from 1 to `sampling_end`; the pairs there, and then the data's."""
    (path, deviation), times = path_of(settings), falling_times(steps - 1, settings.sampling_end)
    grid = torch.cat([torch.stack(path.at(times), dim=1), times.new_tensor([[1.0, 0.0]])])
    return deviation * starting_noise(model, streams), times, grid


def euler_maruyama(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Equation 6 by Euler-Maruyama, and D at the last level; the paper's for VP and sub-VP. N evaluations."""
    x, times, grid = _begun(model, settings, steps, streams)
    x = samplers.euler_maruyama(model, x, path_of(settings)[0], times, streams)
    return samplers.first_order(model, x, grid[-2:])


def reverse_diffusion(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """The predictor of `predictor_corrector` alone (appendix E). N evaluations."""
    x, _, grid = _begun(model, settings, steps, streams)
    return samplers.predictor_corrector(model, x, grid, streams, corrections=0)


def predictor_corrector(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Algorithms 2 and 3, corrected by Langevin steps; the paper's for VE. N (1 + corrections) evaluations."""
    x, _, grid = _begun(model, settings, steps, streams)
    return samplers.predictor_corrector(model, x, grid, streams, settings.snr, settings.corrections)


def probability_flow(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """Equation 13 by dopri5, and D at its end: adaptive, for the batch as a whole; it does not read `steps`."""
    (x, _, grid), solver = _begun(model, settings, 2, streams), Solver("dopri5", tolerance=settings.tolerance)
    x, _ = samplers.solved(model, x, path_of(settings)[0], solver, 1.0, settings.sampling_end)
    return samplers.first_order(model, x, grid[-2:])


def log_likelihood(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """log p(x) of (batch, *shape), nats, (batch,), by dopri5 from `first_time` to the prior (appendix D.2)."""
    (path, deviation), solver = path_of(settings), Solver("dopri5", tolerance=settings.tolerance)
    probes = likelihood.trace_probes(x, settings.exact_trace_dimensions, generator)
    how = path, lambda z: likelihood.standard_normal(z, deviation), solver, probes, settings.first_time
    return likelihood.log_likelihood(model, x.double(), *how)[0]


METHOD = DiffusionMethod(
    settings=Settings, build=build, loss=loss, recipe=WARMED_ADAM,
    samplers=(euler_maruyama, reverse_diffusion, predictor_corrector, probability_flow), log_likelihood=log_likelihood,
    varies=("sde",),
)  # fmt: skip
