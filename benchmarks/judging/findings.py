"""Tests of one claim on the rows of one task: pure functions from records to a finding."""

from collections.abc import Sequence
from itertools import product

from benchmarks.judging.claims import Claim, DominanceClaim, ExactClaim, OrderingClaim, TrendClaim, ValueClaim
from benchmarks.judging.dominance import dominance
from benchmarks.judging.rows import (
    ALPHA,
    Finding,
    Outcome,
    Row,
    compare,
    interval,
    protocol_difference,
    rows_of,
    subjects,
    unanimous,
)
from benchmarks.judging.trends import trend
from benchmarks.record.measurement import describe, first_difference
from benchmarks.record.records import EntryRecord, flat
from benchmarks.statistics.comparison import Comparison, Order
from benchmarks.statistics.equivalence import two_one_sided
from benchmarks.statistics.samples import rounding_guard


def finding(claim: Claim, records: Sequence[EntryRecord]) -> Finding | str:
    """The test's finding, or the field in which ours differs from what the claim asks for or from the other side."""
    asked = claim.measurement.stated() if claim.measurement else {}
    sides: list[list[Row]] = []
    for side in subjects(claim):
        rows = rows_of(side, claim, records)
        if not rows:
            along = f" with a number {claim.along}" if isinstance(claim, TrendClaim) else ""
            told = f"{side.name()} has no metric {claim.metric} in variant {describe(side.variant)}{along}"
            return Finding("undecided", told)
        fitting = [row for row in rows if first_difference(asked, row.protocol) is None]
        if not fitting:
            return str(first_difference(asked, rows[0].protocol))
        for metric in (metric for row in fitting for metric in row.by_seed.values()):
            if metric.unit != claim.unit:
                return "unit"
            if metric.direction != claim.direction:
                return "direction"
        for row in fitting:
            if lacking := [r.seed for r in row.record.runs if r.status == "done" and r.seed not in row.by_seed]:
                return Finding("undecided", f"seed {lacking[0]} is done without metric {claim.metric}")
        sides.append(fitting)
    match claim:
        case ValueClaim():
            return unanimous([value(claim, row) for row in sides[0]])
        case ExactClaim():
            return unanimous([_exact(claim, row) for row in sides[0]])
        case OrderingClaim():
            return _ordering(claim, sides)
        case TrendClaim():
            return trend(claim, [row for side in sides for row in side])
        case DominanceClaim():
            return dominance(claim, *sides)


def value(claim: ValueClaim, row: Row) -> Finding:
    """Whether the mean over seeds is the paper's number, within the claim's tolerance."""
    if not row.finite:
        return Finding("undecided", "a seed gave no finite number")
    target, tolerance = claim.value, claim.tolerance.absolute
    test = two_one_sided(row.values, target, tolerance, ALPHA)
    # A fit's own interval is part of what one run says; the claim holds only if it lies within the tolerance too.
    lows = [metric.low for metric in row.by_seed.values() if metric.low is not None]
    highs = [metric.high for metric in row.by_seed.values() if metric.high is not None]
    low, high = min([test.low, *lows]), max([test.high, *highs])
    shown = interval(test.mean, low, high)
    band = f"{target:g} ± {tolerance:g}"
    widened = ", widened by the fits' own," if lows or highs else ""
    ours = f"the {1 - 2 * ALPHA:.0%} interval{widened} [{low:.6g}, {high:.6g}]"
    if len(row.values) < 2:
        return Finding("undecided", f"one seed gives no interval; ours {test.mean:.6g}, the band {band}", *shown)
    guard = rounding_guard(target, tolerance)
    if target - tolerance - guard <= low and high <= target + tolerance + guard:
        return Finding("holds", f"{ours} lies within {band} (two one-sided t tests)", *shown)
    if low > target + tolerance + guard or high < target - tolerance - guard:
        outcome: Outcome = "better" if (low > target) == (claim.direction == "higher") else "worse"
        return Finding(outcome, f"{ours} lies beyond {band}", *shown)
    return Finding("undecided", f"{ours} crosses an edge of {band}", *shown)


def _exact(claim: ExactClaim, row: Row) -> Finding:
    wanted, allowed = flat(claim.value), claim.allowed()
    worst, ours = -1.0, 0.0
    for metric in row.by_seed.values():
        if metric.value is None:
            return Finding("undecided", "a seed gave no finite number")
        got = flat(metric.value)
        if len(got) != len(wanted):
            return Finding("fails", f"{len(got)} numbers where the paper prints {len(wanted)}")
        for number, target in zip(got, wanted, strict=True):
            if abs(number - target) > worst:
                worst, ours = abs(number - target), number
    held = worst <= allowed * (1 + 1e-12)  # half a printed unit is not a binary number
    several = f"{len(wanted)} numbers, " if len(wanted) > 1 else ""
    reason = f"{several}largest distance {worst:.3g}, allowed {allowed:g}, over {len(row.by_seed)} seeds"
    return Finding("holds" if held else "fails", reason, ours if len(wanted) == 1 else None)


def _ordering(claim: OrderingClaim, sides: list[list[Row]]) -> Finding | str:
    if not all(row.finite for side in sides for row in side):
        return Finding("undecided", "a seed gave no finite number")
    literature = claim.better.literature or claim.worse.literature
    if literature:
        return unanimous([_against_literature(claim, row) for row in sides[0]])
    pairs = [
        (one, other)
        for one, other in product(*sides)
        if all(one.variant.get(field) == other.variant.get(field) for field in claim.equal)
    ]
    if not pairs:
        return Finding("undecided", f"no two rows share {' and '.join(claim.equal)}")
    for one, other in pairs:
        if field := protocol_difference(one, other, claim.varies):
            return field
    tests = [compare(one, other, ALPHA) for one, other in pairs]
    wanted = "greater" if claim.direction == "higher" else "less"
    won = sum(_decision(claim, test) == wanted for test in tests)
    # A reversal anywhere refutes; over several pairs, each is asked for at a stricter level (Bonferroni).
    strict = [compare(one, other, ALPHA / len(pairs)) for one, other in pairs]
    lost = sum(_decision(claim, test) not in (wanted, "undecided") for test in strict)
    first = tests[0]
    shown = interval(first.difference, first.low, first.high) if len(pairs) == 1 else (None, None, None)
    where = f"{won} of {len(pairs)} pairs" if len(pairs) > 1 else f"difference {first.difference:.6g}"
    way = "in the claimed direction" if claim.margin is None else f"within the margin of {claim.margin.absolute:g}"
    reason = f"{where} {way} ({first.test}, {first.n} seeds, one-sided alpha {ALPHA:g})"
    if won == len(pairs):
        return Finding("holds", reason, *shown)
    return Finding("fails" if lost else "undecided", f"{reason}; {lost} reversed", *shown)


def _decision(claim: OrderingClaim, test: Comparison) -> Order:
    """Of the difference, or of what is left of it beyond the margin that the better side is allowed."""
    if claim.margin is None:
        return test.decision
    allowed = claim.margin.absolute if claim.direction == "lower" else -claim.margin.absolute
    return "greater" if test.low > allowed else "less" if test.high < allowed else "undecided"


def _against_literature(claim: OrderingClaim, row: Row) -> Finding:
    """One side is a printed number: our interval must lie on the claimed side of it."""
    ours_is_better = claim.better.literature is None
    printed = claim.worse if ours_is_better else claim.better
    assert printed.value is not None
    test = two_one_sided(row.values, printed.value, 0.0, ALPHA)
    wanted = "above" if (claim.direction == "higher") == ours_is_better else "below"
    reason = f"ours {test.mean:.6g}, {printed.literature} {printed.value:g}, {len(row.values)} seeds"
    outcome: Outcome = (
        "holds" if test.decision == wanted else "fails" if test.decision in ("above", "below") else "undecided"
    )
    return Finding(outcome, reason, *interval(test.mean, test.low, test.high))
