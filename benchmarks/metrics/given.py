"""What an evaluation is given beside `measured.Inputs`, by families that ask for it: who made the weights, a network.

Apart from `measured.py` so that what only asks for that file's fields does not become stale.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metrics.measured import Inputs


@dataclass(frozen=True)
class Trainer:
    """The method that trained a model, and its settings: those of the entry itself or of the one that it needs."""

    method: Any  # the module
    settings: Any


@dataclass(frozen=True)
class Given(Inputs):
    """`weights` are those that `trainer` made. What there is not raises InputError when it is asked for."""

    trainer: Trainer
    extractor: Callable[[], Path]  # the folder that the extractors stage left for the task
