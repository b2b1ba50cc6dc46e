"""The mixture of Gaussians behind a `MixtureGeneration`, and the points drawn from it."""

from math import isqrt, pi

import torch
from torch import Tensor

from benchmarks.families.diffusion.problems import MixtureGeneration
from benchmarks.run.seeds import torch_generator
from implementations.common.oracles import GaussianMixture

SPREAD = 0.5  # standard deviation of each coordinate


def mixture(task: MixtureGeneration, device: str = "cpu") -> GaussianMixture:
    """The law, in float64; ValueError on too few components, a grid that is no square, or one as wide as the whole."""
    k = task.components
    if not 0 < task.deviation < SPREAD:
        raise ValueError(f"task {task.name}: the components' deviation is above 0 and below {SPREAD}")
    if k < 3 or (task.arrangement == "grid" and isqrt(k) ** 2 != k):
        raise ValueError(f"task {task.name}: a ring has 3 components or more, a grid a square number of them, not {k}")
    if task.arrangement == "ring":
        angles = torch.arange(k, dtype=torch.float64) * (2 * pi / k)
        means = torch.stack([angles.cos(), angles.sin()], dim=1)
        weights = torch.full((k,), 1 / k, dtype=torch.float64)
    else:
        along = torch.linspace(-1.0, 1.0, isqrt(k), dtype=torch.float64)
        means = torch.cartesian_prod(along, along)
        weights = torch.arange(1, k + 1, dtype=torch.float64)
        weights = weights / weights.sum()
    means = means - weights @ means
    means = means * ((SPREAD**2 - task.deviation**2) / (weights @ means.square())).sqrt()
    factors = task.deviation * torch.eye(2, dtype=torch.float64).repeat(k, 1, 1)
    return GaussianMixture(*(each.to(device) for each in (weights, means, factors)))


def points(task: MixtureGeneration, split: str) -> Tensor:
    """The points of train, valid or test, (n, 2) in float64; the same at every call."""
    counts = {"train": task.train, "valid": task.valid, "test": task.test}
    return mixture(task).sample(counts[split], torch_generator(task.seed, f"{split} points"))
