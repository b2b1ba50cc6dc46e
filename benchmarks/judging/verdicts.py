"""What the runs say of a claim: pure functions from records to verdicts.

The set is closed. At tier paper: reproduced; better, worse (value); contradicted (exact, ordering); undecided;
not comparable: <first field that differs>; not run. Below tier paper, for scope method only: holds, fails or
undecided at <tier> scale. A run below tier paper never gives `reproduced`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from benchmarks.judging.claims import Claim, ExactClaim, OrderingClaim, Paper, Side, TrendClaim, ValueClaim, paper_value
from benchmarks.judging.protocols import Value, describe, first_difference
from benchmarks.profiles import Tier
from benchmarks.records import EntryRecord, Metric, flat
from benchmarks.statistics.comparison import Comparison, paired, welch
from benchmarks.statistics.equivalence import two_one_sided
from benchmarks.statistics.samples import rounding_guard

ALPHA = 0.05  # one-sided error of every test; the intervals shown with a verdict have level 1 - 2 ALPHA

Outcome = Literal["holds", "better", "worse", "fails", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """One row of verdicts.csv; numbers are None where there is nothing to show."""

    claim: Claim
    paper: Paper
    task: str
    ours: float | None
    low: float | None
    high: float | None
    seeds: str
    verdict: str
    reason: str
    records: tuple[EntryRecord, ...]  # the evidence

    @property
    def paper_value(self) -> str:
        return paper_value(self.claim)


@dataclass(frozen=True)
class _Finding:
    """What a test said, before tier and scope turn it into a word."""

    outcome: Outcome
    reason: str
    ours: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Sample:
    """The values of one row (entry, variant, metric), by seed, with the protocol they were taken by."""

    record: EntryRecord
    variant: dict[str, Value]
    protocol: dict[str, Value]
    by_seed: dict[int, Metric]

    @property
    def values(self) -> list[float]:
        return [float(metric.value) for metric in self.by_seed.values() if isinstance(metric.value, float | int)]


def judge(
    paper: Paper, claim: Claim, records: Sequence[EntryRecord], elsewhere: Mapping[str, Sequence[str]]
) -> list[Verdict]:
    """Verdicts of one claim over the records of one profile: one for scope paper, one a task for scope method.

    `elsewhere` maps entries to the profiles that have them, for the reason of `not run`.
    """
    subjects = _subjects(claim)
    concerned = sorted(
        (record for record in records if any(_concerns(side, record) for side in subjects)), key=lambda r: r.entry
    )
    tasks = sorted({record.task for record in concerned})
    if claim.scope == "method":
        complete = [task for task in tasks if all(_on(side, concerned, task) for side in subjects)]
        if complete:
            return [_judge_on(paper, claim, subjects, concerned, task) for task in complete]
    elif all(any(_concerns(side, record) for record in concerned) for side in subjects):
        if len(tasks) == 1:
            return [_judge_on(paper, claim, subjects, concerned, tasks[0])]
        told = f"the sides ran on the tasks {' and '.join(tasks)}"
        return [Verdict(claim, paper, "", None, None, None, "", "not comparable: task", told, tuple(concerned))]
    reason = _why_not_run(subjects, concerned, elsewhere)
    return [Verdict(claim, paper, "", None, None, None, "", "not run", reason, ())]


def _subjects(claim: Claim) -> list[Side]:
    """What must have run for the claim to be judged; literature needs no run."""
    if isinstance(claim, ValueClaim | ExactClaim | TrendClaim):
        return [Side(method=claim.method, entry=claim.entry, variant=claim.variant)]
    return [side for side in (claim.better, claim.worse) if side.literature is None]


def _concerns(side: Side, record: EntryRecord) -> bool:
    return side.entry == record.entry if side.entry is not None else side.method == record.method


def _on(side: Side, records: Sequence[EntryRecord], task: str) -> list[EntryRecord]:
    return [record for record in records if record.task == task and _concerns(side, record)]


def _why_not_run(
    subjects: Sequence[Side], concerned: Sequence[EntryRecord], elsewhere: Mapping[str, Sequence[str]]
) -> str:
    parts = []
    for side in subjects:
        if any(_concerns(side, record) for record in concerned):
            continue
        if side.entry is not None:
            parts.append(f"entry {side.entry} belongs to {' and '.join(elsewhere.get(side.entry, ['no profile']))}")
        else:
            parts.append(f"method {side.method} has no record here")
    return "; ".join(parts) or "the sides have no task in common here"


def _judge_on(paper: Paper, claim: Claim, subjects: list[Side], concerned: Sequence[EntryRecord], task: str) -> Verdict:
    records = [record for record in concerned if record.task == task]
    tiers = sorted({record.tier for record in records})
    done = sum(run.status == "done" for record in records for run in record.runs)
    seeds = f"{done} of {sum(len(record.runs) for record in records)}"

    def verdict(word: str, reason: str, finding: _Finding | None = None) -> Verdict:
        shown = finding or _Finding("undecided", "")
        return Verdict(claim, paper, task, shown.ours, shown.low, shown.high, seeds, word, reason, tuple(records))

    finding = _finding(claim, subjects, records)
    if isinstance(finding, str):
        return verdict(f"not comparable: {finding}", f"ours has another {finding} than the claim or the other side")
    if len(tiers) > 1:
        return verdict("not comparable: tier", f"the sides ran at tiers {' and '.join(tiers)}", finding)
    tier = tiers[0]
    if claim.scope == "paper" and tier != "paper":
        return verdict("not comparable: tier", f"ours ran at tier {tier}, the claim is of the paper's scale", finding)
    if claim.evidence == "from_memory":
        return verdict(_word("undecided", tier), "the paper's number is from memory: shown, not judged", finding)
    failed = [run for record in records for run in record.runs if run.status != "done"]
    if failed:
        reason = f"seed {failed[0].seed} {failed[0].status}: {failed[0].reason}"
        return verdict(_word("undecided", tier), reason, finding)
    return verdict(_word(finding.outcome, tier), finding.reason, finding)


def _word(outcome: Outcome, tier: Tier) -> str:
    if tier != "paper":
        # Below the paper's scale, a value beyond its tolerance on either side is simply not the paper's.
        return f"{ {'better': 'fails', 'worse': 'fails'}.get(outcome, outcome) } at {tier} scale"
    return {"holds": "reproduced", "fails": "contradicted"}.get(outcome, outcome)


def _finding(claim: Claim, subjects: list[Side], records: Sequence[EntryRecord]) -> _Finding | str:
    """The test's finding, or the measurement field that differs from what the claim asks for."""
    asked = claim.measurement.stated() if claim.measurement else {}
    sides = [
        [s for record in records if _concerns(side, record) for s in _samples(record, side, claim)] for side in subjects
    ]
    for side, samples in zip(subjects, sides, strict=True):
        if not samples:
            return _Finding(
                "undecided", f"{side.name()} has no metric {claim.metric} in variant {describe(side.variant)}"
            )
        fitting = [sample for sample in samples if first_difference(asked, sample.protocol) is None]
        if not fitting:
            return str(first_difference(asked, samples[0].protocol))
        for metric in (metric for sample in fitting for metric in sample.by_seed.values()):
            if metric.unit != claim.unit:
                return "unit"
            if metric.direction != claim.direction:
                return "direction"
        for sample in fitting:
            if lacking := [r.seed for r in sample.record.runs if r.status == "done" and r.seed not in sample.by_seed]:
                return _Finding("undecided", f"seed {lacking[0]} is done without metric {claim.metric}")
        samples[:] = fitting
    match claim:
        case ValueClaim():
            return _unanimous([_value(claim, sample) for sample in sides[0]])
        case ExactClaim():
            return _unanimous([_exact(claim, sample) for sample in sides[0]])
        case OrderingClaim():
            return _ordering(claim, sides)
        case _:
            return _Finding("undecided", f"claims of kind {claim.kind} have no judge yet")


def _samples(record: EntryRecord, side: Side, claim: Claim) -> list[_Sample]:
    """Rows of the claim's metric whose variant has the side's fields; one a (variant, protocol)."""
    rows: dict[str, _Sample] = {}
    for run in record.runs:
        for metric in run.metrics:
            if metric.name == claim.metric and first_difference(side.variant, metric.variant) is None:
                key = f"{describe(metric.variant)} {metric.fingerprint}"
                row = rows.setdefault(key, _Sample(record, metric.variant, metric.measurement.stated(), {}))
                row.by_seed[run.seed] = metric
    return list(rows.values())


def _unanimous(findings: Sequence[_Finding]) -> _Finding:
    """One finding of several rows (entries or variants that the claim does not tell apart): all, or undecided."""
    first = findings[0]
    if len(findings) == 1:
        return first
    outcomes = {finding.outcome for finding in findings}
    if len(outcomes) == 1:
        return _Finding(
            first.outcome, f"in all {len(findings)} rows; the first: {first.reason}", first.ours, first.low, first.high
        )
    told = ", ".join(f"{sum(f.outcome == o for f in findings)} {o}" for o in sorted(outcomes))
    return _Finding("undecided", f"rows disagree: {told}", first.ours, first.low, first.high)


def _value(claim: ValueClaim, sample: _Sample) -> _Finding:
    if len(sample.values) < len(sample.by_seed):
        return _Finding("undecided", "a seed gave no finite number")
    target, tolerance = claim.value, claim.tolerance.absolute
    test = two_one_sided(sample.values, target, tolerance, ALPHA)
    # A fit's own interval is part of what one run says; the claim holds only if it lies within the tolerance too.
    lows = [metric.low for metric in sample.by_seed.values() if metric.low is not None]
    highs = [metric.high for metric in sample.by_seed.values() if metric.high is not None]
    low, high = min([test.low, *lows]), max([test.high, *highs])
    shown = (test.mean, *(x if abs(x) != float("inf") else None for x in (low, high)))
    band = f"{target:g} ± {tolerance:g}"
    widened = ", widened by the fits' own," if lows or highs else ""
    interval = f"the {1 - 2 * ALPHA:.0%} interval{widened} [{low:.6g}, {high:.6g}]"
    if len(sample.values) < 2:
        return _Finding("undecided", f"one seed gives no interval; ours {test.mean:.6g}, the band {band}", *shown)
    guard = rounding_guard(target, tolerance)
    if target - tolerance - guard <= low and high <= target + tolerance + guard:
        return _Finding("holds", f"{interval} lies within {band} (two one-sided t tests)", *shown)
    if low > target + tolerance + guard or high < target - tolerance - guard:
        outcome: Outcome = "better" if (low > target) == (claim.direction == "higher") else "worse"
        return _Finding(outcome, f"{interval} lies beyond {band}", *shown)
    return _Finding("undecided", f"{interval} crosses an edge of {band}", *shown)


def _exact(claim: ExactClaim, sample: _Sample) -> _Finding:
    wanted, allowed = flat(claim.value), claim.allowed()
    worst, ours = -1.0, 0.0
    for metric in sample.by_seed.values():
        if metric.value is None:
            return _Finding("undecided", "a seed gave no finite number")
        got = flat(metric.value)
        if len(got) != len(wanted):
            return _Finding("fails", f"{len(got)} numbers where the paper prints {len(wanted)}")
        for number, target in zip(got, wanted, strict=True):
            if abs(number - target) > worst:
                worst, ours = abs(number - target), number
    held = worst <= allowed * (1 + 1e-12)  # half a printed unit is not a binary number
    several = f"{len(wanted)} numbers, " if len(wanted) > 1 else ""
    reason = f"{several}largest distance {worst:.3g}, allowed {allowed:g}, over {len(sample.by_seed)} seeds"
    shown = (ours, None, None) if len(wanted) == 1 else (None, None, None)
    return _Finding("holds" if held else "fails", reason, *shown)


def _ordering(claim: OrderingClaim, sides: list[list[_Sample]]) -> _Finding | str:
    if any(len(sample.values) < len(sample.by_seed) for side in sides for sample in side):
        return _Finding("undecided", "a seed gave no finite number")
    literature = claim.better.literature or claim.worse.literature
    if literature:
        return _unanimous([_against_literature(claim, sample) for sample in sides[0]])
    pairs = [
        (one, other)
        for one, other in product(*sides)
        if all(one.variant.get(field) == other.variant.get(field) for field in claim.equal)
    ]
    if not pairs:
        return _Finding("undecided", f"no two rows share {' and '.join(claim.equal)}")
    for one, other in pairs:
        fixed = {field: value for field, value in one.protocol.items() if field not in claim.varies}
        taken = {field: value for field, value in other.protocol.items() if field not in claim.varies}
        if field := first_difference(fixed, taken) or first_difference(taken, fixed):
            return field
    tests = [_compare(one, other, ALPHA) for one, other in pairs]
    wanted = "greater" if claim.direction == "higher" else "less"
    won = sum(test.decision == wanted for test in tests)
    # A reversal anywhere refutes; over several pairs, each is asked for at a stricter level (Bonferroni).
    strict = [_compare(one, other, ALPHA / len(pairs)) for one, other in pairs]
    lost = sum(test.decision not in (wanted, "undecided") for test in strict)
    first = tests[0]
    shown = (first.difference, first.low, first.high) if len(pairs) == 1 else (None, None, None)
    where = f"{won} of {len(pairs)} pairs" if len(pairs) > 1 else f"difference {first.difference:.6g}"
    reason = f"{where} in the claimed direction ({first.test}, {first.n} seeds, one-sided alpha {ALPHA:g})"
    if won == len(pairs):
        return _Finding("holds", reason, *shown)
    return _Finding("fails" if lost else "undecided", f"{reason}; {lost} reversed", *shown)


def _compare(one: _Sample, other: _Sample, alpha: float) -> Comparison:
    """Paired by seed where both rows come from the same runs, Welch otherwise."""
    test: Callable[[Sequence[float], Sequence[float], float], Comparison] = welch
    if one.record.entry == other.record.entry and one.by_seed.keys() == other.by_seed.keys():
        test = paired
    return test(one.values, other.values, alpha)


def _against_literature(claim: OrderingClaim, sample: _Sample) -> _Finding:
    """One side is a printed number: our interval must lie on the claimed side of it."""
    ours_is_better = claim.better.literature is None
    printed = claim.worse if ours_is_better else claim.better
    assert printed.value is not None
    test = two_one_sided(sample.values, printed.value, 0.0, ALPHA)
    wanted = "above" if (claim.direction == "higher") == ours_is_better else "below"
    reason = f"ours {test.mean:.6g}, {printed.literature} {printed.value:g}, {len(sample.values)} seeds"
    outcome: Outcome = (
        "holds" if test.decision == wanted else "fails" if test.decision in ("above", "below") else "undecided"
    )
    bounds = [x if abs(x) != float("inf") else None for x in (test.low, test.high)]
    return _Finding(outcome, reason, test.mean, *bounds)
