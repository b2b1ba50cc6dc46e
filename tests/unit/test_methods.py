"""Methods are found by their declarations, read without importing them."""

from pathlib import Path

import pytest

from benchmarks.files.errors import InputError
from benchmarks.plan.methods import all_methods, find_method

BODY = '''"""A method."""

from dataclasses import dataclass

from implementations.toys.parts.base import Base
from implementations.toys.parts.protocol import ToyMethod


@dataclass(frozen=True)
class Settings(Base):
    pairs: int = 1  # ours
    batch: int = 2  # ours


def loss():
    pass


METHOD = ToyMethod(settings=Settings, loss=loss, learns_from="pairs", varies=("batch", "pairs"))
'''
BASE = "class Base:\n    batch: int = 1\n    depth: int = 1\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (("toy", BODY), ("parts/base", BASE), ("shared", "A = 1\n"), ("__init__", "")):
        path = tmp_path / f"implementations/toys/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_only_a_file_that_declares_a_method_is_one(root: Path) -> None:
    assert list(all_methods(root)) == ["toy"]
    (root / "implementations/toys/told.py").write_text(f'"""Ends with\nMETHOD = Toy()\nas others do."""\n\nA = {1}\n')
    assert list(all_methods(root)) == ["toy"]


def test_facts_are_read_from_the_declaration(root: Path) -> None:
    method = find_method("toy", root)
    assert method.settings_fields() == ["batch", "depth", "pairs"]  # as a dataclass orders them
    assert (method.trains(), method.takes_pairs(), method.answers(), method.learns_from()) == (
        True,
        True,
        False,
        "pairs",
    )
    assert method.fact("varies") == ("batch", "pairs")
    assert method.fact("spends", "nothing") == "nothing"


def test_an_edit_is_seen(root: Path) -> None:
    method = find_method("toy", root)
    assert method.trains()
    method.path.write_text(BODY.replace("loss=loss, ", ""))
    assert not method.trains()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BODY + "\nLATER = 1\n", r"toy\.py: METHOD must be the last statement"),
        (
            BODY.replace("ToyMethod(settings=Settings", "ToyMethod(Settings"),
            r"toy\.py: METHOD must be the last statement",
        ),
        (BODY.replace("def loss():", "def loss(:"), r"toy\.py: line 15: invalid syntax"),
        (
            BODY.replace("settings=Settings", "settings=Nowhere"),
            r"toy\.py: settings: Nowhere must be a class of this file",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told(root: Path, text: str, told: str) -> None:
    (root / "implementations/toys/toy.py").write_text(text)
    with pytest.raises(InputError, match=told):
        find_method("toy", root).settings_fields()


def test_names_are_unique(root: Path) -> None:
    other = root / "implementations/games/toy.py"
    other.parent.mkdir()
    other.write_text(BODY)
    with pytest.raises(InputError, match="method names are unique, rename one"):
        all_methods(root)
