"""Moments of linear stochastic approximation: recursions against closed forms and against limits."""

import math

import numpy as np
import pytest

from implementations.stochastic_approximation.parts.gains import sequence
from implementations.stochastic_approximation.parts.variances import recursion
from implementations.stochastic_approximation.robbins_monro import Settings
from tests.exact.limits import best_limit, harmonic_limit, slow_bias, slow_variance, stationary_variance

FAR = [1_000, 10_000, 100_000, 1_000_000]


def moments(steps, noise=2.0, slope=1.0, bias=1.0, average_from=1, **settings):
    gains = sequence(Settings(**settings), steps[-1])
    return recursion(gains, slope, noise, bias, steps, average_from)


def by_matrices(gains, slope, noise, bias, average_from):
    """The definition: every iterate is a linear combination of the start and the noises."""
    n = len(gains)
    weights = np.zeros((n + 1, n + 1))  # row k: of start, noise_1, ..., noise_n in e_k
    weights[0, 0] = 1
    for k in range(1, n + 1):
        weights[k] = (1 - gains[k - 1] * slope) * weights[k - 1]
        weights[k, k] = -gains[k - 1]
    average = weights[average_from:].mean(0)
    return (
        weights[n, 0] * bias,
        noise * (weights[n, 1:] ** 2).sum(),
        average[0] * bias,
        noise * (average[1:] ** 2).sum(),
    )


@pytest.mark.parametrize("average_from", [1, 5, 30])
@pytest.mark.parametrize(
    "settings", [{"scale": 0.7}, {"gain": "power", "scale": 0.5}, {"gain": "constant", "scale": 0.3}, {"offset": 2}]
)
def test_recursion_is_the_definition(settings, average_from):
    (found,) = moments([30], 1.7, 1.3, -0.6, average_from, **settings)
    expected = by_matrices(sequence(Settings(**settings), 30), 1.3, 1.7, -0.6, average_from)
    ours = (found.bias, found.variance, found.averaged_bias, found.averaged_variance)
    assert ours == pytest.approx(expected, rel=1e-11, abs=1e-15)  # some hundred operations in float64


def test_before_it_counts_an_average_is_the_iterate():
    (found,) = moments([10], average_from=11)
    assert (found.averaged_bias, found.averaged_variance) == (found.bias, found.variance)


def test_the_running_mean_has_the_variance_of_a_mean():
    for found in moments(FAR[:3]):
        assert found.step * found.variance == pytest.approx(2.0, rel=1e-10)  # rounding of 1e5 additions
        assert found.bias == 0.0


def test_harmonic_gains_reach_their_limit():
    *_, found = moments(FAR, scale=2.0)
    assert harmonic_limit(2.0, 1.0, 2.0) == pytest.approx(8 / 3, rel=1e-15)
    assert found.step * found.variance == pytest.approx(8 / 3, rel=1e-6)  # the next term is of order 1/n
    assert found.step * found.variance == pytest.approx(2.666668, abs=5e-7)


def test_slow_harmonic_gains_keep_powers_of_their_own():
    for found in moments(FAR, scale=0.25):
        # The next terms are 1/n of the bias; of the variance the terms beyond n, c^2 S n^(2hc-1) / (1 - 2hc).
        assert found.step**0.25 * found.bias == pytest.approx(slow_bias(0.25, 1.0), rel=1 / found.step)
        missing = 0.25 * found.step**-0.5
        expected = slow_variance(0.25, 1.0, 2.0) - missing
        assert found.step**0.5 * found.variance == pytest.approx(expected, rel=1 / found.step)
    assert slow_bias(0.25, 1.0) == pytest.approx(0.8160, abs=5e-5)
    assert found.step**0.5 * found.variance == pytest.approx(0.357, abs=5e-4)


def test_a_constant_gain_keeps_its_variance():
    (found,) = moments([2_000], gain="constant", scale=0.1, slope=1.5)
    assert found.variance == pytest.approx(stationary_variance(0.1, 1.5, 2.0), rel=1e-10)  # transient 0.85^4000
    assert abs(found.bias) < 1e-100


def test_averages_come_near_the_best_limit_slowly():
    seen = [found.step * found.averaged_variance for found in moments(FAR, gain="power", scale=0.5)]
    assert seen == pytest.approx([2.358, 2.153, 2.070, 2.033], abs=5e-4)
    assert best_limit(1.0, 2.0) == 2.0


def test_averages_do_not_depend_on_the_constant_in_the_limit():
    for scale in (0.25, 0.5, 1.0):
        (found,) = moments([100_000], gain="power", scale=scale, bias=0.0)
        excess = found.step * found.averaged_variance / 2 - 1
        assert 0 < excess < 0.12  # falls as n^-0.3 / scale; the last iterate's is of order n^0.3


def test_the_best_constant_is_one_over_the_slope():
    best = best_limit(8.772, 1.0)
    assert best == pytest.approx(0.013, abs=5e-5)
    assert harmonic_limit(1 / 8.772, 8.772, 1.0) == pytest.approx(best, rel=1e-12)
    assert harmonic_limit(1.0, 8.772, 1.0) == pytest.approx(0.0604, abs=5e-5)
    for scale in (0.6, 0.9, 1.1, 2.0):
        assert harmonic_limit(scale / 8.772, 8.772, 1.0) > best
    assert harmonic_limit(1.0, 8.772, 1.0) / best == pytest.approx(4.6, abs=0.06)


def test_limits_that_are_none_are_refused():
    with pytest.raises(ValueError, match="grows without end"):
        harmonic_limit(0.5, 1.0, 1.0)
    with pytest.raises(ValueError, match="has a limit"):
        slow_variance(0.5, 1.0, 1.0)
    with pytest.raises(ValueError, match="explodes"):
        stationary_variance(2.0, 1.0, 1.0)


def test_the_series_of_slow_gains_does_not_depend_on_where_it_is_cut():
    for scale in (0.1, 0.25, 0.4):
        # The integral leaves out terms of relative order 1/k from `terms` on.
        few, many = (slow_variance(scale, 1.0, 1.0, terms) for terms in (20_000, 200_000))
        assert few == pytest.approx(many, rel=1e-4)
    assert math.isclose(slow_bias(0.5, 1.0), 1 / math.sqrt(math.pi), rel_tol=1e-15)  # 1 / Gamma(1/2)
