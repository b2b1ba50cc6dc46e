"""Grids: the pairs (a, n) that a sampler visits, from noise to data, both ends in: float64, of shape (N + 1, 2).

A sampler walks N explicit steps from one row to the next and derives no level of its own.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from implementations.common.errors import Unsupported
from implementations.diffusion.parts.paths import Path, ddpm


def at_times(path: Path, times: Tensor) -> Tensor:
    """The path's pairs at falling times of shape (N + 1,); ValueError for times that do not fall within [0, 1]."""
    if times.dtype != torch.float64 or times.ndim != 1 or len(times) < 2 or not (times.diff() < 0).all():
        raise ValueError("times are two or more, float64, and each is below the one before")
    if times[0] > 1 or times[-1] < 0:
        raise ValueError(f"times lie within [0, 1], not from {float(times[0])} to {float(times[-1])}")
    return torch.stack(path.at(times), dim=1)


def falling_times(n: int, end: float = 0.0) -> Tensor:
    """N + 1 evenly spaced times from 1 to `end`."""
    return torch.linspace(1.0, end, n + 1, dtype=torch.float64)


def uniform_time(path: Path, n: int, end: float = 0.0) -> Tensor:
    """N equal steps of the path's time, from 1 to `end`."""
    return at_times(path, falling_times(n, end))


def unscaled_levels(sigmas: Tensor) -> Tensor:
    """(1, sigma) for falling sigmas of shape (N,), float64 and above 0, and then the data, (1, 0)."""
    if sigmas.dtype != torch.float64 or sigmas.ndim != 1 or not (sigmas.diff() < 0).all() or not sigmas[-1] > 0:
        raise ValueError("levels are float64 and above 0, each below the one before")
    ends = torch.cat([sigmas, sigmas.new_zeros(1)])
    return torch.stack([torch.ones_like(ends), ends], dim=1)


def karras(n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Tensor:
    """EDM's N levels, evenly spaced in sigma^(1 / rho), and then 0 (arXiv 2206.00364, equation 5)."""
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    shares = torch.linspace(0.0, 1.0, n, dtype=torch.float64)
    return unscaled_levels((high + shares * (low - high)) ** rho)


def even_in_time(path: Path, n: int, sigma_min: float, sigma_max: float) -> Tensor:
    """N levels, evenly spaced in the path's time between those of the two, and then 0."""
    ends = path.time_of(torch.tensor([sigma_max, sigma_min], dtype=torch.float64))
    a, noise = path.at(torch.lerp(ends[0], ends[1], torch.linspace(0.0, 1.0, n, dtype=torch.float64)))
    return unscaled_levels(noise / a)


def ddpm_subset(betas: Tensor, timesteps: Sequence[int]) -> Tensor:
    """The levels of a DDPM table at `timesteps`, last first, and then the data.

    Args:
        betas: (T,).
        timesteps: rising, of 0 ... T - 1, counted as in DDPM's code: step k is level k + 1, with abar_(k + 1). The
            data, abar = 1, which codes call step -1, is no timestep: the grid ends there by itself.

    Raises:
        ValueError: timesteps are none, do not rise, or are not of the table.
    """
    steps = list(timesteps)
    rising = all(low < high for low, high in pairwise(steps))
    if not steps or not rising or steps[0] < 0 or steps[-1] >= len(betas):
        raise ValueError(f"timesteps rise within 0 ... {len(betas) - 1}, not {steps[:3]} ... {steps[-3:]}")
    levels = torch.tensor([-1, *steps], dtype=torch.float64).flip(0) + 1
    return at_times(ddpm(betas), levels / len(betas))


def uniform_steps(levels: int, n: int) -> list[int]:
    """0, s, 2 s, ... with s = T // n: n of the T timesteps (DDIM, arXiv 2010.02502, appendix D.2, "linear").

    The last is (n - 1) s, below T - 1 unless n = T. The author code goes on to T where n does not divide it.
    """
    _require_steps(levels, n)
    return [k * (levels // n) for k in range(n)]


def quadratic_steps(levels: int, n: int) -> list[int]:
    """The whole parts of (c k)^2, k = 0 ... n - 1, up to 0.8 T (DDIM's CIFAR-10 runs; 0.8 is the author code's).

    Those that coincide, at the small end and for large n, are given once: a step between equal levels does nothing. So
    the list can be shorter than n: of 1000 timesteps for 50 it has 49, for 100 it has 96. In whole numbers: where
    (c k)^2 is one, the author code's floats may fall just below, though not at the paper's step counts.
    """
    _require_steps(levels, n)
    return sorted({4 * levels * k * k // (5 * max(n - 1, 1) ** 2) for k in range(n)})


def _require_steps(levels: int, n: int) -> None:
    if not 0 < n <= levels:
        raise Unsupported(f"of {levels} levels 1 to {levels} can be visited, not {n}")
