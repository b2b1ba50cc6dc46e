"""PPO's rewards, advantages, clipping and values, by hand and against sums over all responses."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from implementations.preferences import ppo
from implementations.preferences.parts.batches import Rollouts
from implementations.preferences.parts.models import Scored
from implementations.preferences.parts.sequences import padded
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, normal, ragged, with_other_padding

ALL = torch.ones(1, 3, dtype=torch.bool)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def scored(trunk: torch.nn.Module, seed: int = 8) -> Scored:
    model = Scored(trunk)
    with torch.no_grad():
        model.head.weight.copy_(0.3 * normal(1, trunk.width, seed=seed))
    return model


def drawn(model: Scored, reference: torch.nn.Module) -> Rollouts:
    """As the model drew them, with its values; rewards and reference of their own."""
    with torch.no_grad():
        log_probs, values = ppo.assessed(model, ragged())
        behind, _ = ppo.assessed(Scored(reference), ragged())
    return Rollouts(ragged(), torch.tensor([1.0, -0.5, 0.3, 0.7]).double(), log_probs, behind, values, 1)


def settings(**changed: object) -> ppo.Settings:
    return ppo.Settings(**{"network": "gpt_nano", "batch": 4, "minibatch": 4} | changed)


def loss(model: Scored, rollouts: Rollouts, **changed: object) -> Tensor:
    return ppo.loss(model, settings(**changed), rollouts, generator(0))


def test_the_penalty_is_paid_by_each_token_and_the_reward_comes_with_the_last():
    """Places: a prompt, then two tokens, then padding, which holds what nobody reads."""
    mask = torch.tensor([[False, True, True, False], [True, True, True, True]])
    old = torch.tensor([[9.0, -1.0, -2.0, 9.0], [-1.0, -1.0, -1.0, -1.0]], dtype=torch.float64)
    reference = torch.tensor([[7.0, -1.5, -1.0, 7.0], [-1.0, -2.0, -1.0, -3.0]], dtype=torch.float64)
    found = ppo.shaped_rewards(torch.tensor([5.0, -1.0]).double(), old, reference, mask, beta=0.1)
    close(found, [[0.0, -0.05, 5.1, 0.0], [0.0, -0.1, 0.0, -1.2]])


def test_penalties_sum_to_the_log_ratio_of_the_response():
    rollouts = drawn(scored(cases.table()), cases.table(seed=5))
    found = ppo.shaped_rewards(rollouts.rewards, rollouts.log_probs, rollouts.reference, ragged().mask(), 0.2)
    ratio = (rollouts.log_probs - rollouts.reference).sum(1)
    close(found.sum(1), rollouts.rewards - 0.2 * ratio)


def test_advantages_by_hand():
    """V = 0.5, 0.2, -0.1 and a reward of 1 at the end: delta = -0.3, -0.3, 1.1, and A_t = delta_t + 0.5 A_(t+1)."""
    found = ppo.advantages(row(0, 0, 1), row(0.5, 0.2, -0.1), ALL, discount=1.0, gae_lambda=0.5)
    close(found, [[-0.175, 0.25, 1.1]])
    discounted = ppo.advantages(row(0, 0, 1), row(0.5, 0.2, -0.1), ALL, discount=0.9, gae_lambda=0.5)
    close(discounted, [[-0.32 + 0.45 * (-0.29 + 0.45 * 1.1), -0.29 + 0.45 * 1.1, 1.1]])


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_with_lambda_1_an_advantage_is_the_return_less_the_value(discount):
    mask = ragged().mask()
    rewards, values = normal(*mask.shape, seed=1) * mask, normal(*mask.shape, seed=2) * mask
    found = ppo.advantages(rewards, values, mask, discount, gae_lambda=1.0)
    for line, place in mask.nonzero().tolist():
        later = rewards[line, place:]
        returned = float((later * discount ** torch.arange(len(later)).double()).sum())
        close(found[line, place], returned - float(values[line, place]))
    assert (found[~mask] == 0).all()


def test_with_lambda_0_an_advantage_is_one_temporal_difference():
    mask = ragged().mask()
    rewards, values = normal(*mask.shape, seed=1) * mask, normal(*mask.shape, seed=2) * mask
    after = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    close(ppo.advantages(rewards, values, mask, 0.9, 0.0), (rewards + 0.9 * after - values) * mask)


def test_normalised_advantages_are_those_of_response_tokens_alone():
    mask = ragged().mask()
    values = 3.0 + 2.0 * normal(*mask.shape, seed=3)
    found = ppo.normalised(values, mask)
    close(found[mask].mean(), 0.0)
    close(found[mask].std(), 1.0, 1e-7)  # the 1e-8 in the denominator
    assert torch.equal(ppo.normalised(torch.where(mask, values, 77.0), mask), found)
    lonely = ppo.normalised(row(4.0, 0, 0), torch.tensor([[True, False, False]]))
    close(lonely, [[0.0, 0.0, 0.0]])


def test_the_policys_loss_by_hand():
    """A = -0.873, -0.218, 1.091 are the advantages above, normalised by their mean 0.391667 and std 0.649198.

    Ratios of 1.5, 0.7 and 1.1: the first is past the clip on the side where it is no excuse, 1.5 A; the second would
    gain from being smaller still, 0.8 A; the third is within, 1.1 A.
    """
    gained = ppo.normalised(row(-0.175, 0.25, 1.1), ALL)
    close(gained, [[-0.872871, -0.218218, 1.091089]], 1e-6)
    found = ppo.policy_loss(row(1.5, 0.7, 1.1).log(), row(0, 0, 0), gained, ALL, clip=0.2)
    # -(1.5 * -0.872871 + 0.8 * -0.218218 + 1.1 * 1.091089) / 3
    close(found, 0.0945610, 1e-6)


def test_the_values_loss_by_hand():
    """V_old = 0 and R = 1 throughout: V = 0.5 is clipped to 0.2, (0.8)^2; V = 2 has the larger square, 1, unclipped
    against (0.8)^2; V = -0.1 is within, (1.1)^2."""
    found = ppo.value_loss(row(0.5, 2.0, -0.1), row(0, 0, 0), row(1, 1, 1), ALL, clip=0.2)
    close(found, 0.5 * (0.64 + 1.0 + 1.21) / 3)
    without = ppo.value_loss(row(0.5, 2.0, -0.1), row(0, 0, 0), row(1, 1, 1), ALL, clip=None)
    close(without, 0.5 * (0.25 + 1.0 + 1.21) / 3)


def test_the_whole_loss_by_hand():
    """One response of three tokens under a table, its old log-probabilities set to give the ratios 1.5, 0.7, 1.1.

    Rewards: 0.1 * (0.2, -0.1, 0.3) of penalty is taken, -0.02, 0.01, 1 - 0.03. With V_old = 0.5, 0.2, -0.1 and
    lambda 0.5: delta = -0.32, -0.29, 1.07; A = -0.32 + 0.5 * 0.245, -0.29 + 0.535, 1.07 = -0.1975, 0.245, 1.07, of
    mean 0.3725 and unbiased std 0.643297; normalised -0.886060, -0.198198, 1.084258; returns 0.3025, 0.445, 0.97.
    The head says 0 (weights of 0), so V clipped by 0.2 is 0.3, 0.0, 0.0 and the squares are the larger of 0.3025^2 and
    0.0025^2, 0.445^2 twice, 0.97^2 twice.
    """
    model, made = Scored(cases.table()), padded([[3]], [[1, 2, 4]], 0)
    with torch.no_grad():
        now, _ = ppo.assessed(model, made)
    old = now - row(1.5, 0.7, 1.1).log()
    rollouts = Rollouts(made, row(1.0)[0], old, old - row(0.2, -0.1, 0.3), row(0.5, 0.2, -0.1), 1)
    found = loss(model, rollouts, beta=0.1, gae_lambda=0.5, clip=0.2, value_clip=0.2, value_coefficient=0.5)
    policy = -(1.5 * -0.886060 + 0.8 * -0.198198 + 1.1 * 1.084258) / 3
    value = 0.5 * (0.3025**2 + 0.445**2 + 0.97**2) / 3
    close(found, policy + 0.5 * value, 1e-6)


@pytest.mark.parametrize("trunk", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_at_the_first_step_the_ratio_is_1_and_the_gradient_that_of_the_policy(trunk):
    """Normalised advantages have the mean 0, so does then the loss; its gradient is -mean A grad ln pi."""
    model = scored(trunk)
    rollouts = drawn(model, cases.table(seed=5))
    mask = ragged().mask()
    found = loss(model, rollouts, value_coefficient=0.0)
    close(found, 0.0)
    shaped = ppo.shaped_rewards(rollouts.rewards, rollouts.log_probs, rollouts.reference, mask, 0.1)
    gained = ppo.normalised(ppo.advantages(shaped, rollouts.values, mask, 1.0, 0.95), mask)
    log_probs, _ = ppo.assessed(model, ragged())
    assert torch.equal(log_probs.detach(), rollouts.log_probs)
    parameters = list(model.trunk.parameters())
    ours = torch.autograd.grad(found, parameters)
    theirs = torch.autograd.grad(-(log_probs * gained).sum() / mask.sum(), parameters)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


@pytest.mark.parametrize(
    ("ratio", "advantage", "moves"),
    [(1.3, 1.0, False), (1.3, -1.0, True), (0.7, 1.0, True), (0.7, -1.0, False), (1.1, 1.0, True), (0.9, -1.0, True)],
)
def test_past_the_clip_the_gradient_is_0_on_the_side_that_would_gain(ratio, advantage, moves):
    log_prob = torch.tensor([[math.log(ratio)]], dtype=torch.float64, requires_grad=True)
    found = ppo.policy_loss(log_prob, row(0), row(advantage), ALL[:, :1], 0.2)
    found.backward()
    close(log_prob.grad, [[-ratio * advantage if moves else 0.0]])


def test_past_the_clip_a_value_that_comes_nearer_has_no_gradient():
    values = row(0.5, 2.0, 0.1).requires_grad_()
    ppo.value_loss(values, row(0, 0, 0), row(1, 1, 1), ALL, 0.2).backward()
    close(values.grad, [[0.0, 1.0 / 3, -0.9 / 3]])


def test_neither_advantages_nor_returns_depend_on_the_weights():
    """So that a rollout's later steps learn from what was seen when it was drawn: they come from V_old alone."""
    model = scored(cases.gpt())
    rollouts = drawn(model, cases.gpt(1))
    value = loss(model, rollouts, value_coefficient=1.0, value_clip=None)
    log_probs, values = ppo.assessed(model, ragged())
    mask = ragged().mask()
    shaped = ppo.shaped_rewards(rollouts.rewards, rollouts.log_probs, rollouts.reference, mask, 0.1)
    gained = ppo.advantages(shaped, rollouts.values, mask, 1.0, 0.95)
    parts = -(log_probs * ppo.normalised(gained, mask)).sum() + 0.5 * (values - gained - rollouts.values).square().sum()
    ours, theirs = (torch.autograd.grad(x, list(model.parameters())) for x in (value, parts / mask.sum()))
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


@pytest.mark.parametrize("trunk", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_what_stands_past_the_end_changes_nothing(trunk):
    model = scored(trunk)
    rollouts = drawn(scored(trunk, seed=9), cases.table(seed=5))
    other = dataclasses.replace(rollouts, sequences=with_other_padding(ragged()))
    assert torch.equal(loss(model, other), loss(model, rollouts))


def test_one_forward_pass_gives_both_sides():
    model, asked = scored(cases.gpt()), []
    model.trunk.blocks[0].register_forward_hook(lambda *_: asked.append(1))
    log_probs, values = ppo.assessed(model, ragged())
    assert len(asked) == 1
    places = ragged().tokens[:, :-1]
    close(values, model.values(places) * ragged().mask())
    assert (values[~ragged().mask()] == 0).all()
    assert torch.equal(values != 0, ragged().mask())
    assert log_probs.shape == values.shape


def test_expected_gradient_is_that_of_the_penalised_reward():
    """Responses of one token, all of them, each weighed by its probability: one step's gradient without a value head
    and without normalisation is that of E r - beta KL, on tabular logits."""
    beta, prompt = 0.3, 3
    model, reference = cases.table(), cases.table(seed=5)
    made = padded([[prompt]] * cases.VOCABULARY, [[token] for token in range(cases.VOCABULARY)], 0)
    rewards, mask = normal(cases.VOCABULARY, seed=4), made.mask()
    log_probs, _ = ppo.assessed(Scored(model), made)
    behind, _ = ppo.assessed(Scored(reference), made)
    shaped = ppo.shaped_rewards(rewards, log_probs.detach(), behind.detach(), mask, beta)
    gained = ppo.advantages(shaped, torch.zeros_like(shaped), mask, 1.0, 0.95)
    p = log_probs.detach().exp()
    expected = sum(
        p[token, 0]
        * ppo.policy_loss(
            log_probs[token : token + 1], log_probs.detach()[token : token + 1], gained[token : token + 1],
            mask[token : token + 1], 0.2,
        )
        for token in range(cases.VOCABULARY)
    )  # fmt: skip
    (ours,) = torch.autograd.grad(expected, [model.table])
    ln_p, ln_q = model.table[prompt].log_softmax(0), reference.table[prompt].detach().log_softmax(0)
    (theirs,) = torch.autograd.grad((ln_p.exp() * (rewards - beta * (ln_p - ln_q))).sum(), [model.table])
    close(ours, -theirs)


def test_rollouts_without_values_are_refused():
    rollouts = dataclasses.replace(drawn(scored(cases.table()), cases.table()), values=None)
    with pytest.raises(ValueError, match="with values"):
        loss(scored(cases.table()), rollouts)


def test_what_is_sampled_is_the_trunk():
    model = ppo.build(settings(), cases.gpt())
    assert ppo.policy(model) is model.trunk


@pytest.mark.parametrize(
    "changed",
    [{"clip": 0.0}, {"gae_lambda": 1.1}, {"reward": "guessed"}, {"beta": -0.1}, {"minibatch": 5}, {"value_clip": 0.0}],
    ids=str,
)
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        settings(**changed)
