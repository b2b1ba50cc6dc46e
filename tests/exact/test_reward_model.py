"""Scores of responses and the loss of pairs of them."""

import math

import pytest
import torch

from implementations.preferences import reward_model
from implementations.preferences.parts.models import Scored
from implementations.preferences.parts.sequences import Sequences
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, normal, ragged, with_other_padding


def scored(trunk: torch.nn.Module) -> Scored:
    model = Scored(trunk)
    with torch.no_grad():
        model.head.weight.copy_(normal(1, trunk.width, seed=8))
        model.head.bias.fill_(0.3)
    return model


def loss(model: Scored, pairs) -> torch.Tensor:
    return reward_model.loss(model, reward_model.Settings(network="gpt_nano"), pairs, generator(0))


def test_the_loss_of_a_pair_by_hand():
    found = reward_model.bradley_terry_loss(torch.tensor([2.0]).double(), torch.tensor([0.5]).double())
    close(found, [math.log(1 + math.exp(-1.5))])


def test_a_constant_added_to_every_score_is_not_seen():
    chosen, rejected = normal(2, 20)
    found = reward_model.bradley_terry_loss(chosen + 5.0, rejected + 5.0)
    close(found, reward_model.bradley_terry_loss(chosen, rejected))


def test_the_gradient_is_how_sure_the_model_is_of_the_wrong_answer():
    chosen, rejected = (x.requires_grad_() for x in normal(2, 20))
    reward_model.bradley_terry_loss(chosen, rejected).sum().backward()
    close(chosen.grad, -torch.sigmoid(rejected - chosen).detach())
    close(rejected.grad, -chosen.grad)


def test_a_score_is_read_at_the_last_token_of_the_response():
    """Of a table the hidden state is the token itself, so that the score is the head's weight of that token."""
    model, made = scored(cases.table()), ragged()
    last = torch.tensor([cases.END, cases.END, cases.END, 5])
    close(reward_model.scores(model, made), model.head.weight[0, last] + 0.3)


@pytest.mark.parametrize("trunk", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_what_stands_past_the_end_changes_no_score(trunk):
    model, made = scored(trunk), ragged()
    found = reward_model.scores(model, made)
    assert torch.equal(reward_model.scores(model, with_other_padding(made)), found)


def test_every_token_of_prompt_and_response_may_change_a_score():
    model, made = scored(cases.gpt()), ragged()
    found = reward_model.scores(model, made)
    for row in range(4):
        for column in range(int(made.end[row])):
            tokens = made.tokens.clone()
            tokens[row, column] = (tokens[row, column] + 1) % cases.VOCABULARY
            changed = reward_model.scores(model, Sequences(tokens, made.prompt, made.end))
            assert not torch.equal(changed[row], found[row]), (row, column)
            assert torch.equal(changed[torch.arange(4) != row], found[torch.arange(4) != row])


def test_an_untrained_model_prefers_nothing_and_can_learn():
    model = reward_model.build(reward_model.Settings(), cases.gpt())
    value = loss(model, cases.pairs(cases.table()))
    close(value, math.log(2))
    value.backward()
    assert model.head.weight.grad.abs().max() > 0


def test_swapped_pairs_have_the_other_answers_loss():
    model, pairs = scored(cases.gpt()), cases.pairs(cases.table())
    swapped = type(pairs)(pairs.rejected, pairs.chosen, pairs.rejected_reference, pairs.chosen_reference)
    margins = reward_model.scores(model, pairs.chosen) - reward_model.scores(model, pairs.rejected)
    close(loss(model, swapped) - loss(model, pairs), margins.mean())


def test_scores_are_float32_in_mixed_precision():
    model = scored(cases.gpt()).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert reward_model.scores(model, ragged()).dtype == torch.float32
