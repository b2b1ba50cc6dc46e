"""Methods, tasks and families, found by the declarations of method files; importing this module imports none of them.

A file directly in `implementations/<family>/` is a method when its last statement is `METHOD = <Family>Method(...)`.
Facts in that call are literals and behaviour is bare names, so that questions are answered from the syntax tree.
"""

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.files.errors import InputError
from benchmarks.files.listing import files_below

DECLARATION = "\nMETHOD = "


@dataclass(frozen=True)
class Method:
    """A file `implementations/<family>/<name>.py`; what it says of itself is read without importing it."""

    name: str
    family: str
    path: Path

    def declaration(self) -> Any:
        """Its METHOD, of the dataclass in the family's `parts/protocol.py`; for neural families this imports torch."""
        return importlib.import_module(self.import_name).METHOD

    def settings_fields(self) -> list[str]:
        """Names of the fields of its settings, those of their bases first; as their dataclass has them."""
        named = self.declared()["settings"]
        assert isinstance(named, ast.Name)
        return _fields(named.id, self.path)

    def trains(self) -> bool:
        """Whether it has a loss; one without samples what another has trained."""
        return self._offers("loss")

    def takes_pairs(self) -> bool:
        """Whether it can learn from pairs that a trained model made: it has a setting for how many."""
        return "pairs" in self.settings_fields()

    def answers(self) -> bool:
        """Whether its models have a policy to draw responses from."""
        return self._offers("policy")

    def scores(self) -> bool:
        """Whether its models are rewards of responses."""
        return self._offers("scores")

    def makes_its_pairs(self) -> bool:
        """Whether the pairs must be those of a model of its own."""
        return self._offers("paired_loss")

    def learns_from(self) -> str:
        """What a batch of it is; "" of a method that says nothing of it."""
        return str(self.fact("learns_from", ""))

    def fact(self, field: str, otherwise: object = None) -> object:
        """The literal that the declaration gives a field; `otherwise` where it leaves it out."""
        value = self.declared().get(field)
        return otherwise if value is None else ast.literal_eval(value)

    def _offers(self, field: str) -> bool:
        return field in self.declared()

    @property
    def import_name(self) -> str:
        return f"implementations.{self.family}.{self.name}"

    def declared(self) -> dict[str, ast.expr]:
        """What its METHOD gives each field, as it is written."""
        declared = _declared(_source(self.path), self.path)
        if declared is None:
            raise InputError(f"{self.path}: its last statement must be METHOD = {self.family.title()}Method(...)")
        return declared


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None


@cache  # of the text, so that a file edited meanwhile is read anew; a command asks thousands of times
def _declared(text: str, path: Path) -> dict[str, ast.expr] | None:
    """Keywords of the call that METHOD is assigned; None of a file that is no method.

    Raises:
        InputError: METHOD is not the last statement, or is something else than a call with keywords alone.
    """
    start = text.rfind(DECLARATION)
    if start < 0:
        return None
    try:
        body = ast.parse(text[start:]).body
    except (SyntaxError, ValueError):  # ValueError: a null byte
        body = _tree(text, path).body[-1:]  # where a string holds the words, or the file is broken
        if not body or not ast.unparse(body[0]).startswith(DECLARATION.strip()):
            return None
    match body:
        case [ast.Assign(value=ast.Call(args=[], keywords=keywords))] if all(word.arg for word in keywords):
            return {str(word.arg): word.value for word in keywords}
    raise InputError(f"{path}: METHOD must be the last statement, and a call with keywords: METHOD = ...Method(...)")


@cache
def _tree(text: str, path: Path) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise InputError(f"{path}: line {error.lineno}: {error.msg}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _fields(name: str, path: Path) -> list[str]:
    """Of a dataclass that a file defines or imports; of fields named twice the place is the first one."""
    body = _tree(_source(path), path).body
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            of_bases = [field for base in node.bases if isinstance(base, ast.Name) for field in _fields(base.id, path)]
            own = [
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            ]
            return list(dict.fromkeys([*of_bases, *own]))
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("implementations."):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    root = next(parent for parent in path.parents if parent.name == "implementations").parent
                    return _fields(alias.name, root.joinpath(*node.module.split(".")).with_suffix(".py"))
    raise InputError(f"{path}: settings: {name} must be a class of this file, or imported from implementations")


def all_methods(root: Path = Path()) -> dict[str, Method]:
    """Every method by name, sorted.

    Raises:
        InputError: two families hold a method of the same name.
    """
    methods: dict[str, Method] = {}
    for path in files_below(root / "implementations", ".py"):
        if _declared(_source(path), path) is None:
            continue
        if path.stem in methods:
            raise InputError(
                f"{path}: {methods[path.stem].path} has that name too; method names are unique, rename one"
            )
        methods[path.stem] = Method(path.stem, path.parent.name, path)
    return dict(sorted(methods.items()))


def families(root: Path = Path()) -> list[str]:
    """Families that have methods, sorted."""
    return sorted({method.family for method in all_methods(root).values()})


def find_method(name: str, root: Path = Path()) -> Method:
    """Raises InputError that lists the methods, if there is none of that name."""
    methods = all_methods(root)
    if name not in methods:
        raise InputError(f"method {name}: no file implementations/<family>/{name}.py; there are {', '.join(methods)}")
    return methods[name]


def tasks(family: str) -> dict[str, Any]:
    """Tasks of a family by name: the `TASKS` that its tasks.py makes."""
    module = importlib.import_module(f"benchmarks.families.{family}.tasks")
    return {task.name: task for task in module.TASKS}
