"""Maximum likelihood of responses, a token or a sequence."""

import math

import pytest
import torch

from implementations.preferences import sft
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import padded
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, ragged, with_other_padding

PER = ("token", "sequence")


def loss(model, batch, per):
    return sft.loss(model, sft.Settings(network="gpt_nano", per=per), batch, generator(0))


def test_both_means_by_hand():
    """Rows of 2 and 1 tokens: (1 + 2 + 6) / 3 a token, (3 + 6) / 2 a sequence; what is off the mask is not read."""
    found = torch.tensor([[-1.0, -2.0, -50.0], [-70.0, -6.0, -80.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [False, True, False]])
    close(sft.mean_of_tokens(found, mask), 3.0)
    close(sft.mean_of_sequences(found, mask), 4.5)


def test_equal_logits_lose_the_logarithm_of_the_vocabulary_a_token():
    model = cases.Table(torch.zeros(cases.VOCABULARY, cases.VOCABULARY).double())
    close(loss(model, ragged(), "token"), math.log(cases.VOCABULARY))
    close(loss(model, ragged(), "sequence"), math.log(cases.VOCABULARY) * float(ragged().lengths().double().mean()))


def test_a_token_weighs_the_same_in_a_long_response():
    """11 tokens in 4 rows: the mean of the rows' sums is 11 / 4 times the mean of tokens."""
    model, batch = cases.table(), ragged()
    close(loss(model, batch, "sequence"), loss(model, batch, "token") * 11 / 4)
    alone = [loss(model, batch.rows(slice(row, row + 1)), "token") for row in range(4)]
    assert (sum(alone) / 4 - loss(model, batch, "token")).abs() > 0.01


@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_what_stands_past_the_end_changes_nothing(model, per):
    assert torch.equal(loss(model, with_other_padding(ragged()), per), loss(model, ragged(), per))


def test_the_prompt_is_not_learned():
    """In a table the gradient of rows of which no response token is predicted is exactly 0."""
    model = cases.table()
    loss(model, padded([[1, 2, 3]], [[4, 5]], 0), "token").backward()
    touched = [row for row in range(cases.VOCABULARY) if model.table.grad[row].abs().max() > 0]
    assert touched == [3, 4]


def test_the_gradient_is_what_is_predicted_less_what_was_said():
    model = cases.table()
    loss(model, padded([[1]], [[4]], 0), "sequence").backward()
    expected = torch.zeros_like(model.table)
    expected[1] = model.table[1].detach().softmax(0)
    expected[1, 4] -= 1.0
    close(model.table.grad, expected)


def test_the_least_loss_is_the_entropy_of_the_data():
    """Where the table says 4 and 5 after 1 as often as the data does."""
    batch = padded([[1]] * 4, [[4], [4], [4], [5]], 0)
    best = torch.full((cases.VOCABULARY, cases.VOCABULARY), -40.0, dtype=torch.float64)
    best[1, 4], best[1, 5] = math.log(0.75), math.log(0.25)
    model = cases.Table(best)
    close(loss(model, batch, "token"), -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert log_probs(model, batch).sum() < 0
    loss(model, batch, "token").backward()
    close(model.table.grad, torch.zeros_like(best))


@pytest.mark.parametrize("changed", [{"per": "batch"}, {"warmup": -1}, {"pairs": 0}, {"learning_rate": 0.0}], ids=str)
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        sft.Settings(**changed)
