"""What a network's output means: from x_t = a x_0 + n eps and the output F to the denoiser D = E[x_0 | x_t].

    input = c_in x_t,    D = c_skip x_t + c_out F,    and F is regressed on p x_0 + q eps

so that |F - target|^2 = |D - x_0|^2 / c_out^2 for any F: every native loss is one regression of D with its own weight.
All coefficients are homogeneous in (a, n): a network trained on one family of pairs is asked at any other with the same
sigma = n / a by rescaling x_t, and c_in does that. They are finite wherever the method's own family has its pairs.

The label, which tells the network the noise level, is a function of sigma, in the units that the network expects.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from implementations.diffusion.parts.paths import Path, mixed, per_example

Coefficient = Callable[[Tensor, Tensor], Tensor]
"""Of (a, n), elementwise, float64."""
Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x of shape (batch, ...), a, n of shape () or (batch,)) to D of the shape and dtype of x."""


@dataclass(frozen=True)
class Parameterisation:
    """One row of the table of methods; a and n are float64 of shape () or (batch,), the data (batch, ...)."""

    label: Callable[[Tensor], Tensor]  # of sigma
    scale_in: Coefficient  # c_in
    skip: Coefficient  # c_skip
    out: Coefficient  # c_out
    of_data: Coefficient  # p
    of_noise: Coefficient  # q

    def inputs(self, x_t: Tensor, a: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
        """The network's input, (batch, ...), and its noise label, (batch,) in float64."""
        label = self.label(n / a).to(x_t.device).expand(len(x_t))
        return per_example(self.scale_in(a, n), x_t) * x_t, label

    def denoised(self, x_t: Tensor, output: Tensor, a: Tensor, n: Tensor) -> Tensor:
        """D of the network's output."""
        return mixed(x_t, output.to(x_t), self.skip(a, n), self.out(a, n))

    def target(self, x0: Tensor, eps: Tensor, a: Tensor, n: Tensor) -> Tensor:
        """The output for which D = x_0."""
        return mixed(x0, eps, self.of_data(a, n), self.of_noise(a, n))

    def weight(self, a: Tensor, n: Tensor) -> Tensor:
        """lambda with |F - target|^2 = lambda |D - x_0|^2; infinite where D does not depend on F."""
        return self.out(a, n).square().reciprocal()


def _zero(a: Tensor, n: Tensor) -> Tensor:
    return torch.zeros_like(a)


def _one(a: Tensor, n: Tensor) -> Tensor:
    return torch.ones_like(a)


def noise(label: Callable[[Tensor], Tensor]) -> Parameterisation:
    """F predicts eps, in the variance-preserving family (DDPM, arXiv 2006.11239, equation 14)."""
    return Parameterisation(
        label=label,
        scale_in=lambda a, n: 1 / torch.hypot(a, n),
        skip=lambda a, n: 1 / a,
        out=lambda a, n: -n / a,
        of_data=_zero,
        of_noise=_one,
    )


def data(label: Callable[[Tensor], Tensor]) -> Parameterisation:
    """F predicts x_0, in the variance-preserving family."""
    return Parameterisation(
        label=label,
        scale_in=lambda a, n: 1 / torch.hypot(a, n),
        skip=_zero,
        out=_one,
        of_data=_one,
        of_noise=_zero,
    )


def posterior_mean(label: Callable[[Tensor], Tensor], path: Path, levels: int) -> Parameterisation:
    """F predicts the mean of q(x' | x_t, x_0), x' one of so many levels nearer to the data (DDPM, equation 7)."""

    def weights(a: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:  # of x_0 and of x_t
        t = path.time_of(n / a)
        (own, own_n), (end, end_n) = path.at(t), path.at((t - 1 / levels).clamp(min=0.0))
        kept = own / end * (end_n / own_n).square()
        return end - kept * own, kept / torch.hypot(a, n)

    return replace(
        noise(label),
        skip=lambda a, n: -weights(a, n)[1] / weights(a, n)[0],
        out=lambda a, n: 1 / weights(a, n)[0],
        of_data=lambda a, n: weights(a, n)[0] + weights(a, n)[1] * a,
        of_noise=lambda a, n: weights(a, n)[1] * n,
    )


def velocity_vp(label: Callable[[Tensor], Tensor]) -> Parameterisation:
    """F predicts v = a eps - n x_0 where a^2 + n^2 = 1 (Salimans, Ho 2022, arXiv 2202.00512)."""
    return Parameterisation(
        label=label,
        scale_in=lambda a, n: 1 / torch.hypot(a, n),
        skip=lambda a, n: a / (a.square() + n.square()),
        out=lambda a, n: -n / torch.hypot(a, n),
        of_data=lambda a, n: -n / torch.hypot(a, n),
        of_noise=lambda a, n: a / torch.hypot(a, n),
    )


def score_ve() -> Parameterisation:
    """F predicts sigma times the score, -eps, in the variance-exploding family; label as in EDM's table 1."""
    return Parameterisation(
        label=lambda sigma: (sigma / 2).log(),
        scale_in=lambda a, n: 1 / a,
        skip=lambda a, n: 1 / a,
        out=lambda a, n: n / a,
        of_data=_zero,
        of_noise=lambda a, n: -torch.ones_like(n),
    )


def edm(sigma_data: float = 0.5) -> Parameterisation:
    """Input and target of unit variance on data of variance sigma_data^2 (EDM, arXiv 2206.00364, table 1).

    The label is ln(sigma) / 4.
    """

    def spread(a: Tensor, n: Tensor) -> Tensor:
        return torch.hypot(a * sigma_data, n)

    return Parameterisation(
        label=lambda sigma: sigma.log() / 4,
        scale_in=lambda a, n: 1 / spread(a, n),
        skip=lambda a, n: a * sigma_data**2 / spread(a, n).square(),
        out=lambda a, n: n * sigma_data / spread(a, n),
        of_data=lambda a, n: n / (sigma_data * spread(a, n)),
        of_noise=lambda a, n: -a * sigma_data / spread(a, n),
    )


def velocity(label: Callable[[Tensor], Tensor] = lambda sigma: 1 / (1 + 1 / sigma)) -> Parameterisation:
    """F predicts dx/dt = eps - x_0 on the line a + n = 1 (arXiv 2210.02747, 2209.03003); finite at a = 0.

    The label is t = sigma / (1 + sigma) unless the network expects another unit.
    """
    return Parameterisation(
        label=label,
        scale_in=lambda a, n: 1 / (a + n),
        skip=lambda a, n: 1 / (a + n),
        out=lambda a, n: -n / (a + n),
        of_data=lambda a, n: -torch.ones_like(a),
        of_noise=_one,
    )


def time_label(path: Path, unit: float, shift: float = 0.0) -> Callable[[Tensor], Tensor]:
    """The path's time of sigma times `unit`, plus `shift`, and no less than 0.

    Of a table of T levels T and -1 give DDPM's steps 0 ... T - 1; at any time, networks made for these take 999.
    """
    return lambda sigma: (unit * path.time_of(sigma) + shift).clamp(min=0.0)


class Denoiser(nn.Module):
    """A network with what its output means. `network(input, label, **labels)` keeps the shape of its input."""

    def __init__(self, network: nn.Module, parameterisation: Parameterisation):
        super().__init__()
        self.network = network
        self.parameterisation = parameterisation

    def output(self, x_t: Tensor, a: Tensor, n: Tensor, **labels: Any) -> Tensor:
        """F, in the network's dtype, to which input and label are cast here and nowhere else."""
        x, label = self.parameterisation.inputs(x_t, a, n)
        dtype = next((value.dtype for value in self.network.parameters()), x.dtype)
        found: Tensor = self.network(x.to(dtype), label.to(dtype), **labels)
        return found

    def forward(self, x_t: Tensor, a: Tensor, n: Tensor, **labels: Any) -> Tensor:
        """D in the dtype of x_t; a and n float64, of shape () or (batch,)."""
        return self.parameterisation.denoised(x_t, self.output(x_t, a, n, **labels), a, n)


def noise_of(denoised: Tensor, x_t: Tensor, a: Tensor, n: Tensor) -> Tensor:
    """e = E[eps | x_t] of D; n above 0."""
    return mixed(x_t, denoised, torch.ones_like(a), -a) / per_example(n, x_t)  # near the data x and a D cancel


def score_of(denoised: Tensor, x_t: Tensor, a: Tensor, n: Tensor) -> Tensor:
    """grad log p_t(x_t) of D, by Tweedie's formula; n above 0."""
    return mixed(denoised, x_t, a, -torch.ones_like(a)) / per_example(n.square(), x_t)  # exactly 0 where a D is x_t


def velocity_of(denoised: Tensor, x_t: Tensor, a: Tensor, n: Tensor, da: Tensor, dn: Tensor) -> Tensor:
    """dx/dt = a' D + n' e of the probability flow, where a and n change at the rates da and dn; n above 0."""
    return mixed(x_t, denoised, dn / n, da - a * dn / n)


def clipped(denoise: Denoise, low: float = -1.0, high: float = 1.0) -> Denoise:
    """D limited to the data's range, as DDPM's sampler has it; the noise e is then that of the limited D."""
    return lambda x, a, n: denoise(x, a, n).clamp(low, high)
