"""Tells one verdict's whole story: what the paper says, what ran, what the test said."""

from pathlib import Path

from benchmarks.judging import claims
from benchmarks.judging.protocols import describe
from benchmarks.judging.tables import marks
from benchmarks.judging.verdicts import judge
from benchmarks.records import RECEIPTS, EntryRecord, profiles_with_records, read_receipt, records_of
from benchmarks.stages.judge import profiles_having, stale_entries


def run(name: str) -> None:
    """Raises InputError when there is no such claim, or a file is malformed."""
    entries = claims.entries_by_profile()
    paper, claim = claims.find(name, entries=entries)
    print(f"{claim.id}\n  {claim.statement.strip()}")
    print(f"  {paper.citation()}, {claim.where}; evidence: {claim.evidence.replace('_', ' ')}")
    print(
        f"  kind {claim.kind}, scope {claim.scope}, metric {claim.metric} ({claim.unit}, {claim.direction} is better)"
    )
    print(f"  the paper: {claims.paper_value(claim)}")
    for name in ("tolerance", "margin"):
        if (allowed := getattr(claim, name, None)) is not None:
            print(f"  {name}: {allowed.absolute:g}, because {allowed.reason.strip()}")
    metrics = [claim.metric, claim.at] if isinstance(claim, claims.DominanceClaim) else [claim.metric]
    if claim.measurement:
        for field, value in claim.measurement.stated().items():
            print(f"  asks for {field}: {value}")
    for profile in profiles_with_records():
        records = records_of(profile)
        verdicts = judge(paper, claim, records, profiles_having(entries))
        used = {record.entry: record for verdict in verdicts for record in verdict.records}
        stale = stale_entries(profile, list(used.values()), Path()) if used else set()
        for verdict in verdicts:
            print(f"\nprofile {profile}{f', task {verdict.task}' if verdict.task else ''}: {verdict.verdict.upper()}")
            print(f"  because: {verdict.reason}")
            for record in verdict.records:
                _tell(record, metrics, marks(record, stale))


def _tell(record: EntryRecord, metrics: list[str], found: list[str]) -> None:
    print(f"  entry {record.entry} (tier {record.tier}){': ' + ', '.join(found) if found else ''}")
    for run in record.runs:
        for row in run.metrics:
            if row.name in metrics:
                named = f"{row.name} " if len(metrics) > 1 else ""
                print(f"    seed {run.seed}, {describe(row.variant)}: {named}{row.value} {row.unit} over {row.n}")
        if run.status != "done":
            print(f"    seed {run.seed}: {run.status}, {run.reason}")
    receipt = RECEIPTS / record.profile / f"{record.entry}.json"
    if receipt.exists():
        for stage in read_receipt(receipt).stages:
            of = "all seeds" if stage.seed is None else f"seed {stage.seed}"
            edits = " with uncommitted edits" if stage.dirty else ""
            made = f"commit {stage.commit[:10]}{edits}, {stage.wall_seconds:g} s, {stage.hardware['name']}"
            print(f"    {stage.stage} {of}: {made}")
