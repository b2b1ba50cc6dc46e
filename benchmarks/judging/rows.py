"""The rows of records that a claim is about, how two of them compare, and what a test of them found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeGuard

from benchmarks.judging.claims import (
    Claim,
    DominanceClaim,
    ExactClaim,
    OrderingClaim,
    Side,
    TrendClaim,
    ValueClaim,
)
from benchmarks.record.measurement import Value, describe, first_difference
from benchmarks.record.records import EntryRecord, Metric
from benchmarks.statistics.comparison import Comparison, paired, welch

ALPHA = 0.05  # one-sided error of every test; the intervals shown with a verdict have level 1 - 2 ALPHA

Outcome = Literal["holds", "better", "worse", "fails", "undecided"]


@dataclass(frozen=True)
class Finding:
    """What a test said, before tier and scope turn it into a word."""

    outcome: Outcome
    reason: str
    ours: float | None = None
    low: float | None = None
    high: float | None = None


def interval(middle: float, low: float, high: float) -> tuple[float, float | None, float | None]:
    """What a finding shows; an infinite end, of a single seed, is none."""
    return middle, low if isfinite(low) else None, high if isfinite(high) else None


@dataclass(frozen=True)
class Row:
    """The values of one row (entry, variant, metric), by seed, with the protocol they were taken by."""

    record: EntryRecord
    variant: dict[str, Value]
    protocol: dict[str, Value]
    by_seed: dict[int, Metric]

    @property
    def values(self) -> list[float]:
        """Seeds that gave no finite number, or a table of numbers, are left out."""
        return [float(metric.value) for metric in self.by_seed.values() if isinstance(metric.value, float | int)]

    @property
    def finite(self) -> bool:
        """Whether every seed gave a number."""
        return len(self.values) == len(self.by_seed)


def subjects(claim: Claim) -> list[Side]:
    """What must have run for the claim to be judged; literature needs no run."""
    if isinstance(claim, ValueClaim | ExactClaim | TrendClaim):
        if claim.method is not None:
            return [Side(method=claim.method, variant=claim.variant)]
        return [Side(entry=entry, variant=claim.variant) for entry in claim.entry_names()]
    origin = claim.origin if isinstance(claim, DominanceClaim) else None
    return [side for side in (claim.better, claim.worse, origin) if side is not None and side.literature is None]


def concerns(side: Side, record: EntryRecord) -> bool:
    """Whether a record is of that side's entry, of one of its entries, or of its method."""
    if side.entries:
        return record.entry in side.entries
    return side.entry == record.entry if side.entry is not None else side.method == record.method


def rows_of(side: Side, claim: Claim, records: Sequence[EntryRecord]) -> list[Row]:
    """Rows of the claim's metric whose variant has the side's fields; of a trend, also a number that it goes along.

    Of an ordering, those that it speaks of: a field of `below` is a number below that, where the row has it.
    """
    below = claim.below if isinstance(claim, OrderingClaim) else {}
    return [
        row
        for row in rows_named(claim.metric, [record for record in records if concerns(side, record)])
        if first_difference(side.variant, row.variant) is None
        and not any(is_number(value := row.variant.get(name)) and value >= end for name, end in below.items())
        and (not isinstance(claim, TrendClaim) or is_number(row.variant.get(claim.along)))
    ]


def rows_named(metric: str, records: Sequence[EntryRecord]) -> list[Row]:
    """Rows of a metric, one a record, variant and protocol."""
    rows: dict[tuple[str, str, str], Row] = {}
    for record in records:
        for run in record.runs:
            for taken in (taken for taken in run.metrics if taken.name == metric):
                key = (record.entry, describe(taken.variant), taken.fingerprint)
                row = rows.setdefault(key, Row(record, taken.variant, taken.measurement.stated(), {}))
                row.by_seed[run.seed] = taken
    return list(rows.values())


def is_number(value: Value | None) -> TypeGuard[int | float]:
    """True and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def protocol_difference(one: Row, other: Row, varies: Sequence[str] = ()) -> str | None:
    """The first measurement field in which two rows differ, those of `varies` left out."""
    fixed, taken = ({f: v for f, v in row.protocol.items() if f not in varies} for row in (one, other))
    return first_difference(fixed, taken) or first_difference(taken, fixed)


def share_seeds(rows: Sequence[Row]) -> bool:
    """Whether all rows come from the same runs, so that they can be paired by seed."""
    first = rows[0]
    return all(
        row.record.entry == first.record.entry and row.by_seed.keys() == first.by_seed.keys() for row in rows[1:]
    )


def compare(one: Row, other: Row, alpha: float) -> Comparison:
    """Paired by seed where both rows come from the same runs, Welch otherwise."""
    test: Callable[[Sequence[float], Sequence[float], float], Comparison]
    test = paired if share_seeds((one, other)) else welch
    return test(one.values, other.values, alpha)


def unanimous(findings: Sequence[Finding], what: str = "rows") -> Finding:
    """One finding of several (of entries or variants that the claim does not tell apart): all, or undecided."""
    first = findings[0]
    if len(findings) == 1:
        return first
    outcomes = {finding.outcome for finding in findings}
    if len(outcomes) == 1:
        reason = f"in all {len(findings)} {what}; the first: {first.reason}"
        return Finding(first.outcome, reason, first.ours, first.low, first.high)
    told = ", ".join(f"{sum(f.outcome == o for f in findings)} {o}" for o in sorted(outcomes))
    return Finding("undecided", f"{what} disagree: {told}", first.ours, first.low, first.high)
