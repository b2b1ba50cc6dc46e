"""Numerical solution of dx/dt = f(t, x), by torchdiffeq; the one place where methods solve ODEs.

torchdiffeq's adaptive methods step over the end and interpolate back, probe beyond it for their first step, and
differentiate the choice of the step size. Here the field is asked within [start, end] alone, and steps are constants.
They choose steps by an error norm over the whole state, so the rows of a batch depend on each other, within the
tolerance; with a fixed number of steps they do not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor
from torchdiffeq import odeint, odeint_adjoint

ADAPTIVE = ("dopri5", "dopri8", "bosh3", "adaptive_heun")
FIXED = ("euler", "midpoint", "heun3", "rk4")
MOST_STEPS = 10_000  # of an adaptive method, which would go on for ever on a field that became stiff

State = TypeVar("State", Tensor, tuple[Tensor, ...])


@dataclass(frozen=True)
class Solver:
    """A method with its accuracy: a tolerance for adaptive methods, a number of equal steps for the others."""

    method: str
    tolerance: float | None = None  # of the error of a step, absolute and relative
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.method not in ADAPTIVE + FIXED:
            raise ValueError(f"{self.method} is none of the methods {', '.join(ADAPTIVE + FIXED)}")
        given, other = ("tolerance", "steps") if self.method in ADAPTIVE else ("steps", "tolerance")
        value = getattr(self, given)
        if value is None or not value > 0 or getattr(self, other) is not None:
            raise ValueError(f"{self.method} takes {given} above 0 and no {other}, not {self}")

    @property
    def variant(self) -> dict[str, str | float | int]:
        """What names the rows of a measurement that depends on it."""
        accuracy = {"tolerance": self.tolerance, "steps": self.steps}
        return {"solver": self.method} | {name: value for name, value in accuracy.items() if value is not None}


def solve(
    field: Callable[[Tensor, State], State],
    state: State,
    start: float,
    end: float,
    solver: Solver,
    adjoint: Sequence[Tensor] | None = None,
) -> tuple[State, int]:
    """The state at `end`, and how often the field was evaluated to find it.

    Args:
        field: (t, state) to its derivative; t is a scalar tensor in the state's dtype.
        state: at `start`: a tensor, or a tuple of tensors of one dtype, which the solution keeps.
        end: later or earlier than `start`.
        adjoint: where given, gradients, of the state and of these parameters, come from the adjoint equation, solved
            backwards by the same solver: the memory they take does not grow with the steps (Chen et al. 2018,
            arXiv 1806.07366). Otherwise the solver's own operations are differentiated.

    Raises:
        ValueError: the times are equal or not finite, or the state is not of one floating dtype.
        ArithmeticError: an adaptive method found no solution; the field is stiff or not finite.
    """
    parts = state if isinstance(state, tuple) else (state,)
    if len({part.dtype for part in parts}) != 1 or not parts[0].is_floating_point():
        raise ValueError(f"a state has one floating dtype, not {[str(part.dtype) for part in parts]}")
    times = torch.tensor([start, end], dtype=torch.float64, device=parts[0].device)
    if start == end or not torch.isfinite(times).all():
        raise ValueError(f"an ODE is solved between two times, not from {start} to {end}")
    evaluations, low, high = 0, min(start, end), max(start, end)

    def counted(t: Tensor, x: State) -> State:
        nonlocal evaluations
        evaluations += 1
        return field(t.clamp(low, high), x)

    tolerance = 0.0 if solver.tolerance is None else solver.tolerance  # which methods with fixed steps do not read
    how = {"rtol": tolerance, "atol": tolerance, "method": solver.method}
    options, back = (_options(solver, last) for last in (times[1:], times[:1]))
    integrate = odeint
    if adjoint is not None:
        integrate = partial(odeint_adjoint, adjoint_params=tuple(adjoint), adjoint_options=back)
    try:
        solution = integrate(counted, state, times, **how, options={**options, "norm": _norm})
    except AssertionError as error:
        reason = str(error).split(":")[0]
        raise ArithmeticError(f"{solver.method} found no solution from {start} to {end}: {reason}") from error
    return (tuple(part[1] for part in solution) if isinstance(state, tuple) else solution[1]), evaluations


def _options(solver: Solver, last: Tensor) -> dict[str, object]:
    """torchdiffeq's options of a solve that ends at the time `last`, of shape (1,)."""
    if solver.steps is None:
        return {"step_t": last, "max_num_steps": MOST_STEPS}
    shares = torch.arange(solver.steps + 1).to(last) / solver.steps
    return {"grid_constructor": lambda field, state, t: torch.lerp(t[0], t[-1], shares)}


def _norm(error: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The largest root mean square of a part of the state: torchdiffeq's own, but a constant to autograd."""
    parts = error if isinstance(error, tuple) else (error,)
    return torch.stack([part.detach().square().mean().sqrt() for part in parts]).max()
