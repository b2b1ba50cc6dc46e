"""Prints one verdict's whole story: what the paper says, what ran, what the test found."""

from collections.abc import Mapping, Sequence

from benchmarks.judging import claims
from benchmarks.judging.rows import subjects
from benchmarks.judging.tables import marks
from benchmarks.judging.verdicts import judge
from benchmarks.plan import composition, profiles
from benchmarks.provenance.freshness import why_stale
from benchmarks.provenance.identity import Identities
from benchmarks.record.measurement import describe
from benchmarks.record.records import RECEIPTS, EntryRecord, profiles_with_records, read_receipt, records_of
from benchmarks.stages.judge import profiles_having


def run(name: str) -> None:
    """Raises InputError when there is no such claim, or a file is malformed."""
    read = {profile: profiles.read(profile) for profile in profiles.names()}
    entries = {profile: list(found.entries) for profile, found in read.items()}
    paper, claim = claims.find(name, entries=entries)
    print(f"{claim.id}\n  {claim.statement.strip()}")
    print(f"  {paper.citation()}, {claim.where}; evidence: {claim.evidence.replace('_', ' ')}")
    print(
        f"  kind {claim.kind}, scope {claim.scope}, metric {claim.metric} ({claim.unit}, {claim.direction} is better)"
    )
    print(f"  the paper: {claims.paper_value(claim)}")
    for field in ("tolerance", "margin"):
        if (allowed := getattr(claim, field, None)) is not None:
            print(f"  {field}: {allowed.absolute:g}, because {allowed.reason.strip()}")
    metrics = [claim.metric, claim.at] if isinstance(claim, claims.DominanceClaim) else [claim.metric]
    if claim.measurement:
        for field, value in claim.measurement.stated().items():
            print(f"  asks for {field}: {value}")
    today = Identities()
    for profile in profiles_with_records():
        records = _records_about(claim, profile, read)
        verdicts = judge(paper, claim, records, profiles_having(entries))
        used = {record.entry: record for verdict in verdicts for record in verdict.records}
        params = composition.compose(read[profile]) if profile in read and used else None
        stale = {entry for entry, record in used.items() if why_stale(record, params, today)}
        for verdict in verdicts:
            print(f"\nprofile {profile}{f', task {verdict.task}' if verdict.task else ''}: {verdict.verdict.upper()}")
            print(f"  because: {verdict.reason}")
            for record in verdict.records:
                _print_record(record, metrics, marks(record, stale))


def _records_about(claim: claims.Claim, profile: str, read: Mapping[str, profiles.Profile]) -> Sequence[EntryRecord]:
    """The records that the claim may be about: most are not read, which is most of the time that this takes."""
    sides = subjects(claim)
    methods = {side.method for side in sides}
    named = {side.entry for side in sides} | {entry for side in sides for entry in side.entries}
    known = read[profile].entries if profile in read else {}
    # The record of an entry that the profile has no more says only itself of which method it is.
    return records_of(
        profile, selected=lambda entry: entry in named or entry not in known or known[entry].method in methods
    )


def _print_record(record: EntryRecord, metrics: list[str], found: list[str]) -> None:
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
