"""The mixture of Gaussians behind a `MixtureDensity`, and the points drawn from it."""

import torch
from torch import Tensor

from benchmarks.families.flows.problems import MixtureDensity
from benchmarks.run.seeds import torch_generator
from implementations.common.oracles import GaussianMixture

SPREAD = 2.0  # standard deviation of the components' means
WIDTHS = (0.2, 1.0)  # range of a component's standard deviations along its own axes


def mixture(task: MixtureDensity) -> GaussianMixture:
    """The true density, in float64: means normal, covariances with random axes and widths, weights uneven."""
    generator = torch_generator(task.seed, "mixture")
    shape = (task.components, task.dimensions)
    means = SPREAD * torch.randn(shape, dtype=torch.float64, generator=generator)
    axes, _ = torch.linalg.qr(torch.randn(*shape, task.dimensions, dtype=torch.float64, generator=generator))
    low, high = WIDTHS
    widths = low + (high - low) * torch.rand(shape, dtype=torch.float64, generator=generator)
    weights = torch.softmax(0.5 * torch.randn(task.components, dtype=torch.float64, generator=generator), 0)
    factors = torch.linalg.cholesky(axes * widths.square()[:, None, :] @ axes.mT)
    return GaussianMixture(weights, means, factors)


def points(task: MixtureDensity, split: str) -> Tensor:
    """The points of train, valid or test, (n, d) in float64; the same at every call."""
    counts = {"train": task.train, "valid": task.valid, "test": task.test}
    return mixture(task).sample(counts[split], torch_generator(task.seed, f"{split} points"))
