"""Leaderboards: rows that were measured alike, with the places that the seeds leave open."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from benchmarks.judging.rows import is_number
from benchmarks.judging.tables import Score
from benchmarks.record.measurement import Variant, describe
from benchmarks.statistics.ranks import rank_intervals


@dataclass(frozen=True)
class Place:
    """A row and the ranks that it may have."""

    score: Score
    rank_low: int
    rank_high: int


@dataclass(frozen=True)
class Board:
    """Rows that were ranked together: one task, one metric, one protocol, one tier."""

    rows: tuple[Place, ...]
    ambiguous: bool  # the same metric was also taken in another way

    @property
    def first(self) -> Score:
        """A row, for what all have in common."""
        return self.rows[0].score

    @property
    def title(self) -> str:
        """`container: looks (n 64)`: where the metric alone does not say, what all its variants have in common."""
        name = f"{self.first.task}: {self.first.metric}"
        if not self.ambiguous:
            return name
        shared = set.intersection(*(set(place.score.variant.items()) for place in self.rows))
        said = ", ".join(sorted(describe(dict([item])) for item in shared))
        return f"{name} ({said or f'protocol {self.first.fingerprint}, {self.first.tier}'})"


def boards(scores: Sequence[Score]) -> list[Board]:
    """Ranks within each task, metric, protocol and tier; rows that cannot be told apart share their ranks.

    Rows without a rival are left out; rows that differ in numbers of the variant only, such as nfe, are no rivals.
    """
    groups: dict[tuple[str, ...], list[Score]] = defaultdict(list)
    for row in scores:
        if row.mean is not None:
            groups[row.task, row.metric, row.fingerprint, row.tier].append(row)
    contested = [rows for rows in groups.values() if len({_rival(row) for row in rows}) > 1]
    named = [(rows[0].task, rows[0].metric) for rows in groups.values()]
    return [Board(_ranked(rows), named.count((rows[0].task, rows[0].metric)) > 1) for rows in contested]


def _rival(row: Score) -> tuple[object, ...]:
    shown: Variant = {name: "" if is_number(value) else value for name, value in row.variant.items()}
    return row.entry, describe(shown)


def _ranked(rows: Sequence[Score]) -> tuple[Place, ...]:
    ranks = rank_intervals({str(place): row.values for place, row in enumerate(rows)}, rows[0].direction == "higher")
    # Survivors of a run that did not finish everywhere are no fair sample: their place stays open.
    places = [
        Place(row, *(ranks[str(place)] if row.seeds.done == row.seeds.of else (1, len(rows))))
        for place, row in enumerate(rows)
    ]
    return tuple(sorted(places, key=attrgetter("rank_low", "rank_high", "score.entry")))
