"""Likelihood of diffusion models: exact along the probability flow, and DDPM's variational bound, term by term.

In nats, but where it says otherwise, summed over an example's dimensions, on the scale of the data that is given.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from implementations.common.ode import Solver, solve
from implementations.diffusion.parts.parameterisations import Denoise
from implementations.diffusion.parts.paths import Path, mixed
from implementations.diffusion.parts.samplers import Noise, chain_variances, probability_flow
from implementations.flows.parts.trace import Probes, drawn, unit_vectors, value_and_trace


@torch.no_grad()
def log_likelihood(
    denoise: Denoise,
    x: Tensor,
    path: Path,
    prior: Callable[[Tensor], Tensor],
    solver: Solver,
    probes: Probes = unit_vectors,
    start: float = 1e-5,
) -> tuple[Tensor, int]:
    """log p(x) = log prior(x(1)) + int tr(df/dx) dt over the flow from time `start` to 1, (batch,), and evaluations.

    Score SDE, arXiv 2011.13456, appendix D.2.

    Args:
        x: (batch, ...), taken as draws of the law at `start`.
        prior: log density at time 1, (batch, ...) to (batch,).
        probes: of the trace, called once: `unit_vectors` for the exact one, at the cost of as many evaluations as there
            are dimensions; otherwise one vector an example (Hutchinson), with a generator or seed of the caller's.
        start: above 0 where n(0) is 0.
    """
    directions, field = probes(x), probability_flow(denoise, path)

    def flow(t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return value_and_trace(lambda h: field(t, h), state[0], directions)

    state: tuple[Tensor, ...] = (x, x.new_zeros(len(x)))
    (end, logdet), evaluations = solve(flow, state, start, 1.0, solver)
    return prior(end) + logdet, evaluations


def trace(dimensions: int, most: int) -> Literal["exact", "hutchinson_rademacher"]:
    """How it is taken of so many dimensions where it is to be exact up to `most`."""
    return "exact" if dimensions <= most else "hutchinson_rademacher"


def trace_probes(x: Tensor, most: int, generator: torch.Generator) -> Probes:
    """Those of `trace` for examples (batch, ...); the estimator's are drawn."""
    return drawn(trace(x[0].numel(), most), generator)


def standard_normal(x: Tensor, deviation: float = 1.0) -> Tensor:
    """log N(x; 0, deviation^2 I), (batch, ...) to (batch,): the prior of a path that ends in noise of that size."""
    flat = x.flatten(1) / deviation
    return -0.5 * flat.square().sum(1) - flat.shape[1] * (math.log(deviation) + 0.5 * math.log(2 * math.pi))


def _over_dimensions(value: Tensor) -> Tensor:
    total: Tensor = value.double().flatten(1).sum(1)
    return total


def prior_term(x0: Tensor, a: Tensor, n: Tensor) -> Tensor:
    """L_T: KL(N(a x_0, n^2 I) | N(0, I)) at the last level, (batch,). DDPM, arXiv 2006.11239, equation 5.

    a and n of shape ().
    """
    squares = _over_dimensions(x0.square()) * a.square()
    return 0.5 * (squares + x0[0].numel() * (n.square() - 1 - 2 * n.log()))


def fixed_variances(grid: Tensor, kind: Literal["large", "small"]) -> Tensor:
    """Of the model's step from each level 1 ... T, (T,), where row t of the grid is level t; DDPM, section 3.2.

    The small one is 0 at t = 1, where that of t = 2 stands in for it, as in the author code.
    """
    large, small = chain_variances(grid[1:], grid[:-1])
    return large if kind == "large" else torch.cat([small[1:2], small[1:]])


def step_term(x0: Tensor, denoised: Tensor, start: Tensor, end: Tensor, variance: Tensor) -> Tensor:
    """L_(t-1): KL(q(x' | x, x_0) | p(x' | x)) of one step to n' above 0, (batch,). DDPM, equations 5-8.

    Both are normal with means that differ by (a' v / n^2) (x_0 - D), where v is the variance that the chain adds.

    Args:
        denoised: D(x), of the shape of x_0.
        start, end: the pairs (a, n) of x and x', each of shape (2,), or an example's own, (batch, 2).
        variance: of the model's step, of shape () or (batch,); `chain_variances` gives the two that DDPM fixes.
    """
    n, a_end = start[..., 1], end[..., 0]
    added, posterior = chain_variances(start, end)
    ratio = posterior / variance
    misfit = _over_dimensions((x0 - denoised).square()) * ((a_end * added / n.square()).square() / variance)
    term: Tensor = 0.5 * (misfit + math.prod(x0.shape[1:]) * (ratio - 1 - ratio.log()))
    return term


@torch.no_grad()
def terms(denoise: Denoise, x: Tensor, eps: Noise, grid: Tensor, variances: Tensor, levels: int | None) -> Tensor:
    """L_0 ... L_T, (T + 1, batch), at one draw of each x_t; T evaluations.

    Args:
        grid: row t is the pair of level t, the data's first, (T + 1, 2); `variances` as in `fixed_variances`, (T,).
        levels: of the data's grey; None where its law is a density.
    """
    found = list[Tensor]()
    for end, start, variance in zip(grid[:-1], grid[1:], variances, strict=True):
        denoised = denoise(mixed(x, eps(x), *start), *start)
        if found:
            found.append(step_term(x, denoised, start, end, variance))
        elif levels is None:
            found.append(continuous_decoder_term(x, denoised, variance))
        else:
            found.append(discretised_decoder_term(x, denoised, variance, levels))
    return torch.stack([*found, prior_term(x, *grid[-1])])


def mean_term(
    x0: Tensor, denoised: Tensor, t: Tensor, grid: Tensor, variances: Tensor, levels: int | None = None
) -> Tensor:
    """Mean over a batch of one term of the bound each, L_0 where t = 1, in bits a dimension: its T-th in expectation.

    The author code's loss of the true bound. `t` of shape (batch,) in 1 ... T, uniform; `grid` and `variances` as in
    `fixed_variances`; `levels` of the data's grey, None where its law is a density.
    """
    grid, variances = grid.to(t.device), variances.to(t.device)
    first, later = t == 1, t > 1
    place = t[later]
    total = step_term(x0[later], denoised[later], grid[place], grid[place - 1], variances[place - 1]).sum()
    if levels is None:
        total = total + continuous_decoder_term(x0[first], denoised[first], variances[0]).sum()
    else:
        total = total + discretised_decoder_term(x0[first], denoised[first], variances[0], levels).sum()
    return total / (x0.numel() * math.log(2))


def continuous_decoder_term(x0: Tensor, denoised: Tensor, variance: Tensor) -> Tensor:
    """L_0 for data on a continuum: -log N(x_0; D, variance I), (batch,)."""
    misfit = _over_dimensions((x0 - denoised).square()) / variance
    term: Tensor = 0.5 * (misfit + math.prod(x0.shape[1:]) * (2 * math.pi * variance).log())
    return term


def discretised_decoder_term(x0: Tensor, denoised: Tensor, variance: Tensor, levels: int = 256) -> Tensor:
    """L_0 for data on `levels` equally spaced values from -1 to 1: -log of the mass of x_0's bin, (batch,).

    Bins reach halfway to their neighbours, those at the ends to infinity, so that all masses sum to 1. DDPM, arXiv
    2006.11239, equation 13. The model's last step is N(D, variance I).
    """
    deviation, half = variance.sqrt(), 1 / (levels - 1)
    away = (x0 - denoised).double()
    # Both ends of a bin above the mean are mirrored below it, where the distribution function keeps its digits.
    low, high = (away.abs() - half) / deviation, (away.abs() + half) / deviation
    first, last = x0 < -1 + half, x0 > 1 - half
    inner = _log_difference(-low, -high)
    edge = torch.where(first, torch.special.log_ndtr((away + half) / deviation), inner)
    edge = torch.where(last, torch.special.log_ndtr(-(away - half) / deviation), edge)
    return -_over_dimensions(edge)


def _log_difference(high: Tensor, low: Tensor) -> Tensor:
    """log(Phi(high) - Phi(low)) for low < high; to rounding where high is not far above 0."""
    top, bottom = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    difference: Tensor = top + torch.log(-torch.expm1(bottom - top))
    return difference
