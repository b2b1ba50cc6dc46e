"""Methods, tasks and families, found by the place of their files; importing this module imports none of them."""

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.errors import InputError

NOT_FAMILIES = {"common", "networks"}


@dataclass(frozen=True)
class Method:
    """A file `implementations/<family>/<name>.py`."""

    name: str
    family: str
    path: Path

    def module(self) -> ModuleType:
        """The method's module; for neural families this imports torch."""
        return importlib.import_module(f"implementations.{self.family}.{self.name}")

    def settings_fields(self) -> list[str]:
        """Names of the fields of its `Settings`, read without importing it."""
        for node in _parsed(self.path).body:
            if isinstance(node, ast.ClassDef) and node.name == "Settings":
                return [
                    item.target.id
                    for item in node.body
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
                ]
        return []

    def trains(self) -> bool:
        """Whether it defines a `loss`, read without importing it; one without samples what another has trained."""
        return self._defines("loss")

    def takes_pairs(self) -> bool:
        """Whether it can learn from pairs that a trained model made: it has a setting for how many."""
        return "pairs" in self.settings_fields()

    def answers(self) -> bool:
        """Whether its models have a policy to draw responses from, read without importing it."""
        return self._defines("policy")

    def scores(self) -> bool:
        """Whether its models are rewards of responses, read without importing it."""
        return self._defines("scores")

    def makes_its_pairs(self) -> bool:
        """Whether the pairs must be those of a model of its own, read without importing it."""
        return self._defines("paired_loss")

    def learns_from(self) -> str:
        """What its LEARNS_FROM says, read without importing it; "" of a method that says nothing of it."""
        for node in _parsed(self.path).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="LEARNS_FROM")], value=ast.Constant(value=str(told))):
                    return told
        return ""

    def _defines(self, function: str) -> bool:
        return any(isinstance(node, ast.FunctionDef) and node.name == function for node in _parsed(self.path).body)


def _parsed(path: Path) -> ast.Module:
    return _tree(path.read_text())


@cache  # of the text, so that a file edited meanwhile is read anew; a command asks thousands of times
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def all_methods(root: Path = Path()) -> dict[str, Method]:
    """Every method by name, sorted.

    Raises:
        InputError: two families hold a method of the same name.
    """
    methods: dict[str, Method] = {}
    for path in sorted((root / "implementations").glob("*/*.py")):
        family = path.parent.name
        if path.name == "__init__.py" or family in NOT_FAMILIES:
            continue
        if path.stem in methods:
            raise InputError(
                f"{path}: {methods[path.stem].path} has that name too; method names are unique, rename one"
            )
        methods[path.stem] = Method(path.stem, family, path)
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
