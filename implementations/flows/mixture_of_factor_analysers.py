"""Mixture of factor analysers. Ghahramani, Hinton 1996, technical report CRG-TR-96-1, University of Toronto.

No flow: the density that NICE's paper compares with in its deep form (Tang et al. 2012, arXiv 1206.4635). Each of K
components explains x by a few factors and independent noise, so its covariance is of low rank plus diagonal:

    p(x) = sum_k w_k N(x; mu_k, S_k),    S_k = W_k W_k^T + diag(psi_k),    W_k of shape (d, r)

With M = I + W^T diag(1/psi) W of shape (r, r) (matrix inversion and determinant lemmas),

    x^T S^-1 x = x^T diag(1/psi) x - |chol(M)^-1 W^T diag(1/psi) x|^2,    log |S| = log |M| + sum log psi

Fitted by gradient ascent on the same objective as the flows, not by EM, so that the budgets can be compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from implementations.common.errors import Unsupported
from implementations.common.recipes import ADAM
from implementations.common.settings import require_positive
from implementations.flows.parts.flow import negative_log_likelihood
from implementations.flows.parts.protocol import FlowMethod


@dataclass(frozen=True)
class Settings:
    """All ours: the paper of NICE quotes numbers of others."""

    components: int = 30  # ours
    factors: int = 6  # ours
    initial_examples: int = 1000  # ours: means start at training examples, noise at their variance
    smallest_noise: float = 1e-4  # ours: psi stays above it, or a component could close on one example
    batch: int = 100  # ours
    learning_rate: float = 2e-3  # ours
    gradient_clip: float | None = None  # ours
    ema_half_life: int | None = None  # examples; ours

    def __post_init__(self) -> None:
        require_positive(self, "components", "factors", "initial_examples", "smallest_noise", "batch", "learning_rate")
        require_positive(self, "gradient_clip", "ema_half_life")


class MixtureOfFactorAnalysers(nn.Module):
    """K Gaussians of low rank plus diagonal."""

    def __init__(self, settings: Settings, dimensions: int, generator: torch.Generator):
        super().__init__()
        k, r = settings.components, settings.factors
        like = torch.empty(k, dimensions)  # on the default device, so that parameters are counted without memory
        self.smallest_noise = settings.smallest_noise
        self.log_weights = nn.Parameter(torch.zeros(k))
        self.means = nn.Parameter(_normal(like, 1.0, generator))
        self.loadings = nn.Parameter(_normal(like[..., None].expand(k, dimensions, r), 0.1, generator))
        self.log_noise = nn.Parameter(torch.zeros(k, dimensions))

    def initialise(self, x: Tensor) -> None:
        """Means at the first K examples of `x` (batch, d), noise at half the variance of all.

        Raises:
            ValueError: fewer examples than components.
        """
        if len(x) < len(self.means):
            raise Unsupported(f"{len(self.means)} components start at as many examples, not at {len(x)}")
        with torch.no_grad():
            self.means.copy_(x[: len(self.means)])
            self.log_noise.copy_((0.5 * x.var(0) + self.smallest_noise).log().expand_as(self.log_noise))

    def noise(self) -> Tensor:
        """psi, (K, d), variances."""
        return self.log_noise.exp() + self.smallest_noise

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of shape (batch,), nats on the scale of x."""
        psi = self.noise()
        scaled = self.loadings / psi[..., None]  # diag(1/psi) W, (K, d, r)
        identity = torch.eye(self.loadings.shape[2], dtype=x.dtype, device=x.device)
        root = torch.linalg.cholesky(identity + self.loadings.mT @ scaled)
        centred = x[None] - self.means[:, None]  # (K, batch, d)
        explained = torch.linalg.solve_triangular(root, (centred @ scaled).mT, upper=False)  # (K, r, batch)
        distance = (centred.square() / psi[:, None]).sum(2) - explained.square().sum(1)
        log_det = 2 * root.diagonal(dim1=1, dim2=2).log().sum(1) + psi.log().sum(1)
        constant = torch.log_softmax(self.log_weights, 0) - 0.5 * (log_det + x.shape[1] * math.log(2 * math.pi))
        return torch.logsumexp(constant[:, None] - 0.5 * distance, dim=0)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws: a component, its factors, its noise."""
        which = torch.multinomial(self.log_weights.softmax(0), count, replacement=True, generator=generator)
        factors = _normal(self.loadings.new_empty(count, self.loadings.shape[2]), 1.0, generator)
        noise = _normal(self.means.new_empty(count, self.means.shape[1]), 1.0, generator)
        explained = torch.einsum("ndr,nr->nd", self.loadings[which], factors)
        return self.means[which] + explained + self.noise()[which].sqrt() * noise


def _normal(like: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    if like.is_meta:
        return torch.empty_like(like)
    return deviation * torch.randn(like.shape, dtype=like.dtype, device=like.device, generator=generator)


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> MixtureOfFactorAnalysers:
    """An untrained model with K (1 + d (2 + r)) parameters."""
    return MixtureOfFactorAnalysers(settings, math.prod(shape), generator)


METHOD = FlowMethod(settings=Settings, build=build, loss=negative_log_likelihood, recipe=ADAM)
