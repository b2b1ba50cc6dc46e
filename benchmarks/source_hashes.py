"""Hashes of what code means: the syntax trees of a file and of everything of ours that it imports.

A comment, a docstring or a reformatting changes no hash; a changed constant three imports away does. DVC stages depend
on these hashes (files under `sources/`), so that an edit re-runs what it can change and nothing else.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("implementations", "benchmarks")


def tree_hash(path: Path) -> str:
    """SHA-256 of a file's syntax tree without positions and docstrings."""
    return _tree(path.resolve(), path.stat().st_mtime_ns)[0]


def closure(path: Path, root: Path = Path()) -> list[Path]:
    """A file and all files of ours it imports, directly or not, sorted; a package's `__init__.py` counts."""
    root = root.resolve()
    seen: set[Path] = set()
    waiting = [path.resolve()]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        waiting += [
            init for parent in current.relative_to(root).parents if (init := root / parent / "__init__.py").is_file()
        ]
        for module in _tree(current, current.stat().st_mtime_ns)[1]:
            waiting += _files(module, root)
    return sorted(seen)


def source_hash(path: Path, root: Path = Path()) -> str:
    """One hash over the closure of a file, names of the files included."""
    whole = hashlib.sha256()
    for file in closure(path, root):
        whole.update(f"{file.relative_to(root.resolve())} {tree_hash(file)}\n".encode())
    return whole.hexdigest()[:32]


def _files(module: str, root: Path) -> list[Path]:
    base = root.joinpath(*module.split("."))
    return [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]


@cache
def _tree(path: Path, changed: int) -> tuple[str, tuple[str, ...]]:
    """Hash and imported modules of ours; `changed` (the time of the last edit) keeps the cache honest."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    modules = tuple(sorted(set(_imports(tree))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [item for item in node.body if not _is_docstring(item)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), modules


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in candidates if name.split(".")[0] in PACKAGES)
