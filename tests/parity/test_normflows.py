"""NICE against normflows, with the same weights in both."""

import pytest
import torch
from torch import Tensor, nn

from implementations.flows.nice import Nice, Settings, build
from implementations.flows.parts.bijections import AdditiveCoupling
from tests.parity.conftest import peer

DIMENSIONS, UNITS, LAYERS = 6, 16, 3
ROUNDING = 1e-12  # float64: the same operations in the same order, or nearly


@pytest.fixture
def model() -> Nice:
    settings = Settings(hidden_units=UNITS, hidden_layers=LAYERS, prior="gaussian")
    random = torch.Generator().manual_seed(0)
    model = build(settings, DIMENSIONS, random).double()
    nn.init.normal_(model.scaling.log_scale, std=0.5, generator=random)
    return model.requires_grad_(False)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(50, DIMENSIONS, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def close(one: Tensor, other: Tensor, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)


class Shift(nn.Module):
    """A coupling's network in the form of a masked flow: of all dimensions, to all dimensions."""

    def __init__(self, coupling: AdditiveCoupling):
        super().__init__()
        self.coupling = coupling

    def forward(self, masked: Tensor) -> Tensor:
        whole = torch.zeros_like(masked)
        whole[:, self.coupling.moved] = self.coupling.network(masked[:, self.coupling.kept])
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


def their_couplings(normflows, model: Nice, sign: float = 1.0) -> list[nn.Module]:
    """Their split `checkerboard` keeps odd places and moves even ones; ours begins the other way round."""
    modes = ("checkerboard_inv", "checkerboard")
    return [
        normflows.flows.AffineCouplingBlock(
            their_network(normflows, ours.network, sign), scale=False, split_mode=modes[number % 2]
        )
        for number, ours in enumerate(model.couplings.bijections)
    ]


def test_each_coupling_agrees(normflows, model, x):
    for ours, theirs in zip(model.couplings.bijections, their_couplings(normflows, model), strict=True):
        for direction in ("forward", "inverse"):
            value, logdet = getattr(ours, direction)(x)
            expected, their_logdet = getattr(theirs, direction)(x)
            close(value, expected)
            close(logdet, torch.as_tensor(their_logdet, dtype=x.dtype).expand(len(x)))
            assert not torch.equal(value, x)


def test_each_coupling_agrees_with_their_masked_flow(normflows, model, x):
    for number, ours in enumerate(model.couplings.bijections):
        mask = torch.tensor([(place + number + 1) % 2 for place in range(DIMENSIONS)], dtype=x.dtype)
        theirs = normflows.flows.MaskedAffineFlow(mask, t=Shift(ours), s=None)
        for direction in ("forward", "inverse"):
            for one, other in zip(getattr(ours, direction)(x), getattr(theirs, direction)(x), strict=True):
                close(one, other)


def test_the_whole_map_agrees(normflows, model, x):
    scaling = normflows.flows.AffineConstFlow((DIMENSIONS,), shift=False).double()
    scaling.s.data.copy_(model.scaling.log_scale[None])
    value, total = x, torch.zeros(len(x), dtype=x.dtype)
    for flow in [*their_couplings(normflows, model), scaling]:
        value, logdet = flow(value)
        total = total + logdet
    z, ours = model.encode(x)
    close(z, value.detach())
    close(ours, total.detach())


def test_the_log_density_agrees(normflows, model, x):
    """Their flows run from latent to data, so couplings come in reverse order with the shift's sign turned."""
    scaling = normflows.flows.AffineConstFlow((DIMENSIONS,), shift=False).double()
    scaling.s.data.copy_(-model.scaling.log_scale[None])
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
