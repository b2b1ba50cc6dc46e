"""Do results/ and reports/ still hold together? Hashes artefacts again, rebuilds every table and report."""

import math
import tempfile
from pathlib import Path

from benchmarks import profiles
from benchmarks.errors import CheckFailed
from benchmarks.methods import find_method
from benchmarks.provenance import entry_source
from benchmarks.receipts import file_hash
from benchmarks.records import (
    ENTRIES,
    RECEIPTS,
    EntryRecord,
    StageReceipt,
    flat,
    profiles_with_records,
    read_receipt,
    read_record,
    records_of,
)
from benchmarks.reporting import pages
from benchmarks.stages import evaluate, judge, readme
from benchmarks.stages.judge import TABLES

REPORTS = Path("reports")

# On another processor sums are taken in another order: float64 evaluation of the same weights agrees to about 1e-12
# relative; weights in float32 leave 1e-6 of room in ill-conditioned directions.
RELATIVE, ABSOLUTE = 1e-6, 1e-9


def first_difference(wanted: Path, found: Path) -> str | None:
    """Which byte of a file differs from its rebuilt self, or None."""
    if not found.exists():
        return f"{found}: missing; the records give it"
    one, other = wanted.read_bytes(), found.read_bytes()
    if one == other:
        return None
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    line = one[:at].count(b"\n") + 1
    return f"{found}: byte {at} (line {line}) differs from what the records give"


def _compare(rebuilt: Path, committed: Path) -> list[str]:
    wanted = {path.relative_to(rebuilt) for path in rebuilt.rglob("*") if path.is_file()}
    there = {path.relative_to(committed) for path in committed.rglob("*") if path.is_file()}
    findings = [found for name in sorted(wanted) if (found := first_difference(rebuilt / name, committed / name))]
    return findings + [f"{committed / name}: nothing in the records gives this file" for name in sorted(there - wanted)]


def _artefacts() -> tuple[list[str], int, int]:
    """Findings; how many artefacts of the receipts are at hand, and how many are not."""
    findings, here, away = [], 0, 0
    for path in sorted(RECEIPTS.glob("*/*.json")):
        for stage in read_receipt(path).stages:
            for name, wanted in stage.artefacts.items():
                if not Path(name).exists():
                    away += 1
                    continue
                here += 1
                if file_hash(Path(name)) != wanted:
                    findings.append(f"{name}: its SHA-256 is not the one in {path}")
    return findings, here, away


def _pairs() -> list[str]:
    """Records without receipt, receipts without record, records that are not the bytes of their receipt."""
    records = {path.relative_to(ENTRIES) for path in ENTRIES.glob("*/*.json")}
    receipts = {path.relative_to(RECEIPTS) for path in RECEIPTS.glob("*/*.json")}
    findings = [f"{ENTRIES / name}: has no receipt" for name in sorted(records - receipts)]
    findings += [f"{RECEIPTS / name}: has no record" for name in sorted(receipts - records)]
    for name in sorted(records & receipts):
        evaluated = str(evaluate.EVALS / name.with_suffix("") / "record.json")
        wanted = [stage.artefacts[evaluated] for stage in _stages(name) if evaluated in stage.artefacts]
        if wanted != [file_hash(ENTRIES / name)]:
            findings.append(f"{ENTRIES / name}: its SHA-256 is not the one in {RECEIPTS / name}")
    return findings


def _stages(name: Path) -> list[StageReceipt]:
    return read_receipt(RECEIPTS / name).stages


def rerun_findings() -> list[str]:
    """Evaluates the models of the composed profile again; numbers that moved by more than the stated tolerance."""
    params = profiles.read_params()
    findings = []
    for entry in params.entries:
        committed = read_record(ENTRIES / params.profile / f"{entry}.json")
        needed = profiles.needed_methods(params, entry)
        if committed.source != entry_source(find_method(committed.method), needed=needed):
            findings.append(f"{entry}: made by other code than today's; run: dvc repro")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            evaluate.run(params.profile, entry, committed.off_profile, Path(scratch))
            findings += _moved(committed, read_record(Path(scratch) / params.profile / entry / "record.json"))
    return findings


def _moved(committed: EntryRecord, again: EntryRecord) -> list[str]:
    findings = []
    for before, after in zip(committed.runs, again.runs, strict=True):
        for one, other in zip(before.metrics, after.metrics, strict=True):
            pairs = zip(flat(one.value or 0.0), flat(other.value or 0.0), strict=True)
            if not all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE) for a, b in pairs):
                findings.append(
                    f"{committed.entry} s{before.seed} {one.name}: {one.value} is committed, {other.value} came again"
                )
    return findings


def run(rerun: bool) -> None:
    """Prints what was checked.

    Raises:
        InputError: a malformed file.
        CheckFailed: something differs; each finding names its file.
    """
    for profile in profiles_with_records():
        records_of(profile)
    findings, here, away = _artefacts()
    findings += _pairs()
    with tempfile.TemporaryDirectory() as scratch:
        tables, reports = Path(scratch) / "tables", Path(scratch) / "reports"
        judge.build(Path(), tables)
        findings += _compare(tables, TABLES)
        pages.build(Path(), reports)
        findings += _compare(reports, REPORTS)
        rebuilt = sum(path.is_file() for path in Path(scratch).rglob("*"))
    if told := readme.finding(Path()):
        findings.append(told)
    if rerun:
        findings += rerun_findings()
    print(f"{here} artefacts at hand hashed ({away} are not here), {rebuilt} tables and report files rebuilt")
    if findings:
        raise CheckFailed("\n  ".join([f"{len(findings)} findings", *findings]))
    print("everything is as the records say")
