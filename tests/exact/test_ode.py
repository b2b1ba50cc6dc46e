"""Solutions of ODEs: against closed forms, inside their interval, with their gradients and their counts."""

import math

import pytest
import torch
from torch import Tensor

from implementations.common.ode import ADAPTIVE, FIXED, Solver, solve

TIGHT = Solver("dopri5", tolerance=1e-9)
RK4 = Solver("rk4", steps=10)
both_ways = pytest.mark.parametrize(("start", "end"), [(0.0, 1.3), (1.3, 0.0), (-0.7, 0.3)])
each_solver = pytest.mark.parametrize("solver", [TIGHT, RK4], ids=lambda solver: solver.method)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def matrix() -> Tensor:
    return torch.randn(3, 3, dtype=torch.float64, generator=generator(0))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 3, dtype=torch.float64, generator=generator(1))


def close(one: Tensor, other: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


@both_ways
@pytest.mark.parametrize("solver", [TIGHT, Solver("dopri8", tolerance=1e-9), Solver("rk4", steps=200)], ids=str)
def test_a_linear_field_is_solved_by_the_matrix_exponential(matrix, x, solver, start, end):
    solution, _ = solve(lambda t, x: x @ matrix.T, x, start, end, solver)
    close(solution, x @ torch.matrix_exp((end - start) * matrix).T, 1e-7)  # seen: 2e-9 and below


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun3", 3), ("rk4", 4)])
def test_fixed_steps_have_the_order_of_their_method(method, order):
    """dx/dt = cos(t) x, from 0 to 1: x(1) = exp(sin 1), so that times count as well as states."""
    x = torch.ones(1, dtype=torch.float64)

    def error(steps: int) -> float:
        solution, _ = solve(lambda t, x: torch.cos(t) * x, x, 0.0, 1.0, Solver(method, steps=steps))
        return abs(float(solution) - math.exp(math.sin(1.0)))

    assert math.log2(error(32) / error(64)) == pytest.approx(order, abs=0.1)  # an asymptotic slope; seen within 0.05


@both_ways
@each_solver
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtype_are_kept_and_nothing_is_modified(solver, start, end, dtype):
    first, second = torch.ones(2, 3, dtype=dtype), torch.ones(2, dtype=dtype)
    seen = set()

    def field(t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        seen.update(part.dtype for part in (t, *state))
        return state[0] * t, state[0].sum(1)

    loose = Solver("dopri5", tolerance=1e-4) if solver is TIGHT else solver  # what float32 can give
    solution, _ = solve(field, (first, second), start, end, loose)
    assert [(part.shape, part.dtype) for part in solution] == [((2, 3), dtype), ((2,), dtype)]
    assert seen == {dtype}
    assert torch.equal(first, torch.ones_like(first))
    assert torch.equal(second, torch.ones_like(second))


@pytest.mark.parametrize(("start", "end"), [(0.1, 0.7), (0.3, 1e-3), (-1 / 3, 1 / 7)])
@pytest.mark.parametrize("steps", [1, 3, 10, 49])
def test_the_last_fixed_step_ends_at_the_end(start, end, steps):
    """dx/dt = 1, whatever the rounding of the interval's length."""
    solution, count = solve(
        lambda t, x: torch.ones_like(x), torch.zeros(1).double(), start, end, Solver("rk4", steps=steps)
    )
    assert float(solution) == pytest.approx(end - start, abs=1e-15)  # rounding
    assert count == 4 * steps


@pytest.mark.parametrize(("method", "evaluations"), [("euler", 1), ("midpoint", 2), ("heun3", 3), ("rk4", 4)])
def test_evaluations_of_fixed_steps(x, method, evaluations):
    assert set(FIXED) == {"euler", "midpoint", "heun3", "rk4"}
    assert solve(lambda t, x: -x, x, 0.0, 1.0, Solver(method, steps=7))[1] == 7 * evaluations


@pytest.mark.parametrize("adjoint", [None, ()], ids=["direct", "adjoint"])
@pytest.mark.parametrize("method", ADAPTIVE)
def test_evaluations_of_adaptive_steps_are_all_counted(x, method, adjoint):
    own = 0

    def field(t: Tensor, x: Tensor) -> Tensor:
        nonlocal own
        own += 1
        return torch.sin(5 * t) * x

    assert solve(field, x, 0.0, 1.0, Solver(method, tolerance=1e-5), adjoint)[1] == own > 6


def test_a_tighter_tolerance_costs_evaluations_and_lowers_the_error(matrix, x):
    exact = x @ torch.matrix_exp(matrix).T
    found = [solve(lambda t, x: x @ matrix.T, x, 0.0, 1.0, Solver("dopri5", tolerance=10.0**-k)) for k in (3, 6, 9)]
    errors, counts = [float((y - exact).abs().max()) for y, _ in found], [count for _, count in found]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("speed", [1e-6, 1e-2, 1.0, 30.0])
@pytest.mark.parametrize("solver", [*(Solver(method, tolerance=1e-6) for method in ADAPTIVE), RK4], ids=str)
@both_ways
def test_the_field_is_asked_only_between_the_times(solver, start, end, speed):
    """Also for the first step of an adaptive method, which for a slow field it would guess from far beyond the end."""
    low, high = min(start, end), max(start, end)
    asked = []

    def field(t: Tensor, x: Tensor) -> Tensor:
        asked.append(float(t))
        return torch.where((t < low) | (t > high), math.nan, speed * torch.cos(x + t))

    solution, _ = solve(field, torch.ones(2, dtype=torch.float64), start, end, solver)
    assert torch.isfinite(solution).all()
    assert low <= min(asked) <= max(asked) <= high


def test_the_adjoint_equation_too_stays_between_the_times():
    """A field that is defined from 0 on, as one of a noise level is, with its gradient solved back to 0."""
    rate = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    x = torch.ones(2, dtype=torch.float64)
    solution, _ = solve(lambda t, x: rate * t.sqrt() * x, x, 1.0, 0.0, TIGHT, (rate,))
    solution.sum().backward()
    # x(0) = exp(-2/3 rate) each, by hand; the root's derivative is infinite at 0, which lowers the accuracy there.
    assert float(rate.grad) == pytest.approx(-4 / 3 * math.exp(-2 / 3 * 0.3), abs=1e-6)


def test_the_adjoint_equation_steps_to_the_start():
    """A step beyond it would show in questions at the start itself, where the field is asked instead."""
    rate = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    asked = []

    def field(t: Tensor, x: Tensor) -> Tensor:
        asked.append(float(t.detach()))
        return rate * torch.cos(3 * t) * x

    solution, count = solve(
        field, torch.ones(2, dtype=torch.float64), 0.0, 1.0, Solver("dopri5", tolerance=1e-6), (rate,)
    )
    assert asked.count(0.0) == 1  # where the solve started
    solution.sum().backward()
    assert len(asked) > count
    assert asked.count(0.0) == 1


def test_adaptive_steps_couple_the_rows_of_a_batch_within_the_tolerance(x):
    """Rows of very different stiffness."""
    rate = torch.tensor([[0.1], [1.0], [3.0], [9.0]], dtype=torch.float64)

    def solved(rows: slice, solver: Solver) -> Tensor:
        return solve(lambda t, x: rate[rows] * torch.sin(x + 4 * t), x[rows], 0.0, 1.0, solver)[0]

    for tolerance in (1e-4, 1e-7):
        solver = Solver("dopri5", tolerance=tolerance)
        alone = torch.cat([solved(slice(row, row + 1), solver) for row in range(4)])
        difference = float((alone - solved(slice(0, 4), solver)).abs().max())
        # Errors of some ten steps of at most a tolerance each, amplified along the path. Seen: 3.9 and 1.4 tolerances.
        assert 0.0 < difference < 20 * tolerance
    alone = torch.cat([solved(slice(row, row + 1), RK4) for row in range(4)])
    assert torch.equal(alone, solved(slice(0, 4), RK4))


@pytest.mark.parametrize("solver", [Solver("dopri5", tolerance=1e-10), Solver("rk4", steps=60)], ids=str)
def test_adjoint_gradients_are_those_through_the_solver(matrix, x, solver):
    def gradients(by_adjoint: bool) -> tuple[Tensor, ...]:
        weight, state = matrix.clone().requires_grad_(), x.clone().requires_grad_()
        adjoint = (weight,) if by_adjoint else None
        solution, _ = solve(lambda t, x: torch.tanh(x @ weight.T + t), state, 0.0, 1.0, solver, adjoint)
        return torch.autograd.grad(solution.square().sum(), (weight, state))

    for one, other in zip(gradients(True), gradients(False), strict=True):
        close(one, other, 1e-6)  # two discretisations of one equation; seen: 3e-9 adaptively, 5e-8 with 60 steps


def test_gradients_are_those_of_the_closed_form(matrix, x):
    state, scale = x.clone().requires_grad_(), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    solution, _ = solve(lambda t, x: scale * x @ matrix.T, state, 0.0, 1.0, TIGHT)
    found = torch.autograd.grad(solution.sum(), (state, scale))
    exact = torch.autograd.grad((state @ torch.matrix_exp(scale * matrix).T).sum(), (state, scale))
    for one, other in zip(found, exact, strict=True):
        close(one, other, 1e-7)  # the accuracy of the solution, see above


def test_the_choice_of_steps_has_no_gradient():
    """Two equations solved together: the first does not depend on the rate of the second, but its steps do."""
    rate = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    one = torch.ones(1, dtype=torch.float64)
    (first, second), _ = solve(
        lambda t, state: (torch.cos(state[0] + t), rate * torch.sin(state[1])),
        (one, one),
        0.0,
        1.0,
        Solver("dopri5", 1e-3),
    )
    assert float(torch.autograd.grad(first.sum(), rate, retain_graph=True)[0]) == 0.0
    assert float(torch.autograd.grad(second.sum(), rate)[0]) != 0.0


def test_the_gradient_at_a_field_of_zero_is_right():
    """The derivative of an error norm would be infinite there."""
    rate = torch.zeros((), dtype=torch.float64, requires_grad=True)
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    solve(lambda t, x: rate * x, x, 0.0, 1.0, TIGHT)[0].sum().backward()
    assert float(rate.grad) == pytest.approx(3.0, abs=1e-9)  # of (1 + 2) exp(rate); the tolerance


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (lambda t, x: x * math.nan, "underflow in dt"),
        (lambda t, x: x**2, "underflow in dt|non-finite|max_num_steps"),  # infinite at t = 1
    ],
    ids=["not finite", "explodes"],
)
def test_a_solution_that_does_not_exist_is_an_arithmetic_error(field, reason):
    with pytest.raises(ArithmeticError, match=f"dopri5 found no solution from 0.0 to 2.0: ({reason})"):
        solve(field, torch.ones(2, dtype=torch.float64), 0.0, 2.0, TIGHT)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"method": "magic", "tolerance": 1e-5}, "magic is none of the methods dopri5"),
        ({"method": "dopri5"}, "dopri5 takes tolerance above 0 and no steps"),
        ({"method": "dopri5", "tolerance": 0.0}, "dopri5 takes tolerance above 0 and no steps"),
        ({"method": "dopri5", "tolerance": math.nan}, "dopri5 takes tolerance above 0 and no steps"),
        ({"method": "dopri5", "tolerance": 1e-5, "steps": 3}, "dopri5 takes tolerance above 0 and no steps"),
        ({"method": "rk4"}, "rk4 takes steps above 0 and no tolerance"),
        ({"method": "rk4", "steps": 0}, "rk4 takes steps above 0 and no tolerance"),
        ({"method": "rk4", "steps": 3, "tolerance": 1e-5}, "rk4 takes steps above 0 and no tolerance"),
    ],
    ids=str,
)
def test_a_solver_says_what_it_takes(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Solver(**values)


@pytest.mark.parametrize(
    ("state", "start", "end", "sentence"),
    [
        (torch.ones(2), 1.0, 1.0, "between two times, not from 1.0 to 1.0"),
        (torch.ones(2), 0.0, math.inf, "between two times, not from 0.0 to inf"),
        (torch.ones(2), math.nan, 1.0, "between two times, not from nan to 1.0"),
        (torch.ones(2, dtype=torch.int64), 0.0, 1.0, "one floating dtype, not .*int64"),
        ((torch.ones(2), torch.ones(2).double()), 0.0, 1.0, "one floating dtype, not .*float32.*float64"),
    ],
)
def test_a_problem_that_is_none_is_refused(state, start, end, sentence):
    with pytest.raises(ValueError, match=sentence):
        solve(lambda t, x: x, state, start, end, RK4)


def test_variants_name_what_decides_the_accuracy():
    assert TIGHT.variant == {"solver": "dopri5", "tolerance": 1e-9}
    assert RK4.variant == {"solver": "rk4", "steps": 10}
