"""Every bijection of the flows: those of each `cases_*.py` beside this file, through one parametrised test."""

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn

from implementations.flows.parts.bijections import Chain
from tests.exact.bijection_cases import Case, generator
from tests.exact.jacobian import log_abs_determinants

FILES = sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py"))
CASES: dict[str, Case] = {
    f"{file.removeprefix('cases_')}: {name}": case
    for file in FILES
    for name, case in importlib.import_module(f"tests.exact.{file}").CASES.items()
}
both_ways = pytest.mark.parametrize("direction", ["forward", "inverse"])


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture
def bijection(case) -> nn.Module:
    return case.make()


@pytest.fixture
def x(case) -> torch.Tensor:
    """Examples where the bijection is defined."""
    shape = (5, *case.shape)
    if case.unit_interval:
        return torch.rand(shape, dtype=torch.float64, generator=generator(11))
    return 2.0 * torch.randn(shape, dtype=torch.float64, generator=generator(11))


@pytest.fixture
def given(bijection, x, direction) -> torch.Tensor:
    """What the direction maps: examples, or their images."""
    return x if direction == "forward" else bijection(x)[0].detach()


def close(one: torch.Tensor, other: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance)  # compares shape and dtype too


def test_every_area_has_cases():
    assert {"cases_nice", "cases_realnvp", "cases_glow", "cases_planar", "cases_cnf"} <= set(FILES)


@both_ways
def test_log_determinant_is_that_of_the_jacobian(case, bijection, given, direction):
    apply = getattr(bijection, direction)
    flat = log_abs_determinants(lambda v: apply(v.reshape(len(v), *given.shape[1:]))[0].flatten(1), given.flatten(1))
    close(apply(given)[1], flat, case.tolerance)


def test_inverse_undoes_forward(case, bijection, x):
    y, forward = bijection(x)
    back, backward = bijection.inverse(y)
    close(back, x, case.tolerance)
    close(backward, -forward, case.tolerance)


def test_forward_undoes_inverse(case, bijection, x):
    """At points near the images of examples, but not images of any."""
    y = bijection(x)[0].detach()
    y = y + 0.01 * torch.randn(y.shape, dtype=y.dtype, generator=generator(12))
    close(bijection(bijection.inverse(y)[0])[0], y, case.tolerance)


@both_ways
def test_dtype_of_the_input_is_kept(bijection, given, direction):
    for dtype in (torch.float32, torch.float64):
        value, logdet = getattr(bijection.to(dtype), direction)(given.to(dtype))
        assert (value.dtype, logdet.dtype) == (dtype, dtype)
        assert logdet.shape == given.shape[:1]


def test_float32_inverts_to_its_own_precision(case, bijection, x):
    if not case.float32:
        pytest.skip("not well enough conditioned for float32")
    y = bijection.float()(x.float())[0]
    close(bijection.inverse(y)[0], x.float(), 1e-3)  # notes: 1e-4 for a full Glow; wider weights here


@both_ways
def test_nothing_is_modified(bijection, given, direction):
    before, state = given.clone(), {name: value.clone() for name, value in bijection.state_dict().items()}
    value, logdet = getattr(bijection, direction)(given)
    # A result that shared memory with a buffer or a parameter would be seen here; views of the argument may be.
    shared = value.untyped_storage().data_ptr() == given.untyped_storage().data_ptr()
    assert torch.equal(given, before)
    if not shared:
        value.detach().mul_(0.0)
        assert torch.equal(given, before)
    assert torch.isfinite(logdet).all()
    assert all(torch.equal(value, state[name]) for name, value in bijection.state_dict().items())


@both_ways
def test_rows_do_not_see_each_other(case, bijection, given, direction):
    whole, whole_logdet = getattr(bijection, direction)(given)
    for number, row in enumerate(given):
        value, logdet = getattr(bijection, direction)(row[None])
        close(value[0], whole[number], case.tolerance)
        close(logdet[0], whole_logdet[number], case.tolerance)


def test_a_chain_applies_its_parts_in_order():
    first, second = (CASES[f"nice: {name}"].make() for name in ("diagonal", "coupling moving odd"))
    x = torch.randn(5, 6, dtype=torch.float64, generator=generator(13))
    close(Chain(first, second)(x)[0], second(first(x)[0])[0], 1e-12)  # the same operations
