"""NICE: Non-linear Independent Components Estimation. Dinh, Krueger, Bengio 2014, arXiv 1410.8516.

An image x is mapped to z = f(x) by couplings whose Jacobian determinant is 1, then scaled once; the density is exact:

    log p(x) = sum_d log p_d(z_d) + sum_d s_d,    z = f(x)

    coupling    z_moved = x_moved + m(x_kept),   z_kept = x_kept                   (additive coupling)
    scaling     z = exp(s) * h                                                      (diagonal, once, at the end)
    prior       log p_d(z) = -log(1 + e^z) - log(1 + e^-z)                          (logistic)

Even and odd pixels take turns in being moved. Inversion costs as much as evaluation: z_moved - m(z_kept).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from implementations.common.settings import require_positive
from implementations.flows.parts.bijections import AdditiveCoupling, Chain, Diagonal
from implementations.flows.parts.priors import Gaussian, Logistic, Prior
from implementations.networks.mlp import mlp


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's MNIST model."""

    couplings: int = 4  # section 5.1, architecture table
    hidden_layers: int = 5  # section 5.1, architecture table
    hidden_units: int = 1000  # section 5.1, architecture table
    prior: Literal["logistic", "gaussian"] = "logistic"  # section 5.1, architecture table
    batch: int = 200  # author code, exp/nice_mnist.yaml
    learning_rate: float = 1e-3  # section 5.1
    beta1: float = 0.9  # section 5.1
    beta2: float = 0.99  # section 5.1, written there as 0.01 in the older notation
    epsilon: float = 1e-4  # section 5.1
    gradient_clip: float | None = None  # ours: the paper clips nothing
    ema_half_life: int | None = None  # images; ours: the paper averages nothing

    def __post_init__(self) -> None:
        require_positive(self, "couplings", "hidden_layers", "hidden_units", "batch", "learning_rate", "epsilon")
        require_positive(self, "gradient_clip", "ema_half_life")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ValueError(f"beta1 and beta2 lie in [0, 1), not {self.beta1} and {self.beta2}")


class Nice(nn.Module):
    """Couplings, one diagonal scaling, a factorised prior."""

    def __init__(self, couplings: Chain, scaling: Diagonal, prior: Prior):
        super().__init__()
        self.couplings = couplings
        self.scaling = scaling
        self.prior = prior

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) data to latent, with log |det dz/dx| of shape (batch,)."""
        h, unit = self.couplings(x)
        z, scaled = self.scaling(h)
        return z, unit + scaled

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) latent to data, with log |det dx/dz| of shape (batch,)."""
        h, scaled = self.scaling.inverse(z)
        x, unit = self.couplings.inverse(h)
        return x, scaled + unit

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of shape (batch,), nats on the scale of x."""
        z, logdet = self.encode(x)
        return self.prior.log_prob(z) + logdet

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws: the prior, decoded."""
        like = self.scaling.log_scale.new_empty(count, len(self.scaling.log_scale))
        return self.decode(self.prior.sample(like, generator))[0]


def build(settings: Settings, dimensions: int, generator: torch.Generator) -> Nice:
    """An untrained model; at the defaults and 784 dimensions it has 19,158,352 parameters."""
    if dimensions < 2:
        raise ValueError(f"a coupling splits at least 2 dimensions, not {dimensions}")
    even, odd = torch.arange(0, dimensions, 2), torch.arange(1, dimensions, 2)
    couplings = []
    for number in range(settings.couplings):
        kept, moved = (even, odd) if number % 2 == 0 else (odd, even)
        network = mlp(len(kept), len(moved), settings.hidden_units, settings.hidden_layers, generator)
        couplings.append(AdditiveCoupling(network, kept, moved))
    priors: dict[str, Prior] = {"logistic": Logistic(), "gaussian": Gaussian()}
    return Nice(Chain(*couplings), Diagonal(dimensions), priors[settings.prior])


def optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Adam with the paper's constants (section 5.1)."""
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(
        model.parameters(), lr=settings.learning_rate, betas=betas, eps=settings.epsilon, fused=True
    )


def loss(model: Nice, x: Tensor, generator: torch.Generator) -> Tensor:
    """-mean log p(x) over the batch, nats; `x` is (batch, d), already dequantised, so nothing is drawn here."""
    return -model.log_prob(x).mean()
