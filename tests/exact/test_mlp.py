"""The perceptron has the size its formula says and draws its weights from the generator it is given."""

import math

import pytest
import torch
from torch import nn

from implementations.networks.mlp import linear, mlp

SHAPES = [(3, 2, 5, 1), (4, 4, 8, 3), (1, 7, 2, 2), (392, 392, 1000, 5)]  # inputs, outputs, units, layers


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("inputs", "outputs", "units", "layers"), SHAPES)
def test_parameters_follow_the_formula(inputs, outputs, units, layers):
    with torch.device("meta"):
        network = mlp(inputs, outputs, units, layers, torch.Generator())
    expected = (inputs + 1) * units + (layers - 1) * (units + 1) * units + (units + 1) * outputs
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert all(parameter.is_meta for parameter in network.parameters())


def test_a_rectifier_follows_every_hidden_layer_and_none_follows_the_output():
    kinds = [type(layer) for layer in mlp(3, 2, 5, 3, generator())]
    assert kinds == [nn.Linear, nn.ReLU] * 3 + [nn.Linear]


def test_maps_the_last_axis():
    x = torch.randn(4, 5, 3, generator=generator())
    y = mlp(3, 64, 6, 2, generator())(x)
    assert y.shape == (4, 5, 64)
    assert (y < 0).any()
    assert (y > 0).any()


def test_weights_come_from_the_generator_alone():
    untouched = torch.get_rng_state()
    first, again, other = (mlp(3, 2, 5, 2, generator(seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_layers_do_not_share_their_draws():
    network = mlp(4, 4, 4, 2, generator())
    weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


@pytest.mark.parametrize("inputs", [16, 400])
def test_weights_are_uniform_up_to_one_over_root_inputs(inputs):
    layer, bound = linear(inputs, 1000, generator()), 1 / math.sqrt(inputs)
    for values in (layer.weight.detach().flatten().double(), layer.bias.detach().double()):
        count = len(values)
        assert float(values.abs().max()) <= bound * (1 + 1e-6)  # rounding of the bound to float32
        assert float(values.abs().max()) > bound * 0.98  # 1000 draws leave a gap of 2 % once in e^20 times
        # Four standard errors; the fourth central moment of the law is bound^4 / 5.
        assert abs(float(values.mean())) < 4 * bound / math.sqrt(3 * count)
        spread = math.sqrt((1 / 5 - 1 / 9) / count) * bound**2
        assert abs(float(values.square().mean()) - bound**2 / 3) < 4 * spread
