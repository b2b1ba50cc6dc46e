"""What a stage asks of a family: one entry with one seed. Plain data, so that a new field changes nobody else's code.

Files are named, and `run.inputs` reads them where they are used. There may be

    data, features   folders of the task's data set             extractor   the folder of the task's extractor
    model            weights to evaluate or to make pairs with   start       weights that training starts from
    pairs            the folder that training learns from        other       weights of a second model (`other`)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from implementations.common.fit import Checkpoint


@dataclass(frozen=True)
class Trainer:
    """The method that trained a model, and its settings."""

    method: Any  # its METHOD
    settings: Any


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all stages have in common."""

    entry: str
    method_name: str
    method: Any  # its METHOD
    settings: Any
    task: Any
    seed: int
    arithmetic: dict[str, Any] = field(default_factory=dict)  # of `torch_flags.TorchFlags`, where torch is used
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def device(self) -> str:
        return str(self.arithmetic["device"])

    def generator(self, purpose: str) -> "torch.Generator":
        """For draws on the device."""
        from benchmarks.run.seeds import torch_generator

        return torch_generator(self.seed, purpose, self.device)


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job):
    """A model to train; `other` is what trained the second model that it needs."""

    steps: int
    validate_every: int
    checkpoint: "Checkpoint"
    report: Callable[[int, float, float], None] = lambda step, loss, norm: None
    stop: Callable[[], bool] = bool
    other: Trainer | None = None


@dataclass(frozen=True, kw_only=True)
class PairsJob(Job):
    """Pairs to make with a trained model, into an empty folder; `report` is told how many there are."""

    count: int
    folder: Path
    report: Callable[[int], None] = lambda made: None


@dataclass(frozen=True, kw_only=True)
class EvaluationJob(Job):
    """What to measure; `trainer` made the weights: the entry's own method or that of the entry that it needs."""

    samples: int  # to draw
    trainer: Trainer
    curve: Sequence[dict[str, float]] = ()  # of the training run: step, images, train, valid and what it noted
