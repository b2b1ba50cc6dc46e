"""The mixture of Gaussians: against torch's own, automatic differentiation, moments, and quadrature."""

import math

import pytest
import torch
from torch import Tensor

from implementations.common.oracles import GaussianMixture


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def close(one: Tensor, other: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


def made(dimensions: int, components: int = 4) -> GaussianMixture:
    """Uneven weights, correlated components of very different widths."""
    below = torch.tril(0.5 * normal(components, dimensions, dimensions, seed=1), -1)
    factors = below + torch.diag_embed(0.1 + normal(components, dimensions, seed=2).abs())
    weights = torch.softmax(normal(components, seed=3), 0)
    return GaussianMixture(weights, 2.0 * normal(components, dimensions, seed=4), factors)


@pytest.fixture(params=[1, 2, 5], ids="d {}".format)
def mixture(request) -> GaussianMixture:
    return made(request.param)


@pytest.fixture
def x(mixture) -> Tensor:
    """Draws, and points far from every component."""
    d = mixture.means.shape[1]
    return torch.cat([mixture.sample(20, generator(5)), 10.0 * normal(10, d, seed=6)])


def torchs(mixture: GaussianMixture) -> torch.distributions.MixtureSameFamily:
    components = torch.distributions.MultivariateNormal(mixture.means, scale_tril=mixture.factors)
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(mixture.weights), components)


def test_log_density_is_torchs(mixture, x):
    expected = torchs(mixture).log_prob(x)
    torch.testing.assert_close(mixture.log_prob(x), expected, rtol=1e-12, atol=1e-12)  # rounding of sums of squares


def test_a_single_component_is_a_normal_density(x):
    d = x.shape[1]
    alone = GaussianMixture(torch.ones(1).double(), torch.zeros(1, d).double(), torch.eye(d).double()[None])
    close(alone.log_prob(x), -0.5 * (x.square() + math.log(2 * math.pi)).sum(1), 1e-12 * float(x.square().sum(1).max()))
    close(alone.score(x), -x, 1e-14)


def test_density_far_out_does_not_underflow(mixture):
    x = torch.full((1, mixture.means.shape[1]), 1e4, dtype=torch.float64)
    assert torch.isfinite(mixture.log_prob(x)).all()
    assert torch.isfinite(mixture.score(x)).all()


def test_density_of_one_dimension_has_mass_one():
    axis = torch.linspace(-30.0, 30.0, 60_001, dtype=torch.float64)
    mass = torch.trapezoid(made(1).log_prob(axis[:, None]).exp(), axis)
    # The trapezoidal rule converges exponentially here; its step is a hundredth of the narrowest width.
    assert float(mass) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("sigma", [0.0, 0.01, 5.0])
def test_score_is_the_gradient_of_the_log_density(mixture, x, sigma):
    diffused = mixture.diffused(1.0, sigma)
    points = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(diffused.log_prob(points).sum(), points)
    torch.testing.assert_close(diffused.score(x), expected, rtol=1e-9, atol=1e-10)  # rounding, over widths down to 0.1


def test_draws_have_the_mixtures_moments(mixture):
    count = 400_000
    x = mixture.sample(count, generator(7))
    assert x.shape == (count, mixture.means.shape[1])
    assert x.dtype == torch.float64
    expected = torchs(mixture)
    # Five standard errors of each moment, taken from the draws; at a fixed seed.
    for power in (1, 2):
        values = x.pow(power)
        moment = expected.mean if power == 1 else expected.variance + expected.mean.square()
        assert ((values.mean(0) - moment).abs() < 5 * values.std(0) / math.sqrt(count)).all()
    centred = x - expected.mean
    covariance = (mixture.factors @ mixture.factors.mT + mixture.means[:, :, None] * mixture.means[:, None, :]).mul(
        mixture.weights[:, None, None]
    ).sum(0) - torch.outer(expected.mean, expected.mean)
    products = centred[:, :, None] * centred[:, None, :]
    assert ((products.mean(0) - covariance).abs() < 5 * products.std(0) / math.sqrt(count)).all()


def test_draws_repeat_with_the_seed(mixture):
    first, again, other = (mixture.sample(5, generator(seed)) for seed in (8, 8, 9))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_and_log_density_are_of_one_law():
    """E[q / p] = 1 and E[log q / p] < 0 over draws of p, for another density q."""
    p, q = made(2), made(2).diffused(0.8, 0.1)
    x = p.sample(200_000, generator(10))
    ratios = (q.log_prob(x) - p.log_prob(x)).exp()
    error = float(ratios.std()) / math.sqrt(len(x))
    assert error < 0.02
    assert abs(float(ratios.mean()) - 1.0) < 5 * error  # five standard errors, at a fixed seed
    assert float((q.log_prob(x) - p.log_prob(x)).mean()) < 0.0


@pytest.mark.parametrize(("scale", "sigma"), [(1.0, 0.0), (1.0, 0.7), (0.3, 0.0), (0.6, 0.8), (-1.0, 0.5)])
def test_diffusion_has_the_moments_of_scaling_and_noise(mixture, scale, sigma):
    """mean: s m; covariance: s^2 C + sigma^2 I, of each component, and the weights stay."""
    diffused = mixture.diffused(scale, sigma)
    identity = torch.eye(mixture.means.shape[1], dtype=torch.float64)
    assert torch.equal(diffused.weights, mixture.weights)
    close(diffused.means, scale * mixture.means, 1e-14)
    expected = scale**2 * mixture.factors @ mixture.factors.mT + sigma**2 * identity
    close(diffused.factors @ diffused.factors.mT, expected, 1e-12)  # a Cholesky factor, squared again
    assert (diffused.factors.diagonal(dim1=1, dim2=2) > 0).all()


def test_diffusion_is_that_of_draws():
    """By the moments of noised draws, which know nothing of the formula."""
    mixture, scale, sigma, count = made(2), 0.6, 0.8, 400_000
    noise = torch.randn(count, 2, dtype=torch.float64, generator=generator(11))
    x = scale * mixture.sample(count, generator(12)) + sigma * noise
    expected = torchs(mixture.diffused(scale, sigma))
    for power, moment in ((1, expected.mean), (2, expected.variance + expected.mean.square())):
        values = x.pow(power)
        assert ((values.mean(0) - moment).abs() < 5 * values.std(0) / math.sqrt(count)).all()  # five standard errors


def test_diffusing_twice_is_diffusing_once(mixture, x):
    """Variances add up: sigma_1 and then sigma_2 are sqrt(sigma_1^2 + sigma_2^2)."""
    twice = mixture.diffused(0.5, 0.3).diffused(0.7, 0.4)
    once = mixture.diffused(0.35, math.hypot(0.7 * 0.3, 0.4))
    torch.testing.assert_close(twice.log_prob(x), once.log_prob(x), rtol=1e-11, atol=1e-11)  # rounding


def test_a_denoisers_mean_is_the_posterior_mean():
    """Tweedie: x + sigma^2 score(x) is E[x_0 | x], here by quadrature over x_0."""
    mixture, sigma = made(1), 0.5
    axis = torch.linspace(-20.0, 20.0, 40_001, dtype=torch.float64)
    x = torch.tensor([-3.0, 0.0, 0.7, 4.0], dtype=torch.float64)
    weights = mixture.log_prob(axis[:, None]).exp() * (-0.5 * ((x[:, None] - axis) / sigma) ** 2).exp()
    expected = (weights * axis).sum(1) / weights.sum(1)
    found = x + sigma**2 * mixture.diffused(1.0, sigma).score(x[:, None])[:, 0]
    close(found, expected, 1e-10)  # both exact but for rounding


def test_dtype_is_that_of_the_parameters():
    single = GaussianMixture(*(part.float() for part in (made(2).weights, made(2).means, made(2).factors)))
    x = single.sample(4, generator(13))
    assert {x.dtype, single.log_prob(x).dtype, single.score(x).dtype, single.diffused(0.5, 1.0).means.dtype} == {
        torch.float32
    }
