"""What a family declares in its `family.py`; importing that file imports no torch.

Drivers are named "package.module:function", so that naming them imports nothing.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.files.errors import InputError, input_error

if TYPE_CHECKING:
    from benchmarks.plan.methods import Method


@dataclass(frozen=True)
class Planned:
    """An entry of a profile, as checks are given it: `entry` and `needs` have the fields of `profiles.Entry`."""

    path: Path  # of the profile
    name: str
    entry: Any
    method: "Method"
    needs: tuple[tuple[str, Any, "Method"], ...] = ()  # the entries that it needs: name, entry, method

    @property
    def trained(self) -> bool:
        return self.entry.steps is not None

    def refusal(self, where: str, found: object, allowed: str) -> InputError:
        """One sentence that names the field below the entry."""
        return input_error(self.path, f"entries.{self.name}.{where}", found, allowed)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Methods that are asked the same questions."""

    name: str
    method: Any  # the dataclass of its methods' declarations
    tasks: tuple[Any, ...]
    evaluate: str
    train: str | None = None  # None: its methods train nothing
    pairs: str | None = None  # what makes pairs for others to learn from
    checks: tuple[Callable[[Planned], None], ...] = field(default=())  # each raises InputError for a bad entry

    def task(self, name: str) -> Any:
        """Raises InputError that lists the tasks, if there is none of that name."""
        found: Mapping[str, Any] = {task.name: task for task in self.tasks}
        if name not in found:
            raise InputError(f"task {name}: tasks of {self.name} are {', '.join(found)}")
        return found[name]

    def evaluator(self) -> Callable[[Any], Any]:
        """What measures a method: an `EvaluationJob` to an `Evaluated`; of neural families this imports torch."""
        found: Callable[[Any], Any] = _function(self.evaluate)
        return found

    def trainer(self) -> Callable[[Any], Any]:
        """What trains: a `TrainingJob` to the model and how training went."""
        if self.train is None:
            raise InputError(f"family {self.name}: its methods train nothing")
        found: Callable[[Any], Any] = _function(self.train)
        return found

    def pair_maker(self) -> Callable[[Any], None]:
        """What writes the pairs of a trained model into the folder of a `PairsJob`."""
        if self.pairs is None:
            raise InputError(f"family {self.name}: its methods make no pairs")
        found: Callable[[Any], None] = _function(self.pairs)
        return found


def family(name: str) -> Family:
    """The FAMILY of `benchmarks/families/<name>/family.py`."""
    found: Family = importlib.import_module(f"benchmarks.families.{name}.family").FAMILY
    return found


def check(planned: Planned) -> None:
    """Every check of the entry's family; raises InputError for the first that says no."""
    for one in family(planned.method.family).checks:
        one(planned)


def _function(named: str) -> Any:
    module, _, function = named.partition(":")
    return getattr(importlib.import_module(module), function)
