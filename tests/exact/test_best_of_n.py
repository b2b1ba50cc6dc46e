"""Which response is the best, and how far the law of the best one is from the policy."""

import math

import pytest
import torch

from implementations.preferences.best_of_n import Settings, best_of, kl_bound
from tests.exact.preference_cases import close, normal


def test_the_best_of_the_first_n():
    rewards = torch.tensor([[0.1, 0.5, 0.2, 0.9], [0.7, 0.3, 0.6, 0.1]])
    assert [best_of(rewards, n).tolist() for n in (1, 2, 3, 4)] == [[0, 0], [1, 0], [1, 0], [3, 0]]


def test_of_ties_the_first_is_taken():
    rewards = torch.tensor([[0.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0], [-1.0, -2.0, -1.0, -1.0]])
    assert best_of(rewards, 4).tolist() == [1, 0, 0]


def test_the_best_reward_rises_with_n_and_is_a_maximum():
    rewards = normal(200, 16, seed=1)
    before = torch.full((200,), -math.inf, dtype=torch.float64)
    for n in range(1, 17):
        found = rewards.gather(1, best_of(rewards, n)[:, None]).squeeze(1)
        assert torch.equal(found, rewards[:, :n].amax(1))
        assert (found >= before).all()
        before = found


def test_every_place_is_the_best_as_often_as_another():
    """Of independent rewards each of the n is the best with probability 1 / n."""
    counts = torch.bincount(best_of(normal(8000, 8, seed=2), 8), minlength=8)
    assert (counts - 1000).abs().max() < 4 * math.sqrt(8000 * (1 / 8) * (7 / 8))  # standard errors


def exact_kl(chances: torch.Tensor, n: int) -> float:
    """Of the best of n against one, responses listed from the worst to the best, no two rewards equal."""
    up_to = chances.cumsum(0)
    best = up_to**n - torch.cat([up_to.new_zeros(1), up_to[:-1]]) ** n
    return float((best * (best / chances).log())[best > 0].sum())


@pytest.mark.parametrize("n", [1, 2, 4, 16, 128])
def test_no_policy_is_farther_from_its_best_of_n_than_the_bound(n):
    for seed in range(20):
        chances = (2 * normal(30, seed=seed)).softmax(0)
        assert exact_kl(chances, n) <= kl_bound(n) + 1e-12
    assert exact_kl(torch.full((5,), 0.2, dtype=torch.float64), n) <= kl_bound(n) + 1e-12


@pytest.mark.parametrize("n", [1, 2, 4, 16])
def test_the_bound_is_the_kl_of_a_continuous_reward(n):
    """The integral of n u^(n - 1) ln(n u^(n - 1)) over u, by a fine and equal division."""
    fine = torch.full((1_000_000,), 1e-6, dtype=torch.float64)
    # a sum of a million rectangles, in error by about n / 1e6; rounding of cumsum**n differences by 1e-10 relative
    close(exact_kl(fine, n), kl_bound(n), 2e-4)


def test_the_bound_by_hand():
    assert kl_bound(1) == 0.0
    close(kl_bound(2), math.log(2) - 0.5)
    close(kl_bound(128), 3.859843, 1e-6)


@pytest.mark.parametrize("n", [0, 5])
def test_more_than_there_are_is_refused(n):
    with pytest.raises(ValueError, match="4 responses"):
        best_of(torch.zeros(1, 4), n)


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        best_of(torch.tensor([[0.0, math.nan]]), 2)
    with pytest.raises(ValueError, match="at least 1"):
        kl_bound(0)
    with pytest.raises(ValueError, match="most"):
        Settings(most=0)
