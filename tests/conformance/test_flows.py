"""Every method of the family flows, through its protocol."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.plan.methods import all_methods
from implementations.flows.parts.protocol import FlowMethod, FlowModel
from tests.exact.jacobian import log_abs_determinants

ROOT = Path(__file__).parents[2]
METHODS = {name: found.declaration() for name, found in all_methods(ROOT).items() if found.family == "flows"}
# Instead of what a method has as its own, where it has such a setting.
SMALL = {
    "hidden_units": 16, "hidden_layers": 2, "levels": 2, "depth": 2, "width": 8, "feature_maps": 8,
    "residual_blocks": 1, "components": 4, "factors": 2, "flow_length": 3, "tolerance": 1e-8, "initial_examples": 8,
}  # fmt: skip
SHAPES = ((4,), (4, 4))  # points and images; a method that cannot model one of them says so
EXACT = 1e-6  # float64; coarse enough for a flow that is inverted or integrated by iteration


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_settings(method: FlowMethod) -> Any:
    names = {field.name for field in dataclasses.fields(method.settings)}
    return method.settings(**{name: value for name, value in SMALL.items() if name in names})


def models(method: FlowMethod, shape: tuple[int, ...]) -> bool:
    """Whether the method can model examples of this shape."""
    try:
        method.build(small_settings(method), shape, generator(0))
    except ValueError:  # which says why, in a sentence
        return False
    return True


MODELLED = [
    pytest.param((name, shape), id=f"{name} {'x'.join(map(str, shape))}")
    for name, found in METHODS.items()
    for shape in SHAPES
    if models(found, shape)
]


@pytest.fixture(params=MODELLED)
def of(request) -> tuple[str, tuple[int, ...]]:
    return request.param


@pytest.fixture
def method(of) -> FlowMethod:
    return METHODS[of[0]]


@pytest.fixture
def shape(of) -> tuple[int, ...]:
    return of[1]


@pytest.fixture
def dimensions(shape) -> int:
    return math.prod(shape)


@pytest.fixture
def settings(method) -> Any:
    return small_settings(method)


@pytest.fixture
def x(dimensions) -> Tensor:
    """On [0, 1), as dequantised data."""
    return torch.rand(8, dimensions, dtype=torch.float64, generator=generator(1))


@pytest.fixture
def untrained(method, settings, shape, x) -> nn.Module:
    model = method.build(settings, shape, generator(0))
    model.initialise(x.float())
    return model


@pytest.fixture
def model(untrained) -> nn.Module:
    """Float64, with every parameter moved off its initial value, so that nothing is the identity by chance.

    A little: the filters of Glow start at a deviation of 0.05, and a row of networks with larger ones explodes.
    """
    model, random = untrained.double().eval(), generator(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, dtype=torch.float64, generator=random))
    return model


@pytest.fixture
def flow(model) -> nn.Module:
    """The model, where it is a flow and not another density."""
    if not isinstance(model, FlowModel):
        pytest.skip("a density that is no flow")
    return model


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=EXACT, atol=EXACT)


def test_every_method_models_points_or_images():
    assert {param.values[0][0] for param in MODELLED} == set(METHODS)


def test_decoding_undoes_encoding(flow, x):
    z, encoded = flow.encode(x)
    back, decoded = flow.decode(z)
    close(back, x)
    close(decoded, -encoded)


def test_encoding_undoes_decoding(flow, x):
    z = flow.encode(x)[0]
    z = z + 0.01 * torch.randn(z.shape, dtype=torch.float64, generator=generator(3))  # no latent of an example
    close(flow.encode(flow.decode(z)[0])[0], z)


def test_log_determinant_is_that_of_the_jacobian(flow, x):
    close(flow.encode(x)[1], log_abs_determinants(lambda v: flow.encode(v)[0], x))


def test_log_density_is_finite_one_a_row_and_its_own(model, x):
    value = model.log_prob(x)
    assert (value.shape, value.dtype) == ((len(x),), x.dtype)
    assert torch.isfinite(value).all()
    close(torch.cat([model.log_prob(row[None]) for row in x]), value)


def test_nothing_is_modified(method, model, x):
    given, state = x.clone(), {name: value.clone() for name, value in model.state_dict().items()}
    results = [model.log_prob(given)]
    if isinstance(model, FlowModel):
        z = model.encode(given)[0].detach()
        kept = z.clone()
        results += [model.decode(z)[0], z]
        assert torch.equal(z, kept)
    for result in results:
        result.detach().mul_(0.0)
    method.loss(model, given, generator(4))
    assert torch.equal(given, x)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_samples_are_finite_of_the_right_shape_and_repeat_with_the_seed(model, dimensions):
    first, again, other = (model.sample(5, generator(seed)) for seed in (5, 5, 6))
    assert first.shape == (5, dimensions)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_follow_the_log_density(model, shape):
    """E[q(x) / p(x)] over the model's draws is 1 for any density q: here a narrower normal one amid them."""
    if len(shape) > 1:
        pytest.skip(
            "in 16 dimensions the estimate sees nothing; draws are decoded priors on points and on images alike"
        )
    with torch.no_grad():
        x = model.sample(20_000, generator(7))
        middle, width = x.mean(0), 0.5 * x.std(0)
        q = torch.distributions.Normal(middle, width).log_prob(x).sum(1)
        ratios = (q - model.log_prob(x)).exp()
    error = float(ratios.std()) / math.sqrt(len(x))
    assert error < 0.05
    assert abs(float(ratios.mean()) - 1.0) < 5 * error  # five standard errors, at a fixed seed


def test_initial_weights_come_from_the_generator_alone(method, settings, shape):
    untouched, handed_in = torch.get_rng_state(), generator(9)
    first = method.build(settings, shape, handed_in).state_dict()
    again, other = (method.build(settings, shape, generator(seed)).state_dict() for seed in (9, 10))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = not torch.equal(handed_in.get_state(), generator(9).get_state())
    assert any(not torch.equal(first[name], other[name]) for name in first) == drawn


def test_training_and_sampling_leave_the_global_generator_alone(method, settings, untrained, x):
    untouched = torch.get_rng_state()
    optimiser = method.recipe.optimiser(untrained, settings)
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
        id(parameter)
        for group in method.recipe.optimiser(untrained, settings).param_groups
        for parameter in group["params"]
    ]
    assert sorted(taken) == sorted(id(parameter) for parameter in untrained.parameters() if parameter.requires_grad)


def test_thirty_steps_lower_the_loss_and_raise_the_likelihood_of_a_batch(method, settings, untrained, x):
    batch, optimiser = x.float(), method.recipe.optimiser(untrained, settings)
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
