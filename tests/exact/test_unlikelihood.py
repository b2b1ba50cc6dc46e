"""The preferred response likelier, each token of the other one less likely."""

import math

import pytest
import torch

from implementations.preferences import sft, unlikelihood
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.sequences import padded
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, with_other_padding

NOTHING = torch.zeros(1, dtype=torch.float64)


def loss(model, pairs, alpha=0.5):
    return unlikelihood.loss(model, unlikelihood.Settings(network="gpt_nano", alpha=alpha), pairs, generator(0))


def test_the_loss_by_hand():
    """Chosen tokens of 1/2 and 1/4, a rejected one of 1/5: (ln 2 + ln 4) / 2 - alpha ln(4/5)."""
    chosen = torch.tensor([[0.5, 0.25, 0.9]], dtype=torch.float64).log()
    rejected = torch.tensor([[0.7, 0.2]], dtype=torch.float64).log()
    masks = torch.tensor([[True, True, False]]), torch.tensor([[False, True]])
    found = unlikelihood.unlikelihood_loss(chosen, rejected, *masks, alpha=0.5)
    close(found, (math.log(2) + math.log(4)) / 2 - 0.5 * math.log(0.8))


def test_a_sure_rejected_token_has_a_finite_loss_and_gradient():
    rejected = torch.zeros(1, 1, dtype=torch.float32, requires_grad=True)
    sure = torch.ones(1, 1, dtype=torch.bool)
    found = unlikelihood.unlikelihood_loss(torch.zeros(1, 1), rejected, sure, sure, 1.0)
    found.backward()
    close(found, -math.log(1e-6), 0.2)  # 1 - p of 1e-6, which float32 has to a few digits
    assert torch.isfinite(rejected.grad).all()


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_the_gradient_on_tabular_logits(alpha):
    """-(e_w - p) + alpha p_l / (1 - p_l) (e_l - p)."""
    model, prompt, chosen, rejected = cases.table(), 3, 1, 4
    pair = Pairs(padded([[prompt]], [[chosen]], 0), padded([[prompt]], [[rejected]], 0), NOTHING, NOTHING)
    loss(model, pair, alpha).backward()
    p = model.table[prompt].detach().softmax(0)
    at = torch.eye(cases.VOCABULARY, dtype=torch.float64)
    expected = torch.zeros_like(model.table)
    expected[prompt] = -(at[chosen] - p) + alpha * p[rejected] / (1 - p[rejected]) * (at[rejected] - p)
    close(model.table.grad, expected)


@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_what_stands_past_the_end_and_the_references_change_nothing(model):
    pairs = cases.pairs(model)
    other = Pairs(with_other_padding(pairs.chosen), with_other_padding(pairs.rejected), NOTHING, NOTHING)
    assert torch.equal(loss(model, other), loss(model, pairs))


def test_swapped_pairs_have_another_loss():
    model = cases.table()
    pairs = cases.pairs(model)
    swapped = Pairs(pairs.rejected, pairs.chosen, pairs.rejected_reference, pairs.chosen_reference)
    assert not torch.equal(loss(model, swapped), loss(model, pairs))


def test_without_the_second_term_it_is_preferred_fine_tuning():
    model = cases.table()
    pairs = cases.pairs(model)
    close(loss(model, pairs, 0.0), sft.loss(model, sft.Settings(network="gpt_nano"), pairs.chosen, generator(0)))


@pytest.mark.parametrize("changed", [{"alpha": -1.0}, {"warmup": -1}, {"pairs": 0}], ids=str)
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        unlikelihood.Settings(**changed)
