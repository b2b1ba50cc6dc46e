"""Which places belong to a response, and what logits say of its tokens."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from implementations.common.recipes import linear_warmup
from implementations.preferences.parts.batches import Pairs, Rollouts
from implementations.preferences.parts.recipe import named_optimiser
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import (
    Sequences,
    entropies,
    kl_divergences,
    padded,
    token_log_probs,
)
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import VOCABULARY, close, normal, ragged, with_a_column_more, with_other_padding


def logits_of(sequences: Sequences, seed: int = 1) -> Tensor:
    return normal(len(sequences.tokens), sequences.tokens.shape[1] - 1, VOCABULARY, seed=seed)


def test_rows_are_padded_on_the_right():
    made = padded([[3], [2, 5]], [[1, 2, 0], [4]], 6)
    assert made.tokens.tolist() == [[3, 1, 2, 0], [2, 5, 4, 6]]
    assert (made.prompt.tolist(), made.end.tolist()) == ([1, 2], [4, 3])
    assert made.lengths().tolist() == [3, 1]
    assert {made.tokens.dtype, made.prompt.dtype, made.end.dtype} == {torch.int64}


@pytest.mark.parametrize(
    ("prompts", "responses"), [([[]], [[1]]), ([[1]], [[]]), ([[1], [2]], [[1]]), ([], [])], ids=str
)
def test_a_row_without_prompt_or_response_is_refused(prompts, responses):
    with pytest.raises(ValueError, match=r"at least one token|one response"):
        padded(prompts, responses, 0)


def test_a_place_counts_where_it_predicts_a_token_of_the_response():
    """The first one is the prompt's last token, the last one is before the end-of-text token, which is predicted."""
    made = padded([[3], [2, 5]], [[1, 2, 0], [4]], 6)
    assert made.mask().tolist() == [[True, True, True], [False, True, False]]


def test_as_many_places_as_tokens_of_the_response():
    assert torch.equal(ragged().mask().sum(1), ragged().lengths())


def test_log_probs_are_those_of_the_softmax_token_by_token():
    made = ragged()
    logits, found = logits_of(made), token_log_probs(logits_of(made), made)
    for row in range(len(made.tokens)):
        for place in range(made.tokens.shape[1] - 1):
            token = int(made.tokens[row, place + 1])
            inside = int(made.prompt[row]) <= place + 1 < int(made.end[row])
            expected = math.log(float(logits[row, place].softmax(0)[token])) if inside else 0.0
            close(found[row, place], expected)
    close(token_log_probs(logits, made).sum(1), found.sum(1))


def test_logits_of_the_last_token_are_not_read():
    made = ragged()
    logits = logits_of(made)
    more = torch.cat([logits, torch.full_like(logits[:, :1], math.nan)], dim=1)
    assert torch.equal(token_log_probs(more, made), token_log_probs(logits, made))
    assert torch.equal(entropies(more, made), entropies(logits, made))


def test_no_token_of_the_prompt_or_past_the_end_is_a_label():
    """With the logits given: in a network, a prompt's token also conditions what follows."""
    made = ragged()
    logits = logits_of(made)
    found = token_log_probs(logits, made)
    for row in range(len(made.tokens)):
        for column in range(made.tokens.shape[1]):
            tokens = made.tokens.clone()
            tokens[row, column] = (tokens[row, column] + 1) % VOCABULARY
            changed = token_log_probs(logits, Sequences(tokens, made.prompt, made.end))
            response = int(made.prompt[row]) <= column < int(made.end[row])
            assert torch.equal(changed, found) != response, (row, column)


def test_logits_off_the_response_have_no_gradient():
    made = ragged()
    logits = logits_of(made).requires_grad_()
    token_log_probs(logits, made).sum().backward()
    touched = logits.grad.abs().sum(-1) > 0
    assert torch.equal(touched, made.mask())


def test_entropy_of_equal_logits_is_that_of_the_vocabulary_and_of_a_sure_one_none():
    made = ragged()
    equal, sure = torch.zeros_like(logits_of(made)), torch.zeros_like(logits_of(made))
    sure[..., 2] = 1000.0
    close(entropies(equal, made), math.log(VOCABULARY) * made.mask().double())
    close(entropies(sure, made), torch.zeros(made.mask().shape))


def test_kl_is_the_sum_over_the_vocabulary():
    made = ragged()
    ours, others = logits_of(made), logits_of(made, seed=2)
    found = kl_divergences(ours, others, made)
    close(kl_divergences(ours, ours + 3.0, made), torch.zeros(made.mask().shape))  # a shift changes no softmax
    for row, place in made.mask().nonzero().tolist():
        p, q = ours[row, place].softmax(0), others[row, place].softmax(0)
        close(found[row, place], float((p * (p / q).log()).sum()))
    assert (found >= 0).all()
    assert (found[~made.mask()] == 0).all()


def test_kl_is_the_mean_of_the_log_ratio_under_the_policy():
    made = padded([[1]], [[2]], 0)
    ours, others = logits_of(made), logits_of(made, seed=2)
    total = 0.0
    for token in range(VOCABULARY):
        drawn = Sequences(torch.tensor([[1, token]]), made.prompt, made.end)
        ratio = token_log_probs(ours, drawn).sum(1) - token_log_probs(others, drawn).sum(1)
        total += float(ours[0, 0].softmax(0)[token] * ratio)
    close(kl_divergences(ours, others, made).sum(), total)


def test_half_precision_is_left_before_the_sum_over_the_vocabulary():
    made = ragged()
    logits = logits_of(made).bfloat16()
    found = token_log_probs(logits, made)
    assert found.dtype == torch.float32
    # float32 against float64 sums of the same bfloat16 logits; in bfloat16 the error would be 0.01
    close(found, token_log_probs(logits.double(), made), 1e-5)
    assert {entropies(logits, made).dtype, kl_divergences(logits, logits, made).dtype} == {torch.float32}


@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_a_model_is_read_at_the_places_of_the_response_alone(model):
    """The same as the logits of all places, with the same gradient, to the rounding of products in another order."""
    made = with_a_column_more(ragged())
    found, expected = log_probs(model, made), token_log_probs(model(made.tokens[:, :-1]), made)
    close(found, expected)
    weights = normal(*found.shape, seed=3)
    ours, theirs = (torch.autograd.grad((x * weights).sum(), model.parameters()) for x in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        close(one, other, 1e-11)


@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_what_stands_past_the_end_changes_nothing(model):
    """To the bit where rows keep their place in the batch; of tokens in the response each one matters."""
    made = ragged()
    found = log_probs(model, made)
    for by in (1, 3):
        assert torch.equal(log_probs(model, with_other_padding(made, by)), found)
    assert torch.equal(log_probs(model, with_a_column_more(made))[:, :-1], found)
    for row, place in made.mask().nonzero().tolist():
        tokens = made.tokens.clone()
        tokens[row, place + 1] = (tokens[row, place + 1] + 1) % VOCABULARY
        assert not torch.equal(log_probs(model, Sequences(tokens, made.prompt, made.end)), found)


def test_mixed_precision_gives_float32():
    model, made = cases.gpt().float(), ragged()
    with torch.autocast("cpu", torch.bfloat16):
        found = log_probs(model, made)
    assert found.dtype == torch.float32
    # bfloat16 has 3 digits, and the logits are about 1; a log-sum-exp in bfloat16 would repeat few values
    close(found, log_probs(model, made), 0.03)
    assert not torch.equal(found, found.bfloat16().float())


def test_rows_of_batches_are_rows_of_everything_in_them():
    model = cases.table()
    index = torch.tensor([2, 0])
    pairs, rollouts = cases.pairs(model), cases.rollouts(model)
    some = pairs.rows(index)
    assert isinstance(some, Pairs)
    assert torch.equal(some.chosen.tokens, pairs.chosen.tokens[index])
    assert torch.equal(some.rejected.end, pairs.rejected.end[index])
    assert torch.equal(some.chosen_reference, pairs.chosen_reference[index])
    assert torch.equal(some.rejected_reference, pairs.rejected_reference[index])
    few = rollouts.rows(index)
    assert isinstance(few, Rollouts)
    assert (few.group, len(few.sequences.tokens)) == (rollouts.group, 2)
    for name in ("rewards", "log_probs", "reference", "values"):
        assert torch.equal(getattr(few, name), getattr(rollouts, name)[index])
    without = Rollouts(rollouts.sequences, rollouts.rewards, rollouts.log_probs, rollouts.reference, None, 2)
    assert without.rows(slice(0, 2)).values is None
    assert without.to("cpu").values is None
    assert torch.equal(pairs.to("cpu").chosen.tokens, pairs.chosen.tokens)


def test_the_learning_rate_rises_to_its_own():
    assert [linear_warmup(SimpleNamespace(warmup=4), seen) for seen in (0, 1, 4, 9)] == [0.0, 0.25, 1.0, 1.0]
    assert linear_warmup(SimpleNamespace(warmup=0), 0) == 1.0


def test_there_is_no_third_optimiser():
    with pytest.raises(ValueError, match="adamw and rmsprop"):
        named_optimiser(cases.table(), SimpleNamespace(optimiser="sgd", learning_rate=0.1))


@pytest.mark.parametrize("name", ["adamw", "rmsprop"])
def test_neither_optimiser_decays_weights(name):
    model = cases.table()
    before = model.table.detach().clone()
    optimiser = named_optimiser(model, SimpleNamespace(optimiser=name, learning_rate=0.1))
    (model.table * 0.0).sum().backward()
    optimiser.step()
    assert torch.equal(model.table.detach(), before)
