"""NICE against normflows, with the same weights in both."""

import pytest
import torch
from torch import Tensor, nn

from implementations.flows.nice import Settings, build
from implementations.flows.parts.bijections import AdditiveCoupling, Chain, EvenFirst
from implementations.flows.parts.flow import Flow
from tests.parity.conftest import peer

DIMENSIONS, UNITS, LAYERS = 6, 16, 3
ROUNDING = 1e-12  # float64: the same operations in the same order, or nearly


@pytest.fixture
def model() -> Flow:
    settings = Settings(hidden_units=UNITS, hidden_layers=LAYERS, prior="gaussian")
    random = torch.Generator().manual_seed(0)
    model = build(settings, (DIMENSIONS,), random).double()
    nn.init.normal_(log_scale(model), std=0.5, generator=random)
    return model.requires_grad_(False)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(50, DIMENSIONS, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def couplings(model: Flow) -> list[AdditiveCoupling]:
    return [module for module in model.modules() if isinstance(module, AdditiveCoupling)]


def log_scale(model: Flow) -> Tensor:
    """One number for each of the reordered coordinates."""
    return model.bijection.bijections[-1].log_scale


def among_pixels(y: Tensor) -> Tensor:
    """Our reordered coordinates, in the order of the pixels."""
    return EvenFirst().inverse(y)[0]


class AmongPixels(nn.Module):
    """Our coupling between coordinates in their own order, in which theirs works."""

    def __init__(self, coupling: AdditiveCoupling):
        super().__init__()
        self.inner = Chain(EvenFirst(), coupling)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, logdet = self.inner(x)
        return among_pixels(y), logdet

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner.inverse(EvenFirst()(y)[0])


def close(one: Tensor, other: Tensor, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


class Shift(nn.Module):
    """A coupling's network in the form of a masked flow: of all dimensions, to all dimensions."""

    def __init__(self, coupling: AdditiveCoupling):
        super().__init__()
        self.coupling = coupling

    def forward(self, masked: Tensor) -> Tensor:
        moved = 1 if self.coupling.moves == "second" else 0
        whole = torch.zeros_like(masked)
        whole[:, moved::2] = self.coupling.network(masked[:, 1 - moved :: 2])
        return whole


def their_network(normflows, ours: nn.Sequential, sign: float = 1.0) -> nn.Module:
    """Their perceptron with our weights, and with its output times `sign`."""
    widths = [DIMENSIONS // 2, *[UNITS] * LAYERS, DIMENSIONS // 2]
    network = normflows.nets.MLP(widths, leaky=0.0).double()
    network.net.load_state_dict(ours.state_dict())
    with torch.no_grad():
        for value in network.net[-1].parameters():
            value.mul_(sign)
    return network.requires_grad_(False)


def their_couplings(normflows, model: Flow, sign: float = 1.0) -> list[nn.Module]:
    """Their split `checkerboard` keeps odd places and moves even ones; ours begins the other way round."""
    modes = ("checkerboard_inv", "checkerboard")
    return [
        normflows.flows.AffineCouplingBlock(
            their_network(normflows, ours.network, sign), scale=False, split_mode=modes[number % 2]
        )
        for number, ours in enumerate(couplings(model))
    ]


def test_each_coupling_agrees(normflows, model, x):
    for coupling, theirs in zip(couplings(model), their_couplings(normflows, model), strict=True):
        ours = AmongPixels(coupling)
        for direction in ("forward", "inverse"):
            value, logdet = getattr(ours, direction)(x)
            expected, their_logdet = getattr(theirs, direction)(x)
            close(value, expected)
            close(logdet, torch.as_tensor(their_logdet, dtype=x.dtype).expand(len(x)))
            assert not torch.equal(value, x)


def test_each_coupling_agrees_with_their_masked_flow(normflows, model, x):
    for number, coupling in enumerate(couplings(model)):
        mask = torch.tensor([(place + number + 1) % 2 for place in range(DIMENSIONS)], dtype=x.dtype)
        theirs = normflows.flows.MaskedAffineFlow(mask, t=Shift(coupling), s=None)
        ours = AmongPixels(coupling)
        for direction in ("forward", "inverse"):
            for one, other in zip(getattr(ours, direction)(x), getattr(theirs, direction)(x), strict=True):
                close(one, other)


def test_the_whole_map_agrees(normflows, model, x):
    scaling = normflows.flows.AffineConstFlow((DIMENSIONS,), shift=False).double()
    scaling.s.data.copy_(among_pixels(log_scale(model)[None]))
    value, total = x, torch.zeros(len(x), dtype=x.dtype)
    for flow in [*their_couplings(normflows, model), scaling]:
        value, logdet = flow(value)
        total = total + logdet
    z, ours = model.encode(x)
    close(among_pixels(z), value.detach())
    close(ours, total.detach())


def test_the_log_density_agrees(normflows, model, x):
    """Their flows run from latent to data, so couplings come in reverse order with the shift's sign turned."""
    scaling = normflows.flows.AffineConstFlow((DIMENSIONS,), shift=False).double()
    scaling.s.data.copy_(-among_pixels(log_scale(model)[None]))
    base = normflows.distributions.DiagGaussian(DIMENSIONS, trainable=False).double()
    flows = [scaling, *reversed(their_couplings(normflows, model, sign=-1.0))]
    theirs = normflows.NormalizingFlow(base, flows).log_prob(x).detach()
    close(model.log_prob(x), theirs.double(), 1e-5)  # they add log-determinants in float32


def test_an_absent_peer_is_skipped_unless_peers_are_required(monkeypatch):
    monkeypatch.delenv("CLAIMBENCH_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="found none"):
        peer("no_such_library_anywhere", "1.0")
    monkeypatch.setenv("CLAIMBENCH_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="needs numpy==0"):
        peer("numpy", "0")
