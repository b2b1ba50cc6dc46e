"""Which definitions of ours run, by Python's own account."""

import ast
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.provenance.definitions import PACKAGES, Unit

REPOSITORY = Path(__file__).parents[3]
PLAN = "benchmarks.plan"  # asks every task of a profile for its data set


@contextmanager
def recording() -> Iterator[set[tuple[str, int]]]:
    """Module and first line of each function of ours that is called.

    What an import runs does not count, nor does what a plan asks.
    """
    found: set[tuple[str, int]] = set()
    names: dict[str, str | None] = {}  # of modules by file
    inside = 0  # how many frames deep in an import, or in what composes a profile

    def leave(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal inside
        inside -= event == "return"
        return leave

    def note(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal inside
        code = frame.f_code
        if code.co_filename not in names:
            names[code.co_filename] = _module(Path(code.co_filename))
        if (module := names[code.co_filename]) is None:
            return None
        if code.co_flags & inspect.CO_OPTIMIZED and not module.startswith(PLAN):
            if not inside:
                found.add((module, code.co_firstlineno))
            return None
        inside += 1  # the body of a module or of a class, or a function of the plan
        frame.f_trace_lines = False
        return leave

    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield found
    finally:
        sys.settrace(before)


def definitions(module: str, line: int) -> set[Unit]:
    """The definitions at the top of a module whose statement has that line."""
    (statement,) = [each for each in _parsed(module).body if _begins(each) <= line <= (each.end_lineno or 0)]
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {Unit(module, name) for name in [statement.name, *_registered_for(statement)]}
    bound = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return {Unit(module, node.id) for node in bound}


@cache
def _parsed(module: str) -> ast.Module:
    return ast.parse(REPOSITORY.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))


def _module(file: Path) -> str | None:
    """None of a file that is not ours."""
    if not file.is_relative_to(REPOSITORY) or file.suffix != ".py":
        return None
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts) if parts[0] in PACKAGES and parts[-1] != "__init__" else None


def _begins(statement: ast.stmt) -> int:
    return min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", []))])


def _registered_for(statement: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """Of `@x.register` the x, which the function belongs to."""
    called = [each.func if isinstance(each, ast.Call) else each for each in statement.decorator_list]
    return [each.value.id for each in called if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)]
