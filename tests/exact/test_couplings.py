"""Couplings: marginals stay, and the transport plan is the best there is."""

from itertools import permutations

import pytest
import torch

from implementations.diffusion.parts.couplings import (
    Recorded,
    independent,
    minibatch_optimal_transport,
    transport_cost,
)
from tests.exact.denoising_cases import close, normal, number


def test_independent_pairs_are_as_drawn():
    x0, noise = normal(5, 2, seed=1), normal(5, 2, seed=2)
    found = independent(x0, noise)
    assert found[0] is x0
    assert found[1] is noise


@pytest.mark.parametrize("shape", [(2,), (1, 2, 3)])
def test_optimal_transport_is_the_best_permutation(shape):
    x0, noise = normal(6, *shape, seed=3), normal(6, *shape, seed=4)
    costs = {order: float(transport_cost(x0, noise[list(order)]).sum()) for order in permutations(range(6))}
    best = min(costs, key=costs.get)
    same, found = minibatch_optimal_transport(x0, noise)
    assert same is x0
    assert torch.equal(found, noise[list(best)])
    assert costs[best] < costs[tuple(range(6))]


def test_optimal_transport_leaves_nobody_out():
    """Each noise once: not what drawing pairs from the plan would give."""
    x0, noise = normal(64, 3, seed=5), normal(64, 3, seed=6)
    _, found = minibatch_optimal_transport(x0, noise)
    assert torch.equal(found.sort(0).values, noise.sort(0).values)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, noise.tolist()))


def test_optimal_transport_on_the_line_keeps_the_order():
    x0, noise = normal(50, 1, seed=7), normal(50, 1, seed=8)
    _, found = minibatch_optimal_transport(x0, noise)
    assert torch.equal(x0[:, 0].argsort(), found[:, 0].argsort())


def test_optimal_transport_is_repeatable_and_pure():
    x0, noise = normal(20, 2, seed=9).float(), normal(20, 2, seed=10).float()
    before = x0.clone(), noise.clone()
    first, again = minibatch_optimal_transport(x0, noise)[1], minibatch_optimal_transport(x0, noise)[1]
    assert torch.equal(first, again)
    assert first.dtype == torch.float32
    assert torch.equal(x0, before[0])
    assert torch.equal(noise, before[1])


def test_optimal_transport_sees_small_differences_far_from_the_origin():
    """Costs are taken from differences, not from products that cancel."""
    x0, noise = 1e8 + normal(5, 1, seed=11), 1e8 + normal(5, 1, seed=12)
    _, found = minibatch_optimal_transport(x0, noise)
    assert torch.equal(x0[:, 0].argsort(), found[:, 0].argsort())


def test_cost_of_gaussian_ends():
    """1 + s^2 + m^2 for independent pairs, (1 - s)^2 + m^2 after a reflow: by quadrature over eps."""
    s, m = 0.4, 1.5
    levels = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    eps = torch.special.ndtri(levels)[:, None]
    after = transport_cost(m + s * eps, eps).mean()
    before = (transport_cost(m + s * eps, number(0.0)).mean()) + eps.square().mean()
    close(after, 2.61, 1e-3)  # the tails beyond the outermost midpoints
    close(before, 3.41, 1e-3)


def test_recorded_pairs_stay_together():
    x0, noise = normal(10, 2, seed=13), normal(10, 2, seed=14)
    pairs = Recorded(x0, noise)
    assert len(pairs) == 10
    indices = torch.tensor([7, 2, 7])
    assert torch.equal(pairs[indices][0], x0[indices])
    assert torch.equal(pairs[indices][1], noise[indices])
    with pytest.raises(ValueError, match="one shape"):
        Recorded(x0, noise[:9])
