"""DDIM: Denoising Diffusion Implicit Models. Song, Meng, Ermon 2020, arXiv 2010.02502.

Samples a model that `ddpm` trained, on a few of its levels tau_1 < ... < tau_S. From one level, with abar, to the one
below, with abar', or at last to the data, with abar' = 1:

    x' = sqrt(abar') D + sqrt(1 - abar' - s^2) eps_theta(x) + s z,    z ~ N(0, I)                       (equation 12)
    D  = (x - sqrt(1 - abar) eps_theta(x)) / sqrt(abar),
    s  = eta sqrt((1 - abar') / (1 - abar)) sqrt(1 - abar / abar')                                      (equation 16)

At eta = 0 nothing is drawn on the way: the sample is a function of the starting noise, a solution of an ODE by Euler's
rule (section 4.3), which can be walked backwards, from data to its noise. At eta = 1 the walk is DDPM's.
"""

from dataclasses import dataclass

from torch import Tensor

from implementations.common.settings import require_positive
from implementations.diffusion import ddpm
from implementations.diffusion.parts import samplers
from implementations.diffusion.parts.backbones import starting_noise
from implementations.diffusion.parts.grids import ddpm_subset, quadratic_steps, uniform_steps
from implementations.diffusion.parts.parameterisations import Denoiser, clipped
from implementations.diffusion.parts.paths import linear_betas
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams


@dataclass(frozen=True)
class Settings:
    """The levels are those of the model's training; nothing is trained here."""

    levels: int = ddpm.Settings.levels  # T, section 5: of the DDPM that is sampled
    beta_first: float = ddpm.Settings.beta_first  # section 5, as above
    beta_last: float = ddpm.Settings.beta_last  # section 5, as above
    denoised_limit: float | None = ddpm.Settings.denoised_limit  # largest |D|, of `sigma_hat` alone; author code

    def __post_init__(self) -> None:
        require_positive(self, "denoised_limit")
        if self.levels < 1 or not 0 < self.beta_first <= self.beta_last < 1:
            raise ValueError(f"betas rise within (0, 1), not from {self.beta_first} to {self.beta_last}")


def uniform(settings: Settings, steps: int) -> Tensor:
    """Evenly spaced levels, (steps + 1, 2): "linear" in appendix D.2."""
    betas = linear_betas(settings.beta_first, settings.beta_last, settings.levels)
    return ddpm_subset(betas, uniform_steps(settings.levels, steps))


def quadratic(settings: Settings, steps: int) -> Tensor:
    """Levels that are closer near the data, up to 0.8 T: those of the paper's CIFAR-10 tables (appendix D.2).

    Where two coincide they are one, so that a grid may have fewer steps: of T = 1000, 49 for 50, 96 for 100.
    """
    betas = linear_betas(settings.beta_first, settings.beta_last, settings.levels)
    return ddpm_subset(betas, quadratic_steps(settings.levels, steps))


def ddim(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """eta = 0 on evenly spaced levels."""
    return samplers.first_order(model, starting_noise(model, streams), uniform(settings, steps))


def ddim_quadratic(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """eta = 0, as table 1 has it for CIFAR-10."""
    return samplers.first_order(model, starting_noise(model, streams), quadratic(settings, steps))


def ddim_eta_02(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """eta = 0.2 of table 1."""
    return _with_noise(0.2, model, settings, steps, streams)


def ddim_eta_05(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """eta = 0.5 of table 1."""
    return _with_noise(0.5, model, settings, steps, streams)


def ddim_eta_1(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """eta = 1 of table 1: DDPM with the small variance, on fewer levels."""
    return _with_noise(1.0, model, settings, steps, streams)


def _with_noise(eta: float, model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    return samplers.ancestral(model, starting_noise(model, streams), quadratic(settings, steps), streams, eta)


def sigma_hat(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    """The last row of table 1: DDPM with the large variance, on fewer levels; D limited, as in the author code."""
    limit = settings.denoised_limit
    denoise = model if limit is None else clipped(model, -limit, limit)
    return samplers.ancestral_large(denoise, starting_noise(model, streams), quadratic(settings, steps), streams)


def encode(model: Denoiser, settings: Settings, x: Tensor, steps: int) -> Tensor:
    """Examples (batch, *shape) to the noise that `ddim_quadratic` makes them from, float64 (section 5.4)."""
    return samplers.inverted(model, x.double(), quadratic(settings, steps))


def decode(model: Denoiser, settings: Settings, noise: Tensor, steps: int) -> Tensor:
    """Noise (batch, *shape) to examples: `ddim_quadratic` from a noise that is given."""
    return samplers.first_order(model, noise, quadratic(settings, steps))


def reconstruction_error(model: Denoiser, settings: Settings, x: Tensor, steps: int) -> Tensor:
    """Mean square a dimension between x and what its encoding decodes to, data rescaled to [0, 1]; (batch,), table 2.

    2 evaluations a step of the grid. The paper does not name its levels; they are those of its CIFAR-10 samples here.
    """
    back = decode(model, settings, encode(model, settings, x, steps), steps)
    return ((back - x.double()) / 2).square().flatten(1).mean(1)


METHOD = DiffusionMethod(
    settings=Settings, samplers=(ddim, ddim_quadratic, ddim_eta_02, ddim_eta_05, ddim_eta_1, sigma_hat),
    trained_by="ddpm", reconstruction_error=reconstruction_error,
)  # fmt: skip
