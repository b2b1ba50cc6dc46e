import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.pipeline.clones import Clone, environment, working_tree


@dataclass(frozen=True)
class Base:
    """A clone in which `dvc repro` has run once, and what dvc printed then."""

    clone: Clone
    first: str


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Made by the first worker of pytest-xdist that asks; each has a copy of it, since one test runs dvc in it."""
    workers = "PYTEST_XDIST_WORKER" in os.environ
    together = tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()
    env = environment(together)
    made, told = Clone(together / "made", env), together / "first.txt"
    with FileLock(together / "made.lock"):
        if not told.exists():
            working_tree(made.path, env)
            first = made.dvc("repro")
            made.bench("readme")
            made.commit("results")
            told.write_text(first)
    return Base(made.copy(tmp_path_factory.mktemp("pipeline") / "base"), told.read_text())


@pytest.fixture
def clone(base: Base, tmp_path: Path) -> Clone:
    """A copy of `base` of the test's own, with cache."""
    return base.clone.copy(tmp_path / "clone")


@pytest.fixture
def bare(base: Base, tmp_path: Path) -> Clone:
    """A fresh git clone of `base`, without cache."""
    return base.clone.bare(tmp_path / "bare")


@pytest.fixture(scope="module")
def shared(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Clone]:
    """Makes a copy that the tests of a file share."""
    return lambda name: base.clone.copy(tmp_path_factory.mktemp(name) / "clone")
