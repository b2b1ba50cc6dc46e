"""Layers and whole models against nflows 0.14, with the same weights in both. It maps from data to latent, as we do.

Its affine coupling has the scale sigmoid(u + 2) + 0.001, without a choice. Ours have others, so one of the two networks
is composed with the function that makes the scales equal: nothing is left out of the comparison, and the tolerance is
that of rounding. Not compared: its `NaiveLinear`, whose inverse needs torch.solve, which torch no longer has.
"""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from implementations.flows import nice, realnvp
from implementations.flows.parts.actnorm import ActNorm
from implementations.flows.parts.bijections import AdditiveCoupling, EvenFirst
from implementations.flows.parts.couplings import AffineCoupling, BatchNormalisation, VectorCoupling, channel_halves
from implementations.flows.parts.logit import Logit
from implementations.flows.parts.mixing import InvertibleLinear, InvertibleLinearLU, Permutation
from implementations.flows.parts.multiscale import Squeeze
from implementations.flows.parts.split_coupling import SplitAffineCoupling
from implementations.networks.mlp import mlp
from tests.parity.conftest import agree, close, normal, spread

DIMENSIONS = 6
IMAGE = (4, 6, 6)
SMALLEST = 1e-3  # of their scales


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Theirs(nn.Module):
    """A function of the features that a coupling keeps, in place of their network, which gets a context too: None."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, kept: Tensor, context: None) -> Tensor:
        return self.function(kept)


def coupling(kind: type[nn.Module], mask: list[int], function) -> nn.Module:
    """Theirs of the given kind; a 1 of the mask is moved, where ours is kept."""
    return kind(torch.tensor(mask), lambda inputs, outputs: Theirs(function)).double()


def unconstrained(scale: Tensor) -> Tensor:
    """The u with sigmoid(u + 2) + 0.001 = scale."""
    assert ((scale > SMALLEST) & (scale < 1.0 + SMALLEST)).all(), "no u gives such a scale"
    return torch.logit(scale - SMALLEST) - 2.0


# NICE


@pytest.fixture
def model() -> nn.Module:
    settings = nice.Settings(hidden_units=16, hidden_layers=2, prior="gaussian")
    return spread(nice.build(settings, (DIMENSIONS,), generator()))


def additive(nflows, ours: AdditiveCoupling) -> nn.Module:
    """Between coordinates in their own order, of which our first part is the even ones."""
    moves_even = ours.moves == "first"
    mask = [int((place % 2 == 0) == moves_even) for place in range(DIMENSIONS)]
    return coupling(nflows.transforms.AdditiveCouplingTransform, mask, ours.network)


def test_each_additive_coupling_agrees(nflows, model):
    reorder, x = EvenFirst(), normal(50, DIMENSIONS)
    couplings = [part for part in model.modules() if isinstance(part, AdditiveCoupling)]
    assert len(couplings) == 4
    for ours in couplings:
        theirs = additive(nflows, ours)
        for direction in ("forward", "inverse"):
            value, logdet = getattr(ours, direction)(reorder(x)[0])
            agree((reorder.inverse(value)[0], logdet), getattr(theirs, direction)(x))


def test_the_density_of_nice_agrees(nflows, model):
    reorder, x = EvenFirst(), normal(50, DIMENSIONS)
    _, *couplings, diagonal = model.bijection.bijections
    scale = reorder.inverse(diagonal.log_scale[None])[0][0].exp()
    transforms = [additive(nflows, ours) for ours in couplings]
    transforms.append(nflows.transforms.PointwiseAffineTransform(shift=torch.zeros_like(scale), scale=scale))
    base = nflows.distributions.StandardNormal([DIMENSIONS])
    theirs = nflows.flows.Flow(nflows.transforms.CompositeTransform(transforms), base)
    close(model.log_prob(x), theirs.log_prob(x))
    close(reorder.inverse(model.encode(x)[0])[0], theirs.transform_to_noise(x))


# affine couplings


def contracting(ours: nn.Module, last: nn.Module) -> nn.Module:
    """With s below 0, as their scale is at most 1.001: small weights and a bias before the tanh, a positive scale."""
    half = len(last.bias) // 2
    last.weight[:half] *= 0.2
    last.bias[:half] = -1.5
    ours.scale.abs_()
    return ours


@pytest.mark.parametrize("moves", ["first", "second"])
def test_an_affine_coupling_of_vectors_agrees(nflows, moves):
    half = DIMENSIONS // 2
    network = mlp(half, 2 * half, 16, 2, generator())
    ours = contracting(spread(VectorCoupling(network, half, half, moves)), network[-1])

    def function(kept: Tensor) -> Tensor:
        s, t = ours._affine(kept)
        return torch.cat([t, unconstrained(s.exp())], dim=1)

    mask = [1] * half + [0] * half if moves == "first" else [0] * half + [1] * half
    theirs = coupling(nflows.transforms.AffineCouplingTransform, mask, function)
    x = normal(50, DIMENSIONS)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


def test_an_affine_coupling_of_images_agrees(nflows):
    network = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 8, 3, padding=1))
    ours = contracting(spread(AffineCoupling(network, channel_halves(IMAGE, 0))), network[-1])

    def function(kept: Tensor) -> Tensor:
        s, t = ours._affine(torch.cat([kept, torch.zeros_like(kept)], dim=1))
        return torch.cat([t[:, 2:], unconstrained(s[:, 2:].exp())], dim=1)

    theirs = coupling(nflows.transforms.AffineCouplingTransform, [0, 0, 1, 1], function)
    x = normal(5, *IMAGE)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


def test_an_affine_coupling_of_glow_agrees(nflows):
    """(x + shift) * sigmoid(h + 2) is x * scale + shift * scale, with a scale below 1, which theirs can have."""
    network = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 4, 3, padding=1))
    ours = spread(SplitAffineCoupling(network, 2))

    def function(kept: Tensor) -> Tensor:
        h = ours.network(kept)
        scale = torch.sigmoid(h[:, 1::2] + 2.0)
        return torch.cat([h[:, 0::2] * scale, unconstrained(scale)], dim=1)

    theirs = coupling(nflows.transforms.AffineCouplingTransform, [0, 0, 1, 1], function)
    x = normal(5, *IMAGE)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


class Ours(nn.Module):
    """Their network as one of ours, from what is kept to raw and t: s = 10 tanh(raw) is the log of their scale.

    As |s| is below 7 for them, its tanh stays below 0.7.
    """

    def __init__(self, theirs: nn.Module):
        super().__init__()
        self.theirs = theirs

    def forward(self, kept: Tensor) -> Tensor:
        t, u = self.theirs.transform_net(kept).chunk(2, dim=1)
        return torch.cat([torch.atanh((torch.sigmoid(u + 2.0) + SMALLEST).log() / 10.0), t], dim=1)


def test_their_whole_realnvp_agrees(nflows):
    """`SimpleRealNVP` as it stands, its weights in our model; the first coupling of both keeps the even dimensions."""
    theirs = nflows.flows.SimpleRealNVP(DIMENSIONS, hidden_features=16, num_layers=4, num_blocks_per_layer=2)
    theirs = spread(theirs, 0.1)
    ours = realnvp.build(realnvp.Settings(couplings=4), (DIMENSIONS,), generator())
    reorder, *couplings = ours.bijection.bijections
    for mine, other in zip(couplings, theirs._transform._transforms, strict=True):
        mine.network = Ours(other)
        mine.scale = nn.Parameter(torch.full_like(mine.scale, 10.0))
    ours = ours.double().requires_grad_(False)
    x = normal(50, DIMENSIONS)
    close(ours.log_prob(x), theirs.log_prob(x))
    z, logdet = ours.encode(x)
    agree((reorder.inverse(z)[0], logdet), theirs._transform(x))
    agree(ours.decode(reorder(x)[0]), theirs._transform.inverse(x))


# normalisation


@pytest.mark.parametrize("shape", [(DIMENSIONS,), IMAGE])
def test_actnorm_agrees(nflows, shape):
    """(x + shift) exp(3 log_scale) in ours is x exp(log_scale) + shift in theirs."""
    ours = spread(ActNorm(shape[0]))
    theirs = nflows.transforms.ActNorm(shape[0]).double().eval().requires_grad_(False)
    theirs.log_scale.copy_(3.0 * ours.log_scale)
    theirs.shift.copy_(ours.shift * theirs.scale)
    x = normal(5, *shape)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


def test_batch_normalisation_agrees(nflows):
    """Theirs on vectors, and here with weight 1 and bias 0, ours on images of one pixel; both by running moments."""
    ours = BatchNormalisation(DIMENSIONS).double().eval()
    ours.mean.copy_(normal(DIMENSIONS, 1, 1))
    ours.variance.copy_(normal(DIMENSIONS, 1, 1, seed=1).square())
    theirs = nflows.transforms.BatchNorm(DIMENSIONS, eps=ours.eps).double().eval().requires_grad_(False)
    theirs.unconstrained_weight.copy_(torch.full((DIMENSIONS,), 1.0 - ours.eps, dtype=torch.float64).expm1().log())
    theirs.running_mean.copy_(ours.mean.flatten())
    theirs.running_var.copy_(ours.variance.flatten())
    x = normal(50, DIMENSIONS)
    for direction in ("forward", "inverse"):
        value, logdet = getattr(ours, direction)(x[..., None, None])
        agree((value[..., 0, 0], logdet), getattr(theirs, direction)(x))


# mixing, squeezing, logit


@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated")
def test_a_1x1_convolution_agrees(nflows):
    """Theirs is L U after a permutation of the channels, ours is given the product; the bias of theirs has to be 0."""
    theirs, order = spread(nflows.transforms.OneByOneConvolution(IMAGE[0])), torch.tensor([2, 0, 3, 1])
    theirs.permutation._permutation.copy_(order)
    theirs.bias.zero_()
    ours = InvertibleLinear(IMAGE[0], generator()).double().requires_grad_(False)
    ours.weight.copy_(theirs.weight() @ torch.eye(IMAGE[0], dtype=torch.float64)[order])
    x = normal(5, *IMAGE)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated")
def test_a_factored_matrix_agrees(nflows):
    """Ours is P L U; theirs is L U with a positive diagonal softplus(d) + 0.001, and P a permutation that follows."""
    ours = spread(InvertibleLinearLU(DIMENSIONS, generator()), 0.1)
    ours.signs.fill_(1.0)
    linear = nflows.transforms.LULinear(DIMENSIONS).double().requires_grad_(False)
    lower, upper = torch.tril_indices(DIMENSIONS, DIMENSIONS, -1), torch.triu_indices(DIMENSIONS, DIMENSIONS, 1)
    linear.lower_entries.copy_(ours.factors[lower[0], lower[1]])
    linear.upper_entries.copy_(ours.factors[upper[0], upper[1]])
    diagonal = ours.factors.diagonal().exp() - linear.eps
    linear.unconstrained_upper_diag.copy_(diagonal.expm1().log())  # the inverse of softplus
    close(softplus(linear.unconstrained_upper_diag), diagonal)
    order = ours.permutation.argmax(dim=1)
    assert not torch.equal(order, torch.arange(DIMENSIONS))
    theirs = nflows.transforms.CompositeTransform([linear, nflows.transforms.Permutation(order)])
    x = normal(50, DIMENSIONS)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


def test_permutations_agree(nflows):
    order = torch.tensor([2, 0, 3, 1])
    ours, theirs, x = Permutation(order), nflows.transforms.Permutation(order), normal(5, *IMAGE)
    agree(ours(x), theirs(x), 0.0)
    agree(ours.inverse(x), theirs.inverse(x), 0.0)


def test_squeezing_agrees_in_the_order_of_channels_too(nflows):
    ours, theirs, x = Squeeze(), nflows.transforms.SqueezeTransform(), normal(5, *IMAGE)
    agree(ours(x), theirs(x), 0.0)
    agree(ours.inverse(x[:, :, :3, :3]), theirs.inverse(x[:, :, :3, :3]), 0.0)


def test_the_logit_agrees(nflows):
    """Their logit of alpha + (1 - alpha) x; it moves what is within 1e-6 of 0 and 1, where no x is here."""
    ours = Logit(0.05)
    shift, scale = torch.tensor([0.05, 0.95], dtype=torch.float64)  # of numbers they make float32
    affine = nflows.transforms.PointwiseAffineTransform(shift, scale)
    theirs = nflows.transforms.CompositeTransform([affine, nflows.transforms.Logit()])
    x = torch.rand(50, DIMENSIONS, dtype=torch.float64, generator=generator())
    agree(ours(x), theirs(x))
    agree(ours.inverse(ours(x)[0]), theirs.inverse(ours(x)[0]))
