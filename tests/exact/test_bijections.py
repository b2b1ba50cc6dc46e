"""Every bijection keeps one contract: value and log-determinant, both ways, in the dtype of the input."""

import pytest
import torch
from torch import nn

from implementations.flows.nice import Nice, Settings, build
from implementations.flows.parts.bijections import AdditiveCoupling, Chain, Diagonal
from implementations.networks.mlp import mlp
from tests.exact.jacobian import log_abs_determinants

DIMENSIONS = 6
TOLERANCE = 1e-10  # float64, a few hundred operations of rounding 1e-16 each, and the LU of a 6x6 matrix
EVEN, ODD = torch.arange(0, DIMENSIONS, 2), torch.arange(1, DIMENSIONS, 2)


class Encoder(nn.Module):
    """A whole flow, seen as one bijection."""

    def __init__(self, model: Nice):
        super().__init__()
        self.model = model
        self.inverse = model.decode

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.model.encode(x)


def coupling(kept: torch.Tensor, moved: torch.Tensor, seed: int) -> AdditiveCoupling:
    generator = torch.Generator().manual_seed(seed)
    return AdditiveCoupling(mlp(len(kept), len(moved), 16, 2, generator), kept, moved).double()


def diagonal(seed: int) -> Diagonal:
    scaling = Diagonal(DIMENSIONS).double()
    nn.init.normal_(scaling.log_scale, generator=torch.Generator().manual_seed(seed))
    return scaling


def nice() -> Nice:
    settings = Settings(hidden_units=16, hidden_layers=2)
    model = build(settings, DIMENSIONS, torch.Generator().manual_seed(4)).double()
    model.scaling = diagonal(5)
    return model


BIJECTIONS = {
    "coupling moving odd": lambda: coupling(EVEN, ODD, 0),
    "coupling moving even": lambda: coupling(ODD, EVEN, 1),
    "coupling with uneven halves": lambda: coupling(torch.tensor([4]), torch.tensor([0, 1, 2, 3, 5]), 2),
    "coupling in a scrambled order": lambda: coupling(torch.tensor([5, 0, 2]), torch.tensor([4, 1, 3]), 3),
    "diagonal": lambda: diagonal(6),
    "chain": lambda: Chain(coupling(EVEN, ODD, 7), diagonal(8), coupling(ODD, EVEN, 9), diagonal(10)),
    "empty chain": Chain,
    "nice": lambda: Encoder(nice()),
}


@pytest.fixture(params=BIJECTIONS)
def bijection(request) -> nn.Module:
    return BIJECTIONS[request.param]()


@pytest.fixture
def x() -> torch.Tensor:
    return 2.0 * torch.randn(5, DIMENSIONS, dtype=torch.float64, generator=torch.Generator().manual_seed(11))


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=TOLERANCE)  # compares shape and dtype too


def test_log_determinant_is_that_of_the_jacobian(bijection, x):
    close(bijection(x)[1], log_abs_determinants(lambda v: bijection(v)[0], x))


def test_log_determinant_of_the_inverse_is_that_of_its_jacobian(bijection, x):
    close(bijection.inverse(x)[1], log_abs_determinants(lambda v: bijection.inverse(v)[0], x))


def test_inverse_undoes_forward(bijection, x):
    y, forward = bijection(x)
    back, backward = bijection.inverse(y)
    close(back, x)
    close(backward, -forward)


def test_forward_undoes_inverse(bijection, x):
    close(bijection(bijection.inverse(x)[0])[0], x)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_of_the_input_is_kept(bijection, x, direction, dtype):
    value, logdet = getattr(bijection.to(dtype), direction)(x.to(dtype))
    assert (value.dtype, logdet.dtype) == (dtype, dtype)
    assert (value.shape, logdet.shape) == (x.shape, x.shape[:1])


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_nothing_is_modified(bijection, x, direction):
    given, state = x.clone(), {name: value.clone() for name, value in bijection.state_dict().items()}
    value, _ = getattr(bijection, direction)(given)
    value.detach().mul_(0.0)  # a result that shared the argument's memory would be seen here
    if not isinstance(bijection, Chain) or len(bijection.bijections):  # the identity hands its argument back
        assert torch.equal(given, x)
    assert all(torch.equal(value, state[name]) for name, value in bijection.state_dict().items())


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_rows_do_not_see_each_other(bijection, x, direction):
    whole, whole_logdet = getattr(bijection, direction)(x)
    for number, row in enumerate(x):
        value, logdet = getattr(bijection, direction)(row[None])
        close(value[0], whole[number])
        close(logdet[0], whole_logdet[number])


@pytest.mark.parametrize(("kept", "moved"), [(EVEN, ODD), (ODD, EVEN)])
def test_a_coupling_adds_the_network_of_what_it_keeps(x, kept, moved):
    bijection = coupling(kept, moved, 12)
    y, _ = bijection(x)
    assert torch.equal(y[:, kept], x[:, kept])
    close(y[:, moved], x[:, moved] + bijection.network(x[:, kept]))
    assert (y[:, moved] - x[:, moved]).abs().min() > 1e-6


def test_nice_without_its_diagonal_keeps_volume_exactly(x):
    couplings = nice().couplings
    assert torch.equal(couplings(x)[1], torch.zeros(len(x), dtype=x.dtype))
    assert torch.equal(couplings.inverse(x)[1], torch.zeros(len(x), dtype=x.dtype))
    close(log_abs_determinants(lambda v: couplings(v)[0], x), torch.zeros(len(x), dtype=x.dtype))


def test_every_dimension_is_moved_and_seen():
    """With four couplings each output depends on each input, and each input is moved by two of them."""
    model = nice()
    moved = torch.cat([bijection.moved for bijection in model.couplings.bijections])
    assert torch.equal(moved.bincount(), torch.full((DIMENSIONS,), 2))
    x = torch.randn(64, DIMENSIONS, dtype=torch.float64, generator=torch.Generator().manual_seed(13))
    jacobians = torch.stack(
        [torch.autograd.functional.jacobian(lambda row: model.encode(row[None])[0][0], row) for row in x]
    )
    assert (jacobians.abs().amax(0) > 0).all()


def test_a_chain_applies_its_parts_in_order(x):
    first, second = diagonal(14), coupling(EVEN, ODD, 15)
    close(Chain(first, second)(x)[0], second(first(x)[0])[0])
