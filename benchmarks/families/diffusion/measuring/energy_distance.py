"""Energy distance between points of the plane and a mixture of round Gaussians: of the law no draws are needed."""

import math

import torch
from torch import Tensor

from implementations.common.errors import Unsupported
from implementations.common.oracles import GaussianMixture

ROWS = 1000  # of the table of distances at a time
DIRECT = "donot_use_mm_for_euclid_dist"  # products, which torch takes for many rows, lose half the digits near 0


def energy_distance(x: Tensor, law: GaussianMixture, deviation: float) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| with X one of the points (n, 2), Y of the law; 0 only where the laws agree.

    Without bias, so at times below 0 (Szekely, Rizzo 2013, doi 10.1016/j.jspi.2013.03.018, who give the
    square this name). All components of the law are N(mean, deviation^2 I). Raises ValueError on fewer than two points.
    """
    if len(x) < 2:
        raise Unsupported(f"samples: found {len(x)}; pairs need at least 2")
    within = sum(float(torch.cdist(part, x, compute_mode=DIRECT).sum()) for part in x.split(ROWS)) / (
        len(x) * (len(x) - 1)
    )
    across = sum(float((_distances(part, law, deviation) @ law.weights).sum()) for part in x.split(ROWS)) / len(x)
    own = float(law.weights @ _distances(law.means, law, math.sqrt(2) * deviation) @ law.weights)
    return 2 * across - within - own


def _distances(x: Tensor, law: GaussianMixture, deviation: float) -> Tensor:
    """E|x - Y| for Y ~ N(mean, deviation^2 I) of each component, (n, k): the mean of Rice's law."""
    q = torch.cdist(x, law.means, compute_mode=DIRECT).square() / (2 * deviation**2)
    laguerre = (1 + q) * torch.special.i0e(q / 2) + q * torch.special.i1e(q / 2)  # L_(1/2)(-q)
    mean: Tensor = deviation * math.sqrt(math.pi / 2) * laguerre
    return mean
