"""Jobs for tests of the families, whose files are handed over in memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.families.preferences import learning
from benchmarks.run import inputs
from benchmarks.run.job import Trainer, TrainingJob
from implementations.common.fit import NullCheckpoint

FLAGS = {"device": "cpu", "threads": 1, "precision": "float32", "deterministic": True}
HERE = Path(__file__).parent  # stands for a file that is there


@dataclass(frozen=True)
class Origin:
    """What other entries left: weights to start from, completions of a split, a second model with what trained it."""

    weights: Callable[[], dict[str, Any]]
    completions: Callable[[str], Any] | None = None
    other: tuple[Callable[[], dict[str, Any]], Trainer] | None = None

    def files(self) -> dict[str, Path]:
        return dict.fromkeys(("start", "pairs", *(["other"] if self.other else [])), HERE)


@contextmanager
def in_memory(
    images: Any = None, corpus: Any = None, features: Any = None, completions: Any = None, **weights: Any
) -> Iterator[None]:
    """Readers of a job's files give these, each a function; what is not given is not asked for."""

    def absent(*_: Any) -> Any:
        raise AssertionError("not asked for by this test")

    with ExitStack() as stack:
        for name, given in (("images", images), ("corpus", corpus), ("features", features)):
            reader = absent if given is None else lambda job, *split, given=given: given(*split)
            stack.enter_context(patch.object(inputs, name, reader))
        stack.enter_context(patch.object(inputs, "weights", lambda job, name: weights[name]()))
        if completions is not None:
            stack.enter_context(patch.object(learning, "read", lambda folder, count, split: completions(split)))
        yield


def training_job(
    method: Any, settings: Any, task: Any, steps: int = 20, validate_every: int = 5, seed: int = 0, **given: Any
) -> TrainingJob:
    return TrainingJob(
        **{
            "entry": "it",
            "method_name": "it",
            "method": method,
            "settings": settings,
            "task": task,
            "seed": seed,
            "arithmetic": FLAGS,
            "steps": steps,
            "validate_every": validate_every,
            "checkpoint": NullCheckpoint(),
            **given,
        }
    )
