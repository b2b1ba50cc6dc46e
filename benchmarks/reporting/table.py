"""The one table model; renderers only render."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["", "good", "bad", "open", "mark"]
Better = Literal["", "higher", "lower"]


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

    def by_first_column(self) -> dict[str, "Table"]:
        """A table for each text of the first column, without that column."""
        rows: dict[str, list[tuple[Cell, ...]]] = {}
        for row in self.rows:
            rows.setdefault(row[0].text, []).append(row[1:])
        return {text: replace(self, columns=self.columns[1:], rows=tuple(found)) for text, found in rows.items()}

    def with_links(self, homes: Mapping[str, str]) -> "Table":
        """The table for a report of several pages; `homes` says which page a place is in, a place without one has no
        link."""
        rows = tuple(tuple(replace(cell, link=_moved(cell.link, homes)) for cell in row) for row in self.rows)
        return replace(self, rows=rows)


def _moved(link: str, homes: Mapping[str, str]) -> str:
    if not link.startswith("#"):
        return link
    return f"{homes[link[1:]]}{link}" if link[1:] in homes else ""


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
