"""A number as a family's evaluation hands it over, before it becomes part of a record.

Plain data on purpose: evaluation code is hashed with everything it imports, and results must not become stale because
a sentence in the file checker changed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Value = str | int | float | bool


@dataclass(frozen=True)
class Measured:
    """One number with its protocol."""

    name: str
    value: float | list[Any]  # nested lists for a table of numbers
    unit: str
    direction: Literal["higher", "lower"]
    n: int  # items the number is taken over
    measurement: dict[str, Value]  # fields of `judging.protocols.Measurement`
    variant: dict[str, Value] = field(default_factory=dict)
    interval: tuple[float, float] | None = None  # where one run gives one


@dataclass(frozen=True)
class Picture:
    """Something to look at, for the report."""

    name: str  # [a-z0-9_]+, such as samples, interpolation, density
    title: str  # what it shows, in a line
    array: NDArray[np.uint8]  # (n, h, w) grey or (n, 3, h, w) colour; a density on the plane is a grey image
    top: int = 255  # the level that is drawn white
    columns: int = 0  # images across; 0: about as many as down


@dataclass(frozen=True)
class Inputs:
    """What a family's `evaluate(method, settings, task, inputs)` is given beside its method and task.

    What there is not raises InputError when it is asked for: data of a task without a data set, weights of what is not
    trained.
    """

    seed: int
    samples: int  # how many to draw
    arithmetic: dict[str, Any]  # the fields of `torch_flags.TorchFlags`, for families that use torch
    images: Callable[[str], NDArray[np.uint8]]  # of a split of the task's data set, (n, *shape)
    features: Callable[[], dict[str, Any]]  # what the features stage left for the data set
    weights: Callable[[], dict[str, Any]]  # state dict of the trained model, on the CPU
    curve: Callable[[], list[dict[str, float]]]  # of the training run: step, images, train, valid and what it noted


@dataclass(frozen=True)
class Evaluated:
    """What it returns."""

    rows: list[Measured]
    timings: dict[str, float] = field(default_factory=dict)  # seconds of named parts, for the receipt
    pictures: list[Picture] = field(default_factory=list)  # each name once
