"""A bijection and a base density make a flow: everything `protocol.FlowModel` asks, once for all methods."""

import torch
from torch import Tensor, nn

from implementations.flows.parts.priors import Gaussian, Prior
from implementations.flows.parts.protocol import DensityModel


class DataDependent(nn.Module):
    """A part that takes initial values from training data, the first batch it sees inside `Flow.initialise`.

    Only there: never while evaluating or sampling, which would make the model depend on what it is shown first.
    """

    initialising = False


class Flow(nn.Module):
    """z = f(x) with prior p(z): log p(x) = log p(f(x)) + log |det df/dx|."""

    def __init__(self, bijection: nn.Module, dimensions: int, prior: Prior | None = None):
        """`bijection` maps (batch, dimensions) to the same shape; the prior is by default the standard normal."""
        super().__init__()
        self.bijection = bijection
        self.dimensions = dimensions
        self.prior = prior or Gaussian()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) data to latent, with log |det dz/dx| of shape (batch,)."""
        z, logdet = self.bijection(x)
        return z, logdet

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, d) latent to data, with log |det dx/dz| of shape (batch,)."""
        x, logdet = self.bijection.inverse(z)  # type: ignore[operator]  # modules type as Tensor | Module
        return x, logdet

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of shape (batch,), nats on the scale of x."""
        z, logdet = self.encode(x)
        return self.prior.log_prob(z) + logdet

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws: the prior, decoded."""
        like = next(self.parameters()).new_empty(count, self.dimensions)
        return self.decode(self.prior.sample(like, generator))[0]

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Lets every `DataDependent` part take its initial values from training examples `x` (batch, d)."""
        parts = [module for module in self.modules() if isinstance(module, DataDependent)]
        if not parts:
            return
        for part in parts:
            part.initialising = True
        self.encode(x)
        for part in parts:
            part.initialising = False


def negative_log_likelihood(model: DensityModel, x: Tensor, generator: torch.Generator) -> Tensor:
    """-mean log p(x) over the batch (batch, d), nats. Data is dequantised before it comes here: nothing is drawn."""
    return -model.log_prob(x).mean()
