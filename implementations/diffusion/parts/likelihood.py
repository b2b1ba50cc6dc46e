"""Likelihood of diffusion models: exact along the probability flow, and DDPM's variational bound, term by term.

All in nats, summed over an example's dimensions, on the scale of the data that is given.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from implementations.common.ode import Solver, solve
from implementations.diffusion.parts.parameterisations import Denoise
from implementations.diffusion.parts.paths import Path
from implementations.diffusion.parts.samplers import chain_variances, probability_flow
from implementations.flows.parts.trace import Probes, unit_vectors, value_and_trace


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


def step_term(x0: Tensor, denoised: Tensor, start: Tensor, end: Tensor, variance: Tensor) -> Tensor:
    """L_(t-1): KL(q(x' | x, x_0) | p(x' | x)) of one step to n' above 0, (batch,). DDPM, equations 5-8.

    Both are normal with means that differ by (a' v / n^2) (x_0 - D), where v is the variance that the chain adds.

    Args:
        denoised: D(x), of the shape of x_0.
        start, end: the pairs (a, n) of x and x', each of shape (2,).
        variance: of the model's step, of shape (); `chain_variances` gives the two that DDPM fixes.
    """
    (_, n), (a_end, _) = start, end
    added, posterior = chain_variances(start, end)
    ratio = posterior / variance
    misfit = _over_dimensions((x0 - denoised).square()) * ((a_end * added / n.square()).square() / variance)
    term: Tensor = 0.5 * (misfit + x0[0].numel() * (ratio - 1 - ratio.log()))
    return term


def continuous_decoder_term(x0: Tensor, denoised: Tensor, variance: Tensor) -> Tensor:
    """L_0 for data on a continuum: -log N(x_0; D, variance I), (batch,)."""
    misfit = _over_dimensions((x0 - denoised).square()) / variance
    term: Tensor = 0.5 * (misfit + x0[0].numel() * (2 * math.pi * variance).log())
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
