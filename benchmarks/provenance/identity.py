"""Identity of the code behind an entry: its method by role, its task, its family's drivers and the core of the runner.

What trains is apart from what evaluates, so that an edited sampler trains nothing anew.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

from benchmarks.files.typed_files import digest
from benchmarks.plan.family import family
from benchmarks.plan.methods import Method, all_methods
from benchmarks.plan.params import Params
from benchmarks.provenance.definitions import Code, NotFollowed, Token

# What of the runner can change a number: everything that stands between a family's driver and the files it reads.
_CHECKPOINT = ("benchmarks.run.checkpoints:read_state", "benchmarks.run.checkpoints:write_state")
TRAINING_CORE = ("benchmarks.run.job:TrainingJob", "benchmarks.run.files:training_files", *_CHECKPOINT)
PAIRS_CORE = (
    "benchmarks.run.job:PairsJob",
    "benchmarks.run.files:pairs_files",
    "benchmarks.run.seeds:seed_of_pairs",
)
EVALUATION_CORE = (
    "benchmarks.run.job:EvaluationJob",
    "benchmarks.run.job:Trainer",
    "benchmarks.run.files:evaluation_files",
    "benchmarks.record.records:recorded",
)


class Identities:
    """Hashes of the code of entries, of one tree; a definition is read once."""

    def __init__(self, root: Path = Path()):
        self.code = Code(root)
        self.methods = all_methods(root)

    def training(self, params: Params, entry: str) -> str:
        """Of all code that decides the weights of a trained entry, that of the entries it starts from included."""
        composed = params.entries[entry]
        needed = [self.training(params, need) for need in composed.needs]
        made = [self.pairs(params, composed.needs[-1])] if composed.pairs() else []
        return digest([self.code.hash(self.training_code(params, entry)), *needed, *made])

    def makes_pairs(self, params: Params, entry: str) -> bool:
        """Whether another entry learns from pairs of this one."""
        return any(one.pairs() and one.needs[-1:] == [entry] for one in params.entries.values())

    def pairs(self, params: Params, entry: str) -> str:
        """Of all code that decides the pairs that a trained entry makes."""
        return digest([self.training(params, entry), self.code.hash(self.pairs_code(params, entry))])

    def evaluation(self, params: Params, entry: str) -> str:
        """Of all code that decides the numbers of an entry."""
        trained = params.entries[entry].models_of(entry)
        models = [self.training(params, trained)] if trained else []
        return digest([self.code.hash(self.evaluation_code(params, entry)), *models])

    def training_code(self, params: Params, entry: str) -> list[Token]:
        method = self.methods[params.entries[entry].method]
        asked = family(method.family)
        roles = [role for role in method.declared() if role not in asked.method.EVALUATION]
        return [*self._roles(method, roles), *self._task(params, entry), *self._named(asked.train, *TRAINING_CORE)]

    def pairs_code(self, params: Params, entry: str) -> list[Token]:
        method = self.methods[params.entries[entry].method]
        return [*self._roles(method, method.declared()), *self._named(family(method.family).pairs, *PAIRS_CORE)]

    def evaluation_code(self, params: Params, entry: str) -> list[Token]:
        method = self.methods[params.entries[entry].method]
        found = [*self._roles(method, method.declared()), *self._task(params, entry)]
        trained = params.entries[entry].models_of(entry)
        if trained and trained != entry:  # rows are named by what the trainer declares
            trainer = self.methods[params.entries[trained].method]
            found += self._roles(trainer, trainer.declared())
        return [*found, *self._named(family(method.family).evaluate, *EVALUATION_CORE)]

    def _roles(self, method: Method, roles: Iterable[str]) -> list[Token]:
        declared: dict[str, ast.expr] = method.declared()
        return [
            token
            for role in sorted(roles)
            for token in (role, *self.code.expression(method.import_name, declared[role], with_names=True))
        ]

    def _task(self, params: Params, entry: str) -> list[Token]:
        """What makes the task: the element of its family's TASKS in the same place."""
        composed = params.entries[entry]
        module, known = f"benchmarks.families.{composed.family}.tasks", family(composed.family).tasks
        made = self.code.elements(module, "TASKS")
        if len(made) != len(known):
            raise NotFollowed(f"{module}: TASKS must be a tuple written out, an element a task")
        return self.code.expression(module, made[[task.name for task in known].index(composed.task)])

    def _named(self, *names: str | None) -> list[Token]:
        return [self.code.find(*name.split(":")) for name in names if name is not None]
