"""DPO's losses on pairs, their gradients, and where they start."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from implementations.preferences import dpo
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.sequences import padded
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, normal

BETA = 0.3


def four(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ln p of chosen and rejected responses, under policy and reference."""
    chosen, rejected, chosen_reference, rejected_reference = -10 * normal(4, 50, seed=seed).abs()
    return chosen, rejected, chosen_reference, rejected_reference


def settings(**changed: object) -> dpo.Settings:
    return dpo.Settings(**{"beta": BETA, "network": "gpt_nano"} | changed)


def loss(model: torch.nn.Module, pairs: Pairs, **changed: object) -> Tensor:
    return dpo.loss(model, settings(**changed), pairs, generator(0))


def test_the_loss_of_a_pair_by_hand():
    """h = 0.5 ((-3 + 4) - (-6 + 5)) = 1."""
    found = dpo.sigmoid_loss(*(torch.tensor([x], dtype=torch.float64) for x in (-3.0, -6.0, -4.0, -5.0)), 0.5)
    close(found, [math.log(1 + math.exp(-1.0))])
    smoothed = dpo.sigmoid_loss(*(torch.tensor([x], dtype=torch.float64) for x in (-3.0, -6.0, -4.0, -5.0)), 0.5, 0.1)
    close(smoothed, [0.9 * math.log(1 + math.exp(-1.0)) + 0.1 * math.log(1 + math.exp(1.0))])


@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_at_the_start_the_loss_is_ln_2_and_the_accuracy_0(model):
    pairs = cases.pairs(model)
    close(loss(model, pairs), math.log(2))
    close(loss(model, pairs, label_smoothing=0.2), math.log(2))
    assert float(dpo.accuracy(model, pairs)) == 0.0


def test_ipo_starts_at_its_target_squared():
    model = cases.table()
    close(loss(model, cases.pairs(model), objective="ipo"), (1 / (2 * BETA)) ** 2)


def test_the_gradient_on_tabular_logits():
    """-beta sigmoid(-h) (e_w - e_l): the softmax's normaliser is the same in both, and drops out."""
    model, prompt, chosen, rejected = cases.table(), 3, 1, 4
    pair = padded([[prompt]], [[chosen]], 0), padded([[prompt]], [[rejected]], 0)
    references = torch.tensor([-1.0], dtype=torch.float64), torch.tensor([-2.5], dtype=torch.float64)
    loss(model, Pairs(*pair, *references)).backward()
    ln_p = model.table[prompt].detach().log_softmax(0)
    h = BETA * float((ln_p[chosen] - references[0]) - (ln_p[rejected] - references[1]))
    expected = torch.zeros_like(model.table)
    expected[prompt, chosen], expected[prompt, rejected] = -1.0, 1.0
    close(model.table.grad, BETA / (1 + math.exp(h)) * expected)


def test_the_gradient_with_smoothed_labels_stops_where_the_judge_is_believed():
    """The least loss of a pair is at sigmoid(h) = 1 - s, not at infinity."""
    h = torch.tensor([math.log(0.8 / 0.2) / BETA], dtype=torch.float64, requires_grad=True)
    nothing = torch.zeros(1, dtype=torch.float64)
    dpo.sigmoid_loss(h, nothing, nothing, nothing, BETA, 0.2).sum().backward()
    close(h.grad, [0.0])


def test_a_swapped_pair_has_the_opposite_margin():
    chosen, rejected, chosen_reference, rejected_reference = four()
    margins = dpo.margins(chosen, rejected, chosen_reference, rejected_reference)
    assert torch.equal(dpo.margins(rejected, chosen, rejected_reference, chosen_reference), -margins)
    one = dpo.sigmoid_loss(chosen, rejected, chosen_reference, rejected_reference, BETA)
    other = dpo.sigmoid_loss(rejected, chosen, rejected_reference, chosen_reference, BETA)
    close(one - other, -BETA * margins)  # -ln sigmoid(h) + ln sigmoid(-h) = -h
    close(other, dpo.sigmoid_loss(chosen, rejected, chosen_reference, rejected_reference, BETA, 1.0))


def test_swapping_the_sides_of_a_batch_flips_its_margins():
    model = cases.table()
    pairs = cases.pairs(cases.table(seed=5))  # whose reference is another model
    swapped = Pairs(pairs.rejected, pairs.chosen, pairs.rejected_reference, pairs.chosen_reference)
    share = float(dpo.accuracy(model, pairs))
    assert 0 < share < 1
    close(dpo.accuracy(model, swapped), 1 - share)
    assert not torch.equal(loss(model, swapped), loss(model, pairs))


def test_without_a_reference_it_is_that_of_equal_ones():
    model, pairs = cases.table(), cases.pairs(cases.table(seed=5))
    other = dataclasses.replace(pairs, chosen_reference=pairs.chosen_reference - 3.0)
    assert torch.equal(loss(model, pairs, reference_free=True), loss(model, other, reference_free=True))
    assert not torch.equal(loss(model, pairs), loss(model, other))


def test_ipo_is_least_at_its_target_and_grows_on_both_sides():
    nothing = torch.zeros(3, dtype=torch.float64)
    margins = 1 / (2 * BETA) + torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    close(dpo.ipo_loss(margins, nothing, nothing, nothing, BETA), [1.0, 0.0, 4.0])


def test_the_loss_of_a_batch_is_the_mean_of_its_pairs():
    model, pairs = cases.table(), cases.pairs(cases.table(seed=5))
    alone = [loss(model, pairs.rows(slice(row, row + 1))) for row in range(4)]
    close(loss(model, pairs), sum(alone) / 4)


def test_log_probs_are_summed_and_not_averaged():
    """A response twice as long moves the margin twice as far, where each of its tokens is as likely."""
    model = cases.Table(torch.zeros(cases.VOCABULARY, cases.VOCABULARY).double())
    nothing = torch.zeros(1, dtype=torch.float64)
    pair = Pairs(padded([[1]], [[2, 2]], 0), padded([[1]], [[2, 2, 2, 2]], 0), nothing, nothing)
    close(loss(model, pair), math.log(1 + math.exp(-BETA * 2 * math.log(cases.VOCABULARY))))


def test_extreme_margins_give_finite_losses():
    far = torch.tensor([1e4, -1e4], dtype=torch.float32)
    nothing = torch.zeros(2)
    found = dpo.sigmoid_loss(far, nothing, nothing, nothing, 1.0)
    assert torch.isfinite(found).all()
    assert found.tolist() == [0.0, 1e4]


def test_the_papers_settings():
    assert dpo.Settings() == dpo.Settings(
        beta=0.1, batch=64, optimiser="rmsprop", learning_rate=1e-6, warmup=150 * 64, label_smoothing=0.0
    )
    assert isinstance(dpo.METHOD.recipe.optimiser(cases.table(), dpo.Settings()), torch.optim.RMSprop)


@pytest.mark.parametrize(
    "changed",
    [
        {"beta": 0.0},
        {"objective": "hinge"},
        {"label_smoothing": 0.5},
        {"objective": "ipo", "label_smoothing": 0.1},
        {"warmup": -1},
        {"pairs": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match=rf"{next(iter(changed))}|label_smoothing"):
        settings(**changed)
