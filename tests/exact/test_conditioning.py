"""The embedding of noise levels and labels, and dropout that draws only from generators handed in."""

import math

import pytest
import torch
from torch.nn.functional import silu

from implementations.networks.conditioning import Conditioning, ExplicitDropout, dense, sinusoidal
from tests.exact.noisy_networks import generator, moved, normal, size


@pytest.mark.parametrize("channels", [4, 8, 128])
def test_waves_are_those_of_the_formula(channels):
    labels, half = [0.0, -1.3, 0.25, 7.0, 999.0], channels // 2
    phases = [[label * 10000 ** (-i / (half - 1)) for i in range(half)] for label in labels]
    expected = [[*map(math.sin, row), *map(math.cos, row)] for row in phases]
    found = sinusoidal(torch.tensor(labels), channels)
    assert found.dtype == torch.float64
    # A phase near 999 carries a few roundings of 1e-13.
    given = sinusoidal(torch.tensor(labels, dtype=torch.float64), channels)
    torch.testing.assert_close(given, torch.tensor(expected, dtype=torch.float64), rtol=0.0, atol=1e-12)
    torch.testing.assert_close(found, given, rtol=0.0, atol=1e-7)  # of -1.3 to float32
    assert torch.equal(sinusoidal(torch.tensor([7, 999]), channels), given[3:])


@pytest.mark.parametrize("channels", [0, 2, 7])
def test_waves_come_in_pairs_of_two_at_least(channels):
    with pytest.raises(ValueError, match="even number of channels, at least 4"):
        Conditioning(channels, 8, generator())


@pytest.mark.parametrize(("classes", "augmentations"), [(0, 0), (3, 0), (0, 2), (10, 9)])
def test_parameters_follow_the_formula(classes, augmentations):
    labels = ((classes + 1) * 8 if classes else 0) + 8 * augmentations
    assert size(Conditioning(8, 12, generator(), classes, augmentations)) == 9 * 12 + 13 * 12 + labels


def test_is_what_the_docstring_writes():
    module = moved(Conditioning(8, 12, generator(), classes=3, augmentations=2))
    label, classes, augment = normal(4), torch.tensor([2, 0, 1, 1]), normal(4, 2, seed=1)
    h = sinusoidal(label, 8) + math.sqrt(3) * module.of_class.weight.T[classes] + module.of_class.bias
    h = h + augment @ module.of_augmentation.weight.T
    h = silu(h @ module.first.weight.T + module.first.bias)
    expected = silu(h @ module.second.weight.T + module.second.bias)
    torch.testing.assert_close(module(label, classes, augment), expected, rtol=0.0, atol=1e-13)  # rounding


def test_no_augmentation_is_zeros_and_no_class_is_none_of_them():
    module, label = moved(Conditioning(8, 12, generator(), classes=3, augmentations=2)), normal(4)
    classes = torch.tensor([2, 0, 1, 1])
    zeros = torch.zeros(4, 2, dtype=torch.float64)
    assert torch.equal(module(label, classes), module(label, classes, zeros))
    h = silu(module.first(sinusoidal(label, 8) + module.of_class.bias))
    torch.testing.assert_close(module(label), silu(module.second(h)), rtol=0.0, atol=1e-13)  # rounding


def test_labels_that_were_not_built_for_are_errors():
    module = Conditioning(8, 12, generator())
    with pytest.raises(ValueError, match="built without classes"):
        module(torch.zeros(2), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="built without them"):
        module(torch.zeros(2), augment=torch.zeros(2, 9))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_a_rate_outside_zero_to_one_is_an_error(rate):
    with pytest.raises(ValueError, match="dropout rate"):
        ExplicitDropout(rate)


def test_dropout_keeps_the_mean():
    dropout, h = ExplicitDropout(0.3), torch.ones(200, 500, dtype=torch.float64)
    dropped = dropout(h, generator())
    assert torch.equal(dropped[dropped != 0], torch.full_like(dropped[dropped != 0], 1 / 0.7))
    standard_error = math.sqrt(0.3 / 0.7 / h.numel())
    assert abs(float(dropped.mean()) - 1) < 4 * standard_error
    assert torch.equal(h, torch.ones_like(h))


def test_dropout_drops_the_same_values_in_either_precision():
    dropout, h = ExplicitDropout(0.5), normal(50, 7)
    assert torch.equal(dropout(h, generator(3)) == 0, dropout(h.float(), generator(3)) == 0)
    assert dropout(h.float(), generator(3)).dtype == torch.float32


def test_dropout_hands_its_gradient_to_what_it_keeps():
    h = normal(50, 7).requires_grad_()
    kept = ExplicitDropout(0.5)(h, generator(3))
    kept.sum().backward()
    assert torch.equal(h.grad, 2.0 * (kept != 0))


def test_nothing_is_drawn_without_a_generator():
    with pytest.raises(ValueError, match="need a generator"):
        dense(3, 4, None)
    with torch.device("meta"):
        assert dense(3, 4, None).weight.is_meta
