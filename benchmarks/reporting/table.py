"""The one table model; renderers only render."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["", "good", "bad", "open", "mark"]
Better = Literal["", "higher", "lower"]
NUMBERS = ("entries", "images/s", "mean", "memory", "ours", "paper", "rank", "runs done", "seed", "seeds", "wall")


@dataclass(frozen=True)
class Cell:
    """What stands in a cell; `value` is what it is sorted by, `link` a place in the same page or a relative path."""

    text: str
    value: float | None = None
    note: str = ""
    link: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Column:
    """A heading; `better` says which direction of its numbers is better."""

    name: str
    align: Literal["left", "right"] = "left"
    better: Better = ""

    @property
    def heading(self) -> str:
        return self.name + {"": "", "higher": " ↑", "lower": " ↓"}[self.better]


@dataclass(frozen=True)
class Table:
    """Rows of cells below headings; `name` is the table's place in the page."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    name: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: row {number} has {len(row)} cells below {len(self.columns)} headings")

    def without_empty(self, *names: str) -> "Table":
        """The table without those of the named columns in which nothing stands."""
        filled = {c.name for place, c in enumerate(self.columns) if any(row[place].text for row in self.rows)}
        return self.without(*(name for name in names if name not in filled))

    def without(self, *names: str) -> "Table":
        """The table without the named columns."""
        kept = [place for place, column in enumerate(self.columns) if column.name not in names]
        columns = tuple(self.columns[place] for place in kept)
        return replace(self, columns=columns, rows=tuple(tuple(row[place] for place in kept) for row in self.rows))


def headings(*names: str) -> tuple[Column, ...]:
    """Columns of these names, in this order; those of NUMBERS stand on the right."""
    return tuple(Column(name, "right" if name in NUMBERS else "left") for name in names)


def anchors(titles: Iterable[str], prefix: str) -> list[str]:
    """A place in the page for each title: readable, valid in an address, no two alike."""
    found: list[str] = []
    for title in titles:
        plain = f"{prefix}-{re.sub(r'[^a-z0-9_]+', '-', title.lower()).strip('-')}"
        name, number = plain, 1
        while name in found:
            number += 1
            name = f"{plain}-{number}"
        found.append(name)
    return found
