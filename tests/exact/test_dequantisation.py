"""Grey levels fill the unit cube with bins that neither overlap nor leave gaps; bits count the discrete data."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from implementations.flows.parts.dequantisation import bits_per_dimension, dequantise, quantise

COUNTS = (2, 16, 17, 256)
DTYPES = (torch.float32, torch.float64)


@pytest.fixture
def with_noise(monkeypatch) -> Callable[..., torch.Tensor]:
    """`dequantise` with a noise of our choice in place of the generator's."""

    def dequantised(levels: torch.Tensor, count: int, u: float, dtype: torch.dtype) -> torch.Tensor:
        with monkeypatch.context() as patched:
            patched.setattr(torch, "rand", lambda shape, **keywords: torch.full(shape, u, dtype=keywords["dtype"]))
            return dequantise(levels, count, torch.Generator(), dtype)

    return dequantised


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("law", [stats.uniform(), stats.norm(0.3, 0.5), stats.logistic(0.9, 0.2)])
def test_masses_of_all_bins_sum_to_the_mass_in_the_cube(with_noise, count, law):
    nodes, weights = np.polynomial.legendre.leggauss(20)  # exact to degree 39 in each bin, so to rounding here
    levels = torch.arange(count)
    masses = sum(
        weight / 2 * law.pdf(with_noise(levels, count, (node + 1) / 2, torch.float64).numpy()) / count
        for node, weight in zip(nodes, weights, strict=True)
    )
    edges = np.arange(count + 1) / count
    np.testing.assert_allclose(masses, np.diff(law.cdf(edges)), rtol=0, atol=1e-12)
    assert masses.sum() == pytest.approx(law.cdf(1.0) - law.cdf(0.0), abs=1e-12)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("u", [0.0, 0.001, 0.5, 0.999, 1 - 2**-10])
def test_quantise_undoes_dequantise(with_noise, count, dtype, u):
    levels = torch.arange(count, dtype=torch.uint8)
    x = with_noise(levels, count, u, dtype)
    assert torch.equal(quantise(x, count), levels)
    assert float(x.min()) >= 0.0
    assert float(x.max()) < 1.0


@pytest.mark.parametrize("count", [17, 256])
@pytest.mark.parametrize("dtype", DTYPES)
def test_quantise_undoes_dequantise_at_the_largest_noise(with_noise, count, dtype):
    levels = torch.arange(count, dtype=torch.uint8)
    x = with_noise(levels, count, 1 - torch.finfo(dtype).eps / 2, dtype)
    assert torch.equal(quantise(x, count), levels)
    assert float(x.max()) < 1.0


def test_quantise_takes_what_lies_outside_to_the_nearest_bin():
    assert quantise(torch.tensor([-3.0, -1e-9, 1.0, 7.0]), 17).tolist() == [0, 0, 16, 16]


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_uniform_within_a_bin_and_drawn_from_the_generator_alone(dtype):
    levels = torch.full((200, 500), 3, dtype=torch.uint8)
    untouched = torch.get_rng_state()
    first, again = (dequantise(levels, 17, torch.Generator().manual_seed(0), dtype) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), untouched)
    assert first.dtype == dtype
    assert levels.unique().tolist() == [3]
    noise = first.double().flatten() * 17 - 3
    # Kolmogorov-Smirnov over 1e5 draws; the seed is fixed and 1e-3 is far below what a uniform law gives.
    assert stats.kstest(noise.numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dimensions", [1, 64, 784])
def test_uniform_density_costs_the_bits_of_a_level(count, dimensions):
    assert bits_per_dimension(0.0, dimensions, count) == math.log2(count)


def test_256_levels_are_8_bits():
    assert bits_per_dimension(0.0, 784, 256) == 8.0


@pytest.mark.parametrize("count", COUNTS)
def test_all_mass_in_the_right_bin_costs_nothing(count):
    assert bits_per_dimension(64 * math.log(count), 64, count) == pytest.approx(0.0, abs=1e-12)  # rounding


def test_a_density_twice_as_high_in_each_dimension_saves_one_bit():
    assert bits_per_dimension(10 * math.log(2), 10, 256) == pytest.approx(7.0, abs=1e-12)  # rounding


def test_bits_of_nice_on_mnist_are_those_that_later_papers_quote():
    """1980.50 nats an image on [0, 1] (fact nice-bits-per-dim-conversion)."""
    assert round(bits_per_dimension(1980.50, 784, 256), 2) == 4.36


def test_bits_of_nice_on_cifar_need_the_change_of_range():
    """5371.78 nats on [-1, 1]: on [0, 1] a density is 2^d as high; without that it is a whole bit more."""
    assert round(bits_per_dimension(5371.78 + 3072 * math.log(2), 3072, 256), 2) == 4.48
    assert round(bits_per_dimension(5371.78, 3072, 256), 2) == 5.48


def test_bits_bound_the_cost_of_the_discrete_data():
    """Jensen: the mean log-density over the noise is at most the log of the bin's mean density."""
    law, count = stats.norm(0.4, 0.2), 17
    edges = np.arange(count + 1) / count
    masses = np.diff(law.cdf(edges))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    x = (np.arange(count)[:, None] + (nodes + 1) / 2) / count
    bits = np.array([bits_per_dimension(float(value), 1, count) for value in law.logpdf(x) @ (weights / 2)])
    assert (bits >= -np.log2(masses)).all()
    assert (bits - -np.log2(masses)).max() < 0.1  # the bound is tight for a density smooth on the scale of a bin
