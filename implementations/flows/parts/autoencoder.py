"""Variational autoencoder of binary data whose posterior is bent by a flow. Rezende, Mohamed 2015, arXiv 1505.05770.

    p(x) = integral of p(x|z) p(z) dz,    p(z) = N(0, I),    p(x|z) = prod_i Bernoulli(x_i; sigmoid(decoder(z)_i))
    z_0 = mean(x) + exp(log_variance(x) / 2) noise,    z_K = f(z_0),    log q(z_K|x) = log q_0(z_0|x) - sum log |det|

The parameters of the K maps of f depend on x as the mean and the variance do. The negative of the paper's free energy
(section 4.2; paper, from memory) is a lower bound:

    log p(x) >= E[log p(x|z_K) + log p(z_K) - log q_0(z_0|x) + sum log |det|]
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from implementations.flows.parts.priors import Gaussian
from implementations.flows.parts.protocol import AmortisedFlow
from implementations.networks.mlp import linear, mlp

BENDING = 0.3  # ours: by this the flow's output weights start smaller than torch's law, so that long flows start unbent


class AmortisedMaps:
    """`length` maps of one kind, one after the other, with parameters per example: an `AmortisedFlow`."""

    def __init__(
        self, compose: Callable[..., tuple[Tensor, Tensor]], shapes: Sequence[tuple[int, ...]], length: int
    ) -> None:
        """`compose(z, *parameters)` gives (z', logdet); `shapes` are those of one map's parameters for one example.

        Each parameter reaches `compose` with the shape (length, batch, *shape). Of an example's numbers, those of the
        first map come first. Length 0 is the identity.
        """
        self.compose, self.shapes, self.length = compose, tuple(shapes), length
        self.sizes = [math.prod(shape) for shape in shapes]
        self.parameters = length * sum(self.sizes)

    def __call__(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        if not self.length:
            return z, z.new_zeros(len(z))
        each = parameters.reshape(len(z), self.length, sum(self.sizes)).movedim(1, 0).split(self.sizes, dim=2)
        return self.compose(z, *(p.reshape(*p.shape[:2], *shape) for p, shape in zip(each, self.shapes, strict=True)))


class Autoencoder(nn.Module):
    """Encoder and decoder with one rectified hidden layer each."""

    def __init__(
        self, dimensions: int, latent: int, hidden_units: int, flow: AmortisedFlow | None, generator: torch.Generator
    ):
        """`flow` acts on `latent` dimensions; with None, or one that takes no parameters, the posterior is diagonal."""
        super().__init__()
        self.flow = flow if flow is not None and flow.parameters else None
        self.prior = Gaussian()
        self.features = nn.Sequential(linear(dimensions, hidden_units, generator), nn.ReLU())
        self.moments = linear(hidden_units, 2 * latent, generator)
        self.decoder = mlp(latent, dimensions, hidden_units, 1, generator)
        if self.flow is not None:
            # Drawn last: from one seed, flows of every length start with the same other weights.
            self.bending = linear(hidden_units, self.flow.parameters, generator)
            with torch.no_grad():
                for parameter in self.bending.parameters():
                    parameter.mul_(BENDING)

    def infer(self, x: Tensor) -> tuple[Tensor, ...]:
        """Mean and log variance of z_0, (batch, latent) each, and the flow's parameters where there is a flow."""
        features = self.features(x)
        mean, log_variance = self.moments(features).chunk(2, dim=1)
        return (mean, log_variance) if self.flow is None else (mean, log_variance, self.bending(features))

    def draw(self, inferred: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A draw z_K (batch, latent) of the posterior that `infer` found, and its log q(z_K|x) of shape (batch,)."""
        mean, log_variance, *parameters = inferred
        noise = torch.randn(mean.shape, dtype=mean.dtype, device=mean.device, generator=generator)
        z = mean + (0.5 * log_variance).exp() * noise
        log_q = self.prior.log_prob(noise) - 0.5 * log_variance.sum(1)
        if self.flow is not None:
            z, logdet = self.flow(z, *parameters)
            log_q = log_q - logdet
        return z, log_q

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) + log p(z), (batch,), nats."""
        missed = binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none")
        return self.prior.log_prob(z) - missed.sum(1)

    def bound(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The lower bound of log p(x) from one draw of z an example: x (batch, d) of 0 and 1 to (batch,), nats."""
        z, log_q = self.draw(self.infer(x), generator)
        return self.log_joint(x, z) - log_q

    def log_likelihood(self, x: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """log of the mean of `samples` importance weights p(x, z_K) / q(z_K|x), (batch,), nats.

        In expectation a lower bound of log p(x), which rises towards it with `samples` (Burda, Grosse, Salakhutdinov
        2015, arXiv 1509.00519); with 1 sample it is `bound`.
        """
        inferred, log_weights = self.infer(x), []
        for _ in range(samples):
            z, log_q = self.draw(inferred, generator)
            log_weights.append(self.log_joint(x, z) - log_q)
        return torch.stack(log_weights).logsumexp(0) - math.log(samples)
