"""Every method of the family flows, through its protocol."""

import dataclasses
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.methods import all_methods
from tests.exact.jacobian import log_abs_determinants

ROOT = Path(__file__).parents[2]
METHODS = {name: method for name, method in all_methods(ROOT).items() if method.family == "flows"}
SMALL = {"hidden_units": 16, "hidden_layers": 2}  # instead of what a method has as its own, where it has such a setting
DIMENSIONS = 4
EXACT = 1e-6  # float64; coarse enough for a flow that is inverted or integrated by iteration


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=METHODS)
def method(request) -> ModuleType:
    return METHODS[request.param].module()


@pytest.fixture
def settings(method) -> Any:
    names = {field.name for field in dataclasses.fields(method.Settings)}
    return method.Settings(**{name: value for name, value in SMALL.items() if name in names})


@pytest.fixture
def untrained(method, settings) -> nn.Module:
    return method.build(settings, DIMENSIONS, generator(0))


@pytest.fixture
def x() -> Tensor:
    """On [0, 1), as dequantised data."""
    return torch.rand(8, DIMENSIONS, dtype=torch.float64, generator=generator(1))


@pytest.fixture
def model(untrained) -> nn.Module:
    """Float64, with every parameter moved off its initial value, so that nothing is the identity by chance."""
    model, random = untrained.double().eval(), generator(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, dtype=torch.float64, generator=random))
    return model


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=EXACT, atol=EXACT)


def test_decoding_undoes_encoding(model, x):
    z, encoded = model.encode(x)
    back, decoded = model.decode(z)
    close(back, x)
    close(decoded, -encoded)


def test_encoding_undoes_decoding(model):
    z = torch.randn(8, DIMENSIONS, dtype=torch.float64, generator=generator(3))
    close(model.encode(model.decode(z)[0])[0], z)


def test_log_determinant_is_that_of_the_jacobian(model, x):
    close(model.encode(x)[1], log_abs_determinants(lambda v: model.encode(v)[0], x))


def test_log_density_is_finite_one_a_row_and_its_own(model, x):
    value = model.log_prob(x)
    assert (value.shape, value.dtype) == ((len(x),), x.dtype)
    assert torch.isfinite(value).all()
    close(torch.cat([model.log_prob(row[None]) for row in x]), value)


def test_nothing_is_modified(method, model, x):
    given, state = x.clone(), {name: value.clone() for name, value in model.state_dict().items()}
    for result in (model.encode(given)[0], model.decode(given)[0], model.log_prob(given)):
        result.detach().mul_(0.0)
    method.loss(model, given, generator(4))
    assert torch.equal(given, x)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_samples_are_finite_of_the_right_shape_and_repeat_with_the_seed(model):
    first, again, other = (model.sample(5, generator(seed)) for seed in (5, 5, 6))
    assert first.shape == (5, DIMENSIONS)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_follow_the_log_density(model):
    """E[q(x) / p(x)] over the model's draws is 1 for any density q: here a narrow normal one amid them."""
    with torch.no_grad():
        x = model.sample(20_000, generator(7))
        middle, width = x.mean(0), 0.5 * x.std(0)
        q = torch.distributions.Normal(middle, width).log_prob(x).sum(1)
        ratios = (q - model.log_prob(x)).exp()
    error = float(ratios.std()) / math.sqrt(len(x))
    assert error < 0.05
    assert abs(float(ratios.mean()) - 1.0) < 5 * error  # five standard errors, at a fixed seed


def test_initial_weights_come_from_the_generator_alone(method, settings):
    untouched = torch.get_rng_state()
    first, again, other = (method.build(settings, DIMENSIONS, generator(seed)).state_dict() for seed in (9, 9, 10))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_training_and_sampling_leave_the_global_generator_alone(method, settings, untrained, x):
    untouched = torch.get_rng_state()
    optimiser = method.optimiser(untrained, settings)
    method.loss(untrained, x.float(), generator(11)).backward()
    optimiser.step()
    untrained.sample(3, generator(12))
    assert torch.equal(torch.get_rng_state(), untouched)


def test_loss_is_a_scalar_with_a_finite_gradient_for_every_parameter(method, untrained, x):
    value = method.loss(untrained, x.float(), generator(13))
    assert value.shape == ()
    value.backward()
    for name, parameter in untrained.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_loss_repeats_with_the_seed(method, untrained, x):
    untrained.eval()
    assert torch.equal(*(method.loss(untrained, x.float(), generator(14)) for _ in range(2)))


def test_optimiser_moves_every_parameter_once(method, settings, untrained):
    taken = [
        id(parameter) for group in method.optimiser(untrained, settings).param_groups for parameter in group["params"]
    ]
    assert sorted(taken) == sorted(id(parameter) for parameter in untrained.parameters() if parameter.requires_grad)


def test_thirty_steps_lower_the_loss_and_raise_the_likelihood_of_a_batch(method, settings, untrained, x):
    batch, optimiser = x.float(), method.optimiser(untrained, settings)
    losses = []
    with torch.no_grad():
        before = float(untrained.log_prob(batch).mean())
    for _ in range(30):
        optimiser.zero_grad()
        value = method.loss(untrained, batch, generator(15))  # the same draws at each step
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    assert losses[-1] < losses[0]
    untrained.eval()
    with torch.no_grad():
        assert float(untrained.log_prob(batch).mean()) > before
