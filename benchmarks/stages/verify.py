"""Do results/, reports/ and README.md still agree? Hashes artefacts again, writes every table and report anew."""

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.files.errors import CheckFailed
from benchmarks.files.listing import files_below
from benchmarks.judging.results import Results
from benchmarks.plan import composition
from benchmarks.provenance.freshness import why_stale
from benchmarks.provenance.identity import Identities
from benchmarks.record.measurement import describe
from benchmarks.record.receipts import file_hash
from benchmarks.record.records import (
    ENTRIES,
    RECEIPTS,
    TABLES,
    EntryRecord,
    Metric,
    RunRecord,
    StageReceipt,
    flat,
    read_receipt,
    read_record,
)
from benchmarks.reporting import committed
from benchmarks.stages import evaluate, judge, readme
from benchmarks.stages.report import REPORTS, SITE

# On another processor sums are taken in another order: float64 evaluation of the same weights agrees to about 1e-12
# relative; weights in float32 leave 1e-6 of room in ill-conditioned directions.
RELATIVE, ABSOLUTE = 1e-6, 1e-9
WHOLE = ("cpu", "smoke")  # profiles of which each entry has a record of today's code; the others take hours, and lag


def first_difference(wanted: bytes, found: Path) -> str | None:
    """Which byte of a file differs from what it should be, or None."""
    if not found.is_file():
        return f"{found}: missing; the records give it"
    other = found.read_bytes()
    if wanted == other:
        return None
    at = next((i for i, (a, b) in enumerate(zip(wanted, other, strict=False)) if a != b), min(len(wanted), len(other)))
    line = wanted[:at].count(b"\n") + 1
    return f"{found}: byte {at} (line {line}) differs from what the records give"


def generated(everything: Sequence[Results]) -> dict[Path, str]:
    """Text of every table and of every report in git, by its path."""
    tables = {TABLES / each.profile / name: text for each in everything for name, text in each.tables().items()}
    return tables | {REPORTS / name: text for name, text in committed.files(everything).items()}


def _differences(wanted: Mapping[Path, str]) -> list[str]:
    below = (path for folder in (TABLES, REPORTS) for path in folder.rglob("*"))
    there = {path for path in below if path.is_file() and not any(part.startswith(".") for part in path.parts)}
    others = sorted(path for path in there - set(wanted) if not path.is_relative_to(SITE))
    findings = [found for path, text in sorted(wanted.items()) if (found := first_difference(text.encode(), path))]
    return findings + [f"{path}: nothing in the records gives this file" for path in others]


def _artefacts() -> tuple[list[str], int, int]:
    """Findings; how many artefacts of the receipts are at hand, and how many are not."""
    findings, here, away = [], 0, 0
    for path in files_below(RECEIPTS, ".json"):
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
    records = {path.relative_to(ENTRIES) for path in files_below(ENTRIES, ".json")}
    receipts = {path.relative_to(RECEIPTS) for path in files_below(RECEIPTS, ".json")}
    findings = [f"{ENTRIES / name}: has no receipt" for name in sorted(records - receipts)]
    findings += [f"{RECEIPTS / name}: has no record" for name in sorted(receipts - records)]
    for name in sorted(records & receipts):
        evaluated = str(ENTRIES / name)
        wanted = [stage.artefacts[evaluated] for stage in _stages(name) if evaluated in stage.artefacts]
        if wanted != [file_hash(ENTRIES / name)]:
            findings.append(f"{ENTRIES / name}: its SHA-256 is not the one in {RECEIPTS / name}")
    return findings


def _stages(name: Path) -> list[StageReceipt]:
    return read_receipt(RECEIPTS / name).stages


def _not_of_today(everything: Sequence[Results]) -> list[str]:
    """Entries of the composed profile without a record of today's code, where it is one that may not lag."""
    params = composition.read_params()
    if params.profile not in WHOLE:
        return []
    records = {record.entry: record for each in everything if each.profile == params.profile for record in each.records}
    today = Identities()
    findings = [
        f"{ENTRIES / params.profile / entry}.json: no such file; run: dvc repro"
        for entry in params.entries
        if entry not in records
    ]
    stale = {entry: why_stale(record, params, today) for entry, record in records.items()}
    return findings + [
        f"{ENTRIES / params.profile / entry}.json: {why}; run: dvc repro" for entry, why in stale.items() if why
    ]


def rerun_findings() -> list[str]:
    """Evaluates the models of the composed profile again; numbers that moved by more than the stated tolerance."""
    params = composition.read_params()
    findings = []
    for entry in params.entries:
        place = ENTRIES / params.profile / f"{entry}.json"
        committed = read_record(place)
        with tempfile.TemporaryDirectory() as scratch:
            evaluate.run(params.profile, entry, committed.off_profile, Path(scratch))
            findings += _moved(committed, read_record(Path(scratch) / place))
    return findings


def _moved(committed: EntryRecord, again: EntryRecord) -> list[str]:
    """A finding each difference. Runs are matched by seed, numbers by name, variant and measurement."""
    findings = []
    ours, theirs = ({run.seed: run for run in record.runs} for record in (committed, again))
    for seed in sorted(ours.keys() | theirs.keys()):
        which = f"{committed.entry} s{seed}"
        before, after = ours.get(seed), theirs.get(seed)
        if before is None or after is None:
            findings.append(f"{which}: {_only(before is None)}")
        elif before.status != after.status:
            findings.append(f"{which}: {_ended(before)} is committed, {_ended(after)} came again")
        else:
            findings += [f"{which} {finding}" for finding in _numbers_moved(before, after)]
    return findings


def _only(came_again: bool) -> str:
    return "came again and is not committed" if came_again else "is committed and did not come again"


def _ended(run: RunRecord) -> str:
    return f"{run.status} ({run.reason})" if run.reason else run.status


def _numbers_moved(committed: RunRecord, again: RunRecord) -> Iterator[str]:
    ours, theirs = ({_key(metric): metric for metric in run.metrics} for run in (committed, again))
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        one, other = ours.get(key), theirs.get(key)
        if one is None or other is None:
            metric = one or other
            assert metric is not None
            yield f"{_told(metric)} by measurement {metric.fingerprint}: {_only(one is None)}"
            continue
        for field in ("value", "low", "high", "unit", "direction", "n"):
            before, after = getattr(one, field), getattr(other, field)
            if not (_agree(before, after) if field in ("value", "low", "high") else before == after):
                what = "" if field == "value" else f" {field}"
                yield f"{_told(one)}{what}: {before} is committed, {after} came again"


def _key(metric: Metric) -> tuple[str, frozenset[Any], str]:
    return metric.name, frozenset(metric.variant.items()), metric.fingerprint


def _told(metric: Metric) -> str:
    return f"{metric.name} / {describe(metric.variant)}" if metric.variant else metric.name


def _agree(one: Any, other: Any) -> bool:
    """Whether numbers or tables of them are one, up to the stated tolerance; None (not finite) is only itself."""
    if one is None or other is None:
        return one is other
    if _shape(one) != _shape(other):
        return False
    pairs = zip(flat(one), flat(other), strict=True)
    return all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE) for a, b in pairs)


def _shape(numbers: Any) -> Any:
    return [_shape(item) for item in numbers] if isinstance(numbers, list) else None


def run(rerun: bool) -> None:
    """Prints what was checked.

    Raises:
        InputError: a malformed file.
        CheckFailed: something differs; each finding names its file.
    """
    everything = judge.results()
    findings, here, away = _artefacts()
    findings += [*_pairs(), *_not_of_today(everything)]
    wanted = generated(everything)
    findings += _differences(wanted)
    if message := readme.finding(everything):
        findings.append(message)
    if rerun:
        findings += rerun_findings()
    print(f"{here} artefacts at hand hashed ({away} are not here), {len(wanted)} tables and reports compared")
    if findings:
        raise CheckFailed("\n  ".join([f"{len(findings)} findings", *findings]))
    print("everything is as the records say")
