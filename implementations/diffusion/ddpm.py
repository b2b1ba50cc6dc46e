"""DDPM: Denoising Diffusion Probabilistic Models. Ho, Jain, Abbeel 2020, arXiv 2006.11239.

A chain of T levels adds noise of variance beta_t; with abar_t = (1 - beta_1) ... (1 - beta_t),

    x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps,    eps ~ N(0, I)                                      (equation 4)
    L_simple = E |eps - eps_theta(x_t, t)|^2,         t uniform on 1 ... T                              (equation 14)

Samples walk backwards from x_T ~ N(0, I), by what the network implies, D = (x_t - sqrt(1 - abar_t) eps) / sqrt(abar_t):

    x_(t-1) = mean of q(x_(t-1) | x_t, x_0 = D) + sigma_t z,    z ~ N(0, I), and 0 at the last step      (algorithm 2)

where sigma_t^2 is beta_t, the "large" variance, or that of q, (1 - abar_(t-1)) / (1 - abar_t) beta_t, the "small" one.
The same chain bounds the likelihood: -log p(x_0) <= L_0 + ... + L_T in expectation                      (equation 5)
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.recipes import WARMED_ADAM
from implementations.common.settings import require_positive
from implementations.diffusion.parts import likelihood, parameterisations, samplers
from implementations.diffusion.parts.augmentations import mirrored, require_images
from implementations.diffusion.parts.backbones import Network, backbone, starting_noise
from implementations.diffusion.parts.grids import ddpm_subset, uniform_steps
from implementations.diffusion.parts.parameterisations import Denoise, Denoiser, clipped
from implementations.diffusion.parts.paths import ddpm, linear_betas, mixed
from implementations.diffusion.parts.protocol import DiffusionMethod

Prediction = Literal["noise", "data", "velocity", "mean"]
OBJECTIVES, VARIANCES = ("simple", "bound"), ("large", "small")


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's CIFAR-10 model (appendix B; author code, run_cifar.py), but for `flips`."""

    levels: int = 1000  # T; section 4
    beta_first: float = 1e-4  # section 4
    beta_last: float = 0.02  # section 4
    parameterisation: Prediction = "noise"  # section 3.2; mean: table 2; velocity: arXiv 2202.00512, section 4
    objective: Literal["simple", "bound"] = "simple"  # L_simple, or the true bound with `bound_variance`; table 2
    network: Network = "unet_cifar10"  # appendix B
    width: int = 128  # author code, channels; for `mlp` hidden units
    dropout: float = 0.1  # appendix B
    flips: float = 0.0  # share of images mirrored; appendix B has 0.5, right only where mirrored data is data
    batch: int = 128  # appendix B
    learning_rate: float = 2e-4  # appendix B
    warmup: int = 640_000  # images; author code: 5,000 updates of 128
    gradient_clip: float | None = 1.0  # author code, grad_clip
    ema_half_life: int | None = 887_184  # images; appendix B: 0.9999 an update of 128
    denoised_limit: float | None = 1.0  # largest |D| of sampler and bound; author code, clip_denoised; None: no limit
    bound_variance: Literal["large", "small"] = "large"  # of the bound; author code, fixedlarge
    grey_levels: int | None = 256  # of the data, evenly on [-1, 1]; section 3.3; None: the bound is of a density

    def __post_init__(self) -> None:
        require_positive(self, "width", "batch", "learning_rate", "gradient_clip", "ema_half_life", "denoised_limit")
        if self.levels < 2 or not 0 < self.beta_first <= self.beta_last < 1:
            raise ValueError(f"betas rise within (0, 1) on 2 levels or more, not {self}")
        given = (self.parameterisation, self.objective, self.bound_variance)
        if any(g not in k for g, k in zip(given, (get_args(Prediction), OBJECTIVES, VARIANCES), strict=True)):
            raise ValueError(f"no parameterisation, objective and bound_variance {given}")
        if not 0 <= self.flips <= 1 or self.warmup < 0 or self.grey_levels in (0, 1):
            raise ValueError("flips is in [0, 1], warmup at least 0, grey_levels at least 2")


def betas(settings: Settings) -> Tensor:
    """beta_1 ... beta_T, (T,), float64."""
    with torch.device("cpu"):  # also where a model is built on another device
        return linear_betas(settings.beta_first, settings.beta_last, settings.levels)


def chain(settings: Settings) -> tuple[Tensor, Tensor]:
    """Pairs of the levels 0 ... T, (T + 1, 2), and the variances of the model's steps that bounds have, (T,)."""
    grid = ddpm_subset(betas(settings), range(settings.levels)).flip(0)
    return grid, likelihood.fixed_variances(grid, settings.bound_variance)


def build(settings: Settings, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
    """Untrained; 35,746,307 parameters at the defaults. ValueError as by `backbone`, or for flips of vectors."""
    require_images(shape, settings.flips)
    path, means = ddpm(betas(settings)), parameterisations
    label = means.time_label(path, settings.levels, shift=-1.0)  # 0 ... T - 1
    rows = {"noise": means.noise, "data": means.data, "velocity": means.velocity_vp}
    mean = means.posterior_mean(label, path, settings.levels)
    meaning = mean if settings.parameterisation == "mean" else rows[settings.parameterisation](label)
    return Denoiser(backbone(settings.network, shape, settings.width, settings.dropout, generator), meaning)


def loss(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """L_simple, the mean over the batch and the dimensions, of what the network predicts; or a term of the bound."""
    x = mirrored(x, settings.flips, generator)
    t = torch.randint(1, settings.levels + 1, (len(x),), generator=generator, device=generator.device)
    eps = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    a, n = ddpm(betas(settings)).at(t.double() / settings.levels)  # sqrt(abar_t), sqrt(1 - abar_t)
    x_t = mixed(x, eps, a, n)
    output = model.output(x_t, a, n, generator=generator)
    if settings.objective == "simple":
        return (model.parameterisation.target(x, eps, a, n) - output).square().mean()
    d, (grid, variances) = model.parameterisation.denoised(x_t, output, a, n), chain(settings)
    return likelihood.mean_term(x, d, t, grid, variances, settings.grey_levels)


def limited(denoise: Denoise, settings: Settings) -> Denoise:
    """D within [-denoised_limit, denoised_limit], where there is such a limit."""
    return denoise if (limit := settings.denoised_limit) is None else clipped(denoise, -limit, limit)


def ancestral_large(model: Denoiser, settings: Settings, steps: int, streams: samplers.Streams) -> Tensor:
    """Algorithm 2 on evenly spaced levels, sigma_t^2 the variance that the chain adds; the paper's at T steps."""
    grid = ddpm_subset(betas(settings), uniform_steps(settings.levels, steps))
    return samplers.ancestral_large(limited(model, settings), starting_noise(model, streams), grid, streams)


def ancestral_small(model: Denoiser, settings: Settings, steps: int, streams: samplers.Streams) -> Tensor:
    """As `ancestral_large`, with sigma_t^2 the variance of q(x_(t-1) | x_t, x_0)."""
    grid = ddpm_subset(betas(settings), uniform_steps(settings.levels, steps))
    return samplers.ancestral(limited(model, settings), starting_noise(model, streams), grid, streams)


def bound_terms(denoise: Denoise, settings: Settings, x: Tensor, eps: samplers.Noise) -> Tensor:
    """L_0 ... L_T, (T + 1, batch) in nats, at one draw of each x_t; T evaluations.

    L_0 is that of equation 13, or a density's where the data has no grey levels.
    """
    return likelihood.terms(limited(denoise, settings), x.double(), eps, *chain(settings), settings.grey_levels)


def variational_bound(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """A draw of the bound on -log p(x) of (batch, *shape), nats, (batch,)."""

    def draw(y: Tensor) -> Tensor:
        return torch.randn(y.shape, generator=generator, device=generator.device).to(y)

    return bound_terms(model, settings, x, draw).sum(0)


METHOD = DiffusionMethod(
    settings=Settings, build=build, loss=loss, recipe=WARMED_ADAM, samplers=(ancestral_large, ancestral_small),
    variational_bound=variational_bound, bound_terms=bound_terms, varies=("parameterisation", "objective"),
)  # fmt: skip
