"""The residual network has the size its formula says, starts at zero, and does what its docstring writes."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from implementations.networks.resnet import ResidualBlock, ResidualNetwork, WeightNormConvolution

SHAPES = [(1, 2, 3, 1), (3, 6, 64, 8), (4, 1, 5, 2), (2, 2, 4, 0)]  # inputs, outputs, features, blocks
batch_norms = pytest.mark.parametrize("batch_norm", [False, True])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(batch_norm: bool, seed: int = 0) -> ResidualNetwork:
    return ResidualNetwork(2, 3, 4, 2, batch_norm, generator(seed)).double()


def moved(batch_norm: bool) -> ResidualNetwork:
    """Off its initial values, which make it zero."""
    model, random = network(batch_norm), generator(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, dtype=torch.float64, generator=random))
    return model


def images(count: int = 5) -> torch.Tensor:
    return torch.randn(count, 2, 4, 3, dtype=torch.float64, generator=generator(2))


@batch_norms
@pytest.mark.parametrize(("i", "o", "f", "b"), SHAPES)
def test_parameters_follow_the_formula(i, o, f, b, batch_norm):
    with torch.device("meta"):
        model = ResidualNetwork(i, o, f, b, batch_norm, torch.Generator())
    first = 9 * i * f + (0 if batch_norm else f)  # directions; biases where no batch normalisation follows
    block = (
        2 * 9 * f * f + f + (2 * 2 * f if batch_norm else 3 * f)
    )  # one scale; two normalisations, or scale and biases
    skip = (b + 1) * f * f + (0 if batch_norm else 2 * f)
    last = f * o + 2 * o + (2 * f if batch_norm else 0)
    expected = first + b * block + skip + last
    written = (19 * b + 1) * f**2 + (9 * i + o + (5 * b + 2 if batch_norm else 4 * b + 3)) * f + 2 * o
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == written
    assert all(parameter.is_meta for parameter in model.parameters())


def test_filters_have_the_length_of_their_scale_whatever_the_direction():
    layer = WeightNormConvolution(3, 4, 3, generator()).double()
    lengths = torch.tensor([0.5, -2.0, 0.0, 1.0], dtype=torch.float64)
    layer.scale.data.copy_(lengths)
    layer.bias.data.copy_(torch.arange(4.0))
    filters = torch.stack([length * v / v.norm() for length, v in zip(lengths, layer.direction.data, strict=True)])
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=generator(3))
    expected = conv2d(x, filters, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, rtol=0.0, atol=1e-13)  # rounding of a sum of 27
    layer.direction.data.mul_(7.0)
    torch.testing.assert_close(layer(x), expected, rtol=0.0, atol=1e-13)


def test_without_scale_filters_have_length_one_and_without_bias_zero_stays_zero():
    layer = WeightNormConvolution(2, 3, 1, generator(), scale=False, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["direction"]
    columns = layer(torch.eye(2)[:, :, None, None])[..., 0, 0]  # one row an input, so columns are filters
    torch.testing.assert_close(columns.norm(dim=0), torch.ones(3), rtol=0.0, atol=1e-6)  # float32
    assert torch.equal(layer(torch.zeros(1, 2, 3, 3)), torch.zeros(1, 3, 3, 3))


@batch_norms
def test_starts_at_zero_with_a_gradient_for_its_scales(batch_norm):
    model = network(batch_norm)
    y = model(images())
    assert y.shape == (5, 3, 4, 3)
    assert torch.equal(y, torch.zeros_like(y))
    (y * torch.randn(y.shape, dtype=y.dtype, generator=generator(4))).sum().backward()
    assert (model.last.scale.grad != 0).all()  # so that it leaves zero at the first step


@batch_norms
def test_is_what_the_docstring_writes(batch_norm):
    model, x = moved(batch_norm).eval(), images()
    states = [model.first(x)]
    for block in model.blocks:
        h = states[-1]
        for part in block.branch:
            h = part(h)
        states.append(states[-1] + h)
    joined = model.skip(torch.cat(states, dim=1))
    torch.testing.assert_close(model(x), model.last(model.rectifier(joined)), rtol=0.0, atol=1e-12)  # the same sums


@batch_norms
def test_rectifiers_stand_before_the_convolutions(batch_norm):
    kinds = [type(part) for part in ResidualBlock(3, batch_norm, generator()).branch.modules()]
    kinds = [kind for kind in kinds if kind is not nn.Sequential]
    half = [nn.BatchNorm2d, nn.ReLU, WeightNormConvolution] if batch_norm else [nn.ReLU, WeightNormConvolution]
    assert kinds == half * 2


@batch_norms
def test_every_output_pixel_sees_its_neighbourhood_and_no_more(batch_norm):
    """One convolution of 3 x 3 and B blocks of two reach 2 B + 1 pixels: 3 for one block."""
    model = ResidualNetwork(1, 1, 16, 1, batch_norm, generator()).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator(5)))
    x = torch.randn(1, 1, 9, 9, dtype=torch.float64, generator=generator(6), requires_grad=True)
    model(x)[0, 0, 4, 4].backward()
    seen = x.grad[0, 0] != 0
    inside = torch.zeros(9, 9, dtype=torch.bool)
    inside[1:8, 1:8] = True
    assert torch.equal(seen, inside)


def test_rows_are_independent_in_evaluation_and_not_in_training():
    model, x = moved(batch_norm=True), images()
    training = model(x)
    assert not torch.allclose(model(x[:2]), training[:2])
    model.eval()
    # The same sums in another order of the convolution.
    torch.testing.assert_close(model(x[:2]), model(x)[:2], rtol=0.0, atol=1e-12)


def test_running_statistics_are_part_of_the_state_and_evaluation_leaves_them():
    model, x = moved(batch_norm=True), images()
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    assert len(before) == 2 * 5  # mean and variance of two normalisations in each of two blocks, and of the last
    model(x)
    after = {name: value.clone() for name, value in model.state_dict().items()}
    assert not any(torch.equal(before[name], after[name]) for name in before)
    model.eval()(x)
    assert all(torch.equal(value, after[name]) for name, value in model.state_dict().items())
    other = network(batch_norm=True, seed=9).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))


@batch_norms
def test_weights_come_from_the_generator_alone(batch_norm):
    untouched = torch.get_rng_state()
    first, again, other = (network(batch_norm, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    drawn = [name for name, _ in first.named_parameters() if name.endswith("direction")]
    assert len(drawn) == 1 + 2 * 2 + 1 + 1
    assert not any(torch.equal(first.get_parameter(name), other.get_parameter(name)) for name in drawn)
    same_shape = [first.get_parameter(name) for name in drawn if first.get_parameter(name).shape == (4, 4, 3, 3)]
    assert len(same_shape) == 4
    assert not any(torch.equal(one, two) for one, two in itertools.combinations(same_shape, 2))
