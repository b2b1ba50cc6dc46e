"""RealNVP: its masks, couplings and levels are the paper's, and its density is one."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from implementations.flows.parts.bijections import Chain
from implementations.flows.parts.couplings import (
    AffineCoupling,
    BatchNormalisation,
    VectorCoupling,
    channel_halves,
    checkerboard,
)
from implementations.flows.parts.dequantisation import bits_per_dimension
from implementations.flows.parts.flow import Flow
from implementations.flows.parts.logit import Logit
from implementations.flows.parts.priors import Logistic
from implementations.flows.realnvp import METHOD, Settings, build, optimiser
from implementations.networks.resnet import ResidualNetwork, WeightNormConvolution

IMAGE = (4, 3, 2)  # channels, height, width
MASKS = {
    "checkerboard": lambda parity: checkerboard(IMAGE, parity),
    "halves": lambda parity: channel_halves(IMAGE, parity),
}
masks = pytest.mark.parametrize("name", MASKS)
SMALL = {"residual_blocks": 1, "feature_maps": 4, "hidden_units": 8, "hidden_layers": 2}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model_of(shape: tuple[int, ...], moved: float = 0.2, **settings: int | bool) -> Flow:
    """A float64 model of tiny networks, its parameters moved off their initial values."""
    model, random = build(Settings(**{**SMALL, **settings}), shape, generator()).double().eval(), generator(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(moved * torch.randn(parameter.shape, dtype=torch.float64, generator=random))
    return model


def couplings_of(model: nn.Module) -> list[AffineCoupling]:
    return [module for module in model.modules() if isinstance(module, AffineCoupling)]


def examples(count: int, dimensions: int) -> Tensor:
    return torch.rand(count, dimensions, dtype=torch.float64, generator=generator(2))


# Settings, sizes and recipe


def test_has_the_parameters_of_the_papers_cifar_model_without_allocating_them():
    """A coupling of i channels, with F features and 8 blocks: 153 F^2 + (11 i + 42) F + 4 i, and i scales of tanh.

    3 by checkerboard    i = 3,  F = 64      631,500 + 3
    3 by channels        i = 12, F = 128   2,529,072 + 12
    4 by checkerboard    i = 6,  F = 128   2,520,600 + 6
    """
    with torch.device("meta"):
        model = build(Settings(), (3, 32, 32), torch.Generator())
    assert 3 * 631_503 + 3 * 2_529_084 + 4 * 2_520_606 == 19_564_185
    assert sum(parameter.numel() for parameter in model.parameters()) == 19_564_185
    assert all(parameter.is_meta for parameter in model.parameters())


def test_defaults_are_the_papers_cifar_model():
    """Section 4.1; what it does not say is the author code's, and of vectors ours."""
    assert Settings() == Settings(
        levels=2,
        residual_blocks=8,
        feature_maps=64,
        batch_norm=True,
        alpha=0.05,
        weight_scale_penalty=5e-5,
        couplings=8,
        hidden_units=64,
        hidden_layers=2,
        batch=64,
        learning_rate=1e-3,
        gradient_clip=100.0,
        ema_half_life=None,
    )


@pytest.mark.parametrize(("levels", "expected"), [(1, [4] * 4), (3, [4] * 3 + [8] * 6 + [16] * 3 + [16] * 4)])
def test_levels_hold_the_couplings_of_the_paper_and_squeezing_doubles_the_features(levels, expected):
    model = model_of((8, 8), levels=levels)
    networks = [module for module in model.modules() if isinstance(module, ResidualNetwork)]
    assert [len(network.first.direction) for network in networks] == expected
    assert all(len(network.blocks) == 1 for network in networks)
    assert sum(isinstance(module, BatchNormalisation) for module in model.modules()) == len(expected)


def test_masks_of_a_model_alternate_checkerboards_then_halves():
    kept = [coupling.kept for coupling in couplings_of(model_of((4, 4)))]
    whole, squeezed, left = (1, 4, 4), (4, 2, 2), (2, 2, 2)
    expected = [checkerboard(whole, number % 2) for number in range(3)]
    expected += [channel_halves(squeezed, number % 2) for number in range(3)]
    expected += [checkerboard(left, number % 2) for number in range(4)]
    assert [mask.tolist() for mask in kept] == [mask.tolist() for mask in expected]


@pytest.mark.parametrize("couplings", [1, 3])
def test_settings_size_the_model_of_vectors(couplings):
    """The 3 even dimensions move the 2 odd ones first; then they take turns."""
    model = build(Settings(couplings=couplings, hidden_layers=2, hidden_units=7), (5,), generator())
    found = [module for module in model.modules() if isinstance(module, VectorCoupling)]
    assert [coupling.moves for coupling in found] == ["second", "first", "second"][:couplings]
    each = [(kept + 1) * 7 + (7 + 1) * 7 + (7 + 1) * 2 * moved + moved for kept, moved in [(3, 2), (2, 3), (3, 2)]]
    assert sum(parameter.numel() for parameter in model.parameters()) == sum(each[:couplings])


def test_the_penalty_weighs_on_the_scales_of_weight_normalisation_alone():
    """Adam adds weight_decay times g to the gradient, which is the gradient of the penalty 5e-5 g^2."""
    settings = Settings(**SMALL, learning_rate=0.01, weight_scale_penalty=0.25)
    model = build(settings, (4, 4), generator())
    others, scales = optimiser(model, settings).param_groups
    assert (others["lr"], scales["lr"], others["betas"], others["eps"]) == (0.01, 0.01, (0.9, 0.999), 1e-8)
    assert (others["weight_decay"], scales["weight_decay"]) == (0, 0.5)
    penalised = {id(layer.scale) for layer in model.modules() if isinstance(layer, WeightNormConvolution)} - {id(None)}
    assert {id(parameter) for parameter in scales["params"]} == penalised
    assert len(scales["params"]) == 10 * 2  # in each network the last of the block's, and the last
    assert {id(p) for p in others["params"]} == {id(p) for p in model.parameters()} - penalised


@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 1, 1), (3, 4), (4, 3), (3, 6, 5)])
def test_a_shape_that_cannot_be_split_is_refused(shape):
    with pytest.raises(ValueError, match=r"at least 2|does not allow"):
        build(Settings(**SMALL), shape, generator())


def test_more_levels_than_halvings_are_refused():
    build(Settings(**SMALL, levels=2), (4, 6), generator())
    with pytest.raises(ValueError, match="2 x 3 does not allow"):
        build(Settings(**SMALL, levels=3), (4, 6), generator())


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1.0}, {"weight_scale_penalty": -1e-9}, {"levels": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


# Masks and couplings


@masks
def test_masks_of_both_parities_partition_the_dimensions(name):
    even, odd = MASKS[name](0), MASKS[name](1)
    assert even.shape == IMAGE
    assert set(even.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(even + odd, torch.ones_like(even))
    assert float(even.sum()) == even.numel() / 2


def test_masks_are_what_their_names_say():
    assert checkerboard((2, 2, 3), 0).tolist() == [[[1, 0, 1], [0, 1, 0]]] * 2
    assert channel_halves((3, 1, 2), 0).tolist() == [[[1, 1]], [[0, 0]], [[0, 0]]]


class Given(nn.Module):
    """A network that returns what it is told, and remembers what it was shown."""

    def __init__(self, value: Tensor):
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        self.shown = x
        return self.value.expand(len(x), *self.value.shape)


@masks
@pytest.mark.parametrize("parity", [0, 1])
def test_a_coupling_is_its_equation(name, parity):
    """y = mask x + (1 - mask) (x exp(scale tanh(raw)) + t), entry by entry; what is kept is kept to the bit."""
    mask, random = MASKS[name](parity), generator(3)
    raw, t, x = (torch.randn(mask.shape, dtype=torch.float64, generator=random) for _ in range(3))
    coupling = AffineCoupling(Given(torch.cat([raw, t])), mask).double()
    with torch.no_grad():
        coupling.scale.copy_(torch.randn(coupling.scale.shape, dtype=torch.float64, generator=random))
    assert coupling.scale.numel() == mask.shape[0]  # one a channel
    y, logdet = (value.detach()[0] for value in coupling(x[None]))
    s = coupling.scale.detach() * raw.tanh()
    moved = mask == 0
    assert torch.equal(y[~moved], x[~moved])
    torch.testing.assert_close(y[moved], (x * s.exp() + t)[moved], rtol=0.0, atol=1e-14)  # one fused rounding
    assert float(logdet) == pytest.approx(float(s[moved].sum()), abs=1e-14)  # a sum of at most 12
    assert torch.equal(coupling.network.shown[0], x * mask)


@pytest.mark.parametrize("moves", ["first", "second"])
def test_a_coupling_of_vectors_is_its_equation(moves):
    """The first 3 dimensions and the last 2: only those kept are shown to the network, and they stay to the bit."""
    random, moved, kept = generator(3), slice(0, 3), slice(3, 5)
    if moves == "second":
        moved, kept = kept, moved
    count = 3 if moves == "first" else 2
    raw, t = torch.randn(2, count, dtype=torch.float64, generator=random)
    x = torch.randn(1, 5, dtype=torch.float64, generator=random)
    coupling = VectorCoupling(Given(torch.cat([raw, t])), 3, count, moves).double()
    with torch.no_grad():
        coupling.scale.copy_(torch.randn(count, dtype=torch.float64, generator=random))
    y, logdet = (value.detach() for value in coupling(x))
    s = coupling.scale.detach() * raw.tanh()
    assert torch.equal(y[:, kept], x[:, kept])
    torch.testing.assert_close(y[:, moved], x[:, moved] * s.exp() + t, rtol=0.0, atol=1e-14)  # one rounding
    assert float(logdet) == pytest.approx(float(s.sum()), abs=1e-14)
    assert torch.equal(coupling.network.shown, x[:, kept])


def test_a_coupling_starts_with_scales_of_one():
    assert torch.equal(VectorCoupling(nn.Identity(), 3, 2, "second").scale, torch.ones(2))
    assert torch.equal(AffineCoupling(nn.Identity(), checkerboard(IMAGE, 0)).scale, torch.ones(4, 1, 1))


def test_networks_computed_in_bfloat16_leave_the_coupling_in_float32():
    half = Given(torch.full((8, 3, 2), 0.3, dtype=torch.bfloat16))
    for y in AffineCoupling(half, checkerboard(IMAGE, 0))(torch.ones(2, *IMAGE)):
        assert y.dtype == torch.float32
    half = Given(torch.full((6,), 0.3, dtype=torch.bfloat16))
    for y in VectorCoupling(half, 3, 3, "second")(torch.ones(2, 6)):
        assert y.dtype == torch.float32


# Batch normalisation


def test_batch_normalisation_normalises_a_training_batch_and_counts_the_volume():
    layer = BatchNormalisation(3).double()
    x = 2.0 * torch.randn(6, 3, 4, 5, dtype=torch.float64, generator=generator(4)) + 1.0
    y, logdet = layer(x)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    expected = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-4).sqrt()
    torch.testing.assert_close(y, expected, rtol=0.0, atol=1e-13)  # rounding
    volume = -0.5 * 4 * 5 * (variance + 1e-4).log().sum()
    torch.testing.assert_close(logdet, volume.expand(6), rtol=0.0, atol=1e-12)  # rounding
    # The running ones start at 0 and 1 and take a tenth of the batch's.
    torch.testing.assert_close(layer.mean[:, 0, 0], 0.1 * mean, rtol=0.0, atol=1e-14)
    torch.testing.assert_close(layer.variance[:, 0, 0], 0.9 + 0.1 * variance, rtol=0.0, atol=1e-14)


def test_batch_normalisation_evaluates_with_its_running_statistics_and_keeps_them():
    layer = BatchNormalisation(2).double().eval()
    layer.mean.copy_(torch.tensor([1.0, -2.0])[:, None, None])
    layer.variance.copy_(torch.tensor([4.0, 0.25])[:, None, None])
    state = copy.deepcopy(layer.state_dict())
    y, logdet = layer(torch.tensor([3.0, -1.0], dtype=torch.float64)[None, :, None, None])
    expected = torch.tensor([2 / math.sqrt(4.0001), 1 / math.sqrt(0.2501)], dtype=torch.float64)
    torch.testing.assert_close(y[0, :, 0, 0], expected, rtol=0.0, atol=1e-14)  # rounding
    assert float(logdet) == pytest.approx(-0.5 * (math.log(4.0001) + math.log(0.2501)), abs=1e-14)
    assert list(state) == ["mean", "variance"]
    assert all(torch.equal(value, state[name]) for name, value in layer.state_dict().items())


def test_the_gradient_of_training_goes_through_the_statistics_of_the_batch():
    """A constant added to a batch, or a factor on it, is undone: the loss has no slope along them, up to eps = 1e-4."""
    layer = BatchNormalisation(1).double()
    shift, factor = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.0, 1.0))
    x = torch.randn(8, 1, 3, 3, dtype=torch.float64, generator=generator(5))
    y, _ = layer(x * factor + shift)
    (y * torch.randn(y.shape, dtype=torch.float64, generator=generator(6))).sum().backward()
    assert abs(float(shift.grad)) < 1e-12  # rounding of a sum of 72
    assert abs(float(factor.grad)) < 72 * 1e-4  # at most eps / variance of each term


# The whole model


def test_only_reorders_vectors_at_first():
    x = torch.randn(7, 5, dtype=torch.float64, generator=generator(7))
    z, logdet = model_of((5,), moved=0.0).encode(x)
    assert torch.equal(z, torch.cat([x[:, 0::2], x[:, 1::2]], dim=1))
    assert torch.equal(logdet, torch.zeros(7, dtype=torch.float64))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_starts_at_the_logit_on_images(batch_norm):
    """Up to order; an untrained batch normalisation divides by the root of 1.0001, at most 6 times an entry to leave
    at the first level and 10 times one to stay."""
    x = examples(6, 16)
    y, volume = Logit(0.05)(x)
    z, logdet = model_of((4, 4), moved=0.0, batch_norm=batch_norm).encode(x)
    shrink = 0.5 * math.log1p(1e-4) if batch_norm else 0.0
    factors = torch.tensor([math.exp(-6 * shrink)] * 8 + [math.exp(-10 * shrink)] * 8, dtype=torch.float64)
    close = {"rtol": 0.0, "atol": 1e-12}  # rounding of up to ten factors
    torch.testing.assert_close((z / factors).sort(dim=1).values, y.sort(dim=1).values, **close)
    torch.testing.assert_close(logdet, volume - 8 * (6 + 10) * shrink, **close)


@pytest.mark.parametrize(
    ("shape", "settings"), [((4, 4), {"feature_maps": 16}), ((2, 2, 2), {"levels": 1}), ((6,), {})]
)
def test_every_latent_depends_on_every_coordinate(shape, settings):
    model = model_of(shape, **settings)
    x = examples(1, math.prod(shape))[0]
    jacobian = torch.autograd.functional.jacobian(lambda v: model.encode(v[None])[0][0], x)
    assert (jacobian != 0).all()


def test_a_uniform_density_costs_the_bits_of_the_levels_and_of_the_logits_range():
    """The logit of a uniform variable is logistic: with that prior the density is 1 - alpha everywhere on [0, 1)."""
    flow = Flow(Logit(0.05), 6, Logistic())
    value = flow.log_prob(examples(9, 6))
    expected = torch.full((9,), 6 * math.log(0.95), dtype=torch.float64)
    torch.testing.assert_close(value, expected, rtol=0.0, atol=1e-12)  # rounding
    bits = bits_per_dimension(float(value[0]), 6, 256)
    assert bits == pytest.approx(8 - math.log2(0.95), abs=1e-12)


def quadrature(bins: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes and weights in each of the intervals that `bins` bound, (bins, nodes) each."""
    at, weights = (torch.from_numpy(value) for value in np.polynomial.legendre.leggauss(nodes))
    width = bins.diff()[:, None]
    return bins[:-1, None] + width * (at + 1) / 2, width * weights / 2


def mass(density, axis: Tensor, weights: Tensor) -> Tensor:
    """Of a density on pairs, over each square of intervals: (bins, bins)."""
    with torch.no_grad():
        values = density(torch.cartesian_prod(axis.flatten(), axis.flatten())).reshape(axis.numel(), axis.numel())
    weighted = values * weights.flatten()[:, None] * weights.flatten()
    return weighted.reshape(*axis.shape, *axis.shape).sum((1, 3))


@pytest.mark.parametrize("moved", [0.0, 0.2])
def test_masses_of_the_levels_sum_to_the_mass_in_the_cube(moved):
    """Two pixels of four grey levels: bins of the data on one side, the square of the logits' images on the other."""
    model = model_of((1, 2), moved, levels=1, batch_norm=False)
    reshape, logit, levels = model.bijection.bijections
    on_the_line = Flow(Chain(reshape, levels), 2)
    bins = mass(lambda x: model.log_prob(x).exp(), *quadrature(torch.linspace(0, 1, 5, dtype=torch.float64), 20))
    assert (bins > 0).all()
    edge = float(logit(torch.zeros(1, 1, dtype=torch.float64))[0])  # the image of 0; that of 1 is infinite
    outside = torch.linspace(edge, 15.0, 21, dtype=torch.float64)  # beyond 15 lies less than 1e-12
    inside = mass(lambda y: on_the_line.log_prob(y).exp(), *quadrature(outside, 6)).sum()
    # Rectifiers leave kinks, on which either rule errs by up to 4e-5 (seen against more nodes and shorter intervals).
    assert float(bins.sum()) == pytest.approx(float(inside), abs=1e-4)
    if not moved:
        assert float(bins.sum()) == pytest.approx(stats.norm.sf(math.log(0.05 / 0.95)) ** 2, abs=1e-8)


@pytest.mark.parametrize("shape", [(4, 4), (5,)])
def test_loss_is_the_mean_negative_log_density_in_nats(shape):
    """By change of variables with the prior of scipy."""
    model = model_of(shape)
    x = examples(7, math.prod(shape))
    with torch.no_grad():
        z, logdet = model.encode(x)
        expected = stats.norm.logpdf(z.numpy()).sum(1) + logdet.numpy()
        value = float(METHOD.loss(model, x, generator()))
    assert value == pytest.approx(-expected.mean(), abs=1e-12)  # rounding


def test_samples_are_the_decoded_prior_and_repeat_with_the_seed():
    model = model_of((4, 4))
    first, again, other = (model.sample(6, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    z = torch.randn(6, 16, dtype=torch.float64, generator=generator(3))
    assert torch.equal(first, model.decode(z)[0])


def test_resumed_training_ends_with_the_same_bits():
    """The running statistics travel with the state, in the networks and between the couplings."""
    settings, batches = Settings(**SMALL), examples(24, 16).float().split(6)

    def steps(model: Flow, adam: torch.optim.Optimizer, taken: range) -> None:
        for number in taken:
            adam.zero_grad()
            METHOD.loss(model, batches[number], generator()).backward()
            adam.step()

    whole = build(settings, (4, 4), generator())
    adam = optimiser(whole, settings)
    steps(whole, adam, range(2))
    saved = copy.deepcopy((whole.state_dict(), adam.state_dict()))
    steps(whole, adam, range(2, 4))

    resumed = build(settings, (4, 4), generator(9))
    other = optimiser(resumed, settings)
    resumed.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    steps(resumed, other, range(2, 4))
    state = resumed.state_dict()
    assert any("running_mean" in name for name in state)
    assert all(torch.equal(value, state[name]) for name, value in whole.state_dict().items())
