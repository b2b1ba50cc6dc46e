"""Drawings for the report, as plain numbers: boards of cells, lines, histograms.

Plain data, for the reason that `measured.py` gives. Numbers are kept as `rounded` leaves them, so that records stay
small.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics.measured import Evaluated

DIGITS = 5


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
class Drawn(Evaluated):
    """What a family's `evaluate` returns where it draws; of several seeds, the first one's drawings are kept."""

    drawings: list[Drawing] = field(default_factory=list)  # each name once


def rounded(numbers: ArrayLike) -> list[float]:
    """(n,) numbers to some significant digits, as a record keeps them."""
    return [float(f"{number:.{DIGITS}g}") for number in np.asarray(numbers, float).tolist()]


def rounded_rows(numbers: ArrayLike) -> list[list[float]]:
    """The same for (rows, columns)."""
    return [rounded(row) for row in np.asarray(numbers, float)]
