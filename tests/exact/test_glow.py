"""Glow: its size and conventions are those of the paper and its authors' code, and its density is one."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from implementations.flows.glow import METHOD, Settings, build, learning_rate_factor, optimiser
from implementations.flows.parts.actnorm import ActNorm
from implementations.flows.parts.bijections import AdditiveCoupling, Chain
from implementations.flows.parts.edge_convolution import (
    EdgeConvolution,
    NormalisedConvolution,
    ZeroConvolution,
    coupling_network,
)
from implementations.flows.parts.flow import Flow
from implementations.flows.parts.mixing import InvertibleLinear, InvertibleLinearLU, Permutation, reversal, shuffle
from implementations.flows.parts.split_coupling import SplitAffineCoupling, SplitPrior, TopPrior
from tests.exact.bijection_cases import generator, moved

SMALL = {"levels": 2, "depth": 2, "width": 6, "hidden_units": 8, "hidden_layers": 1}
SHAPES = {"images": (4, 4), "points": (5,)}
both_shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def data(count: int, *shape: int, seed: int = 1) -> Tensor:
    """Channels of different means and deviations, float64."""
    x = torch.rand(count, *shape, dtype=torch.float64, generator=generator(seed))
    return x * torch.linspace(0.2, 3.0, x[0].numel(), dtype=torch.float64).reshape(shape) + 2.0


def untrained(shape: tuple[int, ...], **settings) -> Flow:
    return build(Settings(**SMALL | settings), shape, generator(0)).double()


def small(shape: tuple[int, ...], **settings) -> Flow:
    """A float64 model that has been shown data on [0, 1), then moved off its initial values."""
    model = untrained(shape, **settings)
    model.initialise(torch.rand(64, model.dimensions, dtype=torch.float64, generator=generator(2)))
    moved(model, 3, scale=0.03)
    return model


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def close(one: Tensor, other: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)  # by default the rounding of short sums


# Size


def network_parameters(inputs: int, outputs: int, width: int) -> int:
    first = 9 * (inputs + 1) * width + 2 * width  # 3x3 filters with the channel that marks the border; actnorm
    second = width * width + 2 * width  # 1x1 filters; actnorm
    return first + second + zero_convolution_parameters(width, outputs)


def zero_convolution_parameters(inputs: int, outputs: int) -> int:
    return 9 * (inputs + 1) * outputs + 2 * outputs  # filters; bias and log-scale


def glow_parameters(levels: int, depth: int, width: int, coupling: str) -> int:
    """With 1x1 convolutions and a learned top, of colour images."""
    channels, total = 3, 0
    for level in range(levels):
        channels *= 4
        moved_channels = channels // 2
        outputs = 2 * moved_channels if coupling == "affine" else moved_channels
        step = 2 * channels + channels**2 + network_parameters(channels // 2, outputs, width)
        total += depth * step
        if level < levels - 1:
            channels //= 2
            total += zero_convolution_parameters(channels, 2 * channels)
        else:
            total += zero_convolution_parameters(2 * channels, 2 * channels)
    return total


@pytest.mark.parametrize(("coupling", "parameters"), [("affine", 44_603_604), ("additive", 38_395_668)])
def test_has_the_parameters_of_the_cifar_model_without_allocating_them(coupling, parameters):
    """Steps 32 (352,044 + 435,576 + 603,504) for affine couplings; split priors 780 + 2,856; top 84,000."""
    settings = Settings(coupling=coupling)
    with torch.device("meta"):
        model = build(settings, (3, 32, 32), torch.Generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert glow_parameters(settings.levels, settings.depth, settings.width, coupling) == parameters
    assert all(value.is_meta for value in model.state_dict().values())


@pytest.mark.parametrize("permutation", ["conv1x1_lu", "shuffle", "reverse"])
@both_shapes
def test_every_permutation_can_be_counted(permutation, shape):
    """The factors of LU take the place of W, fixed permutations have none; on the meta device nothing is drawn."""
    untouched = generator(0)
    with torch.device("meta"):
        dense = build(Settings(**SMALL), shape, untouched)
        other = build(Settings(**SMALL, permutation=permutation), shape, untouched)
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (dense, other)]
    mixing = sum(m.weight.numel() for m in dense.modules() if isinstance(m, InvertibleLinear))
    assert counts[0] - counts[1] == (0 if permutation == "conv1x1_lu" else mixing)
    assert torch.equal(untouched.get_state(), generator(0).get_state())


def test_settings_size_the_model():
    model = untrained((4, 8), levels=2, depth=3)
    count = {
        kind: sum(isinstance(m, kind) for m in model.modules()) for kind in (SplitAffineCoupling, SplitPrior, TopPrior)
    }
    assert count == {SplitAffineCoupling: 6, SplitPrior: 2, TopPrior: 1}  # the top has a split prior of its own
    assert sum(isinstance(m, ActNorm) for m in model.modules()) == 6 * 3  # one in the step, two in its network
    assert not any(isinstance(m, TopPrior) for m in untrained((4, 8), learned_top=False).modules())
    assert sum(isinstance(m, SplitAffineCoupling) for m in untrained((5,), depth=3).modules()) == 3


def test_defaults_are_those_of_the_cifar_model():
    """openai/glow, README.md and train.py."""
    assert Settings() == Settings(
        levels=3,
        depth=32,
        width=512,
        coupling="affine",
        permutation="conv1x1",
        learned_top=True,
        initial_examples=256,
        batch=8 * 64,
        learning_rate=1e-3,
        warmup_examples=10 * 50_000,
        gradient_clip=None,
        ema_half_life=None,
    )


# Activation normalisation


@pytest.mark.parametrize("shape", [(5,), (4, 3, 2)], ids=["points", "images"])
def test_actnorm_gives_its_first_batch_mean_0_and_variance_1(shape):
    x, norm = data(50, *shape), ActNorm(shape[0]).double()
    before = norm(x)[0]
    close(before, x)
    Flow(norm, torch.Size(shape).numel()).initialise(x)
    y = norm(x)[0]
    over = [0, *range(2, y.dim())]
    close(y.mean(over), torch.zeros(shape[0], dtype=torch.float64))
    # The 1e-6 that keeps scales finite is 2e-6 to 2e-5 of the deviations here.
    close(y.var(over, correction=0), torch.ones(shape[0], dtype=torch.float64), 1e-4)


@both_shapes
def test_every_actnorm_sees_what_the_earlier_ones_have_normalised(shape):
    """Those inside the networks too: on the first batch each one's own output has mean 0 and variance 1."""
    model, x = untrained(shape), torch.rand(64, math.prod(shape), dtype=torch.float64, generator=generator(4))
    outputs = []

    def record(module: nn.Module, arguments: tuple[Tensor], y: Tensor | tuple[Tensor, Tensor]) -> None:
        # A copy: the rectifier that follows works in place.
        outputs.append((y if isinstance(module, NormalisedConvolution) else y[0]).detach().clone())

    model.initialise(x)
    for module in model.modules():
        # A convolution calls its normalisation only while it is initialised.
        if isinstance(module, (ActNorm, NormalisedConvolution)):
            module.register_forward_hook(record)
    model.encode(x)
    assert len(outputs) == sum(isinstance(module, ActNorm) for module in model.modules()) > 1
    for y in outputs:
        over = [0, *range(2, y.dim())]
        close(y.mean(over), torch.zeros_like(y[0]).flatten(1).sum(1) if y.dim() > 2 else torch.zeros_like(y[0]), 1e-10)
        close(y.var(over, correction=0), torch.ones(y.shape[1], dtype=torch.float64), 1e-3)  # that 1e-6 again


@both_shapes
def test_only_initialise_sets_actnorm(shape):
    """Neither evaluating, nor sampling, nor training."""
    model = untrained(shape)
    x, before = 3.0 * torch.rand(20, model.dimensions, dtype=torch.float64, generator=generator(5)), state(model)
    for mode in (True, False):
        model.train(mode)
        z = model.encode(x)[0]
        model.decode(z)
        model.log_prob(x)
        model.sample(5, generator(6))
        METHOD.loss(model, x, generator(7)).backward()
    assert same(state(model), before)
    model.initialise(x)
    norms = [module for module in model.modules() if isinstance(module, ActNorm)]
    assert all(norm.initialised for norm in norms)
    assert not any(torch.equal(norm.log_scale, torch.zeros_like(norm.log_scale)) for norm in norms)


@both_shapes
def test_initialise_changes_actnorm_alone_and_once(shape):
    model, copy = untrained(shape), untrained(shape)
    before = state(model)
    x, other = (
        scale * torch.rand(20, model.dimensions, dtype=torch.float64, generator=generator(8)) for scale in (1, 9)
    )
    model.initialise(x)
    after = state(model)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    prefixes = {name for name, module in model.named_modules() if isinstance(module, ActNorm)}
    assert changed == {f"{name}.{value}" for name in prefixes for value in ("shift", "log_scale", "initialised")}
    model.initialise(other)
    assert same(state(model), after)
    copy.load_state_dict(after)  # as after a resumption, or for evaluation
    copy.initialise(other)
    assert same(state(copy), after)
    assert not any(getattr(module, "initialising", False) for module in model.modules())


def test_a_constant_channel_is_scaled_to_something_finite():
    x = data(10, 3)
    x[:, 1] = 0.5
    norm = ActNorm(3).double()
    Flow(norm, 3).initialise(x)
    y, logdet = norm(x)
    close(y[:, 1], torch.zeros(10, dtype=torch.float64))
    assert torch.isfinite(logdet).all()


# Mixing

MIXING = {"dense": InvertibleLinear, "LU": InvertibleLinearLU}
both_kinds = pytest.mark.parametrize("kind", MIXING.values(), ids=MIXING)


def matrix(mixing: nn.Module, size: int) -> Tensor:
    """W, column by column what the map makes of unit vectors."""
    return mixing(torch.eye(size, dtype=torch.float64))[0].detach().T


@both_kinds
def test_mixing_starts_as_a_rotation_drawn_from_the_generator(kind):
    first, again, other = (kind(6, generator(seed)) for seed in (1, 1, 2))
    assert same(state(first), state(again))
    assert not same(state(first), state(other))
    rotation = matrix(first.double(), 6)
    close(rotation @ rotation.T, torch.eye(6, dtype=torch.float64), 1e-5)  # rounding of float32, in which it is made
    close(first(torch.zeros(1, 6, dtype=torch.float64))[1], torch.zeros(1, dtype=torch.float64), 1e-5)


def test_both_kinds_start_as_the_same_rotation():
    dense, factors = (matrix(kind(6, generator(1)).double(), 6) for kind in MIXING.values())
    close(dense, factors, 1e-5)  # rounding of float32


@both_kinds
@pytest.mark.parametrize("shape", [(5,), (5, 3, 2)], ids=["points", "images"])
def test_mixing_is_its_matrix_at_every_position_and_its_determinant_times_their_number(kind, shape):
    mixing = moved(kind(5, generator(3)), 4)
    weight, x = matrix(mixing, 5), data(7, *shape)
    y, logdet = mixing(x)
    expected = torch.stack([weight @ example.reshape(5, -1) for example in x]).reshape(x.shape)
    close(y, expected)
    positions = x[0, 0].numel()
    close(logdet, (positions * torch.linalg.slogdet(weight).logabsdet).expand(7))


def test_lu_is_the_product_of_its_factors():
    """Equation 10, W = P L (U + diag(s)), with what the docstring says of `factors`."""
    mixing = moved(InvertibleLinearLU(4, generator(5)), 6)
    factors = mixing.factors.detach()
    lower, upper = torch.eye(4, dtype=torch.float64), torch.zeros(4, 4, dtype=torch.float64)
    for i in range(4):
        upper[i, i] = mixing.signs[i] * math.exp(factors[i, i])
        for j in range(4):
            if i > j:
                lower[i, j] = factors[i, j]
            elif i < j:
                upper[i, j] = factors[i, j]
    close(matrix(mixing, 4), mixing.permutation @ lower @ upper)
    assert sorted(mixing.permutation.argmax(1).tolist()) == [0, 1, 2, 3]
    close(mixing.permutation.sum(0), torch.ones(4, dtype=torch.float64), 0.0)
    assert mixing.signs.abs().tolist() == [1.0] * 4


@both_kinds
def test_bfloat16_autocast_leaves_mixing_alone(kind):
    mixing, x = kind(5, generator(7)), data(4, 5, 2, 2).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = mixing(x)[0]
        back = mixing.inverse(y)[0]
    assert torch.equal(y, mixing(x)[0])
    assert torch.equal(back, mixing.inverse(y)[0])


def test_fixed_permutations_of_channels():
    x = data(2, 6, 1, 2)
    assert torch.equal(reversal(6)(x)[0], x.flip(1))
    first, again, other = (shuffle(6, generator(seed)).order for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.sort().values.tolist() == list(range(6))


@pytest.mark.parametrize(
    ("permutation", "kind"),
    [
        ("conv1x1", InvertibleLinear),
        ("conv1x1_lu", InvertibleLinearLU),
        ("reverse", Permutation),
        ("shuffle", Permutation),
    ],
)
@both_shapes
def test_the_setting_chooses_the_permutation(permutation, kind, shape):
    model = untrained(shape, permutation=permutation)
    kinds = (InvertibleLinear, InvertibleLinearLU, Permutation)
    found = [module for module in model.modules() if isinstance(module, kinds)]
    assert {type(module) for module in found} == {kind}
    if permutation == "reverse":
        assert all(torch.equal(m.order, torch.arange(len(m.order)).flip(0)) for m in found)
    if permutation == "shuffle":
        assert any(not torch.equal(m.order, torch.arange(len(m.order)).flip(0)) for m in found)


# Networks


def test_the_border_is_a_further_input_channel():
    """Against a convolution over the padded image with a channel that is 1 on the padding and 0 inside."""
    convolution = moved(EdgeConvolution(3, 4), 8)
    x = data(5, 3, 4, 6)
    border = pad(torch.zeros(1, 1, 4, 6, dtype=torch.float64), (1, 1, 1, 1), value=1.0).expand(5, -1, -1, -1)
    filters = torch.cat([convolution.weight, convolution.edge], dim=1)
    close(convolution(x), conv2d(torch.cat([pad(x, (1, 1, 1, 1)), border], dim=1), filters))


def test_a_zero_convolution_scales_after_its_bias():
    convolution = moved(ZeroConvolution(3, 4), 9)
    x = data(5, 3, 2, 2)
    sums = convolution.convolution(x) + convolution.bias[:, None, None]
    close(convolution(x), sums * (3.0 * convolution.log_scale).exp()[:, None, None])


def test_networks_start_at_zero_with_filters_of_the_authors_deviation():
    network = coupling_network(6, 12, 64, generator(1))
    assert torch.equal(network(data(3, 6, 4, 4).float()), torch.zeros(3, 12, 4, 4))
    drawn = [p for m in network if isinstance(m, NormalisedConvolution) for p in m.convolution.parameters()]
    assert [p.shape[1:].numel() for p in drawn] == [54, 9, 64]  # 3x3 of 6 channels, its border, 1x1 of 64
    for filters in drawn:
        # Five standard errors of a deviation, 1 / sqrt(2 n), at a fixed seed.
        assert float(filters.detach().std()) == pytest.approx(0.05, rel=5 / math.sqrt(2 * filters.numel()))


# Couplings and priors


class Given(nn.Module):
    """A network of known answers."""

    def __init__(self, h: Tensor):
        super().__init__()
        self.h = h

    def forward(self, x: Tensor) -> Tensor:
        return self.h


def test_affine_coupling_shifts_before_it_scales_even_channels_and_odd_ones():
    h, x = torch.randn(5, 6, dtype=torch.float64, generator=generator(10)), data(5, 5)
    y, logdet = SplitAffineCoupling(Given(h), 2)(x)
    assert torch.equal(y[:, :2], x[:, :2])
    for moved_channel in range(3):
        scale = 1 / (1 + (-h[:, 2 * moved_channel + 1] - 2).exp())
        close(y[:, 2 + moved_channel], (x[:, 2 + moved_channel] + h[:, 2 * moved_channel]) * scale)
    close(logdet, (1 / (1 + (-h[:, 1::2] - 2).exp())).log().sum(1))


def test_affine_coupling_starts_at_one_scale():
    coupling = SplitAffineCoupling(coupling_network(2, 4, 8, generator(11)), 2).double()
    x = data(5, 4, 2, 2)
    y, logdet = coupling(x)
    scale = 1 / (1 + math.exp(-2))
    close(y, torch.cat([x[:, :2], scale * x[:, 2:]], dim=1))
    close(logdet, torch.full((5,), 8 * math.log(scale), dtype=torch.float64))


def test_additive_coupling_keeps_volume_and_the_rest_of_a_level_scales_all_alike():
    """With one level no prior of a split depends on the image: the log-determinant is one number."""
    coupling = moved(AdditiveCoupling(coupling_network(2, 2, 8, generator(12)), 2, "second"), 13)
    assert torch.equal(coupling(data(5, 4, 2, 2))[1], torch.zeros(5, dtype=torch.float64))
    x = torch.rand(6, 16, dtype=torch.float64, generator=generator(14))
    additive, affine = (small((4, 4), levels=1, coupling=kind).encode(x)[1] for kind in ("additive", "affine"))
    close(additive, additive[:1].expand(6), 1e-10)  # rounding of some tens of terms
    assert float(affine.detach().std()) > 1e-3


def test_split_prior_is_a_normal_density_given_what_stays():
    prior = moved(SplitPrior(2, 3), 15, scale=0.05)
    out, given = data(5, 3, 2, 2), data(5, 2, 2, 2, seed=16)
    h = prior.network(given)
    z, logdet = prior(out, given)
    normal = torch.distributions.Normal(h[:, 0::2], h[:, 1::2].exp())
    standard = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
    expected = normal.log_prob(out).flatten(1).sum(1)
    torch.testing.assert_close(standard.log_prob(z).flatten(1).sum(1) + logdet, expected, rtol=1e-12, atol=1e-12)


def test_top_prior_differs_at_the_border_and_not_by_image():
    prior, x = moved(TopPrior(3), 17), data(4, 3, 5, 5)
    zero = prior(torch.zeros_like(x))[0]
    close(zero, zero[:1].expand(4, -1, -1, -1))
    inside = zero[:, :, 1:-1, 1:-1]
    close(inside, inside[:, :, :1, :1].expand_as(inside))
    assert float((zero[:, :, 0, 0] - zero[:, :, 2, 2]).detach().abs().min()) > 1e-3
    scale = prior(x + 1.0)[0] - prior(x)[0]
    log_scale = scale.log().flatten(1).sum(1)
    close(prior(x)[1], log_scale)


def test_filters_over_the_zeros_of_the_top_get_a_gradient_of_zero():
    prior = moved(TopPrior(2), 18)
    (prior(data(4, 2, 3, 3))[0].square().sum() + prior(data(4, 2, 3, 3))[1].sum()).backward()
    convolution = prior.prior.network.convolution
    assert torch.equal(convolution.weight.grad, torch.zeros_like(convolution.weight))
    around = torch.tensor([number for number in range(9) if number != 4])  # the middle tap never lies on the border
    assert float(convolution.edge.grad.flatten(1)[:, around].abs().min()) > 0.0


# The whole


def test_images_are_centred_and_points_are_not():
    x = torch.rand(3, 16, dtype=torch.float64, generator=generator(19))
    first = small((4, 4)).bijection.bijections[0]
    y, logdet = first(x)
    close(y, x - 0.5)
    assert torch.equal(logdet, torch.zeros(3, dtype=torch.float64))
    assert isinstance(small((5,)).bijection.bijections[0], Chain)  # a step at once


def test_density_of_two_dimensions_has_mass_one():
    axis = torch.linspace(-6.0, 7.0, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = small((2,)).log_prob(grid).exp().reshape(801, 801)
    mass = torch.trapezoid(torch.trapezoid(density, axis), axis)
    # Rectifiers leave kinks, on which the rule errs by up to 1e-5 at such steps; a mistake is off by tens of per cent.
    assert float(mass) == pytest.approx(1.0, abs=1e-4)


def test_density_of_four_pixels_has_mass_one():
    """Through the squeeze, a step and the top prior, against a wide normal density on the same draws."""
    model = small((2, 2), levels=1)
    with torch.no_grad():
        z = 0.5 + 1.0 * torch.randn(200_000, 4, dtype=torch.float64, generator=generator(20))
        wide = torch.distributions.Normal(0.5, 1.0).log_prob(z).sum(1)
        ratios = (model.log_prob(z) - wide).exp()
    error = float(ratios.std()) / math.sqrt(len(z))
    assert error < 0.05
    assert abs(float(ratios.mean()) - 1.0) < 5 * error  # five standard errors, at a fixed seed


def test_loss_is_the_mean_negative_log_density_in_nats():
    model = small((4, 4))
    x = torch.rand(7, 16, dtype=torch.float64, generator=generator(21))
    with torch.no_grad():
        z, logdet = model.encode(x)
        expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + logdet
        assert float(METHOD.loss(model, x, generator(22))) == pytest.approx(
            -float(expected.mean()), abs=1e-12
        )  # rounding


@both_shapes
def test_bfloat16_autocast_rounds_the_networks_alone(shape):
    """Latents and log-determinants stay float32, and near those without autocast."""
    model, x = small(shape).float(), torch.rand(6, math.prod(shape), generator=generator(23))
    with torch.no_grad():
        z, logdet = model.encode(x)
        with torch.autocast("cpu", torch.bfloat16):
            rounded, rounded_logdet = model.encode(x)
    assert (rounded.dtype, rounded_logdet.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(rounded, z)
    # bfloat16 errs by 0.4 % of a network's answers, which are small here; seen 0.003 and 0.002.
    close(rounded, z, 0.02)
    close(rounded_logdet, logdet, 0.02)


def test_warm_up_is_linear_from_zero():
    settings = Settings(warmup_examples=1000)
    assert [learning_rate_factor(settings, images) for images in (0, 1, 250, 1000, 1001, 10**9)] == [
        0.0, 0.001, 0.25, 1.0, 1.0, 1.0,
    ]  # fmt: skip
    assert learning_rate_factor(Settings(warmup_examples=0), 0) == 1.0


def test_optimiser_takes_every_setting_and_every_parameter():
    settings = Settings(**SMALL, learning_rate=0.01, beta1=0.5, beta2=0.6)
    model = build(settings, (4, 4), generator(0))
    (group,) = optimiser(model, settings).param_groups
    assert (group["lr"], group["betas"]) == (0.01, (0.5, 0.6))
    assert {id(parameter) for parameter in group["params"]} == {id(parameter) for parameter in model.parameters()}


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((1,), "at least 2 dimensions"), ((6, 6), "use fewer levels"), ((2, 2, 2, 2), "an image has the shape")],
)
def test_shapes_that_cannot_be_modelled_are_refused(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(Settings(**SMALL), shape, generator(0))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"initial_examples": 1}, "initial_examples"),
        ({"warmup_examples": -1}, "warmup_examples"),
        ({"depth": 0}, "depth must be above 0"),
        ({"gradient_clip": 0.0}, "gradient_clip must be above 0"),
        ({"beta2": 1.0}, "beta1 and beta2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**settings)
