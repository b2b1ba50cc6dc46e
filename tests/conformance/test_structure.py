"""Who may import whom, and what a command may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def code(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((REPOSITORY / folder).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_implementations_import_nothing_of_benchmarks() -> None:
    found = [
        (path.name, name) for path in code("implementations") for name in imported(path) if name.startswith("benchm")
    ]
    assert found == []


def test_domain_modules_import_no_stage() -> None:
    allowed = (REPOSITORY / "benchmarks/stages", REPOSITORY / "benchmarks/cli.py")
    found = [
        (str(path.relative_to(REPOSITORY)), name)
        for path in code("benchmarks")
        if not any(path.is_relative_to(place) for place in allowed)
        for name in imported(path)
        if f"{name}.".startswith("benchmarks.stages.")
    ]
    assert found == []


def test_every_pin_of_the_numeric_libraries_stands_in_the_lock() -> None:
    """DVC re-runs everything when numerics.txt changes: it must say what is installed."""
    pins = [line for line in (REPOSITORY / "numerics.txt").read_text().splitlines() if line and line[0] != "#"]
    locked = {line.partition(";")[0].strip() for line in (REPOSITORY / "requirements.lock").read_text().splitlines()}
    assert {pin.partition("==")[0] for pin in pins} >= {
        "torch", "numpy", "scipy", "torchdiffeq", "tokenizers", "vadersentiment", "torch-fidelity"
    }  # fmt: skip
    assert [pin for pin in pins if pin not in locked] == []


HEAVY = {"torch", "torchvision", "pandas", "numpy", "scipy", "sklearn", "matplotlib", "dvc"}
OF_TEXTS = {"tokenizers", "transformers", "datasets", "vaderSentiment"}


@pytest.mark.parametrize(
    ("words", "needed", "told"),
    [
        ([], set(), ""),
        (["--help"], set(), "Usage"),
        (["train", "--help"], set(), "Usage"),
        (["list"], {"numpy"}, "arithmetic"),  # some tasks of the tabular family are tables
    ],
    ids=["import", "help", "train_help", "list"],
)
def test_the_command_line_starts_light(words: list[str], needed: set[str], told: str) -> None:
    program = f"""
import atexit, sys
sys.argv = ["claimbench", *{words!r}]
def show():
    print("LOADED", *sorted({{name.partition(".")[0] for name in sys.modules}}))
atexit.register(show)
from benchmarks import cli
if {words!r}:
    cli.main()
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("LOADED")]
    loaded = set(line.split())
    assert "benchmarks" in loaded
    assert loaded & (HEAVY | OF_TEXTS) <= needed
    assert told in ended.stdout
