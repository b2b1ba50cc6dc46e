"""The residual perceptron has the size its formula says, starts at zero, and is what its docstring writes."""

import pytest
import torch
from torch.nn.functional import silu

from implementations.networks.diffusion_mlp import diffusion_mlp
from tests.exact.noisy_networks import generator, moved, normal, size


def network(shape=(3,), dropout=0.0, seed=0, **labels):
    return diffusion_mlp(shape, 16, 2, 8, dropout, generator=generator(seed), **labels)


@pytest.mark.parametrize(
    ("shape", "units", "blocks", "channels"), [((2,), 5, 1, 4), ((3,), 16, 0, 8), ((1, 8, 8), 256, 3, 64)]
)
def test_parameters_follow_the_formula(shape, units, blocks, channels):
    with torch.device("meta"):
        found = diffusion_mlp(shape, units, blocks, channels, generator=None)
    d = torch.Size(shape).numel()
    embedding = (channels + 1) * units + (units + 1) * units
    assert size(found) == (d + 1) * units + 4 * blocks * units * (units + 1) + (units + 1) * d + embedding
    assert all(parameter.is_meta for parameter in found.parameters())


def test_the_default_has_the_size_its_docstring_says():
    with torch.device("meta"):
        assert size(diffusion_mlp((1, 8, 8), generator=None)) == 905_024


def test_starts_at_zero_with_a_gradient_for_its_last_layer():
    model = network().double()
    y = model(normal(4, 3), normal(4))
    assert torch.equal(y, torch.zeros(4, 3, dtype=torch.float64))
    (y * normal(4, 3, seed=1)).sum().backward()
    assert (model.head.weight.grad != 0).all()  # so that it leaves zero at the first step


def test_is_what_the_docstring_writes():
    model = moved(network())
    x, label = normal(5, 3), normal(5, seed=1)
    e = model.conditioning(label)
    h = model.stem(x)
    for block in model.blocks:
        modulation = block.modulation(e)
        inner = (1 + modulation[:, :16]) * block.first(silu(h)) + modulation[:, 16:]
        h = h + block.last(silu(inner))
    torch.testing.assert_close(model(x, label), model.head(silu(h)), rtol=0.0, atol=1e-13)  # rounding


def test_a_gradient_reaches_every_parameter():
    model = moved(network(classes=3, augmentations=2))
    y = model(normal(4, 3), normal(4), torch.tensor([0, 1, 2, 0]), normal(4, 2, seed=3))
    (y * normal(4, 3, seed=1)).sum().backward()
    assert all((parameter.grad.abs() > 0).all() for parameter in model.parameters())


def test_images_are_vectors_inside_and_examples_do_not_see_each_other():
    image, vector = moved(network((1, 4, 2))), moved(network((8,)))
    x, label = normal(5, 1, 4, 2), normal(5, seed=1)
    y = image(x, label)
    assert y.shape == x.shape
    assert torch.equal(y.flatten(1), vector(x.flatten(1), label))
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(image(x[order], label[order]), y[order], rtol=0.0, atol=1e-13)  # rounding
    torch.testing.assert_close(image(x[:1], label[:1]), y[:1], rtol=0.0, atol=1e-13)
    assert (image(x, label + 0.5) - y).abs().max() > 1e-3


def test_dropout_draws_from_the_generator_it_is_given_and_only_in_training():
    model, x, label = moved(network(dropout=0.4)), normal(5, 3), normal(5)
    first, again, other = (model(x, label, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(ValueError, match="needs a generator"):
        model(x, label)
    assert not torch.equal(model.eval()(x, label), first)


def test_weights_come_from_the_generator_alone():
    untouched = torch.get_rng_state()
    first, again, other = (network(seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if (first[name] != 0).any()]
    assert len(drawn) == 1 + 2 + 2  # of the stem, the embedding, and each block's first layer
    assert not any(torch.equal(first[name], other[name]) for name in drawn)
