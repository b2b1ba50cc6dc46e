"""The variational autoencoder: its bound against cases with a known answer, and against quadrature over the latent."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from implementations.flows import planar, radial
from implementations.flows.parts.autoencoder import AmortisedMaps, Autoencoder
from tests.exact.bijection_cases import generator, moved

DRAWS = 100_000
ROUNDING = 1e-12  # float64, some tens of operations on values of about 1


def flow(method, length: int, latent: int) -> AmortisedMaps:
    return method.posterior(method.Settings(flow_length=length), latent)


def close(one: Tensor, other: Tensor, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


def binary(count: int, dimensions: int, seed: int) -> Tensor:
    return torch.randint(0, 2, (count, dimensions), generator=generator(seed)).double()


def zero(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()


FLOWS = {"no flow": lambda d: None, "planar": lambda d: flow(planar, 3, d), "radial": lambda d: flow(radial, 3, d)}


@pytest.fixture(params=FLOWS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def model(kind) -> Autoencoder:
    """Of 5 pixels and 2 latent dimensions, in float64, every weight moved off its initial value."""
    return moved(Autoencoder(5, 2, 8, FLOWS[kind](2), generator(0)), 1)


@pytest.fixture
def one_dimensional(kind) -> Autoencoder:
    return moved(Autoencoder(3, 1, 8, FLOWS[kind](1), generator(2)), 3)


X = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
AXIS = torch.linspace(-12, 12, 24_001, dtype=torch.float64)[:, None]  # outside lies less than 1e-30 of a normal law


def joint(model: Autoencoder, z: Tensor) -> Tensor:
    """log p(x, z) of X at each z, from the decoder alone."""
    logits = model.decoder(z)
    likelihood = (X * logsigmoid(logits) + (1 - X) * logsigmoid(-logits)).sum(1)
    return likelihood - 0.5 * z[:, 0].square() - 0.5 * math.log(2 * math.pi)


def log_evidence(model: Autoencoder) -> float:
    """log p(x) of X by quadrature over the prior."""
    with torch.no_grad():
        return math.log(float(torch.trapezoid(joint(model, AXIS).exp(), AXIS[:, 0])))


def test_where_the_decoder_ignores_z_and_the_posterior_is_the_prior_the_bound_is_the_likelihood(model):
    """log p(x|z) is then a constant and the bound has no variance; a flow whose parameters are 0 is the identity."""
    zero(model.moments)
    if model.flow is not None:
        zero(model.bending)
    nn.init.zeros_(model.decoder[-1].weight)
    x, bias = binary(40, 5, 4), model.decoder[-1].bias
    expected = (x * logsigmoid(bias) + (1 - x) * logsigmoid(-bias)).sum(1)
    close(model.bound(x, generator(5)), expected)
    close(model.log_likelihood(x, 7, generator(6)), expected)


def test_bound_of_one_latent_dimension_is_that_of_quadrature(one_dimensional):
    """E over z_0 of log p(x, z_K) - log q(z_K|x), by the trapezoidal rule and by draws."""
    model = one_dimensional
    with torch.no_grad():
        mean, log_variance, *parameters = model.infer(X)
        z, logdet = mean + (0.5 * log_variance).exp() * AXIS, torch.zeros(len(AXIS), dtype=torch.float64)
        if model.flow is not None:
            z, logdet = model.flow(z, parameters[0].expand(len(AXIS), -1))
        normal = -0.5 * AXIS[:, 0].square() - 0.5 * math.log(2 * math.pi)
        inside = joint(model, z) - (normal - 0.5 * log_variance[0, 0] - logdet)
        expected = float(torch.trapezoid(normal.exp() * inside, AXIS[:, 0]))
        bound = model.bound(X.expand(DRAWS, -1), generator(7))
    error = float(bound.std()) / math.sqrt(DRAWS)
    assert error < 0.01
    assert abs(float(bound.mean()) - expected) < 4 * error  # four standard errors, at a fixed seed
    assert expected < log_evidence(model)


def test_importance_weights_average_to_the_likelihood(one_dimensional):
    """E[p(x, z_K) / q(z_K|x)] is p(x) whatever q is: a wrong log-determinant would be seen here."""
    with torch.no_grad():
        weights = one_dimensional.bound(X.expand(DRAWS, -1), generator(8)).exp()
    error = float(weights.std()) / math.sqrt(DRAWS)
    assert error < 0.02 * float(weights.mean())
    assert abs(float(weights.mean()) - math.exp(log_evidence(one_dimensional))) < 4 * error


def test_bounds_tighten_with_samples_towards_the_likelihood(one_dimensional):
    """Jensen: bound < importance-weighted estimate of 5 draws < of 50 < log p(x), in the mean."""
    x = X.expand(4000, -1)
    with torch.no_grad():
        values = [one_dimensional.bound(x, generator(9))]
        values += [one_dimensional.log_likelihood(x, samples, generator(10)) for samples in (5, 50)]
    means = [float(value.mean()) for value in values] + [log_evidence(one_dimensional)]
    errors = [float(value.std()) / math.sqrt(len(value)) for value in values] + [0.0]
    for lower, upper in ((0, 1), (1, 2), (2, 3)):
        assert means[lower] < means[upper] + 4 * math.hypot(errors[lower], errors[upper])
    assert means[0] < means[3] - 4 * errors[0]
    # The bias falls as the variance of the weights divided by their number, so 10 times the draws leave a tenth of it.
    assert means[3] - means[2] < 0.3 * (means[3] - means[1]) + 4 * errors[2]


def test_one_importance_sample_is_the_bound(model):
    x = binary(6, 5, 11)
    close(model.log_likelihood(x, 1, generator(12)), model.bound(x, generator(12)))


def test_importance_samples_are_averaged(model):
    x, one, all_at_once = binary(6, 5, 13), generator(14), generator(14)
    weights = torch.stack([model.bound(x, one).exp() for _ in range(4)])
    close(model.log_likelihood(x, 4, all_at_once), weights.mean(0).log())


@pytest.mark.parametrize("method", [planar, radial], ids=["planar", "radial"])
def test_a_flow_of_length_zero_is_no_flow(method):
    models = [Autoencoder(5, 2, 8, flow, generator(17)) for flow in (None, flow(method, 0, 2))]
    x = binary(6, 5, 18).float()
    assert [name for name, _ in models[0].named_parameters()] == [name for name, _ in models[1].named_parameters()]
    assert torch.equal(*(model.bound(x, generator(19)) for model in models))


@pytest.mark.parametrize("method", [planar, radial], ids=["planar", "radial"])
def test_flows_of_every_length_start_with_the_same_other_weights(method):
    without, short, long = (Autoencoder(5, 2, 8, flow(method, length, 2), generator(20)) for length in (0, 2, 9))
    for name, value in without.state_dict().items():
        assert torch.equal(value, short.state_dict()[name])
        assert torch.equal(value, long.state_dict()[name])
    largest = float(long.bending.weight.detach().abs().max())
    assert 0.25 / math.sqrt(8) < largest <= 0.3 / math.sqrt(8)  # 0.3 of torch's law on 8 hidden units


def test_the_flows_parameters_depend_on_the_example():
    model = moved(Autoencoder(5, 2, 8, flow(planar, 2, 2), generator(21)), 22)
    parameters = model.infer(binary(6, 5, 23))[2]
    assert parameters.shape == (6, 10)
    assert (parameters.std(0) > 1e-3).all()


def test_rows_do_not_see_each_other(model):
    x = binary(6, 5, 24)
    for part, whole in zip(model.infer(x[2:3]), model.infer(x), strict=True):
        close(part[0], whole[2])
    z = torch.randn(6, 2, dtype=torch.float64, generator=generator(25))
    close(model.log_joint(x[2:3], z[2:3])[0], model.log_joint(x, z)[2])


def test_every_parameter_has_a_finite_gradient_and_a_step_along_it_raises_the_bound(model):
    x = binary(50, 5, 26)
    before = model.bound(x, generator(27)).mean()
    before.backward()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name
            parameter.add_(1e-3 * parameter.grad)
        assert model.bound(x, generator(27)).mean() > before


def test_draws_repeat_with_the_seed_and_leave_the_global_generator_alone(model):
    untouched, x = torch.get_rng_state(), binary(6, 5, 28)
    first, again, other = (model.log_likelihood(x, 3, generator(seed)) for seed in (29, 29, 30))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), untouched)


def test_values_are_one_an_example_in_the_dtype_of_the_model(model):
    for dtype in (torch.float32, torch.float64):
        x = binary(6, 5, 31).to(dtype)
        value, weighted = model.to(dtype).bound(x, generator(32)), model.log_likelihood(x, 2, generator(33))
        assert (value.shape, value.dtype) == ((6,), dtype)
        assert (weighted.shape, weighted.dtype) == ((6,), dtype)


def test_settings_size_the_model_without_allocating_it():
    with torch.device("meta"):
        model = Autoencoder(784, 40, 400, flow(planar, 80, 40), torch.Generator())
    networks = (784 + 1) * 400 + (400 + 1) * 80 + (40 + 1) * 400 + (400 + 1) * 784
    assert sum(parameter.numel() for parameter in model.parameters()) == networks + (400 + 1) * 80 * 81
    assert all(parameter.is_meta for parameter in model.parameters())


def test_maps_are_given_their_own_numbers_in_order():
    """z -> a z + b with a per example and dimension, b per example: two of them, written out."""

    def affine(z: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        assert (a.shape, b.shape) == ((2, 3, 2), (2, 3))
        return a[1] * (a[0] * z + b[0][:, None]) + b[1][:, None], a.abs().log().sum((0, 2))

    maps = AmortisedMaps(affine, [(2,), ()], 2)
    assert maps.parameters == 6
    identity = [1.0, 1.0, 0.0]
    parameters = torch.tensor([[2.0, 3.0, 1.0, 5.0, 7.0, -1.0], [*identity, 1.0, 1.0, 0.5], [*identity, *identity]])
    value, logdet = maps(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), parameters)
    assert torch.equal(value, torch.tensor([[5 * 3.0 - 1, 7 * 7.0 - 1], [3.5, 4.5], [5.0, 6.0]]))
    torch.testing.assert_close(logdet, torch.tensor([math.log(2 * 3 * 5 * 7), 0.0, 0.0]))
