"""Cells that several tables share, the table of every number, and leaderboards."""

import re

from benchmarks.judging.leaderboard import Board
from benchmarks.judging.results import Results
from benchmarks.judging.tables import Score
from benchmarks.record.measurement import describe
from benchmarks.reporting import numbers
from benchmarks.reporting.table import Better, Cell, Column, Table, anchors, headings

RANKS = "A rank such as 1–3 says that the seeds leave these places open; entries that cannot be told apart share them."
MARKS = {
    "stale": "made by other code than the committed one",
    "modified": "made with parameters that are not the profile's",
    "off-profile": "made on hardware that the profile does not allow",
    "dirty": "made with uncommitted changes",
}


def marks(stale: str) -> Cell:
    """The marks of a row, joined by +."""
    given = list(filter(None, stale.split("+")))
    return Cell(", ".join(given), note="; ".join(MARKS[mark] for mark in given), tone="mark" if given else "")


def entry_cell(entry: str) -> Cell:
    """An entry, linked to its evidence in the page."""
    return Cell(entry, link=f"#evidence-{entry}")


def mean_cell(score: Score) -> Cell:
    """A mean with its interval; how it was taken is a note."""
    number = numbers.with_interval(score.mean, score.low, score.high, score.seeds.done)
    return Cell(number, score.mean, f"{score.interval}; fingerprint {score.fingerprint}")


def scores(results: Results) -> Table:
    """Every number that was taken."""
    arrows = {"higher": "↑", "lower": "↓", "": ""}
    rows = tuple(
        (
            entry_cell(row.entry),
            Cell(describe(row.variant)),
            Cell(row.task),
            Cell(f"{row.metric} {arrows[row.direction]}".strip() or "none", note=f"{row.direction} is better"),
            mean_cell(row),
            Cell(row.unit),
            Cell(str(row.seeds)),
            Cell(row.tier),
            marks(row.stale),
        )
        for row in results.scores
    )
    columns = headings("entry", "variant", "task", "metric", "mean", "unit", "seeds", "tier", "marks")
    intervals = sorted({row.interval for row in results.scores if row.low is not None and row.seeds.done > 1})
    caption = f"Means over seeds; intervals: {', '.join(intervals)}." if intervals else "Means over seeds."
    return Table("Scores", caption, columns, rows, "scores").without_empty("marks")


def leaderboards(results: Results) -> dict[tuple[str, str], list[Table]]:
    """Tables of each task and metric, a table a protocol; sorted by title, n 64 before n 128."""
    boards = sorted(results.boards, key=lambda board: _natural(board.title))
    found: dict[tuple[str, str], list[Table]] = {}
    for board, name in zip(boards, anchors([board.title for board in boards], "leaderboard"), strict=True):
        found.setdefault((board.first.task, board.first.metric), []).append(_board(board, name))
    return found


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text))


def _board(board: Board, name: str) -> Table:
    rows = [
        (
            Cell(numbers.rank(place.rank_low, place.rank_high), float(place.rank_low)),
            entry_cell(place.score.entry),
            Cell(describe(place.score.variant)),
            mean_cell(place.score),
            Cell(str(place.score.seeds)),
            marks(place.score.stale),
        )
        for place in board.rows
    ]
    better: Better = "lower" if board.first.direction == "lower" else "higher"
    columns = list(headings("rank", "entry", "variant", "mean", "seeds", "marks"))
    columns[3] = Column(f"mean ({board.first.unit})", "right", better)
    return Table(board.title, f"{better} is better", tuple(columns), tuple(rows), name).without_empty("marks")
