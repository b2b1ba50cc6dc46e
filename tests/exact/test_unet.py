"""The U-Nets have the sizes of the papers' networks, start at zero, and are what their docstrings write."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, group_norm, silu

from implementations.networks import residual_blocks
from implementations.networks.residual_blocks import (
    Attention,
    DoublingConvolution,
    ResidualBlock,
    StridedConvolution,
    convolution,
    doubled,
    halved,
)
from implementations.networks.unet import ddpmpp, unet
from tests.exact.noisy_networks import generator, moved, normal, size

CIFAR = (3, 32, 32)
SUMS = 1e-12  # the same sums of numbers of order 1 in float64, in another order
layouts = pytest.mark.parametrize("layout", [unet, ddpmpp])


def small(layout, shape=(2, 8, 8), multipliers=(1, 2), attention=(4,), dropout=0.0, seed=0, **labels):
    return layout(shape, 8, multipliers, 1, attention, dropout, generator=generator(seed), **labels)


def small_moved(layout, **how):
    return moved(small(layout, **how)).eval()


# Sizes: pinned from the papers' networks (the first from three other implementations, the others from EDM's own).


@pytest.mark.parametrize(
    ("layout", "shape", "settings", "parameters"),
    [
        (unet, CIFAR, {}, 35_746_307),
        (ddpmpp, CIFAR, {}, 55_732_739),
        (ddpmpp, CIFAR, {"classes": 10, "augmentations": 9}, 55_735_299),
        (ddpmpp, CIFAR, {"multipliers": (1, 2, 2, 2)}, 61_804_419),  # rectified flow's
        (ddpmpp, (3, 64, 64), {"multipliers": (1, 2, 2, 2), "augmentations": 9}, 61_805_571),  # FFHQ
        (unet, (1, 8, 8), {"channels": 32, "multipliers": (1, 1), "blocks": 1, "attention": ()}, 271_649),
        (unet, (1, 28, 28), {"channels": 24, "multipliers": (1, 2), "blocks": 1, "attention": (14,)}, 395_641),
    ],
)
def test_has_as_many_parameters_as_pinned(layout, shape, settings, parameters):
    with torch.device("meta"):
        network = layout(shape, generator=None, **settings)
    assert size(network) == parameters
    assert all(parameter.is_meta for parameter in network.parameters())


def test_small_sizes_follow_from_the_blocks():
    """The last pin above, layer by layer: 24 and 48 channels, embedding 96, attention at the second level."""

    def block(i, o):
        return 9 * i * o + 9 * o * o + 2 * i + (96 + 5) * o + (0 if i == o else (i + 1) * o)

    def resolution(c):
        return 9 * c * c + c

    attention = 4 * 48**2 + 6 * 48
    embedding = 25 * 96 + 97 * 96
    encoder = block(24, 24) + resolution(24) + block(24, 48) + attention
    middle = 2 * block(48, 48) + attention
    kept = [48, 24, 24, 24]  # taken in again: of the block at 14, of the stride, of the block at 28, of the stem
    low = block(48 + kept[0], 48) + block(48 + kept[1], 48) + 2 * attention + resolution(48)
    high = block(48 + kept[2], 24) + block(24 + kept[3], 24)
    stem, head = (9 * 1 + 1) * 24, 2 * 24 + 9 * 24 + 1
    assert embedding + stem + encoder + middle + low + high + head == 395_641


@pytest.mark.parametrize(("i", "o", "m"), [(8, 8, 5), (12, 8, 32), (8, 16, 7)])
def test_blocks_have_as_many_parameters_as_they_write(i, o, m):
    block = 9 * i * o + 9 * o * o + 2 * i + (m + 5) * o
    shortcut = (i + 1) * o
    assert size(ResidualBlock(i, o, m, 0.0, 1.0, generator())) == block + (0 if i == o else shortcut)
    assert size(ResidualBlock(i, o, m, 0.0, 1.0, generator(), halved)) == block + shortcut
    assert size(Attention(o, 1.0, 1.0, generator())) == 4 * o * o + 6 * o
    assert size(StridedConvolution(o, generator())) == size(DoublingConvolution(o, generator())) == 9 * o * o + o


@pytest.mark.parametrize(("layout", "encoder", "decoder"), [(unet, 2, [0, 0, 3, 0]), (ddpmpp, 4, [0, 1, 0])])
def test_attention_stands_where_the_layout_has_it(layout, encoder, decoder):
    with torch.device("meta"):
        network = layout(CIFAR, generator=None)
    of = {
        name: sum(isinstance(module, Attention) for module in part.modules()) for name, part in network.named_children()
    }
    assert of["encoder"] == encoder
    assert [sum(isinstance(m, Attention) for m in level.modules()) for level in network.decoder] == decoder
    assert [block.attention is not None for block in network.middle] == [True, False]


def test_attention_at_a_height_that_no_level_has_is_an_error():
    with pytest.raises(ValueError, match=r"no level for attention at \[16\]: their heights are \[28, 14, 7\]"):
        unet((1, 28, 28), 8, (1, 1, 1), 1, generator=generator())


# Where training starts


@layouts
def test_starts_at_zero_with_a_gradient_for_its_last_layer(layout):
    network = small(layout).double()
    y = network(normal(3, 2, 8, 8), normal(3))
    assert torch.equal(y, torch.zeros(3, 2, 8, 8, dtype=torch.float64))
    (y * normal(3, 2, 8, 8, seed=1)).sum().backward()
    assert (network.head.weight.grad != 0).all()  # so that it leaves zero at the first step


@layouts
def test_every_branch_starts_at_zero(layout):
    network = small(layout).double()
    for block in network.modules():
        if isinstance(block, Attention):
            x = normal(2, block.out.in_channels, 4, 4)
            torch.testing.assert_close(block(x), x * block.scale, rtol=0.0, atol=0.0)
        elif isinstance(block, ResidualBlock) and block.shortcut is None and block.attention is None:
            x = normal(2, block.last.in_channels, 4, 4)
            torch.testing.assert_close(block(x, normal(2, 32), None), x * block.scale, rtol=0.0, atol=0.0)


@layouts
def test_a_gradient_reaches_every_parameter(layout):
    network = small_moved(layout, classes=3, augmentations=2)
    y = network(normal(4, 2, 8, 8), normal(4), torch.tensor([0, 1, 2, 0]), normal(4, 2, seed=3))
    (y * normal(*y.shape, seed=1)).sum().backward()
    for name, parameter in network.named_parameters():
        if "qkv.bias" in name:  # a constant in all keys drops out of the softmax
            c = len(parameter) // 3
            grad = torch.cat([parameter.grad[:c], parameter.grad[2 * c :]])
            assert (parameter.grad[c : 2 * c].abs() < 1e-12).all(), name  # zero up to rounding
        else:
            grad = parameter.grad
        assert grad is not None, name
        assert (grad.abs() > 0).all(), name


@layouts
def test_weights_come_from_the_generator_alone(layout):
    untouched = torch.get_rng_state()
    first, again, other = (small(layout, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if first[name].dim() > 1 and (first[name] != 0).any()]
    assert len(drawn) > 20
    assert not any(torch.equal(first[name], other[name]) for name in drawn)
    with pytest.raises(ValueError, match="need a generator"):
        layout((2, 8, 8), 8, (1, 2), 1, (4,), generator=None)


def test_weights_are_uniform_with_the_mean_of_both_fans():
    layer = convolution(20, 30, 3, generator(), gain=0.5, padding=1)
    bound = 0.5 * math.sqrt(6 / (9 * 20 + 9 * 30))
    weights = layer.weight.detach().double()
    assert float(weights.abs().max()) <= bound * (1 + 1e-6)  # rounding of the bound to float32
    assert float(weights.abs().max()) > 0.99 * bound  # 5400 draws leave a gap of 1 % once in e^54 times
    spread = math.sqrt((1 / 5 - 1 / 9) / weights.numel()) * bound**2  # four standard errors, as in test_mlp
    assert abs(float(weights.square().mean()) - bound**2 / 3) < 4 * spread
    assert torch.equal(layer.bias, torch.zeros(30))


@pytest.mark.parametrize(("layout", "bound"), [(unet, math.sqrt(6 / 32)), (ddpmpp, math.sqrt(0.2 * 6 / 64))])
def test_queries_start_as_the_authors_have_them(layout, bound):
    """DDPM draws q, k, v as three layers of 16 to 16 channels; EDM as one of 16 to 48 with a gain of sqrt(0.2)."""
    weight = small(layout).middle[0].attention.qkv.weight
    assert weight.shape == (48, 16, 1, 1)
    assert 0.98 * bound < float(weight.detach().abs().max()) <= bound * (1 + 1e-6)


# Blocks


def naive_attention(x, module):
    """Pixel by pixel."""
    c = x.shape[1]
    groups = module.norm.num_groups
    h = group_norm(x, groups, module.norm.weight, module.norm.bias, 1e-6)
    triple = torch.einsum("oi,bihw->bohw", module.qkv.weight[:, :, 0, 0], h) + module.qkv.bias[:, None, None]
    y = torch.empty_like(x)
    pixels = [(i, j) for i in range(x.shape[2]) for j in range(x.shape[3])]
    for b in range(len(x)):
        for i, j in pixels:
            q = triple[b, :c, i, j]
            weights = torch.stack([(q @ triple[b, c : 2 * c, u, v] / math.sqrt(c)).exp() for u, v in pixels])
            values = torch.stack([triple[b, 2 * c :, u, v] for u, v in pixels])
            y[b, :, i, j] = module.out.weight[:, :, 0, 0] @ (weights @ values / weights.sum()) + module.out.bias
    return (x + y) * module.scale


def test_attention_is_what_the_docstring_writes():
    module = moved(Attention(8, 0.5, 1.0, generator()), scale=0.5)
    x = normal(2, 8, 3, 2)
    torch.testing.assert_close(module(x), naive_attention(x, module), rtol=0.0, atol=SUMS)


def test_attention_does_not_know_where_pixels_are():
    module, x = moved(Attention(8, 0.5, 1.0, generator()), scale=0.5), normal(2, 8, 3, 4)
    order = torch.randperm(12, generator=generator(4))
    shuffled = x.flatten(2)[:, :, order].view_as(x)
    expected = module(x).flatten(2)[:, :, order].view_as(x)
    assert not torch.allclose(expected, module(x))
    torch.testing.assert_close(module(shuffled), expected, rtol=0.0, atol=SUMS)


@pytest.mark.parametrize("resample", [residual_blocks.unchanged, halved, doubled])
def test_a_residual_block_is_what_the_docstring_writes(resample):
    block = moved(ResidualBlock(8, 12, 5, 0.0, 0.7, generator(), resample))
    x, e = normal(2, 8, 4, 6), normal(2, 5, seed=1)
    before, after = block.norms

    def normalised(h, norm):
        return silu(group_norm(h, norm.num_groups, norm.weight, norm.bias, 1e-6))

    h = conv2d(resample(normalised(x, before)), block.first.weight, block.first.bias, padding=1)
    h = h + (e @ block.shift.weight.T + block.shift.bias)[:, :, None, None]
    h = conv2d(normalised(h, after), block.last.weight, block.last.bias, padding=1)
    expected = 0.7 * (conv2d(resample(x), block.shortcut.weight, block.shortcut.bias) + h)
    torch.testing.assert_close(block(x, e, None), expected, rtol=0.0, atol=SUMS)


@pytest.mark.parametrize(("channels", "groups"), [(8, 2), (24, 6), (32, 8), (128, 32), (144, 16), (384, 32), (6, 1)])
def test_groups_have_four_channels_or_more_and_number_32_or_fewer(channels, groups):
    norm = residual_blocks.group_norm(channels)
    assert (norm.num_groups, norm.eps) == (groups, 1e-6)


@pytest.mark.parametrize(("pixels", "centres"), [(8, [1, 3, 5, 7]), (7, [0, 2, 4, 6])])
def test_the_strided_convolution_looks_where_the_original_does(pixels, centres):
    """TensorFlow's SAME at stride 2: pads an even number of pixels on the right, an odd one on both sides."""
    layer = StridedConvolution(1, generator())
    with torch.no_grad():
        layer.convolution.weight.zero_()
        layer.convolution.weight[0, 0, 1, 1] = 1.0
    image = torch.arange(float(pixels**2)).view(1, 1, pixels, pixels)
    assert torch.equal(layer(image, torch.empty(0), None), image[:, :, centres][:, :, :, centres])


def test_halving_and_doubling():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    assert torch.equal(halved(image)[0, 0], torch.tensor([[2.0, 3.5], [6.5, 8.0]]))  # an edge counts what is there
    assert torch.equal(doubled(image)[0, 0], image[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1))
    assert torch.equal(halved(doubled(image)), image)


# The whole


@layouts
@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 5, 6), (3, 9, 3), (1, 1, 1)])
def test_keeps_the_shape_of_images_of_any_size(layout, shape):
    network = layout(shape, 8, (1, 1, 2, 2), 1, (), 0.0, generator=generator())  # 28, 14, 7 and 4 pixels
    y = moved(network).eval()(normal(2, *shape), normal(2))
    assert y.shape == (2, *shape)
    assert y.dtype == torch.float64
    assert y.isfinite().all()
    assert (y != 0).all()


@layouts
def test_examples_do_not_see_each_other(layout):
    network, x, label = small_moved(layout, classes=3), normal(4, 2, 8, 8), normal(4)
    classes = torch.tensor([0, 1, 2, 0])
    y = network(x, label, classes)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(network(x[order], label[order], classes[order]), y[order], rtol=0.0, atol=SUMS)
    torch.testing.assert_close(network(x[1:2], label[1:2], classes[1:2]), y[1:2], rtol=0.0, atol=SUMS)
    told = network(x, label + torch.tensor([0.0, 0.5, 0.0, 0.0]), classes)
    changed = (told - y).abs().amax(dim=(1, 2, 3))
    assert changed[1] > 1e-3
    assert (changed[[0, 2, 3]] < SUMS).all()


@layouts
def test_the_image_the_noise_the_class_and_the_augmentation_matter(layout):
    network = small_moved(layout, classes=3, augmentations=2)
    x, label, classes, augment = normal(2, 2, 8, 8), normal(2), torch.tensor([0, 1]), normal(2, 2, seed=3)
    y = network(x, label, classes, augment)
    for other in [
        network(x + 0.1, label, classes, augment),
        network(x, label + 0.5, classes, augment),
        network(x, label, classes + 1, augment),
        network(x, label, None, augment),
        network(x, label, classes, augment + 1),
        network(x, label, classes, None),
    ]:
        assert (other - y).abs().amax() > 1e-3


def test_ddpmpp_of_mirrored_filters_mirrors_its_output():
    """Its means and repetitions have no side, at even sizes, unlike the strided convolution of `unet`."""
    network, x, label = small_moved(ddpmpp), normal(2, 2, 8, 8), normal(2)
    mirrored = copy.deepcopy(network)
    with torch.no_grad():
        for module in mirrored.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.flip(3))
    torch.testing.assert_close(mirrored(x.flip(3), label), network(x, label).flip(3), rtol=0.0, atol=SUMS)
    assert (network(x.flip(3), label) - network(x, label).flip(3)).abs().max() > 1e-3


@layouts
def test_is_a_function_of_its_arguments_and_leaves_them(layout):
    network, x, label = small_moved(layout), normal(2, 2, 8, 8), normal(2)
    before = (x.clone(), label.clone(), copy.deepcopy(network.state_dict()))
    assert torch.equal(network(x, label), network(x, label))
    assert torch.equal(x, before[0])
    assert torch.equal(label, before[1])
    assert all(torch.equal(value, before[2][name]) for name, value in network.state_dict().items())
    other = small(layout, seed=9).double().eval()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(x, label), network(x, label))


@layouts
def test_single_precision_agrees_with_double(layout):
    network, x, label = small_moved(layout), normal(2, 2, 8, 8), normal(2)
    exact = network(x, label)
    rough = network.float()(x.float(), label.float())
    assert rough.dtype == torch.float32
    # About a hundred roundings of 6e-8 in a row, of values up to the network's largest.
    torch.testing.assert_close(
        rough.double(), exact, rtol=0.0, atol=100 * 6e-8 * max(1.0, float(exact.detach().abs().max()))
    )


# Dropout


@layouts
def test_dropout_draws_from_the_generator_it_is_given_and_only_in_training(layout):
    network, x, label = small_moved(layout, dropout=0.3), normal(2, 2, 8, 8), normal(2)
    untouched, given = torch.get_rng_state(), generator(5)
    before = given.get_state()
    plain = network(x, label)
    assert torch.equal(network(x, label, generator=given), plain)
    assert torch.equal(given.get_state(), before)
    network.train()
    first, again = (network(x, label, generator=generator(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)
    assert not torch.equal(network(x, label, generator=generator(6)), first)
    assert torch.equal(torch.get_rng_state(), untouched)
    with pytest.raises(ValueError, match="needs a generator"):
        network(x, label)


@layouts
def test_without_dropout_training_draws_nothing_and_needs_no_generator(layout):
    network, x, label = small_moved(layout, dropout=0.0), normal(2, 2, 8, 8), normal(2)
    given = generator(5)
    before = given.get_state()
    evaluated = network(x, label)
    network.train()
    assert torch.equal(network(x, label, generator=given), evaluated)
    assert torch.equal(network(x, label), evaluated)
    assert torch.equal(given.get_state(), before)


@layouts
def test_every_block_drops_values_of_its_own(layout):
    network, x, label = small_moved(layout, dropout=0.5).train(), normal(2, 2, 8, 8), normal(2)
    seen = []
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            block.last.register_forward_hook(lambda module, arguments, output: seen.append(arguments[0] == 0))
    network(x, label, generator=generator())
    assert len(seen) == sum(isinstance(block, ResidualBlock) for block in network.modules())
    for number, one in enumerate(seen):
        share = float(one.double().mean())
        assert abs(share - 0.5) < 4 * math.sqrt(0.25 / one.numel())  # four standard errors
        assert not any(torch.equal(one, other) for other in seen[:number])
