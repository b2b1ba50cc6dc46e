"""Cells that several tables share, and the table of every number."""

from benchmarks.reporting import numbers
from benchmarks.reporting.read import Results
from benchmarks.reporting.table import Cell, Column, Table


def marks(stale: str) -> Cell:
    """The marks of a row: stale, modified, off-profile, dirty."""
    notes = {
        "stale": "made by other code than the committed one",
        "modified": "made with parameters that are not the profile's",
        "off-profile": "made on hardware that the profile does not allow",
        "dirty": "made with uncommitted changes",
    }
    given = list(filter(None, stale.split("+")))
    return Cell(", ".join(given), note="; ".join(notes[mark] for mark in given), tone="mark" if given else "")


def entry_cell(results: Results, entry: str) -> Cell:
    """An entry, linked to its evidence in the page."""
    known = any(record.entry == entry for record in results.records)
    return Cell(entry, link=f"#evidence-{entry}" if known else "")


def scores(results: Results) -> Table:
    """Every number that was taken."""
    arrows = {"higher": "↑", "lower": "↓", "": ""}
    rows = tuple(
        (
            entry_cell(results, row.entry),
            Cell(row.variant),
            Cell(row.task),
            Cell(f"{row.metric} {arrows[row.direction]}".strip() or "none", note=f"{row.direction} is better"),
            Cell(
                numbers.with_interval(row.mean, row.low, row.high, numbers.done(row.seeds)),
                row.mean,
                f"{row.interval}; fingerprint {row.fingerprint}; source {row.source}",
            ),
            Cell(row.unit),
            Cell(row.seeds or numbers.NOTHING),
            Cell(row.tier),
            marks(row.stale),
        )
        for row in results.scores
    )
    columns = (
        Column("entry"),
        Column("variant"),
        Column("task"),
        Column("metric"),
        Column("mean", "right"),
        Column("unit"),
        Column("seeds", "right"),
        Column("tier"),
        Column("marks"),
    )
    intervals = sorted({row.interval for row in results.scores if row.low is not None and numbers.done(row.seeds) > 1})
    caption = f"Means over seeds; intervals: {', '.join(intervals)}." if intervals else "Means over seeds."
    return Table("Scores", caption, columns, rows, "scores").without_empty("marks")
