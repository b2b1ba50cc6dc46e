"""The points that dominance claims were judged by: what an entry and variant reaches, and for how much."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.judging.claims import Claim, DominanceClaim
from benchmarks.judging.dominance import Point, points
from benchmarks.judging.rows import interval, rows_of
from benchmarks.judging.tables import LEVEL
from benchmarks.record.measurement import describe, first_difference
from benchmarks.record.records import EntryRecord
from benchmarks.statistics.intervals import student_t

ROLES = ("better", "worse", "origin")  # of the sides of a frontier


@dataclass(frozen=True)
class Reached:
    """A mean over seeds with its interval; a single seed has none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FrontierPoint:
    """What an entry and variant reaches (`value`) for how much (`cost`), in the units named."""

    claim: str
    task: str
    metric: str
    unit: str
    direction: str
    at: str
    at_unit: str  # "" of an origin whose cost was not taken
    side: str
    role: str
    entry: str
    variant: str
    value: Reached
    cost: Reached


def frontier_points(claims: Iterable[Claim], records: Sequence[EntryRecord]) -> list[FrontierPoint]:
    """A point for each row of each side of a dominance claim, on each task, sorted by claim, task, role and cost."""
    found = []
    for claim in (claim for claim in claims if isinstance(claim, DominanceClaim)):
        asked = claim.measurement.stated() if claim.measurement else {}
        for role in ROLES:
            side = getattr(claim, role)
            taken = rows_of(side, claim, records) if side else []
            fitting = [row for row in taken if first_difference(asked, row.protocol) is None]
            of_side = points(claim.at, fitting, role == "origin")
            found += [_point(claim, side.label(), role, point) for point in of_side if point.values]
    drawn = {(point.claim, point.task) for point in found if point.role != "origin"}
    found = [point for point in found if (point.claim, point.task) in drawn]
    return sorted(found, key=lambda p: (p.claim, p.task, ROLES.index(p.role), p.cost.mean, p.entry, p.variant))


def _point(claim: DominanceClaim, side: str, role: str, point: Point) -> FrontierPoint:
    first = next(iter(point.row.by_seed.values()))
    return FrontierPoint(
        claim=claim.id,
        task=point.row.record.task,
        metric=claim.metric,
        unit=first.unit,
        direction=first.direction,
        at=claim.at,
        at_unit=next(iter(point.cost.by_seed.values())).unit if point.cost else "",
        side=side,
        role=role,
        entry=point.row.record.entry,
        variant=describe(point.row.variant),
        value=_reached(list(point.values.values())),
        cost=_reached(list(point.costs.values())),
    )


def _reached(values: list[float]) -> Reached:
    over_seeds = student_t(values, LEVEL)
    return Reached(*interval(over_seeds.mean, over_seeds.low, over_seeds.high))
