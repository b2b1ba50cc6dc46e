"""What the planar and the radial flow have in common: stacks of maps with an exact inverse, alone and as posteriors."""

import math
from types import ModuleType

import pytest
import torch
from torch import Tensor

from implementations.flows import planar, radial
from implementations.flows.parts.flow import Flow
from tests.exact.bijection_cases import generator, moved
from tests.exact.jacobian import log_abs_determinants

ROUNDING = 1e-12  # float64, some tens of operations on values of about 1

every_flow = pytest.mark.parametrize("flow", [planar, radial], ids=["planar", "radial"])


def draws(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def close(one: Tensor, other: Tensor, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


def small(flow: ModuleType, length: int = 4, dimensions: int = 3) -> Flow:
    return moved(flow.build(flow.Settings(flow_length=length), (dimensions,), generator(0)), 1)


@every_flow
def test_derivatives_of_the_inverse_are_those_of_the_implicit_function(flow):
    """decode(encode(x)) is x whatever the parameters are, and the two log-determinants cancel: derivatives are 0."""
    model = small(flow)
    x, weights = draws(6, 3, seed=12).requires_grad_(), draws(6, 3, seed=13)
    z, inverse_logdet = model.encode(x)
    back, logdet = model.decode(z)
    parameters = list(model.parameters())
    for gradient in torch.autograd.grad((back * weights).sum(), parameters, retain_graph=True):
        close(gradient, torch.zeros_like(gradient))
    for gradient in torch.autograd.grad((logdet + inverse_logdet).sum(), [x, *parameters], retain_graph=True):
        close(gradient, torch.zeros_like(gradient))
    close(torch.autograd.grad((back * weights).sum(), x)[0], weights)
    # Were nothing to flow through the inverse, the following would hold too, and the above say little.
    assert all(g.abs().max() > 1e-3 for g in torch.autograd.grad(model.encode(x)[0].square().sum(), parameters))


# Planar: an analytic density in steps of 0.001. Radial: it has a kink at every centre, where the trapezoidal rule errs
# by less than the square of its step.
@pytest.mark.parametrize(("flow", "error"), [(planar, 1e-9), (radial, 1e-6)], ids=["planar", "radial"])
def test_density_of_one_dimension_has_mass_one(flow, error):
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    with torch.no_grad():
        mass = torch.trapezoid(small(flow, 5, 1).log_prob(x[:, None]).exp(), x)
    assert float(mass) == pytest.approx(1.0, abs=error)


@pytest.mark.parametrize(
    ("flow", "dimensions", "most"),
    [(planar, 1, 1), (planar, 2, 1), (planar, 6, 1), (radial, 1, 1), (radial, 2, 2), (radial, 6, 6)],
)
def test_starts_near_the_identity_and_not_at_it(flow, dimensions, most):
    model = flow.build(flow.Settings(flow_length=2), (dimensions,), generator(16)).double()
    z = draws(100, dimensions, seed=17)
    with torch.no_grad():
        value, logdet = model.decode(z)
    assert 1e-3 < float((value - z).abs().max()) < 1.0
    assert 1e-3 < float(logdet.abs().max()) < most


@pytest.mark.parametrize(("flow", "each"), [(planar, 2 * 7 + 1), (radial, 7 + 2)], ids=["planar", "radial"])
def test_settings_size_the_model_without_allocating_it(flow, each):
    with torch.device("meta"):
        model = flow.build(flow.Settings(flow_length=5), (7,), torch.Generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == 5 * each
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(("length", "shape"), [(8, (8, 8)), (8, (3, 8, 8)), (0, (2,))])
@every_flow
def test_says_what_it_cannot_model(flow, length, shape):
    with pytest.raises(ValueError, match="vectors by 1 map or more"):
        flow.build(flow.Settings(flow_length=length), shape, torch.Generator())


@pytest.mark.parametrize("settings", [{"flow_length": -1}, {"momentum": 1.0}, {"learning_rate": 0.0}, {"batch": 0}])
@every_flow
def test_settings_out_of_range_are_refused(flow, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        flow.Settings(**settings)


@every_flow
def test_optimiser_takes_its_settings(flow):
    model = flow.build(flow.Settings(), (2,), torch.Generator())
    (group,) = flow.METHOD.recipe.optimiser(model, flow.Settings(learning_rate=0.01, momentum=0.5)).param_groups
    assert (group["lr"], group["momentum"]) == (0.01, 0.5)


@every_flow
def test_loss_is_the_mean_negative_log_density(flow):
    model, x = small(flow), draws(6, 3, seed=18)
    z, logdet = model.encode(x)
    expected = 0.5 * z.square().sum(1) + 1.5 * math.log(2 * math.pi) - logdet
    close(flow.METHOD.loss(model, x, torch.Generator()), expected.mean())


@every_flow
def test_log_determinant_of_a_posterior_is_that_of_its_jacobian(flow):
    posterior, z = flow.posterior(flow.Settings(flow_length=3), 4), draws(5, 4, seed=21)
    parameters = draws(5, posterior.parameters, seed=22)
    expected = [
        log_abs_determinants(lambda v, own=own: posterior(v, own[None].expand(len(v), -1))[0], row[None])
        for row, own in zip(z, parameters, strict=True)
    ]
    close(posterior(z, parameters)[1], torch.cat(expected))


# Each of 4 maps moves a point, planar: by |u_hat| |w.z + b|, about 1e-4 times 1e-3 at most; radial: by |beta| at most,
# which is about 1e-4.
@pytest.mark.parametrize(
    ("flow", "moves", "stretches"), [(planar, 1e-6, 1e-6), (radial, 2e-3, 6e-3)], ids=["planar", "radial"]
)
def test_a_posterior_is_the_identity_at_zero_and_near_it_nearby(flow, moves, stretches):
    posterior, z = flow.posterior(flow.Settings(flow_length=4), 3), draws(50, 3, seed=23)
    parameters = draws(50, posterior.parameters, seed=24)
    nothing = torch.zeros_like(parameters).requires_grad_()
    value, logdet = posterior(z, nothing)
    close(value.detach(), z)
    close(logdet.detach(), torch.zeros(50, dtype=torch.float64))
    (value.sum() + logdet.sum()).backward()
    assert torch.isfinite(nothing.grad).all()
    value, logdet = posterior(z, 1e-4 * parameters)
    assert 0.0 < float((value - z).abs().max()) < moves
    assert float(logdet.abs().max()) < stretches


@every_flow
def test_a_posterior_of_length_zero_is_the_identity(flow):
    posterior, z = flow.posterior(flow.Settings(flow_length=0), 3), draws(5, 3, seed=25)
    assert posterior.parameters == 0
    value, logdet = posterior(z, z.new_empty(5, 0))
    assert torch.equal(value, z)
    assert torch.equal(logdet, torch.zeros(5, dtype=torch.float64))
