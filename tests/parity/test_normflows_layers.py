"""Layers and whole models against normflows, with the same weights in both.

normflows maps from latent to data, so that its `inverse` is our `forward`. Its Logit is not among the layers: it takes
alpha + (1 - 2 alpha) x into the unit interval, ours alpha + (1 - alpha) x, and the two agree only where alpha is 0.
"""

import copy

import pytest
import torch
from torch import Tensor, nn

from implementations.flows import glow, realnvp
from implementations.flows.parts.actnorm import ActNorm
from implementations.flows.parts.bijections import EvenFirst
from implementations.flows.parts.couplings import AffineCoupling, VectorCoupling, channel_halves, checkerboard
from implementations.flows.parts.mixing import InvertibleLinear, InvertibleLinearLU
from implementations.flows.parts.multiscale import Squeeze
from implementations.flows.planar import Planar
from implementations.flows.radial import Radial
from implementations.networks.mlp import mlp
from tests.exact.cases_planar import one_planar
from tests.parity.conftest import agree, close, normal, spread

DIMENSIONS = 6
IMAGE = (4, 6, 6)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# planar and radial


def their_planar(normflows, u: Tensor, w: Tensor, b: Tensor) -> nn.Module:
    """Copies, since their constructor keeps the tensors it is given."""
    return normflows.flows.Planar((len(u),), u=u[None].clone(), w=w[None].clone(), b=b[None].clone())


@pytest.mark.parametrize("product", [-6.0, -1.0, 0.0, 1.0, 6.0])
def test_a_planar_map_agrees(normflows, product):
    """For every sign and size of w.u up to 6, beyond which they lose digits in log(1 + exp(w.u)) - w.u."""
    u, w, b, z = normal(DIMENSIONS), normal(DIMENSIONS, seed=1), normal(1, seed=2)[0], normal(50, DIMENSIONS, seed=3)
    u = u + (product - w @ u) / (w @ w) * w
    with torch.no_grad():
        agree(one_planar(z, u, w, b), their_planar(normflows, u, w, b)(z))


def test_planar_maps_in_a_row_agree_and_ours_invert_theirs(normflows):
    ours = spread(Planar(normal(4, DIMENSIONS), normal(4, DIMENSIONS, seed=1), normal(4, seed=2)))
    z = normal(50, DIMENSIONS, seed=3)
    value, total = z, torch.zeros(50, dtype=z.dtype)
    with torch.no_grad():
        for u, w, b in zip(ours.u, ours.w, ours.b, strict=True):
            value, logdet = their_planar(normflows, u, w, b)(value)
            total = total + logdet
    agree(ours.inverse(z), (value, total))
    agree(ours(value), (z, -total))


def test_a_planar_map_stays_finite_where_theirs_overflows(normflows):
    """Theirs takes exp(w.u), ours a softplus: the reason why no larger w.u is compared."""
    u = w = torch.full((4,), 15.0, dtype=torch.float64)  # w.u = 900
    z = normal(3, 4)
    with torch.no_grad():
        value, logdet = their_planar(normflows, u, w, torch.zeros((), dtype=torch.float64))(z)
    assert not torch.isfinite(value).any()
    assert not torch.isfinite(logdet).any()
    assert all(torch.isfinite(each).all() for each in one_planar(z, u, w, torch.zeros((), dtype=torch.float64)))


def test_radial_maps_in_a_row_agree_and_ours_invert_theirs(normflows):
    """Theirs takes |alpha| where ours takes softplus(alpha_raw), and the same softplus for beta."""
    ours = spread(Radial(normal(4, DIMENSIONS), normal(4, seed=1), normal(4, seed=2)))
    z = normal(50, DIMENSIONS, seed=3)
    value, total = z, torch.zeros(50, dtype=z.dtype)
    for centre, alpha_raw, beta_raw in zip(ours.centre, ours.alpha_raw, ours.beta_raw, strict=True):
        theirs = normflows.flows.Radial((DIMENSIONS,), z_0=centre[None].clone()).double().requires_grad_(False)
        theirs.alpha.copy_(nn.functional.softplus(alpha_raw)[None])
        theirs.beta.copy_(beta_raw[None])
        value, logdet = theirs(value)
        total = total + logdet
    agree(ours.inverse(z), (value, total))
    agree(ours(value), (z, -total))


# affine couplings


class Output(nn.Module):
    """One half of what our network says of what is kept, as a network of a masked flow."""

    def __init__(self, coupling: AffineCoupling, which: int):
        super().__init__()
        self.coupling = coupling
        self.which = which

    def forward(self, kept: Tensor) -> Tensor:
        raw, t = self.coupling.network(kept).chunk(2, dim=1)
        return (self.coupling.scale * raw.tanh(), t)[self.which]


def convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, outputs, 3, padding=1))


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("make", [checkerboard, channel_halves])
def test_an_affine_coupling_of_images_agrees(normflows, make, parity):
    ours = spread(AffineCoupling(convolution(IMAGE[0], 2 * IMAGE[0]), make(IMAGE, parity)))
    theirs = normflows.flows.MaskedAffineFlow(ours.kept, s=Output(ours, 0), t=Output(ours, 1))
    x = normal(5, *IMAGE)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


class Interleaved(nn.Module):
    """Their block's network, which gives shifts at even and log-scales at odd channels."""

    def __init__(self, coupling: AffineCoupling | VectorCoupling, turned: bool = False):
        """`turned` gives the inverse map: x exp(s) + t = (x - shift) exp(s) with shift = -t exp(-s)."""
        super().__init__()
        self.coupling = coupling
        self.turned = turned

    def forward(self, kept: Tensor) -> Tensor:
        count = kept.shape[1]
        if isinstance(self.coupling, AffineCoupling):  # of the first half of the channels
            s, t = self.coupling._affine(torch.cat([kept, torch.zeros_like(kept)], dim=1))
            s, t = s[:, count:], t[:, count:]
        else:
            s, t = self.coupling._affine(kept)
        if self.turned:
            s, t = -s, -t * (-s).exp()
        return torch.stack([t, s], dim=2).flatten(1, 2)


def test_an_affine_coupling_of_halves_agrees_with_their_block(normflows):
    ours = spread(AffineCoupling(convolution(IMAGE[0], 2 * IMAGE[0]), channel_halves(IMAGE, 0)))
    theirs = normflows.flows.AffineCouplingBlock(Interleaved(ours), scale_map="exp")
    x = normal(5, *IMAGE)
    agree(ours(x), theirs(x))
    agree(ours.inverse(x), theirs.inverse(x))


def block(normflows, coupling: VectorCoupling, turned: bool = False) -> nn.Module:
    """Their split `channel` moves the second half."""
    mode = "channel" if coupling.moves == "second" else "channel_inv"
    return normflows.flows.AffineCouplingBlock(Interleaved(coupling, turned), scale_map="exp", split_mode=mode)


def test_an_affine_coupling_of_vectors_agrees(normflows):
    half = DIMENSIONS // 2
    for moves in ("first", "second"):
        ours = spread(VectorCoupling(mlp(half, 2 * half, 16, 2, generator()), half, half, moves))
        theirs, x = block(normflows, ours), normal(50, DIMENSIONS)
        agree(ours(x), theirs(x))
        agree(ours.inverse(x), theirs.inverse(x))


def test_realnvp_of_vectors_agrees(normflows):
    """Of reordered vectors: encoding by their flows in our order; the density by them turned round, in theirs."""
    settings = realnvp.Settings(couplings=4, hidden_units=16)
    model = spread(realnvp.build(settings, (DIMENSIONS,), generator()))
    (_, *couplings), x = model.bijection.bijections, normal(50, DIMENSIONS)
    reordered = EvenFirst()(x)[0]
    value, total = reordered, torch.zeros(50, dtype=x.dtype)
    for coupling in couplings:
        value, logdet = block(normflows, coupling)(value)
        total = total + logdet
    agree(model.encode(x), (value, total))
    base = normflows.distributions.DiagGaussian(DIMENSIONS, trainable=False).double()
    flows = [block(normflows, coupling, turned=True) for coupling in reversed(couplings)]
    close(model.log_prob(x), normflows.NormalizingFlow(base, flows).log_prob(reordered))


# the parts of a step of Glow


def their_actnorm(normflows, ours: ActNorm, shape: tuple[int, ...]) -> nn.Module:
    """Its `inverse`, (z - t) exp(-s), is our (x + shift) exp(3 log_scale); it may not start from data any more."""
    theirs = normflows.flows.ActNorm(shape).double().requires_grad_(False)
    theirs.s.copy_(-3.0 * ours.log_scale.reshape(theirs.s.shape))
    theirs.t.copy_(-ours.shift.reshape(theirs.t.shape))
    theirs.data_dep_init_done.fill_(1.0)
    return theirs


@pytest.mark.parametrize("shape", [(DIMENSIONS,), IMAGE])
def test_actnorm_agrees(normflows, shape):
    ours = spread(ActNorm(shape[0]))
    theirs = their_actnorm(normflows, ours, (shape[0], *[1] * (len(shape) - 1)))
    x = normal(5, *shape)
    agree(ours(x), theirs.inverse(x))
    agree(ours.inverse(x), theirs(x))


def test_actnorm_starts_from_the_same_batch_alike(normflows):
    """Up to their variance, which divides by n - 1 where ours divides by n."""
    x = 3.0 * normal(5, *IMAGE) + 2.0
    ours = ActNorm(IMAGE[0]).double()
    ours.initialising = True
    theirs = normflows.flows.ActNorm((IMAGE[0], 1, 1)).double()
    with torch.no_grad():
        ours(x)
        theirs(x)
    n = x[:, 0].numel()
    close(ours.shift.detach(), (theirs.t * (-theirs.s).exp()).detach().flatten())
    our_deviation, their_deviation = (-3.0 * ours.log_scale).exp() - 1e-6, (-theirs.s).exp() - 1e-6
    close(our_deviation.detach(), ((1 - 1 / n) ** 0.5 * their_deviation).detach().flatten())


def load_mixing(theirs: nn.Module, ours: nn.Module) -> None:
    if isinstance(ours, InvertibleLinear):
        theirs.W.copy_(ours.weight)
        return
    theirs.P.copy_(ours.permutation)
    theirs.sign_S.copy_(ours.signs)
    theirs.log_S.copy_(ours.factors.diagonal())
    theirs.L.copy_(ours.factors.tril(-1))
    theirs.U.copy_(ours.factors.triu(1))


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@pytest.mark.parametrize("lu", [False, True])
def test_a_1x1_convolution_agrees(normflows, lu):
    ours = spread((InvertibleLinearLU if lu else InvertibleLinear)(IMAGE[0], generator()), 0.1)
    theirs = normflows.flows.Invertible1x1Conv(IMAGE[0], use_lu=lu).double().requires_grad_(False)
    load_mixing(theirs, ours)
    x = normal(5, *IMAGE)
    agree(ours(x), theirs.inverse(x))
    agree(ours.inverse(x), theirs(x))


def turned(network: nn.Module, channels: slice) -> nn.Module:
    """A copy whose given output channels have the other sign: they subtract the shift that we add."""
    network = copy.deepcopy(network)
    for values in network.net[-1].parameters():
        values[channels].neg_()
    return network


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@pytest.mark.parametrize("coupling", ["affine", "additive"])
@pytest.mark.parametrize("permutation", ["conv1x1", "conv1x1_lu"])
def test_a_step_of_glow_agrees_with_their_block(normflows, permutation, coupling):
    """Scale sigmoid(h + 2) after the shift in both. Their network has no border channel, so ours is replaced by it."""
    affine, lu = coupling == "affine", permutation == "conv1x1_lu"
    theirs = normflows.flows.GlowBlock(IMAGE[0], 8, scale=affine, init_zeros=False, use_lu=lu)
    theirs = spread(theirs, 0.1)
    block, convolution, _ = theirs.flows
    network = turned(block.flows[1].param_map, slice(0, None, 2 if affine else 1))
    settings = glow.Settings(permutation=permutation, coupling=coupling)
    ours = glow.step(settings, IMAGE[0], lambda inputs, outputs: network, generator()).double().requires_grad_(False)
    norm, mixing, _ = ours.bijections
    spread(norm)
    load_mixing(convolution, mixing)
    theirs.flows[2] = their_actnorm(normflows, norm, (IMAGE[0], 1, 1))
    x = normal(5, *IMAGE)
    agree(ours(x), theirs.inverse(x))
    agree(ours.inverse(x), theirs(x))


def test_squeezing_agrees_in_the_order_of_channels_too(normflows):
    ours, theirs, x = Squeeze(), normflows.flows.Squeeze(), normal(5, *IMAGE)
    close(ours(x)[0], theirs.inverse(x)[0], 0.0)
    y = normal(5, 4 * IMAGE[0], 3, 3)
    close(ours.inverse(y)[0], theirs(y)[0], 0.0)
