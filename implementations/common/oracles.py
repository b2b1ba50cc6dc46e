"""Densities with everything known in closed form: what methods are held against, before and after training."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GaussianMixture:
    """sum_k w_k N(x; mu_k, L_k L_k^T) on R^d."""

    weights: Tensor  # (k,), positive, summing to 1
    means: Tensor  # (k, d)
    factors: Tensor  # (k, d, d), lower triangular with a positive diagonal: Cholesky factors of the covariances

    def log_prob(self, x: Tensor) -> Tensor:
        """(batch, d) -> (batch,), nats."""
        return torch.logsumexp(self._joint(x), dim=1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws."""
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], dtype=self.means.dtype, generator=generator)
        return self.means[which] + torch.einsum("nij,nj->ni", self.factors[which], noise)

    def diffused(self, scale: float, sigma: float) -> "GaussianMixture":
        """The law of `scale` x + `sigma` eps with eps standard normal: again a mixture, of the same weights."""
        covariances = self.factors @ self.factors.mT * scale**2
        noise = sigma**2 * torch.eye(self.means.shape[1], dtype=self.means.dtype)
        return GaussianMixture(self.weights, scale * self.means, torch.linalg.cholesky(covariances + noise))

    def score(self, x: Tensor) -> Tensor:
        """grad log p(x), (batch, d) -> (batch, d)."""
        share = torch.softmax(self._joint(x), dim=1)  # of each component in the density at x
        precise = torch.cholesky_solve(self._centred(x).permute(1, 2, 0), self.factors)  # (k, d, batch)
        return -torch.einsum("nk,kdn->nd", share, precise)

    def _centred(self, x: Tensor) -> Tensor:
        return x[:, None, :] - self.means  # (batch, k, d)

    def _joint(self, x: Tensor) -> Tensor:
        """log w_k + log N_k(x), (batch, k)."""
        white = torch.linalg.solve_triangular(self.factors, self._centred(x).permute(1, 2, 0), upper=False)
        log_det = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = self.weights.log() - log_det - 0.5 * self.means.shape[1] * math.log(2 * math.pi)
        joint: Tensor = constant - 0.5 * white.square().sum(1).mT
        return joint
