"""The world in which the answers are known, and that three methods land on its one best policy."""

import math

import pytest
import torch
from torch import Tensor

from implementations.preferences.dpo import sigmoid_loss
from implementations.preferences.reward_model import bradley_terry_loss
from tests.exact.bandit import Bandit
from tests.exact.preference_cases import close, normal

ARMS, BETA = 6, 0.4


@pytest.fixture
def world() -> Bandit:
    return Bandit(normal(ARMS, seed=1).log_softmax(0), 1.5 * normal(ARMS, seed=2), BETA)


def minimised(loss, start: Tensor) -> Tensor:
    """By L-BFGS, to where its line search finds nothing lower in float64."""
    found = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [found], max_iter=500, tolerance_grad=1e-13, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(found)
        value.backward()
        return value

    for _ in range(5):  # from where it stopped, without what it remembered of the curvature
        optimiser.step(closure)
    return found.detach()


def total_variation(one: Tensor, other: Tensor) -> float:
    return float((one.exp() - other.exp()).abs().sum() / 2)


def test_the_best_policy_is_a_distribution_with_the_stated_log_ratios(world):
    best = world.optimum()
    close(best.exp().sum(), 1.0)
    close(BETA * (best - world.reference - (best - world.reference)[0]), world.rewards - world.rewards[0])


def test_its_objective_is_beta_ln_z_and_no_other_policy_reaches_it(world):
    close(world.objective(world.optimum()), BETA * world.log_partition())
    for seed in range(20):
        other = (world.optimum() + 0.1 * normal(ARMS, seed=seed)).log_softmax(0)
        assert world.objective(other) < world.objective(world.optimum())


def test_the_objective_of_the_reference_is_its_mean_reward(world):
    close(world.objective(world.reference), (world.reference.exp() * world.rewards).sum())


def test_the_judge_answers_every_pair_once(world):
    judged = world.judged()
    close(judged.sum(), 1.0)
    ratio = judged / judged.T
    close(ratio.log(), world.rewards[:, None] - world.rewards)  # odds of Bradley and Terry


def test_population_losses_are_sums_of_those_of_pairs(world):
    policy = normal(ARMS, seed=3).log_softmax(0)
    reward = dpo = 0.0
    for i in range(ARMS):
        for j in range(ARMS):
            weight = world.judged()[i, j]
            reward += weight * bradley_terry_loss(policy[i], policy[j])
            dpo += weight * sigmoid_loss(policy[i], policy[j], world.reference[i], world.reference[j], BETA)
    close(world.reward_loss(policy), reward)
    close(world.dpo_loss(policy), dpo)


def test_at_the_reference_dpo_is_ln_2(world):
    close(world.dpo_loss(world.reference), math.log(2))


def test_the_least_loss_is_the_judges_entropy(world):
    """Of an answer given the pair: its part of the pair's probability is what the judge says."""
    judged = world.judged()
    entropy = -(judged * (judged / (judged + judged.T)).log()).sum()
    close(world.least_loss(), entropy)
    close(world.dpo_loss(world.optimum()), entropy)
    for seed in range(20):
        assert world.reward_loss(world.rewards + 0.1 * normal(ARMS, seed=seed)) > entropy


def test_dpo_lands_on_the_best_policy(world):
    found = minimised(lambda logits: world.dpo_loss(logits.log_softmax(0)), world.reference)
    assert total_variation(found.log_softmax(0), world.optimum()) < 1e-7


def test_a_reward_model_is_right_up_to_a_constant_and_leads_to_the_same_policy(world):
    found = minimised(world.reward_loss, torch.zeros(ARMS, dtype=torch.float64))
    close(found - found.mean(), world.rewards - world.rewards.mean(), 1e-6)
    learned = Bandit(world.reference, found, BETA)
    assert total_variation(learned.optimum(), world.optimum()) < 1e-6  # a reward off by e moves pi* by about e / beta


def test_ascent_of_the_penalised_reward_lands_on_the_best_policy(world):
    found = minimised(lambda logits: -world.objective(logits.log_softmax(0)), world.reference)
    assert total_variation(found.log_softmax(0), world.optimum()) < 1e-7


def test_another_beta_has_another_best_policy(world):
    """So that landing on one is no accident of the start."""
    other = Bandit(world.reference, world.rewards, 2 * BETA)
    assert total_variation(other.optimum(), world.optimum()) > 0.05
    assert total_variation(world.reference, world.optimum()) > 0.05


@pytest.mark.parametrize(
    ("reference", "rewards", "beta", "message"),
    [
        (torch.zeros(2).double(), torch.zeros(2).double(), 0.1, "sum to 1"),
        (torch.full((2,), -math.log(2)).double(), torch.zeros(3).double(), 0.1, "one length"),
        (torch.full((2,), -math.log(2)).double(), torch.zeros(2).double(), 0.0, "above 0"),
    ],
)
def test_what_is_no_world_is_refused(reference, rewards, beta, message):
    with pytest.raises(ValueError, match=message):
        Bandit(reference, rewards, beta)
