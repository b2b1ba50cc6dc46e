"""Planar flow: its parameters are constrained as in the appendix, its inverse and the derivatives of it are exact."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from implementations.flows.parts.flow import Flow
from implementations.flows.planar import UNBENT, Settings, build, constrained, posterior, solved
from tests.exact.bijection_cases import generator, moved
from tests.exact.cases_planar import one_planar

ROUNDING = 1e-12  # float64, some tens of operations on values of about 1


def draws(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def close(one: Tensor, other: Tensor, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


def small(length: int = 4, dimensions: int = 3) -> Flow:
    return moved(build(Settings(flow_length=length), (dimensions,), generator(0)), 1)


def along(product: float, length: float, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """u and w of 3 dimensions with w.u = `product` and |w| = `length`, u not parallel to w."""
    w = length * torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)
    u = product * w / w.square().sum() + torch.tensor([0.8, 0.5, 0.6], dtype=torch.float64)
    return u.to(dtype), w.to(dtype)


def test_the_map_is_the_papers():
    z, u, w, b = draws(7, 3, seed=0), draws(3, seed=1), draws(3, seed=2), draws(seed=3)
    u_hat = u + (-1 + torch.log1p(torch.exp(w @ u)) - w @ u) * w / (w @ w)
    psi = (1 - torch.tanh(z @ w + b).square())[:, None] * w
    value, logdet = one_planar(z, u, w, b)
    close(value, z + u_hat * torch.tanh(z @ w + b)[:, None])
    close(logdet, (1 + psi @ u_hat).abs().log())


@pytest.mark.parametrize("length", [0.1, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("product", [-30.0, -3.0, -1.0, 0.0, 1.0, 21.0, 30.0])
def test_u_hat_fulfils_the_condition_of_invertibility(product, length):
    u, w = along(product, length)
    u_hat, slack = constrained(u, w)
    # Rounding is relative to w.u, up to 30, and to u, up to 300 at |w| = 0.1.
    assert float(w @ u_hat) == pytest.approx(-1 + math.log1p(math.exp(product)), abs=1e-11)
    assert float(w @ u_hat) >= -1 - 1e-11
    assert float(slack) == pytest.approx(math.log1p(math.exp(product)), rel=1e-11)
    moved_by = u_hat - u
    close(moved_by, (moved_by @ w) * w / (w @ w), 1e-11)  # u changes along w only


def test_the_norm_of_w_is_squared():
    """With |w| in the place of |w|^2, a slip of several codes, a map with |w| < 1 folds space: along w it falls."""
    u, w = along(-3.0, 0.5)
    line = torch.linspace(-4, 4, 401, dtype=torch.float64)[:, None] * w / w.norm()
    slip = u + (float(softplus(w @ u)) - 1 - w @ u) * w / w.norm()
    ours = one_planar(line, u, w, torch.zeros(()).double())[0] @ w
    folded = (line + slip * torch.tanh(line @ w)[:, None]) @ w
    assert float(w @ slip) < -1
    assert (folded.diff() < 0).any()
    assert (ours.diff() > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("product", [-1e4, -100.0, 100.0, 1e4])
def test_a_large_product_neither_overflows_nor_loses_the_inverse(product, dtype):
    u, w = along(product, 1.0, dtype)
    z, b = draws(200, 3, seed=4).to(dtype), torch.tensor(0.3, dtype=dtype)
    model = build(Settings(flow_length=1), (3,), generator(5)).to(dtype)
    with torch.no_grad():
        model.bijection.u[0], model.bijection.w[0], model.bijection.b[0] = u, w, b
    value, logdet = model.decode(z)
    back, inverse_logdet = model.encode(value.detach())
    for result in (value, logdet, back, inverse_logdet):
        assert result.dtype == dtype
        assert torch.isfinite(result).all()
    (logdet.sum() + inverse_logdet.sum() + back.sum()).backward()
    for parameter in model.parameters():
        assert torch.isfinite(parameter.grad).all()
    # Values of size |w.u| are rounded, and the inverse divides that by the smallest slope of the map at these points.
    slope = min(1.0, float(logdet.detach().exp().min()))
    close(back, z, 20 * torch.finfo(dtype).eps * abs(product) / slope)


def test_at_w_zero_the_map_is_a_translation():
    u, w = draws(3, seed=6), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    z, b = draws(5, 3, seed=7), torch.tensor(0.4, dtype=torch.float64)
    value, logdet = one_planar(z, u, w, b)
    close(value.detach(), z + u * math.tanh(0.4))
    assert torch.equal(logdet, torch.zeros(5, dtype=torch.float64))
    (value.sum() + logdet.sum()).backward()
    assert torch.isfinite(w.grad).all()


def test_parameters_per_row_act_as_one_by_one():
    z, u, w, b = draws(6, 3, seed=8), draws(6, 3, seed=9), draws(6, 3, seed=10), draws(6, seed=11)
    value, logdet = one_planar(z, u, w, b)
    for row in range(6):
        one, one_logdet = one_planar(z[row : row + 1], u[row], w[row], b[row])
        close(one[0], value[row])
        close(one_logdet[0], logdet[row])


@pytest.mark.parametrize("m", [-1.0, -1 + 1e-9, -0.99, -0.5, -0.0, 0.1, 1.0, 10.0, 50.0, 1e4, 1e8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_scalar_equation_is_solved_to_rounding(m, dtype):
    """The residual is at rounding for every right-hand side, near the hyperplane and far from it."""
    near = torch.logspace(-9, 2, 300, dtype=torch.float64)
    total = torch.cat([-near, torch.zeros(1).double(), near, near * max(m, 0.0), torch.tensor([1e6])]).to(dtype)
    slack = torch.full_like(total, 1 + m)
    a = solved(total, slack).double()
    exact_m = slack.double() - 1
    residual = a + exact_m * torch.tanh(a) - total.double()
    size = a.abs() + exact_m.abs() * torch.tanh(a).abs() + total.double().abs()
    assert float((residual.abs() / size.clamp_min(1e-300)).max()) < 10 * torch.finfo(dtype).eps


def test_the_scalar_equation_has_the_root_it_was_made_from():
    a = torch.linspace(-9, 9, 1001, dtype=torch.float64)
    for slack in (0.3, 1.0, 2.0, 51.0):
        total = a + (slack - 1) * torch.tanh(a)
        # total is rounded to 1e-14 at 50, and its slope is at least 0.3.
        close(solved(total, torch.full_like(a, slack)), a, 1e-13)


def test_derivatives_of_the_likelihood_agree_with_finite_differences():
    model, x = small(), draws(6, 3, seed=14)
    names = [name for name, _ in model.named_parameters()]

    def likelihood(*values: Tensor) -> Tensor:
        def log_prob(points: Tensor) -> Tensor:
            z, logdet = torch.func.functional_call(model, dict(zip(names, values[1:], strict=True)), (points,))
            return model.prior.log_prob(z) + logdet

        return log_prob(values[0])

    model.forward = model.encode
    inputs = [x.requires_grad_(), *(parameter.detach().clone().requires_grad_() for parameter in model.parameters())]
    assert torch.autograd.gradcheck(likelihood, inputs, eps=1e-6, atol=1e-6)  # central differences: 1e-9 seen


def test_decoding_applies_the_maps_in_their_order():
    model, z = small(), draws(5, 3, seed=15)
    maps, expected, total = model.bijection, z, torch.zeros(5, dtype=torch.float64)
    for u, w, b in zip(maps.u, maps.w, maps.b, strict=True):
        expected, logdet = one_planar(expected, u, w, b)
        total = total + logdet
    close(model.decode(z)[0], expected)
    close(model.decode(z)[1], total)


def test_a_posterior_is_the_maps_of_its_parameters():
    """An example's numbers are (u - UNBENT w / |w|^2, w, b) of one map after the other."""
    flow, z, parameters = posterior(Settings(flow_length=3), 2), draws(5, 2, seed=19), draws(5, 15, seed=20)
    assert flow.parameters == 15
    value, logdet = flow(z, parameters)
    for row in range(5):
        one, total = z[row : row + 1], torch.zeros(1, dtype=torch.float64)
        for p in parameters[row].split(5):
            w = p[2:4]
            one, step = one_planar(one, p[:2] + UNBENT * w / w.square().sum(), w, p[4])
            total = total + step
        close(one[0], value[row])
        close(total[0], logdet[row])
