"""Likelihoods: on laws with known densities, DDPM's bound against torch's divergences and an entropy."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from implementations.common.ode import Solver
from implementations.diffusion.parts import grids, likelihood, paths
from implementations.diffusion.parts.samplers import chain_variances
from implementations.flows.parts.trace import gaussian, rademacher
from tests.exact.denoising_cases import close, gaussian_denoiser, generator, mixture, mixture_denoiser, normal, number

BETAS = paths.linear_betas()
TABLE = grids.ddpm_subset(BETAS, range(1000))  # row 1000 - k is level k
LINE, VP, EDM = paths.linear(), paths.variance_preserving(), paths.edm(80.0)
SOLVER = Solver("dopri5", tolerance=1e-9)


def marginal(path, t):
    a, n = path.at(number(t))
    return mixture().diffused(float(a), float(n))


@pytest.mark.parametrize("path", [LINE, VP, EDM], ids=["fm", "vp", "edm"])
def test_log_likelihood_of_a_mixture(path):
    """Against the density of the law at the start, with the exact one at time 1 as the prior."""
    law = marginal(path, 1e-3)
    x = law.sample(20, generator(1))
    # dopri5's error over the batch; a bar of 1e-5 nats, as for every solver of this tolerance.
    prior = marginal(path, 1.0).log_prob if path is not LINE else likelihood.standard_normal
    found, evaluations = likelihood.log_likelihood(mixture_denoiser(), x, path, prior, SOLVER, start=1e-3)
    close(found, law.log_prob(x), 1e-5)
    assert evaluations > 20


def test_log_likelihood_takes_images():
    x = 0.3 * normal(4, 1, 2, 2, seed=2)

    def denoise(x, a, n):
        return gaussian_denoiser(0.5)(x.reshape(-1, 1), a, n).reshape(x.shape)

    found, _ = likelihood.log_likelihood(denoise, x, LINE, likelihood.standard_normal, SOLVER, start=1e-4)
    deviation = math.hypot(0.5 * (1 - 1e-4), 1e-4)
    close(found, likelihood.standard_normal(x, deviation), 1e-5)


@pytest.mark.parametrize("draw", [gaussian, rademacher])
def test_estimated_trace_is_right_on_average(draw):
    """The same point many times, each with its own probe: the mean within five standard errors."""
    point, count = torch.tensor([[0.4, -0.3]], dtype=torch.float64), 4000
    how = likelihood.standard_normal, Solver("rk4", steps=40)
    exact, _ = likelihood.log_likelihood(mixture_denoiser(), point, LINE, *how, start=0.05)
    probes = partial(draw, generator=generator(3))
    found, _ = likelihood.log_likelihood(
        mixture_denoiser(), point.expand(count, 2), LINE, *how, probes=probes, start=0.05
    )
    assert float(found.std()) > 0.01
    assert abs(float(found.mean() - exact)) < 5 * float(found.std()) / math.sqrt(count)


def test_signs_are_exact_where_the_jacobian_is_diagonal():
    x = normal(5, 1, seed=4)
    how = gaussian_denoiser(0.5), x, LINE, likelihood.standard_normal, Solver("rk4", steps=20)
    exact, _ = likelihood.log_likelihood(*how, start=0.05)
    found, _ = likelihood.log_likelihood(*how, probes=partial(rademacher, generator=generator(5)), start=0.05)
    close(found, exact, 1e-12)


def test_standard_normal_is_torchs():
    x = normal(6, 2, 3, seed=6)
    for deviation in (1.0, 80.0):
        expected = torch.distributions.Normal(number(0.0), number(deviation)).log_prob(x).flatten(1).sum(1)
        close(likelihood.standard_normal(x, deviation), expected, 1e-12)


def test_prior_term_is_torchs_divergence():
    x0, (a, n) = normal(5, 2, 3, seed=7), TABLE[300]
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(a * x0, n), torch.distributions.Normal(number(0.0), number(1.0))
    )
    close(likelihood.prior_term(x0, a, n), expected.flatten(1).sum(1), 1e-12)


@pytest.mark.parametrize("k", [2, 100, 1000])
def test_step_term_is_torchs_divergence(k):
    """Of DDPM's equations 6 and 7 in their own form, for both variances."""
    abar = torch.cat([torch.ones(1).double(), (1 - BETAS).cumprod(0)])
    beta, after, before = BETAS[k - 1], abar[k], abar[k - 1]
    x0, d, x = normal(4, 2, seed=8), normal(4, 2, seed=9), normal(4, 2, seed=10)

    def mean(of):
        return (before.sqrt() * beta * of + (1 - beta).sqrt() * (1 - before) * x) / (1 - after)

    tilde = (1 - before) / (1 - after) * beta
    pair = TABLE[1000 - k], TABLE[1001 - k]
    for variance, own in zip((beta, tilde), chain_variances(*pair), strict=True):
        expected = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean(x0), tilde.sqrt()), torch.distributions.Normal(mean(d), variance.sqrt())
        )
        found = likelihood.step_term(x0, d, *pair, own)
        torch.testing.assert_close(found, expected.sum(1), rtol=1e-9, atol=1e-12)  # 1 - abar loses digits


def terms_on_a_normal_law(which):
    """L_T, the sum of L_(t-1), and L_0 on N(0, 1) with its exact D, for which E|x_0 - D|^2 = n^2 at each level."""
    unit = torch.zeros(1, 1).double()
    # L_T is affine in x_0^2, whose mean is 1.
    prior = likelihood.prior_term(unit + 1, *TABLE[0])
    steps = [
        likelihood.step_term(unit + start[1], unit, start, end, chain_variances(start, end)[which])
        for start, end in pairwise(TABLE[:-1])
    ]
    last = TABLE[-2]
    decoder = likelihood.continuous_decoder_term(unit + last[1], unit, chain_variances(last, TABLE[-1])[0])
    return float(prior), float(torch.stack(steps).sum()), float(decoder)


def test_bound_with_the_exact_model_is_the_entropy():
    prior, steps, decoder = terms_on_a_normal_law(0)
    assert prior == pytest.approx(2.0179556e-5, rel=1e-7)
    assert steps == pytest.approx(4.605150006, abs=1e-9)
    assert prior + steps + decoder == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=1e-10)


def test_bound_with_the_smaller_variance_is_above_it():
    _, steps, _ = terms_on_a_normal_law(1)
    assert steps == pytest.approx(5.070042325, abs=1e-9)


@pytest.mark.parametrize("deviation", [7.4e-3, 0.05, 2.0])
@pytest.mark.parametrize("levels", [17, 256])
def test_masses_of_all_levels_sum_to_1(deviation, levels):
    grid = torch.linspace(-1.0, 1.0, levels, dtype=torch.float64)[:, None]
    for mean in (-1.2, -0.3, 0.001, 1.0):
        variance = number(deviation**2)
        terms = likelihood.discretised_decoder_term(grid, torch.full_like(grid, mean), variance, levels)
        close((-terms).exp().sum(), 1.0, 1e-12)


def test_decoder_term_is_the_difference_of_distribution_functions():
    normal_law = torch.distributions.Normal(number(0.1), number(0.02))
    for level in (130, 140, 150):
        x0 = number(-1 + 2 * level / 255)
        mass = normal_law.cdf(x0 + 1 / 255) - normal_law.cdf(x0 - 1 / 255)
        found = likelihood.discretised_decoder_term(x0.reshape(1, 1), number(0.1).reshape(1, 1), number(0.02**2))
        assert float(found) == pytest.approx(-float(mass.log()), rel=1e-9)  # the difference cancels


def test_decoder_term_keeps_its_digits_far_out():
    """Where both distribution functions round to 0 or 1; symmetric, and close to a density times the bin's width."""
    x0, deviation = torch.tensor([[63.0], [-63.0]], dtype=torch.float64) / 127.5, 1e-2
    d = torch.zeros_like(x0)
    right = likelihood.discretised_decoder_term(x0, d, number(deviation**2))
    mirrored = likelihood.discretised_decoder_term(-x0, d, number(deviation**2))
    close(right, mirrored, 1e-9)
    edge = (float(x0[0]) - 1 / 255) / deviation  # the nearer end of the bin holds nearly all of its mass
    expected = -float(torch.special.log_ndtr(number(-edge)))
    assert expected > 1000
    assert float(right[0]) == pytest.approx(expected, rel=1e-9)


def test_decoder_term_can_be_differentiated():
    d = torch.full((1, 3), 0.2, dtype=torch.float64, requires_grad=True)
    x0 = torch.tensor([[-1.0, 1 / 255, 1.0]], dtype=torch.float64)
    likelihood.discretised_decoder_term(x0, d, number(0.01)).sum().backward()
    assert torch.isfinite(d.grad).all()
    assert (d.grad[0, :2] > 0).all()
    assert d.grad[0, 2] < 0  # towards x_0


def test_bounds_sum_over_dimensions_and_keep_examples_apart():
    x0, d = 0.3 * normal(3, 1, 2, 2, seed=11), 0.3 * normal(3, 1, 2, 2, seed=12)
    pair = TABLE[500], TABLE[501]
    variance = chain_variances(*pair)[0]
    for term in (
        lambda x0, d: likelihood.prior_term(x0, *pair[0]),
        lambda x0, d: likelihood.step_term(x0, d, *pair, variance),
        lambda x0, d: likelihood.continuous_decoder_term(x0, d, variance),
        lambda x0, d: likelihood.discretised_decoder_term(x0, d, variance),
    ):
        whole = term(x0, d)
        assert whole.shape == (3,)
        parts = torch.stack([term(x0.flatten(1)[:, k : k + 1], d.flatten(1)[:, k : k + 1]) for k in range(4)]).sum(0)
        torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-12)
