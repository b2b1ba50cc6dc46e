"""Dominance: each point of one side against the frontier of the other, seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from benchmarks.judging.claims import DominanceClaim
from benchmarks.judging.rows import ALPHA, Finding, Outcome, Row, interval, protocol_difference, rows_named
from benchmarks.record.measurement import describe
from benchmarks.statistics.comparison import Comparison, paired
from benchmarks.statistics.frontiers import frontiers
from benchmarks.statistics.samples import summarise


@dataclass(frozen=True)
class Point:
    """An entry and variant: what it reaches and for how much, by seed, where both are finite numbers."""

    row: Row
    cost: Row | None  # None: of an origin whose cost was not taken, which is 0
    values: dict[int, float]
    costs: dict[int, float]

    @property
    def name(self) -> str:
        variant = f" / {describe(self.row.variant)}" if self.row.variant else ""
        return f"{self.row.record.entry}{variant}"

    @property
    def complete(self) -> bool:
        """Whether every seed gave both numbers."""
        return len(self.values) == len(self.row.by_seed)


@dataclass(frozen=True)
class _Against:
    """A point against the frontier at its cost, seed by seed."""

    point: Point
    frontier: list[float]
    theirs: list[float]
    beyond: bool  # the frontier's own points do not reach so far

    def test(self, shift: float, alpha: float = ALPHA) -> Comparison:
        """The frontier, shifted, minus the point."""
        return paired([value + shift for value in self.frontier], self.theirs, alpha)


def points(at: str, rows: Sequence[Row], origin: bool = False) -> list[Point]:
    """One a row that has the metric `at` beside its own; of an origin, every row."""
    found = []
    for row in rows:
        values = _finite(row)
        of_same = (cost for cost in rows_named(at, [row.record]) if cost.variant == row.variant)
        cost = next(of_same, None)
        if cost is None and not origin:
            continue
        costs = dict.fromkeys(values, 0.0) if cost is None else _finite(cost)
        both = [seed for seed in values if seed in costs]
        found.append(Point(row, cost, {seed: values[seed] for seed in both}, {seed: costs[seed] for seed in both}))
    return found


def _finite(row: Row) -> dict[int, float]:
    return {seed: float(m.value) for seed, m in row.by_seed.items() if isinstance(m.value, float | int)}


def dominance(
    claim: DominanceClaim, better: Sequence[Row], worse: Sequence[Row], origin: Sequence[Row] = ()
) -> Finding | str:
    """The finding, or the field in which rows differ that must not.

    Holds where every point of the worse side is worse than the better side's frontier at its cost, fails where one is
    better than it: the frontier and its tests are those of `maths.md`.
    """
    above, below, start = points(claim.at, better), points(claim.at, worse), points(claim.at, origin, origin=True)
    for side, found in ((claim.better, above), (claim.worse, below)):
        if not found:
            return Finding("undecided", f"{side.label()} has no metric {claim.at} beside {claim.metric}")
    everything = [*above, *below, *start]
    if field := _difference([p.row for p in everything], [p.cost for p in everything if p.cost]):
        return field
    if not all(point.complete for point in everything):
        return Finding("undecided", f"a seed gave no finite number of {claim.metric} and {claim.at}")
    curve = [*above, *start]
    tests, left, apart = [], [], []
    for point in below:
        seeds = sorted(set.intersection(*(set(p.values) for p in (*curve, point))))
        if not seeds:
            apart.append(point.name)
        elif against := _against(claim, curve, point, seeds):
            tests.append(against)
        else:
            left.append(point.name)
    if apart:
        return Finding("undecided", f"{apart[0]} shares no seed with {claim.better.label()}")
    outside = f"; not compared, being left of it: {', '.join(left)}" if left else ""
    if not tests:
        return Finding("undecided", f"every point of {claim.worse.label()} lies left of {claim.better.label()}")
    return _decided(claim, tests, outside)


def _difference(rows: Sequence[Row], costs: Sequence[Row]) -> str | None:
    """The first field in which the rows, or their costs, were taken otherwise than the first of them."""
    for kind in (rows, costs):
        for row in kind:
            if field := protocol_difference(kind[0], row):
                return field
            if {m.unit for m in row.by_seed.values()} != {m.unit for m in kind[0].by_seed.values()}:
                return "unit"
    return None


def _against(claim: DominanceClaim, curve: Sequence[Point], point: Point, seeds: Sequence[int]) -> _Against | None:
    """None where the frontier does not reach down to the point's cost."""
    costs = np.array([[p.costs[seed] for seed in seeds] for p in curve])
    values = np.array([[p.values[seed] for seed in seeds] for p in curve])
    at, theirs = [point.costs[seed] for seed in seeds], [point.values[seed] for seed in seeds]
    reached = frontiers(costs, values, at, claim.direction == "higher")
    if any(map(isnan, reached)):
        return None
    beyond = bool(np.any(costs.max(axis=0) < at))
    return _Against(point, reached, theirs, beyond)


def _decided(claim: DominanceClaim, tests: Sequence[_Against], outside: str) -> Finding:
    sign, wanted, reversed_ = (1.0, "greater", "less") if claim.direction == "higher" else (-1.0, "less", "greater")
    shift = sign * (claim.margin.absolute if claim.margin else 0.0)
    won = sum(each.test(shift).decision == wanted for each in tests)
    # Of several points each is asked for a reversal at a stricter level (Bonferroni). Beyond the frontier's own points
    # a better one refutes nothing: it was bought with more, and nobody knows what the frontier would reach there.
    lost = sum(each.test(shift, ALPHA / len(tests)).decision == reversed_ and not each.beyond for each in tests)
    nearest = min(tests, key=lambda each: sign * each.test(0.0).difference)
    test = nearest.test(0.0)
    place, theirs, reached = (
        summarise(of).mean for of in (list(nearest.point.costs.values()), nearest.theirs, nearest.frontier)
    )
    worse = "worse than" if claim.margin is None else f"at most {claim.margin.absolute:g} better than"
    reason = (
        f"{won} of {len(tests)} points {worse} the frontier ({test.test}, {test.n} seeds, one-sided alpha {ALPHA:g}); "
        f"nearest {nearest.point.name}, {claim.at} {place:.4g}: {theirs:.4g}, the frontier {reached:.4g}"
        f"{', beyond its last point' if nearest.beyond else ''}{f'; {lost} reversed' if lost else ''}{outside}"
    )
    outcome: Outcome = "holds" if won == len(tests) else "fails" if lost else "undecided"
    return Finding(outcome, reason, *interval(test.difference, test.low, test.high))
