"""The mixture of factor analysers against dense Gaussians and its own draws."""

import pytest
import torch

from implementations.flows.mixture_of_factor_analysers import MixtureOfFactorAnalysers, Settings, build

SETTINGS = Settings(components=3, factors=2)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model() -> MixtureOfFactorAnalysers:
    model = build(SETTINGS, (5,), generator(0)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator(1)))
    return model.requires_grad_(False)


def dense(model: MixtureOfFactorAnalysers) -> torch.distributions.Distribution:
    covariances = model.loadings @ model.loadings.mT + torch.diag_embed(model.noise())
    components = torch.distributions.MultivariateNormal(model.means, covariances)
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=model.log_weights), components)


def test_log_density_is_that_of_dense_gaussians(model):
    x = 2 * torch.randn(20, 5, dtype=torch.float64, generator=generator(2))
    torch.testing.assert_close(model.log_prob(x), dense(model).log_prob(x), rtol=0, atol=1e-11)  # two ways to solve


def test_draws_have_the_mean_and_covariance_of_the_mixture(model):
    n = 200_000
    x, weights = model.sample(n, generator(3)), model.log_weights.softmax(0)
    mean = weights @ model.means
    within = torch.einsum("k,kij->ij", weights, dense(model).component_distribution.covariance_matrix)
    between = torch.einsum("k,ki,kj->ij", weights, model.means - mean, model.means - mean)
    sd = (within + between).diagonal().sqrt()
    assert ((x.mean(0) - mean).abs() < 5 * sd / n**0.5).all()  # five standard errors, at a fixed seed
    # An entry's standard error is at most about the product of deviations times sqrt(kurtosis / n); 10 bounds it.
    assert ((x.T.cov() - within - between).abs() < 10 * torch.outer(sd, sd) / n**0.5).all()


def test_initialising_puts_means_at_examples_and_nothing_else_does(model):
    x = torch.randn(40, 5, dtype=torch.float64, generator=generator(4))
    before = model.means.clone()
    model.log_prob(x)
    model.sample(3, generator(5))
    assert torch.equal(model.means, before)
    model.initialise(x)
    assert torch.equal(model.means, x[:3])
    torch.testing.assert_close(model.noise(), (0.5 * x.var(0)).expand(3, 5), rtol=0, atol=2.1e-4)  # twice the floor


def test_too_few_examples_to_start_at_are_refused(model):
    with pytest.raises(ValueError, match="3 components start at as many examples, not at 2"):
        model.initialise(torch.zeros(2, 5, dtype=torch.float64))


def test_parameters_are_counted_without_memory():
    with torch.device("meta"):
        model = build(Settings(), (28, 28), generator(0))
    # a component: a weight, and for each of 784 pixels a mean, a noise and 6 loadings
    assert sum(parameter.numel() for parameter in model.parameters()) == 30 * (1 + 784 * 8)
