import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.pipeline.clones import Clone, environment, small_checkout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each runs dvc, and may take longer than other tests: the first to come waits for the first run."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(300))


@dataclass(frozen=True)
class Base:
    """A clone in which `dvc repro` has run once, and what dvc printed then. No test edits it."""

    clone: Clone
    first: str


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Made by the first worker of pytest-xdist that asks."""
    workers = "PYTEST_XDIST_WORKER" in os.environ
    together = tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()
    env = environment(together)
    clone, printed = Clone(together / "base", env), together / "first.txt"
    with FileLock(together / "base.lock"):
        if not printed.exists():
            small_checkout(clone.path, env)
            first = clone.dvc("repro")
            clone.bench("readme")
            clone.commit("results")
            printed.write_text(first)
    return Base(clone, printed.read_text())


@pytest.fixture
def clone(base: Base, tmp_path: Path) -> Clone:
    """A copy of `base` of the test's own, with cache."""
    return base.clone.copy(tmp_path / "clone")


@pytest.fixture
def bare(base: Base, tmp_path: Path) -> Clone:
    """A fresh git clone of `base`, without cache."""
    return base.clone.bare(tmp_path / "bare")
