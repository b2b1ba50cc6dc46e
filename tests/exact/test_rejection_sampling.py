"""Maximum likelihood of the responses that were good."""

import dataclasses

import pytest
import torch

from implementations.preferences import rejection_sampling, sft
from tests.exact import preference_cases as cases
from tests.exact.preference_cases import close, generator, ragged, with_other_padding


def loss(model, rollouts, threshold=1.0):
    settings = rejection_sampling.Settings(network="gpt_nano", threshold=threshold)
    return rejection_sampling.loss(model, settings, rollouts, generator(0))


def test_the_loss_by_hand():
    """Kept: the rows of 1 + 2 and of 6; of the third, and off the mask, nothing is read."""
    found = torch.tensor([[-1.0, -2.0], [-6.0, -9.0], [-50.0, -50.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    close(rejection_sampling.kept_loss(found, mask, torch.tensor([True, True, False])), 3.0)


def test_a_reward_at_the_threshold_is_kept():
    assert rejection_sampling.kept(torch.tensor([0.9, 1.0, 1.1]), 1.0).tolist() == [False, True, True]


@pytest.mark.parametrize("model", [cases.table(), cases.gpt()], ids=["table", "gpt"])
def test_it_is_fine_tuning_on_what_is_kept(model):
    rollouts = cases.rollouts(cases.table(seed=5), (1.0, 0.0, 0.0, 1.0))
    kept = ragged().rows(torch.tensor([0, 3]))
    expected = sft.loss(model, sft.Settings(network="gpt_nano"), kept, generator(0))
    ours, theirs = (torch.autograd.grad(x, list(model.parameters())) for x in (loss(model, rollouts), expected))
    close(loss(model, rollouts), expected)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


def test_where_none_is_good_there_is_nothing_to_learn_and_backward_works():
    model = cases.gpt()
    found = loss(model, cases.rollouts(model, (0.0, 0.5, 0.9, 0.0)))
    found.backward()
    assert float(found.detach()) == 0.0
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_where_all_are_good_it_is_fine_tuning_on_all():
    model = cases.table()
    expected = sft.loss(model, sft.Settings(network="gpt_nano"), ragged(), generator(0))
    close(loss(model, cases.rollouts(model, (0.0, 0.5, 0.9, 0.0)), threshold=0.0), expected)


def test_what_stands_past_the_end_and_who_drew_it_change_nothing():
    model, rollouts = cases.gpt(), cases.rollouts(cases.table())
    other = cases.rollouts(cases.table(seed=5))
    other = dataclasses.replace(other, sequences=with_other_padding(ragged()))
    assert torch.equal(loss(model, other), loss(model, rollouts))


@pytest.mark.parametrize("changed", [{"group": 0}, {"minibatch": 5000}, {"warmup": -1}], ids=str)
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        rejection_sampling.Settings(**changed)
