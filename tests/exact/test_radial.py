"""Radial flow: the closed forms of its inverse and its log-determinant, far out, at the centre, and at the limit."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from implementations.flows.parts.flow import Flow
from implementations.flows.radial import Settings, build, invert, posterior
from tests.exact.bijection_cases import generator, moved
from tests.exact.cases_planar import one_radial

ROUNDING = 1e-12  # float64, some tens of operations on values of about 1


def draws(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def close(one: Tensor, other: Tensor, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


def raw(value: float) -> Tensor:
    """What softplus maps to `value`."""
    return torch.tensor(value + math.log(-math.expm1(-value)), dtype=torch.float64)


def inverse(y: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Of one map, as `radial` is."""
    return invert(y, *(parameter[None] for parameter in parameters))


def small(length: int = 4, dimensions: int = 3) -> Flow:
    return moved(build(Settings(flow_length=length), (dimensions,), generator(0)), 1)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
@pytest.mark.parametrize(("alpha", "beta"), [(0.7, 3.0), (0.7, -0.4), (0.7, -0.69), (2.0, 0.0)])
def test_the_map_is_the_papers(alpha, beta, dimensions):
    z, centre = draws(7, dimensions, seed=0), draws(dimensions, seed=1)
    r = (z - centre).norm(dim=1)
    h, slope = 1 / (alpha + r), -1 / (alpha + r).square()
    value, logdet = one_radial(z, centre, raw(alpha), raw(alpha + beta))
    close(value, z + beta * h[:, None] * (z - centre))
    close(logdet, (dimensions - 1) * (1 + beta * h).log() + (1 + beta * h + beta * slope * r).log())


@pytest.mark.parametrize("slack", [1e-12, 1e-3, 0.7, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
def test_the_inverse_keeps_the_digits_of_every_distance(alpha, slack):
    """From a billionth of the scale to a million times it, to a relative error."""
    centre = torch.zeros(3, dtype=torch.float64)
    distances = alpha * torch.logspace(-9, 6, 61, dtype=torch.float64)
    y = distances[:, None] * torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)
    z, inverse_logdet = inverse(y, centre, raw(alpha), raw(slack))
    r = z.norm(dim=1)
    gamma = softplus(raw(slack))
    # |f(z)| in the form in which nothing cancels; a few roundings on the way there and back.
    torch.testing.assert_close(r * (gamma + r) / (alpha + r), distances, rtol=1e-11, atol=0.0)
    close(one_radial(z, centre, raw(alpha), raw(slack))[1], -inverse_logdet)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_the_centre_nothing_moves_and_derivatives_are_finite(dtype):
    centre = draws(3, seed=2).to(dtype)
    for apply, sign in ((one_radial, 1), (inverse, -1)):
        parameters = [centre.clone(), raw(0.5).to(dtype), raw(2.0).to(dtype)]
        inputs = [centre[None].clone(), *parameters]
        for value in inputs:
            value.requires_grad_()
        value, logdet = apply(*inputs)
        torch.testing.assert_close(value.detach(), centre[None])
        # The Jacobian there is (1 + beta / alpha) I = 4 I.
        assert float(logdet.detach()) == pytest.approx(sign * 3 * math.log(4.0), rel=10 * torch.finfo(dtype).eps)
        (value.sum() + logdet.sum()).backward()
        assert all(torch.isfinite(value.grad).all() for value in inputs)


def test_parameters_per_row_act_as_one_by_one():
    z, centre, alpha, beta = draws(6, 3, seed=3), draws(6, 3, seed=4), draws(6, seed=5), draws(6, seed=6)
    for apply in (one_radial, inverse):
        value, logdet = apply(z, centre, alpha, beta)
        for row in range(6):
            one, one_logdet = apply(z[row : row + 1], centre[row], alpha[row], beta[row])
            close(one[0], value[row])
            close(one_logdet[0], logdet[row])


def test_decoding_applies_the_maps_in_their_order():
    model, z = small(), draws(5, 3, seed=9)
    maps, expected, total = model.bijection, z, torch.zeros(5, dtype=torch.float64)
    for parameters in zip(maps.centre, maps.alpha_raw, maps.beta_raw, strict=True):
        expected, logdet = one_radial(expected, *parameters)
        total = total + logdet
    close(model.decode(z)[0], expected)
    close(model.decode(z)[1], total)


def test_a_posterior_is_the_maps_of_its_parameters():
    """An example's numbers are (centre, alpha_raw, beta_raw) of one map after the other."""
    flow, z, parameters = posterior(Settings(flow_length=3), 2), draws(5, 2, seed=13), draws(5, 12, seed=14)
    assert flow.parameters == 12
    value, logdet = flow(z, parameters)
    for row in range(5):
        one, total = z[row : row + 1], torch.zeros(1, dtype=torch.float64)
        for p in parameters[row].split(4):
            one, step = one_radial(one, p[:2], p[2], p[3])
            total = total + step
        close(one[0], value[row])
        close(total[0], logdet[row])
