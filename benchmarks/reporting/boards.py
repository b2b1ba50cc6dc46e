"""Leaderboards: rows that were ranked together, with the places that the seeds leave open."""

import re
from dataclasses import dataclass, replace

from benchmarks.reporting import numbers
from benchmarks.reporting.read import Place, Results, Score
from benchmarks.reporting.table import Better, Cell, Column, Table, anchors
from benchmarks.reporting.tables import entry_cell, marks

RANKS = "A rank such as 1–3 says that the seeds leave these places open; entries that cannot be told apart share them."


@dataclass(frozen=True)
class Board:
    """Rows that were ranked together: one task, one metric, one protocol."""

    task: str
    metric: str
    protocol: str  # fingerprint and tier
    rows: tuple[tuple[Place, Score | None], ...]
    ambiguous: bool  # the same metric was also taken in another way

    @property
    def title(self) -> str:
        """`container: looks (n 64)`: where the metric alone does not say, what all its variants have in common."""
        shared = set.intersection(*(set(place.variant.split(", ")) for place, _ in self.rows)) - {"default"}
        said = ", ".join(sorted(shared)) or f"protocol {self.protocol}"
        return f"{self.task}: {self.metric}" + (f" ({said})" if self.ambiguous else "")

    @property
    def told_apart(self) -> bool:
        """Whether any two of its rows differ by more than the seeds do."""
        return len({(place.rank_low, place.rank_high) for place, _ in self.rows}) > 1


def boards(results: Results) -> list[Board]:
    """Rows ranked together, those without a rival left out; other values of a number of the same row are none."""
    scores = {(row.task, row.metric, row.entry, row.variant): row for row in results.scores}
    groups: dict[tuple[str, str, str], list[tuple[Place, Score | None]]] = {}
    for place in results.places:
        score = scores.get((place.task, place.metric, place.entry, place.variant))
        protocol = f"{score.fingerprint}, {score.tier}" if score else ""
        groups.setdefault((place.task, place.metric, protocol), []).append((place, score))
    pairs = [(task, metric) for task, metric, _ in groups]
    found = [
        Board(*key, tuple(sorted(rows, key=_by_rank)), pairs.count(key[:2]) > 1)
        for key, rows in groups.items()
        if len({(place.entry, re.sub(r" -?[\d.][\de.+-]*(?=,|$)", "", place.variant)) for place, _ in rows}) > 1
    ]
    return sorted(found, key=lambda board: natural(board.title))


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Sorts n 64 before n 128."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text))


def _by_rank(row: tuple[Place, Score | None]) -> tuple[object, ...]:
    place = row[0]
    return place.rank_low, place.rank_high, place.entry, natural(place.variant)


def board_names(results: Results) -> dict[Board, str]:
    """Each leaderboard's place in the page."""
    given = boards(results)
    return dict(zip(given, anchors([board.title for board in given], "leaderboard"), strict=True))


def leaderboards(results: Results) -> list[Table]:
    """One table a task and metric; rows that the seeds do not tell apart share their ranks."""
    return [leaderboard(results, board, name) for board, name in board_names(results).items()]


def leaderboard(results: Results, board: Board, name: str = "") -> Table:
    """One board: rank, entry, variant, mean, seeds, marks."""
    rows = []
    for place, score in board.rows:
        seeds = score.seeds if score else ""
        number = numbers.with_interval(place.mean, place.low, place.high, numbers.done(seeds))
        rows.append(
            (
                Cell(numbers.rank(place.rank_low, place.rank_high), float(place.rank_low)),
                entry_cell(results, place.entry),
                Cell(place.variant),
                Cell(number, place.mean, f"{score.interval}; fingerprint {score.fingerprint}" if score else ""),
                Cell(seeds or numbers.NOTHING),
                marks(place.stale),
            )
        )
    known = board.rows[0][1]
    better: Better = "lower" if known and known.direction == "lower" else "higher" if known else ""
    columns = (
        Column("rank", "right"),
        Column("entry"),
        Column("variant"),
        Column(f"mean ({known.unit})" if known else "mean", "right", better),
        Column("seeds", "right"),
        Column("marks"),
    )
    caption = f"{better} is better" if better else ""
    return Table(board.title, caption, columns, tuple(rows), name).without_empty("marks")


def leaderboard_for_paper(results: Results) -> Table:
    """All leaderboards in one table."""
    rows = []
    for table in leaderboards(results):
        for row in table.rows:
            given = dict(zip((column.name for column in table.columns), row, strict=True))
            mean = row[3]
            heading = f"{table.title}{table.columns[3].heading[-2:] if table.columns[3].better else ''}"
            mark = given.get("marks", Cell(""))
            rows.append((Cell(heading), row[0], replace(row[1], link=""), row[2], mean, mark))
    columns = (
        Column("task and metric"),
        Column("rank", "right"),
        Column("entry"),
        Column("variant"),
        Column("mean", "right"),
        Column("marks"),
    )
    return Table(f"Leaderboards, profile {results.profile}", "", columns, tuple(rows)).without_empty("marks")
