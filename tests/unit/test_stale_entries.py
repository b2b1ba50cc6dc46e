"""Which committed records are not of today's code, settings and seeds."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import profiles
from benchmarks.methods import all_methods
from benchmarks.provenance import entry_source
from benchmarks.records import EntryRecord
from benchmarks.stages.judge import stale_entries
from tests.unit.judged import run

REPOSITORY = Path(__file__).parents[2]
TINY: dict[str, Any] = {
    "profile": "tiny",
    "tier": "smoke",
    "hardware": {"device": "cpu", "memory_gib": 1},
    "entries": {
        "nice_digits": {
            "method": "nice",
            "task": "digits",
            "seeds": [0, 3],
            "settings": {"hidden_units": 32},
            "steps": 10,
            "validate_every": 5,
            "samples": 5,
        },
        "container": {"method": "container", "task": "container", "seeds": [1], "samples": 5},
    },
}
BOTH = {"nice_digits", "container"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The repository's code, with profile tiny alone."""
    ignored = shutil.ignore_patterns("__pycache__", "*.yaml")
    for package in ("implementations", "benchmarks"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=ignored)
    write(tmp_path, TINY)
    return tmp_path


def write(root: Path, profile: dict[str, Any]) -> None:
    (root / profiles.FOLDER / "tiny.yaml").write_text(yaml.safe_dump(profile))


def change(root: Path, entry: str, **fields: Any) -> None:
    write(root, {**TINY, "entries": {**TINY["entries"], entry: {**TINY["entries"][entry], **fields}}})


def made(root: Path, **fields: Any) -> list[EntryRecord]:
    """Records of both entries as the root stands now."""
    params = profiles.compose(profiles.read("tiny", root), root)
    methods = all_methods(root)
    return [
        EntryRecord(
            profile="tiny",
            entry=name,
            method=entry.method,
            family=methods[entry.method].family,
            task=entry.task,
            tier=entry.tier,
            source=entry_source(methods[entry.method], root),
            settings_hash=params.settings_hash(name),
            runs=[run(seed) for seed in entry.seeds],
            **fields,
        )
        for name, entry in params.entries.items()
    ]


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text, before = path.read_text(), path.stat().st_mtime_ns
    assert old in text
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(before, before + 10**9))  # hashes are cached by the time of the edit


def hardware(**fields: Any) -> Callable[[Path], None]:
    return lambda root: write(root, {**TINY, "hardware": {**TINY["hardware"], **fields}})


def entry(name: str, **fields: Any) -> Callable[[Path], None]:
    return lambda root: change(root, name, **fields)


def code(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: edit(root, name, old, new)


def gone(name: str) -> Callable[[Path], None]:
    left = {key: value for key, value in TINY["entries"].items() if key != name}
    return lambda root: write(root, {**TINY, "entries": left})


CONTAINER = "implementations/puzzles/container.py"
FLOWS = "benchmarks/families/flows"
CASES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "untouched": (lambda root: None, set()),
    "setting": (entry("nice_digits", settings={"hidden_units": 33}), {"nice_digits"}),
    "steps": (entry("nice_digits", steps=11), {"nice_digits"}),
    "samples": (entry("container", samples=6), {"container"}),
    "tier": (entry("container", tier="paper"), {"container"}),
    "new_seed": (entry("nice_digits", seeds=[0, 3, 4]), {"nice_digits"}),
    "fewer_seeds": (entry("nice_digits", seeds=[0]), {"nice_digits"}),
    "timeout": (entry("nice_digits", timeout_minutes=5.0), set()),
    "precision": (hardware(precision="bfloat16"), BOTH),
    "memory": (hardware(memory_gib=64), set()),
    "entry_gone": (gone("container"), {"container"}),
    "method_edited": (code(CONTAINER, "looks += 1", "looks += 2"), {"container"}),
    "comment_edited": (code(CONTAINER, "# plain integers", "# whole numbers"), set()),
    "training_edited": (code(f"{FLOWS}/learning.py", "total = 0.0", "total = 1.0"), {"nice_digits"}),
    "evaluation_edited": (code(f"{FLOWS}/measuring/trained.py", "SEED = 0", "SEED = 1"), {"nice_digits"}),
    "profile_gone": (lambda root: (root / profiles.FOLDER / "tiny.yaml").unlink(), BOTH),
}


@pytest.mark.parametrize(("happens", "expected"), CASES.values(), ids=CASES)
def test_stale(root: Path, happens: Callable[[Path], None], expected: set[str]) -> None:
    records = made(root)
    happens(root)
    assert stale_entries("tiny", records, root) == expected


def test_a_method_that_is_gone(root: Path) -> None:
    records = made(root)
    gone("container")(root)  # a profile that still named it would not be read
    (root / CONTAINER).unlink()
    assert stale_entries("tiny", records, root) == {"container"}


@pytest.mark.parametrize("name", ["setting", "steps", "samples", "precision"])
def test_settings_of_a_modified_record_are_its_own(root: Path, name: str) -> None:
    """It is marked as modified; it cannot have the profile's settings."""
    records = made(root, modified=True)
    CASES[name][0](root)
    assert stale_entries("tiny", records, root) == set()


@pytest.mark.parametrize("name", ["new_seed", "method_edited", "entry_gone", "profile_gone"])
def test_seeds_and_code_of_a_modified_record_count(root: Path, name: str) -> None:
    records = made(root, modified=True)
    CASES[name][0](root)
    assert stale_entries("tiny", records, root) == CASES[name][1]
