"""What a family's evaluation gives back: numbers, pictures, drawings and texts, before they become part of a record.

Numbers of drawings are kept as `rounded` leaves them, so that records stay small.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Value = str | int | float | bool

DIGITS = 5


@dataclass(frozen=True)
class Measured:
    """One number with its protocol."""

    name: str
    value: float | list[Any]  # nested lists for a table of numbers
    unit: str
    direction: Literal["higher", "lower"]
    n: int  # items the number is taken over
    measurement: dict[str, Value]  # fields of a record's `Measurement`
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
class Board:
    """A table of cells, shaded by value, with a mark in each: a grid world's policy, a card table's values."""

    name: str  # [a-z0-9_]+
    title: str  # what it shows, in a line
    values: list[list[float]]  # rows from the top; they shade the cells, and are written where `decimals` is given
    marks: list[list[str]]  # a short text for each cell, such as an arrow; rows of "" for none
    decimals: int | None = None  # digits of the written values; None: values shade only
    rows: list[str] = field(default_factory=list)  # labels; none where empty
    columns: list[str] = field(default_factory=list)
    row_title: str = ""
    column_title: str = ""
    kind: Literal["board"] = "board"


@dataclass(frozen=True)
class Line:
    """A line through points; one of theory is drawn thin and dashed, in the colour of the line before it."""

    label: str
    x: list[float]
    y: list[float]
    theory: bool = False


@dataclass(frozen=True)
class Lines:
    """Lines on one pair of axes."""

    name: str
    title: str
    x_title: str
    y_title: str
    lines: list[Line]
    logarithmic: Literal["", "x", "y", "xy"] = ""
    kind: Literal["lines"] = "lines"


@dataclass(frozen=True)
class Histogram:
    """Densities of bins, beside a density that theory gives."""

    name: str
    title: str
    x_title: str
    edges: list[float]  # one more than densities
    densities: list[float]
    theory: Line | None = None
    kind: Literal["histogram"] = "histogram"


Drawing = Board | Lines | Histogram


@dataclass(frozen=True)
class Passages:
    """Texts that a model wrote, one a prompt.

    Those of one task that share their name and prompts become one table, a column each.
    """

    name: str  # [a-z0-9_]+
    title: str  # what the texts are, in a line
    label: str  # whose they are: the column's heading
    prompts: list[str]
    texts: list[str]  # one a prompt, in their order
    kind: Literal["passages"] = "passages"
    place: int = 0  # of the column, from the left; equal places in the order of entries


@dataclass(frozen=True)
class Evaluated:
    """What a family's `evaluate` returns; of several seeds, the first one's pictures, drawings and texts are kept."""

    rows: list[Measured]
    timings: dict[str, float] = field(default_factory=dict)  # seconds of named parts, for the receipt
    pictures: list[Picture] = field(default_factory=list)  # each name once
    drawings: list[Drawing] = field(default_factory=list)  # each name once
    passages: list[Passages] = field(default_factory=list)  # each name once, or with another label


def rounded(numbers: ArrayLike) -> list[float]:
    """(n,) numbers to some significant digits, as a record keeps them."""
    return [float(f"{number:.{DIGITS}g}") for number in np.asarray(numbers, float).tolist()]


def rounded_rows(numbers: ArrayLike) -> list[list[float]]:
    """The same for (rows, columns)."""
    return [rounded(row) for row in np.asarray(numbers, float)]
