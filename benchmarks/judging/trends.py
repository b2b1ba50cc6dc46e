"""Trends: a metric along one numeric field of the variant."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.files.typed_files import canonical
from benchmarks.judging.claims import TrendClaim
from benchmarks.judging.rows import ALPHA, Finding, Row, interval, protocol_difference, share_seeds, unanimous
from benchmarks.statistics.samples import summarise
from benchmarks.statistics.trends import FEWEST, LEVEL_SHARE, monotone, saturating

MOST_TOLD = 6  # values that a reason names


def trend(claim: TrendClaim, rows: Sequence[Row]) -> Finding | str:
    """The finding, or the field in which rows differ that must not.

    The values of the field may lie within one entry (then they are paired by seed) or in several entries of one method.
    Rows that differ in other variant fields make trends of their own, which must agree.
    """
    if claim.shape == "changes_at":
        return Finding("undecided", f"trends of shape {claim.shape} have no judge yet")
    if not all(row.finite for row in rows):
        return Finding("undecided", "a seed gave no finite number")
    for row in rows[1:]:
        if row.record.method != rows[0].record.method:
            return "method"
        if field := protocol_difference(rows[0], row, claim.varies):
            return field
    return unanimous([_along(claim, line) for line in lines_along(claim.along, rows)], "trends")


def lines_along(along: str, rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that differ in nothing but the field, by its value; where entries repeat a value, each entry for itself.

    All rows are of one method and have a number in the field.
    """
    alike: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        alike[canonical({name: value for name, value in row.variant.items() if name != along})].append(row)
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for others, group in alike.items():
        repeated = len({row.variant[along] for row in group}) < len(group)
        for row in group:
            found[others, row.record.entry if repeated else ""].append(row)
    return [sorted(line, key=lambda row: _number(row, along)) for line in found.values()]


def _along(claim: TrendClaim, line: Sequence[Row]) -> Finding:
    told = f"along {claim.along}: {_told(claim.along, line)}"
    if len(line) < FEWEST:
        return Finding("undecided", f"{told}; a trend needs {FEWEST} values")
    if claim.shape == "saturates":
        return _levelling(claim, line, told)
    shape: Any = claim.shape
    test = monotone([row.values for row in line], shape, share_seeds(line), ALPHA)
    ends = test.ends
    reason = f"{told} (last against first: {ends.test}, {ends.n} seeds, one-sided alpha {ALPHA:g})"
    if test.reversed:
        place = test.reversed[0]
        at, to = (f"{_number(row, claim.along):g}" for row in line[place : place + 2])
        reason += f"; {len(test.reversed)} of {len(line) - 1} steps reversed, the first from {at} to {to}"
    return Finding(test.decision, reason, *interval(ends.difference, ends.low, ends.high))


def _levelling(claim: TrendClaim, line: Sequence[Row], told: str) -> Finding:
    """Better from first to last, and level over the second half of the field's range."""
    places = [_number(row, claim.along) for row in line]
    shape: Any = "rises" if claim.direction == "higher" else "falls"
    test = saturating([row.values for row in line], places, shape, share_seeds(line), ALPHA)
    gain, late = test.gain, test.late
    shown = interval(gain.difference, gain.low, gain.high)
    reason = f"{told} (last against first: {gain.test}, {gain.n} seeds, one-sided alpha {ALPHA:g})"
    if test.middle == 0:
        reason += f"; no value but the first lies in the first half of {claim.along}"
    elif gain.difference:
        part = f"{100 * late.difference / gain.difference:.3g} %"
        reason += f"; {part} of the change comes after {places[test.middle]:g}, {100 * LEVEL_SHARE:g} % are a level"
    if test.reversed:
        at, to = places[test.reversed[0]], places[test.reversed[0] + 1]
        reason += f"; {len(test.reversed)} of {len(line) - 1} steps go back by more, the first from {at:g} to {to:g}"
    return Finding(test.decision, reason, *shown)


def _told(along: str, line: Sequence[Row]) -> str:
    """`12.1 at 0, 20.3 at 500, 26 at 1000`: means over seeds; of many, some from first to last."""
    count = min(len(line), MOST_TOLD)
    places = [round(k * (len(line) - 1) / max(1, count - 1)) for k in range(count)]
    told = ", ".join(f"{summarise(line[p].values).mean:.4g} at {_number(line[p], along):g}" for p in places)
    return told if count == len(line) else f"{told} ({count} of {len(line)} values)"


def _number(row: Row, along: str) -> float:
    return float(row.variant[along])
