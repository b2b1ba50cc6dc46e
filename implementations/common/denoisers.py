"""Denoisers known in closed form: E[x_0 | x] for x = a x_0 + n eps with eps standard normal, to hold samplers against.

Each maps (x, a, n), with a and n of shape () or (batch,), neither negative nor both 0, to the shape of x. They hold
with n = 0, where x is a x_0 (for covariances of full rank), and with a = 0, where x tells nothing.
"""

import torch
from torch import Tensor

from implementations.common.oracles import GaussianMixture


class MixtureDenoiser:
    """Of a mixture of Gaussians: (batch, d) to (batch, d), exact to rounding.

    In each component's own axes, where its covariance a^2 C + n^2 I is diagonal whatever a and n are.
    """

    def __init__(self, mixture: GaussianMixture):
        self.mixture = mixture
        self.variances, self.axes = torch.linalg.eigh(mixture.factors @ mixture.factors.mT)  # (k, d), (k, d, d)

    def __call__(self, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        means = self.mixture.means
        a, n = (value.to(x).reshape(-1, 1, 1) for value in (a, n))
        along = torch.einsum("kij,nki->nkj", self.axes, x[:, None] - a * means)  # (batch, k, d), each in its own axes
        variances = a.square() * self.variances + n.square()
        joint = self.mixture.weights.log() - 0.5 * (along.square() / variances + variances.log()).sum(2)
        posterior = means + torch.einsum("kij,nkj->nki", self.axes, a * self.variances / variances * along)
        return torch.einsum("nk,nkd->nd", torch.softmax(joint, dim=1), posterior)
