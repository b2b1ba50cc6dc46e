"""What every test shares: torch's process-wide settings are put back, and tests that need peers are marked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

# Folders whose tests compare with, or read through, large libraries of others.
PEERS = [Path(__file__).parent / name for name in ("parity", "published")]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves peers' folders out before their modules import those libraries, where `-m "not peers"` asks for none."""
    return True if config.option.markexpr == "not peers" and collection_path in PEERS else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in PEERS):
            item.add_marker("peers")


@contextmanager
def torch_settings_kept() -> Iterator[None]:
    """What `TorchFlags.apply` sets for the whole process is put back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(deterministic)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = tf32, benchmark


@pytest.fixture(autouse=True)
def kept_torch_settings() -> Iterator[None]:
    with torch_settings_kept():
        yield
