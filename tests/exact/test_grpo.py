"""GRPO's group advantages, its expected gradient, its four averages and its KL term."""

import dataclasses
import itertools
import math

import pytest
import torch
from torch import Tensor

from implementations.preferences import grpo
from implementations.preferences.parts.batches import Rollouts
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, padded
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, normal, ragged, with_other_padding

NORMALISATIONS = ("grpo", "bnpo", "dr_grpo", "dapo")
CHANCES = (0.05, 0.2, 0.5, 0.8, 0.95)


def settings(**changed: object) -> grpo.Settings:
    few = {"network": "gpt_nano", "beta": 0.0, "batch": 2, "group": 2, "minibatch": 4, "most": 8}
    return grpo.Settings(**few | changed)


def loss(model: torch.nn.Module, rollouts: Rollouts, **changed: object) -> Tensor:
    return grpo.loss(model, settings(**changed), rollouts, generator(0))


def no_scale(rewards: Tensor, group: int) -> Tensor:
    return grpo.group_advantages(rewards, group, "none", 0, 0.0)


def of(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# Advantages


def test_advantages_by_hand():
    """0, 0, 0, 1 have the mean 1/4 and the variance 3/16 or, with ddof 1, 1/4; the second group is by itself."""
    rewards = of([0, 0, 0, 1, 5, 7, 5, 7])
    close(no_scale(rewards, 4), [-0.25, -0.25, -0.25, 0.75, -1, 1, -1, 1])
    std = math.sqrt(3 / 16)
    found = grpo.group_advantages(rewards, 4, "std", 0, 0.0)
    close(found, [-0.25 / std, -0.25 / std, -0.25 / std, 0.75 / std, -1, 1, -1, 1])
    close(grpo.group_advantages(rewards, 4, "std", 1, 0.1)[:4], [-0.25 / 0.6, -0.25 / 0.6, -0.25 / 0.6, 0.75 / 0.6])


@pytest.mark.parametrize(("scale", "ddof"), [("none", 0), ("std", 0), ("std", 1)])
def test_advantages_of_a_group_sum_to_0(scale, ddof):
    found = grpo.group_advantages(normal(24, seed=1), 8, scale, ddof, 1e-4)
    close(found.unflatten(0, (3, 8)).sum(1), [0.0, 0.0, 0.0])


def test_advantages_have_the_standard_deviation_1():
    found = grpo.group_advantages(5 * normal(24, seed=1), 8, "std", 1, 0.0).unflatten(0, (3, 8))
    close(found.std(1), [1.0, 1.0, 1.0])


@pytest.mark.parametrize("scale", ["none", "std"])
@pytest.mark.parametrize("reward", [0.0, 1.0, 0.1, 1 / 3])
def test_a_group_of_equal_rewards_has_advantages_of_exactly_0(scale, reward):
    """Also where the mean of equal numbers is another number, and where nothing is added to the std."""
    found = grpo.group_advantages(torch.full((6,), reward), 3, scale, 1, 0.0)
    assert torch.equal(found, torch.zeros(6))


def test_rows_that_are_no_whole_groups_are_refused():
    with pytest.raises(ValueError, match="whole groups of 4"):
        no_scale(of([1, 0, 1]), 4)
    with pytest.raises(ValueError, match="whole groups of 2"):
        loss(cases.table(), cases.rollouts(cases.table()).rows(slice(0, 3)))


# Expected gradients


def factor(chance: float, group: int, **advantages: object) -> float:
    """Expected gradient over the true one, of a policy of one logit: sums over how many of the group succeed.

    d ln pi / d logit is 1 - p of a success and -p of a failure, d p / d logit is p (1 - p).
    """
    found = 0.0
    for successes in range(group + 1):
        rewards = of([1.0] * successes + [0.0] * (group - successes))
        gained = grpo.group_advantages(rewards, group, **advantages)
        weight = math.comb(group, successes) * chance**successes * (1 - chance) ** (group - successes)
        found += weight * float((gained * (rewards - chance)).mean())
    return found / (chance * (1 - chance))


@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize("group", [2, 8])
def test_without_std_the_gradient_is_shorter_by_one_part_in_the_group(chance, group):
    close(factor(chance, group, scale="none", ddof=0, epsilon=0.0), 1 - 1 / group, 1e-10)


@pytest.mark.parametrize(
    ("ddof", "chance", "expected"),
    [(0, 0.05, 2.473), (0, 0.95, 2.473), (0, 0.5, 1.856), (1, 0.05, 2.313), (1, 0.95, 2.313), (1, 0.5, 1.736)],
)
def test_the_std_makes_hard_and_easy_prompts_count_more(ddof, chance, expected):
    found = factor(chance, 8, scale="std", ddof=ddof, epsilon=0.0)
    close(found, expected, 5e-4)  # the digits that are printed


@pytest.mark.parametrize("scale", ["none", "std"])
def test_the_losss_gradient_averaged_over_all_outcomes(scale):
    """Four responses of one token, a success where it is token 1: all 2^4 outcomes, by autograd through `loss`."""
    prompt, group = 3, 4
    logits = torch.full((cases.VOCABULARY, cases.VOCABULARY), -200.0, dtype=torch.float64)
    logits[prompt, 1], logits[prompt, 0] = 0.4, 0.0
    model = cases.Table(logits)
    chance = float(torch.sigmoid(of([0.4])))
    expected = torch.zeros_like(logits)
    for outcome in itertools.product([0, 1], repeat=group):
        made = padded([[prompt]] * group, [[token] for token in outcome], 0)
        found = log_probs(model, made).detach()
        rollouts = Rollouts(made, of(list(map(float, outcome))), found, found, None, group)
        (gradient,) = torch.autograd.grad(loss(model, rollouts, scale=scale, group=group, batch=1), [model.table])
        expected += float(found.sum().exp()) * gradient
    true = torch.zeros_like(logits)
    true[prompt, 1], true[prompt, 0] = chance * (1 - chance), -chance * (1 - chance)
    close(expected, -factor(chance, group, scale=scale, ddof=0, epsilon=0.0) * true, 1e-10)
    if scale == "none":
        close(expected, -(1 - 1 / group) * true, 1e-10)


@pytest.mark.parametrize("reward", [0.0, 1.0])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_groups_that_agree_teach_exactly_nothing(reward, normalisation):
    model = cases.gpt()
    rollouts = cases.rollouts(model, (reward,) * 4)
    found = loss(model, rollouts, normalisation=normalisation)
    found.backward()
    assert float(found.detach()) == 0.0
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_a_group_that_agrees_does_not_keep_the_others_from_teaching():
    model = cases.gpt()
    loss(model, cases.rollouts(model, (1.0, 1.0, 0.0, 1.0))).backward()
    assert model.token.weight.grad.abs().max() > 0


# Averages


@pytest.mark.parametrize(
    ("normalisation", "expected"), [("grpo", 0), ("bnpo", 0.5), ("dapo", 0.5), ("dr_grpo", 0.1875)]
)
def test_the_four_averages_on_unequal_lengths(normalisation, expected):
    """On-policy, lengths 2, 10, 4, 8 and advantages 1, -1, 1, -1: sums of -A over tokens are -2, 10, -4, 8."""
    lengths, most = [2, 10, 4, 8], 16
    mask = torch.arange(12) < torch.tensor(lengths)[:, None]
    found = normal(4, 12, seed=2)
    losses = grpo.clipped_loss(found, found, of([1, -1, 1, -1]), 0.2, 0.2)
    close(grpo.averaged(losses, mask, normalisation, most), expected)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_averages_do_not_read_what_is_off_the_response(normalisation):
    losses, mask = normal(4, 12, seed=2), torch.arange(12) < torch.tensor([2, 10, 4, 8])[:, None]
    other = losses.masked_fill(~mask, math.nan)
    assert torch.equal(grpo.averaged(other, mask, normalisation, 16), grpo.averaged(losses, mask, normalisation, 16))


def test_a_long_wrong_response_is_taken_down_less_a_token_by_grpo_alone():
    """The bias in length: what a token weighs falls with the response's length in `grpo`, and not in `dr_grpo`."""
    mask = torch.arange(12) < torch.tensor([2, 10])[:, None]
    weights = {}
    for normalisation in NORMALISATIONS:
        losses = torch.zeros(2, 12, dtype=torch.float64, requires_grad=True)
        grpo.averaged(losses, mask, normalisation, 16).backward()
        weights[normalisation] = losses.grad[:, 0].tolist()
    close(of(weights["grpo"]), [1 / 4, 1 / 20])
    close(of(weights["dr_grpo"]), [1 / 32, 1 / 32])
    close(of(weights["dapo"]), [1 / 12, 1 / 12])


# KL term


def test_k3_is_never_below_0_and_0_only_where_both_agree():
    ours, theirs = -normal(1000, seed=3).abs(), -normal(1000, seed=4).abs()
    assert (grpo.k3(ours, theirs) > 0).all()
    assert torch.equal(grpo.k3(ours, ours), torch.zeros(1000).double())


def test_k3_has_the_mean_kl_under_the_policy():
    ours, theirs = (normal(50, seed=seed).log_softmax(0) for seed in (5, 6))
    close((ours.exp() * grpo.k3(ours, theirs)).sum(), (ours.exp() * (ours - theirs)).sum())


def test_the_kl_term_is_added_token_by_token():
    model, reference = cases.table(), cases.table(seed=5)
    rollouts = cases.rollouts(model)
    rollouts = dataclasses.replace(rollouts, reference=log_probs(reference, rollouts.sequences).detach())
    added = loss(model, rollouts, beta=0.3) - loss(model, rollouts)
    terms, lengths = grpo.k3(rollouts.log_probs, rollouts.reference), ragged().lengths()
    close(added, 0.3 * (terms.sum(1) / lengths).mean())


# Ratios


@pytest.mark.parametrize(
    ("ratio", "advantage", "moves"),
    [(1.4, 1.0, False), (1.4, -1.0, True), (0.7, -1.0, False), (0.7, 1.0, True), (1.25, 1.0, True), (0.85, -1.0, True)],
)
def test_the_clip_has_two_sides(ratio, advantage, moves):
    """0.2 below, 0.3 above."""
    log_prob = torch.tensor([[math.log(ratio)]], dtype=torch.float64, requires_grad=True)
    grpo.clipped_loss(log_prob, torch.zeros(1, 1).double(), of([advantage]), 0.2, 0.3).sum().backward()
    close(log_prob.grad, [[-ratio * advantage if moves else 0.0]])


def test_at_the_first_step_the_gradient_is_that_of_the_policy():
    model = cases.gpt()
    rollouts = cases.rollouts(model)
    ours = torch.autograd.grad(loss(model, rollouts, normalisation="dapo"), list(model.parameters()))
    gained = grpo.group_advantages(rollouts.rewards, 2, "std", 0, 0.0)
    mean = (log_probs(model, ragged()) * gained[:, None]).sum() / ragged().mask().sum()
    for one, other in zip(ours, torch.autograd.grad(-mean, list(model.parameters())), strict=True):
        close(one, other)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_what_stands_past_the_end_changes_nothing(model, normalisation):
    rollouts = cases.rollouts(cases.table(seed=5))
    other = dataclasses.replace(rollouts, sequences=with_other_padding(ragged()))
    changed = {"beta": 0.1, "normalisation": normalisation}
    assert torch.equal(loss(model, other, **changed), loss(model, rollouts, **changed))


def test_tokens_of_the_response_do_change_it():
    model, rollouts = cases.table(), cases.rollouts(cases.table(seed=5))
    tokens = ragged().tokens.clone()
    tokens[0, 1] = 5
    other = dataclasses.replace(rollouts, sequences=Sequences(tokens, ragged().prompt, ragged().end))
    assert not torch.equal(loss(model, other), loss(model, rollouts))


def test_the_papers_settings():
    assert grpo.Settings() == grpo.Settings(
        beta=0.04, group=64, batch=16, minibatch=1024, updates=1, learning_rate=1e-6, most=1024, normalisation="grpo"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"normalisation": "mean"},
        {"scale": "mean"},
        {"ddof": 2},
        {"group": 1, "minibatch": 1},
        {"minibatch": 3},
        {"minibatch": 6},
        {"clip_low": 0.0},
        {"epsilon": -1.0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        settings(**changed)
