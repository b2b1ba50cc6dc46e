"""The trace of a field's Jacobian, and the bijection whose log-determinant is its integral along a path.

Exact trace and Hutchinson's estimator are both sums of quadratic forms e^T J e over probes e: tr(J) = sum_k e_k^T J e_k
where the outer products e_k e_k^T sum to the identity, as those of the unit vectors do, and in expectation that of one
noise vector (Hutchinson 1989; FFJORD, arXiv 1810.01367, section 3.1). A product costs about as much as an evaluation.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from implementations.common.ode import Solver, solve

Trace = Literal["exact", "hutchinson_rademacher", "hutchinson_gaussian"]
Probes = Callable[[Tensor], Tensor]
"""Of points (batch, *shape): k probes, of shape (k, batch or 1, *shape)."""


def unit_vectors(x: Tensor) -> Tensor:
    """Probes of the exact trace: as many as an example has dimensions, the same for each example."""
    d = prod(x.shape[1:])
    return torch.eye(d, dtype=x.dtype, device=x.device).reshape(d, 1, *x.shape[1:])


def rademacher(x: Tensor, generator: torch.Generator) -> Tensor:
    """One probe an example, its entries -1 or 1: variance 2 sum_{i != j} S_ij^2, S the symmetric part of J."""
    bits = torch.randint(0, 2, (1, *x.shape), device=x.device, generator=generator)
    return (2 * bits - 1).to(x.dtype)


def gaussian(x: Tensor, generator: torch.Generator) -> Tensor:
    """One probe an example, its entries standard normal: variance 2 |S|_F^2, S the symmetric part of J."""
    return torch.randn((1, *x.shape), dtype=x.dtype, device=x.device, generator=generator)


def drawn(trace: Trace, generator: torch.Generator) -> Probes:
    """The probes of that name, drawn anew at each call."""
    draw = {"exact": lambda x, _: unit_vectors(x), "hutchinson_rademacher": rademacher, "hutchinson_gaussian": gaussian}
    return lambda x: draw[trace](x, generator)


def fixed(trace: Trace, seed: int) -> Probes:
    """The probes of that name, the same at each call, so that a density taken with them is a function of x.

    The noise of an example is that of its place in the batch: one vector for all would leave a mean over many examples
    with the error of that vector.
    """
    return lambda x: drawn(trace, torch.Generator(x.device).manual_seed(seed))(x)


def no_probes(x: Tensor) -> Tensor:
    """For draws, which need no density: the trace is then given as 0."""
    return x.new_empty(0, *x.shape)


def value_and_trace(field: Callable[[Tensor], Tensor], x: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """f(x) of the shape of x, and sum_k e_k^T (df/dx) e_k of shape (batch,).

    `field` maps (batch, *shape) to the same shape, each example by itself. Both results can be differentiated where
    gradients are asked for, and keep no graph where they are not.
    """
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if graph and x.requires_grad else x.detach().requires_grad_()
        value = field(x)
        trace = x.new_zeros(len(x))
        for probe in probes:
            along = probe.expand_as(x)
            (product,) = torch.autograd.grad(value, x, along, create_graph=graph, retain_graph=True)
            trace = trace + (product * along).flatten(1).sum(1)
    return (value, trace) if graph else (value.detach(), trace)


@dataclass(frozen=True)
class Integration:
    """How a path and the trace along it are computed."""

    solver: Solver
    probes: Probes  # called once a solve, so that the equation stays the same throughout
    adjoint: bool = False  # whether gradients come from the adjoint equation (`common/ode.py`)


class Transport(nn.Module):
    """The bijection x(0) -> x(T) along dx/dt = f(t, x), with log |det| = int_0^T tr(df/dx) dt.

    Chen et al. 2018, arXiv 1806.07366, theorem 1. `field` maps a scalar time and points to the points' shape.
    """

    def __init__(self, field: nn.Module, integration: Integration, end_time: float = 1.0, learned: bool = False):
        super().__init__()
        self.field = field
        self.integration = integration
        self.root_end_time = nn.Parameter(torch.tensor(end_time**0.5), requires_grad=learned)
        self.evaluations = 0  # of the field, in the last solve

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._moved(x, 0.0, 1.0)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self._moved(y, 1.0, 0.0)

    def _moved(self, x: Tensor, start: float, end: float) -> tuple[Tensor, Tensor]:
        """With times in units of T, so that T can be learned like any parameter."""
        how, probes = self.integration, self.integration.probes(x)

        def flow(s: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            last = self.root_end_time.square()
            return value_and_trace(lambda h: last * self.field(last * s, h), state[0], probes)

        adjoint = tuple(self.parameters()) if how.adjoint and torch.is_grad_enabled() else None
        state: tuple[Tensor, ...] = (x, x.new_zeros(len(x)))
        (y, logdet), self.evaluations = solve(flow, state, start, end, how.solver, adjoint)
        return y, logdet


@contextmanager
def integrating(model: nn.Module, integration: Integration) -> Iterator[None]:
    """For as long as the context lasts, every `Transport` in the model computes in another way."""
    parts = [part for part in model.modules() if isinstance(part, Transport)]
    before = [part.integration for part in parts]
    for part in parts:
        part.integration = integration
    try:
        yield
    finally:
        for part, own in zip(parts, before, strict=True):
            part.integration = own
