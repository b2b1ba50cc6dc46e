"""Paths from data to noise: x_t = a(t) x_0 + n(t) eps with eps standard normal, t = 0 at the data and 1 at the noise.

A path is its two functions, their derivatives, and the time of a ratio sigma = n / a. The process of which x_t are the
marginals is the linear SDE dx = f x dt + g dw with f = a' / a and g^2 = 2 n (n' - f n); the same marginals are those of
dx/dt = a' D + n' e, with D = E[x_0 | x_t] and e = E[eps | x_t] (score SDE, arXiv 2011.13456, section 4.3).

Times, scales and noise levels are float64 throughout; what meets data is cast to its dtype there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Schedule = Callable[[Tensor], Tensor]
"""Elementwise, float64 to float64."""


@dataclass(frozen=True)
class Path:
    """The functions of time t in [0, 1], of any shape; a and n are never negative and not both 0."""

    scale: Schedule  # a(t)
    noise: Schedule  # n(t), rising with t relative to a
    scale_rate: Schedule  # da/dt
    noise_rate: Schedule  # dn/dt; may be infinite at t = 0
    time_of: Schedule  # t of sigma = n / a; sigma is infinite where a is 0

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(a, n) at times t."""
        return self.scale(t), self.noise(t)

    def drift(self, t: Tensor) -> Tensor:
        """f of the path's SDE, a' / a."""
        return self.scale_rate(t) / self.scale(t)

    def diffusion(self, t: Tensor) -> Tensor:
        """g of the path's SDE, the square root of 2 n (n' - f n)."""
        return (2 * self.noise(t) * (self.noise_rate(t) - self.drift(t) * self.noise(t))).sqrt()


def per_example(value: Tensor, x: Tensor) -> Tensor:
    """`value` of shape () or (batch,) so that it multiplies x of shape (batch, ...): on its device, in its dtype."""
    return value.to(x).reshape(value.shape + (1,) * (x.ndim - 1 if value.ndim else 0))


def mixed(x0: Tensor, eps: Tensor, a: Tensor, n: Tensor) -> Tensor:
    """a x_0 + n eps; a and n of shape (batch,) or (), the others (batch, ...). Two passes over the data.

    A pair of shape () is read as a constant: no gradient reaches it.
    """
    if a.ndim == n.ndim == 0:
        return torch.add(x0 * float(a), eps, alpha=float(n))
    return torch.addcmul(per_example(a, x0) * x0, per_example(n, eps), eps)


def diffuse(path: Path, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """x_t = a(t) x_0 + n(t) eps; t of shape (batch,) or (), the others (batch, ...)."""
    return mixed(x0, eps, *path.at(t))


def linear() -> Path:
    """a = 1 - t, n = t: flow matching and rectified flow (arXiv 2210.02747 with sigma_min 0, 2209.03003)."""
    return Path(
        scale=lambda t: 1 - t,
        noise=lambda t: t,
        scale_rate=lambda t: -torch.ones_like(t),
        noise_rate=torch.ones_like,
        time_of=lambda sigma: 1 / (1 + 1 / sigma),  # sigma / (1 + sigma), and 1 at infinity
    )


def edm(sigma_max: float = 80.0) -> Path:
    """a = 1, n = sigma_max t: EDM's time is sigma (arXiv 2206.00364, table 1), here as a share of the largest."""
    return Path(
        scale=torch.ones_like,
        noise=lambda t: sigma_max * t,
        scale_rate=torch.zeros_like,
        noise_rate=lambda t: torch.full_like(t, sigma_max),
        time_of=lambda sigma: sigma / sigma_max,
    )


def variance_exploding(sigma_min: float = 0.01, sigma_max: float = 50.0) -> Path:
    """a = 1, n = sigma_min (sigma_max / sigma_min)^t: the VE SDE (arXiv 2011.13456, appendix C; author code's values).

    It begins at sigma_min, not at the data.
    """
    span = math.log(sigma_max / sigma_min)
    return Path(
        scale=torch.ones_like,
        noise=lambda t: sigma_min * (span * t).exp(),
        scale_rate=torch.zeros_like,
        noise_rate=lambda t: span * sigma_min * (span * t).exp(),
        time_of=lambda sigma: (sigma / sigma_min).log() / span,
    )


@dataclass(frozen=True)
class Decay:
    """L(t), the integral of beta from 0 to t, with its derivative beta and its inverse."""

    total: Schedule
    rate: Schedule
    time_of: Schedule


def _preserving(decay: Decay) -> Path:
    """a = exp(-L / 2), n = sqrt(1 - exp(-L)), so that a^2 + n^2 = 1.

    With expm1 and log1p: near the data 1 - exp(-L) and sqrt(1 + sigma^2) would lose the digits of L.
    """

    def scale(t: Tensor) -> Tensor:
        return (-0.5 * decay.total(t)).exp()

    def noise(t: Tensor) -> Tensor:
        return (-torch.expm1(-decay.total(t))).sqrt()

    return Path(
        scale=scale,
        noise=noise,
        scale_rate=lambda t: -0.5 * decay.rate(t) * scale(t),
        noise_rate=lambda t: 0.5 * decay.rate(t) * scale(t).square() / noise(t),
        time_of=lambda sigma: decay.time_of(torch.log1p(sigma.square())),
    )


def _linear_decay(beta_min: float, beta_max: float) -> Decay:
    """beta rising linearly from beta_min to beta_max, so that L = beta_min t + (beta_max - beta_min) t^2 / 2."""
    if not 0 < beta_min <= beta_max:
        raise ValueError(f"beta is above 0 and does not fall, not from {beta_min} to {beta_max}")
    slope = beta_max - beta_min
    return Decay(
        total=lambda t: beta_min * t + 0.5 * slope * t.square(),
        rate=lambda t: beta_min + slope * t,
        # The root of the quadratic in the form that does not cancel where L is small.
        time_of=lambda total: 2 * total / (beta_min + (beta_min**2 + 2 * slope * total).sqrt()),
    )


def variance_preserving(beta_min: float = 0.1, beta_max: float = 20.0) -> Path:
    """The VP SDE (arXiv 2011.13456, appendix C; author code's values): beta rises linearly, a^2 + n^2 = 1.

    ValueError unless 0 < beta_min <= beta_max.
    """
    return _preserving(_linear_decay(beta_min, beta_max))


def sub_variance_preserving(beta_min: float = 0.1, beta_max: float = 20.0) -> Path:
    """The sub-VP SDE (arXiv 2011.13456, section 3.4): a as in VP, n the square of VP's; ValueError as there."""
    decay = _linear_decay(beta_min, beta_max)
    preserving = _preserving(decay)

    return Path(
        scale=preserving.scale,
        noise=lambda t: -torch.expm1(-decay.total(t)),
        scale_rate=preserving.scale_rate,
        noise_rate=lambda t: decay.rate(t) * (-decay.total(t)).exp(),
        # sigma = 2 sinh(L / 2)
        time_of=lambda sigma: decay.time_of(2 * torch.asinh(sigma / 2)),
    )


def linear_betas(first: float = 1e-4, last: float = 0.02, levels: int = 1000) -> Tensor:
    """DDPM's beta_1 ... beta_T (arXiv 2006.11239, section 4), shape (levels,), float64."""
    return torch.linspace(first, last, levels, dtype=torch.float64)


def ddpm(betas: Tensor) -> Path:
    """A table of T levels: at t = k / T it is a^2 = abar_k = (1 - beta_1) ... (1 - beta_k), n^2 = 1 - abar_k.

    Between levels -log abar is linear in t, which is a VP SDE with constant pieces: so a network trained on the table
    can be asked at any sigma. Derivatives at a level are those of the piece below it.

    Raises:
        ValueError: betas are not float64 of shape (T,), within (0, 1).
    """
    if betas.dtype != torch.float64 or betas.ndim != 1 or len(betas) == 0 or not ((betas > 0) & (betas < 1)).all():
        raise ValueError("betas are a float64 tensor of shape (T,), each above 0 and below 1")
    levels = len(betas)
    pieces = -torch.log1p(-betas)
    totals = torch.cat([betas.new_zeros(1), pieces.cumsum(0)])

    def piece(t: Tensor) -> Tensor:
        """Index of the piece whose end is the first level at or above t."""
        # Times k / T times T may miss the whole number by a rounding.
        return ((t * levels - 1e-9).ceil().long() - 1).clamp(0, levels - 1)

    def on(table: Tensor, where: Tensor) -> Tensor:
        return table.to(where.device)[where]

    def total(t: Tensor) -> Tensor:
        k = piece(t)
        return torch.lerp(on(totals, k), on(totals, k + 1), t * levels - k)

    def time_of(value: Tensor) -> Tensor:
        k = (torch.searchsorted(totals.to(value.device), value) - 1).clamp(0, levels - 1)
        return (k + (value - on(totals, k)) / on(pieces, k)) / levels

    return _preserving(Decay(total, lambda t: levels * on(pieces, piece(t)), time_of))
