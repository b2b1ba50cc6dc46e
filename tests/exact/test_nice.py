"""NICE: its size and recipe are the paper's, and its density is one."""

import math

import pytest
import torch
from scipy import stats

from implementations.flows.nice import Nice, Settings, build, loss, optimiser
from implementations.flows.parts.bijections import Chain, Diagonal
from implementations.flows.parts.priors import Gaussian, Logistic

PRIORS = {"logistic": Logistic(), "gaussian": Gaussian()}


def small(prior: str, dimensions: int) -> Nice:
    """A float64 model of tiny networks whose weights and scales are all off their initial values."""
    generator = torch.Generator().manual_seed(0)
    model = build(Settings(hidden_units=8, hidden_layers=2, prior=prior), dimensions, generator).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return model


def test_has_the_parameters_of_the_papers_mnist_model_without_allocating_them():
    with torch.device("meta"):
        model = build(Settings(), 784, torch.Generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == 19_158_352
    assert all(parameter.is_meta for parameter in model.parameters())


def test_defaults_are_the_papers():
    """Section 5.1 and its architecture table; the batch is that of the author's configuration file."""
    assert Settings() == Settings(
        couplings=4,
        hidden_layers=5,
        hidden_units=1000,
        prior="logistic",
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
    model = build(settings, 4, torch.Generator())
    (group,) = optimiser(model, settings).param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.01, (0.5, 0.6), 0.7)
    assert {id(parameter) for parameter in group["params"]} == {id(parameter) for parameter in model.parameters()}


@pytest.mark.parametrize("couplings", [1, 3])
def test_settings_size_the_model(couplings):
    model = build(Settings(couplings=couplings, hidden_layers=2, hidden_units=7), 5, torch.Generator())
    assert len(model.couplings.bijections) == couplings
    even_kept = (3 + 1) * 7 + (7 + 1) * 7 + (7 + 1) * 2
    odd_kept = (2 + 1) * 7 + (7 + 1) * 7 + (7 + 1) * 3
    expected = sum((even_kept, odd_kept)[number % 2] for number in range(couplings)) + 5
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("name", PRIORS)
def test_density_of_one_dimension_has_mass_one(name):
    scaling = Diagonal(1).double()
    scaling.log_scale.data.fill_(0.7)
    model = Nice(Chain(), scaling, PRIORS[name])
    x = torch.linspace(-30.0, 30.0, 6001, dtype=torch.float64)  # outside lies less than 1e-25
    mass = torch.trapezoid(model.log_prob(x[:, None]).detach().exp(), x)
    # The trapezoidal rule converges exponentially on an analytic density; its step is 0.01.
    assert float(mass) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", PRIORS)
def test_density_of_two_dimensions_has_mass_one(name):
    model = small(name, 2)
    axis = torch.linspace(-40.0, 40.0, 801, dtype=torch.float64)
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
    model = small(name, 4)
    first, again, other = (model.sample(6, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    z = PRIORS[name].sample(torch.empty(6, 4, dtype=torch.float64), torch.Generator().manual_seed(3))
    assert torch.equal(first, model.decode(z)[0])


@pytest.mark.parametrize("name", PRIORS)
def test_loss_is_the_mean_negative_log_density_in_nats(name):
    """By change of variables with the prior of scipy and the log-determinant written out."""
    model = small(name, 4)
    model.scaling.log_scale.data += 0.5
    x = torch.rand(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        law = stats.logistic if name == "logistic" else stats.norm
        expected = law.logpdf(model.encode(x)[0].numpy()).sum(1) + float(model.scaling.log_scale.sum())
        value = float(loss(model, x, torch.Generator()))
    assert value == pytest.approx(-expected.mean(), abs=1e-12)  # rounding
