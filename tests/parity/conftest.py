"""Peer libraries: tests against them are skipped where they are absent, unless CLAIMBENCH_REQUIRE_PEERS=1."""

import importlib
import importlib.metadata
import os
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

torch.set_num_threads(1)  # the machine is shared, and one thread is what profile `cpu` states

ROUNDING = 1e-11  # float64: the same formula, written in two ways; the largest difference seen is 2e-13


def require(distribution: str, version: str) -> None:
    """Skips the test unless the library is there in just that version; where peers are required it fails then."""
    try:
        found = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found == version:
        return
    reason = f"needs {distribution}=={version}, found {found or 'none'}; make peers"
    if os.environ.get("CLAIMBENCH_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def peer(name: str, version: str) -> ModuleType:
    """The library, whose module has the distribution's name, as `require` wants it."""
    require(name, version)
    return importlib.import_module(name)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Peers draw their initial weights from the global generator."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def normflows() -> ModuleType:
    return peer("normflows", "1.7.3")


@pytest.fixture(scope="session")
def nflows() -> ModuleType:
    found = peer("nflows", "0.14")
    importlib.import_module("nflows.flows")  # and with it nflows.transforms and nflows.distributions
    return found


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal values in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def spread(module: nn.Module, scale: float = 0.3) -> nn.Module:
    """Float64, for evaluation, every parameter moved off its initial value, so that nothing agrees by being trivial."""
    module = module.double().eval().requires_grad_(False)
    for number, parameter in enumerate(module.parameters()):
        parameter.add_(scale * normal(*parameter.shape, seed=number))
    return module


def close(ours: Tensor, theirs: Tensor | float, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs, dtype=ours.dtype), rtol=0.0, atol=tolerance)


def agree(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor | float], tolerance: float = ROUNDING) -> None:
    """Both give the same values and log-determinants, which peers may state once for all examples."""
    close(ours[0], theirs[0], tolerance)
    close(ours[1], torch.as_tensor(theirs[1], dtype=ours[1].dtype).expand(len(ours[1])), tolerance)
