"""Peer libraries: tests against them are skipped where they are absent, unless CLAIMBENCH_REQUIRE_PEERS=1."""

import importlib
import importlib.metadata
import os
from types import ModuleType

import pytest
import torch

torch.set_num_threads(1)  # the machine is shared, and one thread is what profile `cpu` states


def peer(name: str, version: str) -> ModuleType:
    """The library in just that version; otherwise the test is skipped, or fails where peers are required."""
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found == version:
        return importlib.import_module(name)
    reason = f"needs {name}=={version}, found {found or 'none'}; pip install --no-deps {name}=={version}"
    if os.environ.get("CLAIMBENCH_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def normflows() -> ModuleType:
    return peer("normflows", "1.7.3")
