"""The four energies of Rezende and Mohamed 2015 (arXiv 1505.05770, table 1; from memory), with Z by quadrature.

Energies 2 to 4 do not confine z1; a wall beyond |z1| = 4, ours, makes exp(-U) a density. The paper shows that range.
"""

import math
from functools import cache

import torch
from torch import Tensor

REACH = 7.0  # the square [-7, 7]^2 holds all but less than 1e-9 of each density
CELLS = 1400  # a side; cells of width 0.01, where the narrowest ridge has a standard deviation of 0.35
WALL, SOFTNESS = 4.0, 0.2


def potential(number: int, z: Tensor) -> Tensor:
    """U(z) of energy 1 to 4, (batch, 2) -> (batch,), nats; +log Z short of a negative log-density."""
    z1, z2 = z[:, 0], z[:, 1]
    if number == 1:
        ring: Tensor = 0.5 * ((z.norm(dim=1) - 2) / 0.4).square()
        sides: Tensor = torch.logaddexp(-0.5 * ((z1 - 2) / 0.6).square(), -0.5 * ((z1 + 2) / 0.6).square())
        return ring - sides
    wave = z2 - torch.sin(0.5 * math.pi * z1)
    wall: Tensor = 0.5 * ((z1.abs() - WALL).clamp_min(0) / SOFTNESS).square()
    if number == 2:
        return 0.5 * (wave / 0.4).square() + wall
    if number == 3:
        branch, width = 3 * torch.exp(-0.5 * ((z1 - 1) / 0.6).square()), 0.35
    else:
        branch, width = 3 * torch.sigmoid((z1 - 1) / 0.3), 0.4
    return wall - torch.logaddexp(-0.5 * (wave / width).square(), -0.5 * ((wave + branch) / 0.35).square())


def cell_centres(reach: float, cells: int) -> Tensor:
    """Centres of `cells` x `cells` squares over [-reach, reach]^2, (cells^2, 2) in float64; z2 falls row by row."""
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * (2 * reach / cells) - reach
    down, across = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    return torch.stack([across, down], dim=-1).reshape(-1, 2)


@cache
def log_normaliser(number: int) -> float:
    """log Z by the midpoint rule, which for smooth densities far from the edge is exact to rounding."""
    inner = -potential(number, cell_centres(REACH, CELLS))
    return float(torch.logsumexp(inner, 0)) + 2 * math.log(2 * REACH / CELLS)


def log_density(number: int, z: Tensor) -> Tensor:
    """log p(z) = -U(z) - log Z, (batch, 2) -> (batch,), nats."""
    return -potential(number, z) - log_normaliser(number)


def sample(number: int, count: int, generator: torch.Generator) -> Tensor:
    """(count, 2) draws in float64: a cell by its mass, then a uniform point in it."""
    centres = cell_centres(REACH, CELLS)
    mass = torch.softmax(-potential(number, centres), 0)
    which = torch.multinomial(mass, count, replacement=True, generator=generator)
    inside = torch.rand(count, 2, dtype=torch.float64, generator=generator) - 0.5
    return centres[which] + inside * (2 * REACH / CELLS)
