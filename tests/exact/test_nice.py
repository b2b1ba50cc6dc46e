"""NICE: its size and recipe are the paper's, and its density is one."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg, stats

from implementations.flows.nice import METHOD, Settings, build, optimiser
from implementations.flows.parts.bijections import AdditiveCoupling, Diagonal
from implementations.flows.parts.flow import Flow
from implementations.flows.parts.priors import Gaussian, Logistic
from implementations.flows.parts.whitening import ZcaWhitening
from tests.exact.jacobian import log_abs_determinants

PRIORS = {"logistic": Logistic(), "gaussian": Gaussian()}
WHITENED = {"whitening": "zca", "initial_examples": 100}
# The paper's models: settings, shape of an image, parameters, which are
# 4 [(d/2 + 1) h + (layers - 1)(h + 1) h + (h + 1) d/2] + d for h hidden units.
PAPER = {
    "MNIST": (Settings(), (28, 28), 19_158_352),
    "TFD": (
        Settings(hidden_layers=4, hidden_units=5000, prior="gaussian", **WHITENED),
        (48, 48),
        346_166_912,
    ),
    "SVHN": (Settings(hidden_layers=4, hidden_units=2000, **WHITENED), (3, 32, 32), 72_617_216),
    "CIFAR-10": (
        Settings(hidden_layers=4, hidden_units=2000, data_range="[-1, 1]", **WHITENED),
        (3, 32, 32),
        72_617_216,
    ),
}


def small(dimensions: int, **settings) -> Flow:
    """A float64 model of tiny networks whose weights and scales are all off their initial values."""
    generator = torch.Generator().manual_seed(0)
    model = build(Settings(hidden_units=8, hidden_layers=2, **settings), (dimensions,), generator).double()
    model.initialise(torch.rand(100, dimensions, dtype=torch.float64, generator=generator) ** 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return model


def log_scale(model: Flow) -> torch.Tensor:
    """Of the one scaling, at the end."""
    scaling = model.bijection.bijections[-1]
    assert isinstance(scaling, Diagonal)
    return scaling.log_scale


@pytest.mark.parametrize("name", PAPER)
def test_has_the_parameters_of_the_papers_model_without_allocating_them(name):
    settings, shape, parameters = PAPER[name]
    with torch.device("meta"):
        model = build(settings, shape, torch.Generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert all(parameter.is_meta for parameter in model.parameters())


def test_defaults_are_the_papers():
    """Section 5.1 and its architecture table; the batch is that of the author's configuration file."""
    assert Settings() == Settings(
        couplings=4,
        hidden_layers=5,
        hidden_units=1000,
        prior="logistic",
        data_range="[0, 1]",
        whitening="none",
        batch=200,
        learning_rate=1e-3,
        beta1=0.9,
        beta2=0.99,
        epsilon=1e-4,
        gradient_clip=None,
        ema_half_life=None,
    )


def test_optimiser_takes_every_setting_and_every_parameter():
    settings = Settings(hidden_units=8, learning_rate=0.01, beta1=0.5, beta2=0.6, epsilon=0.7)
    model = build(settings, (2, 2), torch.Generator())
    (group,) = optimiser(model, settings).param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.01, (0.5, 0.6), 0.7)
    assert {id(parameter) for parameter in group["params"]} == {id(parameter) for parameter in model.parameters()}


@pytest.mark.parametrize("couplings", [1, 3])
def test_settings_size_the_model(couplings):
    model = build(Settings(couplings=couplings, hidden_layers=2, hidden_units=7), (5,), torch.Generator())
    assert sum(isinstance(module, AdditiveCoupling) for module in model.modules()) == couplings
    even_kept = (3 + 1) * 7 + (7 + 1) * 7 + (7 + 1) * 2
    odd_kept = (2 + 1) * 7 + (7 + 1) * 7 + (7 + 1) * 3
    expected = sum((even_kept, odd_kept)[number % 2] for number in range(couplings)) + 5
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("name", PRIORS)
def test_density_of_one_dimension_has_mass_one(name):
    scaling = Diagonal(1).double()
    scaling.log_scale.data.fill_(0.7)
    model = Flow(scaling, 1, PRIORS[name])
    x = torch.linspace(-30.0, 30.0, 6001, dtype=torch.float64)  # outside lies less than 1e-25
    mass = torch.trapezoid(model.log_prob(x[:, None]).detach().exp(), x)
    # The trapezoidal rule converges exponentially on an analytic density; its step is 0.01.
    assert float(mass) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("settings", "reach"),
    [
        ({"prior": "logistic"}, 40.0),
        ({"prior": "gaussian"}, 40.0),
        ({"prior": "logistic", "data_range": "[-1, 1]"}, 20.0),
        ({"prior": "logistic", "data_range": "[-1, 1]", **WHITENED}, 12.0),  # whitened data are about 4 times as wide
    ],
)
def test_density_of_two_dimensions_has_mass_one(settings, reach):
    model = small(2, **settings)
    axis = torch.linspace(-reach, reach, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = model.log_prob(grid).exp().reshape(801, 801)
    mass = torch.trapezoid(torch.trapezoid(density, axis), axis)
    # Rectifiers leave kinks, on which the rule errs by up to 1e-5 at steps of 0.1 (seen at 0.05, 0.1 and 0.2).
    # A wrong log-determinant would be off by tens of per cent.
    assert float(mass) == pytest.approx(1.0, abs=1e-4)


def test_logistic_density_is_scipys():
    z = torch.linspace(-20.0, 20.0, 4001, dtype=torch.float64)
    expected = torch.from_numpy(stats.logistic.logpdf(z.numpy()))
    torch.testing.assert_close(Logistic().log_prob(z[:, None]), expected, rtol=0.0, atol=1e-12)  # rounding


def test_logistic_density_holds_far_out():
    z = torch.tensor([-1e4, -800.0, -50.0, -20.5, 20.5, 50.0, 800.0, 1e4], dtype=torch.float64)
    expected = torch.from_numpy(stats.logistic.logpdf(z.numpy()))
    # torch's softplus is linear from 20 on, which leaves out e^-20 = 2.1e-9.
    torch.testing.assert_close(Logistic().log_prob(z[:, None]), expected, rtol=1e-15, atol=2.1e-9)


def test_gaussian_density_is_torchs():
    z = torch.linspace(-40.0, 40.0, 801, dtype=torch.float64)
    expected = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z)
    torch.testing.assert_close(Gaussian().log_prob(z[:, None]), expected, rtol=1e-15, atol=1e-12)  # rounding


@pytest.mark.parametrize("name", PRIORS)
def test_dimensions_of_a_prior_add_up(name):
    z = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alone = sum(PRIORS[name].log_prob(column[:, None]) for column in z.T)
    torch.testing.assert_close(PRIORS[name].log_prob(z), alone, rtol=0.0, atol=1e-13)  # rounding of a sum of 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("name", "variance", "fourth"), [("logistic", math.pi**2 / 3, 7 * math.pi**4 / 15), ("gaussian", 1.0, 3.0)]
)
def test_draws_of_a_prior_have_its_moments(name, variance, fourth, dtype):
    count = 400_000
    z = PRIORS[name].sample(torch.empty(count, 1, dtype=dtype), torch.Generator().manual_seed(2))[:, 0]
    assert z.dtype == dtype
    assert torch.isfinite(z).all()
    z = z.double()
    # Four standard errors each: a right law fails once in 16,000 seeds, and the seed is fixed.
    assert abs(float(z.mean())) < 4 * math.sqrt(variance / count)
    assert abs(float(z.square().mean()) - variance) < 4 * math.sqrt((fourth - variance**2) / count)


def test_a_zero_of_the_uniform_generator_is_a_finite_draw(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **keywords: torch.zeros(shape, dtype=keywords["dtype"]))
    assert torch.isfinite(Logistic().sample(torch.empty(2, 2), torch.Generator())).all()


@pytest.mark.parametrize("name", PRIORS)
def test_samples_are_the_decoded_prior_and_repeat_with_the_seed(name):
    model = small(4, prior=name)
    first, again, other = (model.sample(6, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    z = PRIORS[name].sample(torch.empty(6, 4, dtype=torch.float64), torch.Generator().manual_seed(3))
    assert torch.equal(first, model.decode(z)[0])


@pytest.mark.parametrize("name", PRIORS)
def test_loss_is_the_mean_negative_log_density_in_nats(name):
    """By change of variables with the prior of scipy and the log-determinant written out."""
    model = small(4, prior=name)
    log_scale(model).data += 0.5
    x = torch.rand(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        law = stats.logistic if name == "logistic" else stats.norm
        expected = law.logpdf(model.encode(x)[0].numpy()).sum(1) + float(log_scale(model).sum())
        value = float(METHOD.loss(model, x, torch.Generator()))
    assert value == pytest.approx(-expected.mean(), abs=1e-12)  # rounding


def test_the_range_of_the_data_is_part_of_the_map_and_its_determinant():
    """log p(x) of a model that maps to [-1, 1] is that of its core at 2x - 1, plus ln 2 a dimension."""
    symmetric, core = (small(4, data_range=data_range) for data_range in ("[-1, 1]", "[0, 1]"))
    x = torch.rand(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    expected = core.log_prob(2 * x - 1) + 4 * math.log(2)
    torch.testing.assert_close(symmetric.log_prob(x), expected, rtol=0.0, atol=1e-12)  # rounding


def correlated(count: int = 500, dimensions: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    spread = torch.randn(dimensions, dimensions, dtype=torch.float64, generator=generator)
    return torch.randn(count, dimensions, dtype=torch.float64, generator=generator) @ spread - 3.0


def whitened(x: torch.Tensor, ridge: float) -> ZcaWhitening:
    whitening = ZcaWhitening(x.shape[1], ridge).to(x.dtype)
    Flow(whitening, x.shape[1]).initialise(x)
    return whitening


def test_whitened_examples_have_mean_zero_and_unit_covariance():
    x = correlated()
    y = whitened(x, 1e-14)(x)[0]
    torch.testing.assert_close(y.mean(0), torch.zeros(6, dtype=torch.float64), rtol=0.0, atol=1e-12)  # rounding
    # The ridge is 1e-12 of the smallest variance here.
    torch.testing.assert_close(y.T @ y / len(y), torch.eye(6, dtype=torch.float64), rtol=0.0, atol=1e-10)


def test_whitening_is_the_symmetric_root_of_the_ridged_inverse_covariance():
    x, ridge = correlated(), 0.3
    expected = linalg.inv(linalg.sqrtm(np.cov(x.numpy(), rowvar=False, bias=True) + ridge * np.eye(6)).real)
    origin = torch.zeros(1, 6, dtype=torch.float64)
    whitening = whitened(x, ridge)
    matrix = whitening(torch.eye(6, dtype=torch.float64))[0] - whitening(origin)[0]
    torch.testing.assert_close(matrix, matrix.T, rtol=0.0, atol=1e-12)  # rounding
    torch.testing.assert_close(matrix, torch.from_numpy(expected), rtol=0.0, atol=1e-10)  # rounding of two inversions


def test_a_ridge_leaves_directions_of_less_variance_smaller():
    variances = torch.tensor([4.0, 1.0, 0.01], dtype=torch.float64)
    signs = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0], dtype=torch.float64)])
    x = signs * variances.sqrt()  # covariance exactly diagonal
    y = whitened(x, 0.1)(x)[0]
    torch.testing.assert_close(y.square().mean(0), variances / (variances + 0.1), rtol=0.0, atol=1e-12)  # rounding


def test_whitening_measures_only_what_it_is_shown_and_keeps_it_in_the_state_dict():
    settings = Settings(hidden_units=8, hidden_layers=1, **WHITENED)
    model, copy = (build(settings, (6,), torch.Generator().manual_seed(0)).double() for _ in range(2))
    x = correlated()
    before = model.log_prob(x)
    model.sample(5, torch.Generator().manual_seed(1))
    assert torch.equal(model.log_prob(x), before)
    model.initialise(x)
    after = model.log_prob(x)
    assert not torch.equal(after, before)
    assert torch.equal(model.log_prob(x[:5] + 1.0), model.log_prob(x[:5] + 1.0))
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.log_prob(x), after)


def test_whitening_measured_in_float32_is_exact_when_read_in_float64():
    """As models are trained and evaluated; the matrix and its inverse stored apart would disagree by 1e-4 here."""
    x = correlated(5).float()  # fewer examples than dimensions: scales of 1e3 along the direction they lack
    whitening = whitened(x, 1e-6).double()
    points = correlated(20)
    y, logdet = whitening(points)
    torch.testing.assert_close(whitening.inverse(y)[0], points, rtol=0.0, atol=1e-9)  # rounding, times 1e3 to 1e6
    torch.testing.assert_close(logdet, log_abs_determinants(lambda v: whitening(v)[0], points), rtol=0.0, atol=1e-9)


def test_bfloat16_autocast_leaves_whitening_alone():
    x = correlated().float()
    whitening = whitened(x, 1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        within = whitening(x)[0]
    assert torch.equal(within, whitening(x)[0])


def test_settings_refuse_whitening_without_examples():
    with pytest.raises(ValueError, match="initial_examples"):
        Settings(whitening="zca")
    with pytest.raises(ValueError, match="whitening_ridge must be above 0"):
        Settings(whitening_ridge=0.0)
