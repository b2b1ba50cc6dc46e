from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.clones import Clone, environment, working_tree


@dataclass(frozen=True)
class Base:
    """A clone in which `dvc repro` has run once, and what dvc printed then."""

    clone: Clone
    first: str


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    scratch = tmp_path_factory.mktemp("pipeline")
    clone = working_tree(scratch / "base", environment(scratch))
    first = clone.dvc("repro")
    clone.bench("readme")
    clone.commit("results")
    return Base(clone, first)


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
