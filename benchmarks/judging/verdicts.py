"""What the runs say of a claim, in words: pure functions from records to verdicts.

The set is closed. At tier paper: reproduced; better, worse (value); contradicted (exact, ordering, trend); undecided;
not comparable: <first field that differs>; not run. Below tier paper, for scope method only: holds, fails or
undecided at <tier> scale. A run below tier paper never gives `reproduced`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.judging.claims import Claim, DominanceClaim, OrderingClaim, Paper, Side, paper_value
from benchmarks.judging.findings import finding
from benchmarks.judging.rows import Finding, Outcome, concerns, rows_named, rows_of, subjects
from benchmarks.plan.profiles import Tier
from benchmarks.record.measurement import describe, first_difference
from benchmarks.record.records import EntryRecord


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


def judge(
    paper: Paper, claim: Claim, records: Sequence[EntryRecord], elsewhere: Mapping[str, Sequence[str]]
) -> list[Verdict]:
    """Verdicts of one claim over the records of one profile: one for scope paper, one a task for scope method.

    `elsewhere` maps entries to the profiles that have them, for the reason of `not run`.
    """
    sides = subjects(claim)
    needed = [one for side in sides for one in side.needed()]
    concerned = sorted(
        (record for record in records if any(concerns(side, record) for side in sides)), key=lambda r: r.entry
    )
    tasks = sorted({record.task for record in concerned})
    if claim.scope == "method":
        complete = [task for task in tasks if all(_on(side, concerned, task) for side in sides)]
        complete = [task for task in complete if _speaks_of(claim, concerned, task)]
        # A metric that a task does not ask for makes no row; one that no task asks for is told of.
        metrics = [claim.metric, claim.at] if isinstance(claim, DominanceClaim) else [claim.metric]
        asked = [
            task
            for task in complete
            if all(_takes(metric, [r for r in concerned if r.task == task]) for metric in metrics)
        ] or complete
        missing = {task: _not_made(claim, concerned, task) for task in asked}
        if made := [task for task in asked if not missing[task]]:
            return [_judge_on(paper, claim, concerned, task) for task in made]
        if asked:
            return [Verdict(claim, paper, "", None, None, None, "", "not run", missing[asked[0]], ())]
    elif all(any(concerns(side, record) for record in concerned) for side in needed):
        if len(tasks) == 1:
            return [_judge_on(paper, claim, concerned, tasks[0])]
        told = f"the sides ran on the tasks {' and '.join(tasks)}"
        return [Verdict(claim, paper, "", None, None, None, "", "not comparable: task", told, tuple(concerned))]
    reason = _why_not_run(needed, concerned, elsewhere)
    return [Verdict(claim, paper, "", None, None, None, "", "not run", reason, ())]


def _on(side: Side, records: Sequence[EntryRecord], task: str) -> list[EntryRecord]:
    return [record for record in records if record.task == task and concerns(side, record)]


def _speaks_of(claim: Claim, records: Sequence[EntryRecord], task: str) -> bool:
    """Whether an ordering that ends below some number has rows of each side there, or would as far as runs tell."""
    if not isinstance(claim, OrderingClaim) or not claim.below:
        return True
    everywhere = claim.model_copy(update={"below": {}})
    ran = [(side, _on(side, records, task)) for side in subjects(claim)]
    return all(rows_of(side, claim, on) or not rows_of(side, everywhere, on) for side, on in ran)


def _not_made(claim: Claim, records: Sequence[EntryRecord], task: str) -> str:
    """Which side's variant no entry of a task was made with; "" where all are, as far as runs that ended tell."""
    for side in subjects(claim):
        on = _on(side, records, task)
        ended = all(run.status == "done" for record in on for run in record.runs)
        rows = rows_named(claim.metric, on)
        if on and ended and side.variant and all(first_difference(side.variant, row.variant) for row in rows):
            return f"{side.name()} has no {claim.metric} of {describe(side.variant)} here"
    return ""


def _takes(metric: str, records: Sequence[EntryRecord]) -> bool:
    """Whether the records of a task have the metric, as far as they tell: runs without numbers may have had it."""
    taken = [{metric.name for metric in run.metrics} for record in records for run in record.runs if run.metrics]
    return not taken or any(metric in names for names in taken)


def _why_not_run(
    sides: Sequence[Side], concerned: Sequence[EntryRecord], elsewhere: Mapping[str, Sequence[str]]
) -> str:
    parts = []
    for side in sides:
        if any(concerns(side, record) for record in concerned):
            continue
        if side.entry is not None:
            parts.append(f"entry {side.entry} belongs to {' and '.join(elsewhere.get(side.entry, ['no profile']))}")
        else:
            parts.append(f"method {side.method} has no record here")
    return "; ".join(parts) or "the sides have no task in common here"


def _judge_on(paper: Paper, claim: Claim, concerned: Sequence[EntryRecord], task: str) -> Verdict:
    records = [record for record in concerned if record.task == task]
    tiers = sorted({record.tier for record in records})
    done = sum(run.status == "done" for record in records for run in record.runs)
    seeds = f"{done} of {sum(len(record.runs) for record in records)}"

    def verdict(word: str, reason: str, found: Finding | None = None) -> Verdict:
        shown = found or Finding("undecided", "")
        return Verdict(claim, paper, task, shown.ours, shown.low, shown.high, seeds, word, reason, tuple(records))

    found = finding(claim, records)
    if isinstance(found, str):
        return verdict(f"not comparable: {found}", f"ours has another {found} than the claim or the other side")
    if len(tiers) > 1:
        return verdict("not comparable: tier", f"the sides ran at tiers {' and '.join(tiers)}", found)
    tier = tiers[0]
    if claim.scope == "paper" and tier != "paper":
        return verdict("not comparable: tier", f"ours ran at tier {tier}, the claim is of the paper's scale", found)
    if claim.evidence == "from_memory":
        return verdict(_word("undecided", tier), "the paper's number is from memory: shown, not judged", found)
    failed = [run for record in records for run in record.runs if run.status != "done"]
    if failed:
        reason = f"seed {failed[0].seed} {failed[0].status}: {failed[0].reason}"
        return verdict(_word("undecided", tier), reason, found)
    return verdict(_word(found.outcome, tier), found.reason, found)


def _word(outcome: Outcome, tier: Tier) -> str:
    if tier != "paper":
        # Below the paper's scale, a value beyond its tolerance on either side is simply not the paper's.
        return f"{ {'better': 'fails', 'worse': 'fails'}.get(outcome, outcome) } at {tier} scale"
    return {"holds": "reproduced", "fails": "contradicted"}.get(outcome, outcome)
