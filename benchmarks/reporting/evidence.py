"""Where a profile's numbers come from: runs with their status, receipts of stages, hashes."""

from dataclasses import dataclass

from benchmarks.judging.results import Results
from benchmarks.record.records import EntryRecord, RunRecord, StageReceipt
from benchmarks.reporting import numbers
from benchmarks.reporting.table import Cell, Table, Tone, headings
from benchmarks.reporting.tables import entry_cell, marks

SHORT_HASH = 9


@dataclass(frozen=True)
class Evidence:
    """What is folded away below an entry's name: facts, and hashes of what its stages made."""

    entry: str
    name: str  # place in the page
    facts: Table
    artefacts: Table
    record: str  # relative path from the report
    receipt: str  # the same; empty where there is none


def runs(results: Results) -> Table:
    """One row a run, failures with their reason."""
    rows = tuple(_run_row(results, record, run) for record in results.records for run in record.runs)
    columns = headings(
        "entry", "seed", "tier", "status", "reason", "commit", "wall", "memory", "images/s", "deterministic", "marks"
    )
    done, of = results.runs_done()
    caption = f"{done} of {of} runs are done. Wall-clock time is of training, or of one stage for all seeds."
    table = Table("Runs", caption, columns, rows, "runs")
    return table.without_empty("reason", "marks")


def _run_row(results: Results, record: EntryRecord, run: RunRecord) -> tuple[Cell, ...]:
    receipt = results.receipts.get(record.entry)
    stages = receipt.stages if receipt else []
    # An entry that is not trained has one stage for all its seeds.
    stage = next((each for seed in (run.seed, None) for each in stages if each.seed == seed), None)
    shared = " (all seeds)" if stage and stage.seed is None else ""
    status: Tone = "" if run.status == "done" else "bad" if run.status in ("failed", "timeout", "diverged") else "open"
    flags = {
        "modified": record.modified,
        "off-profile": record.off_profile or bool(stage and stage.off_profile),
        "dirty": bool(stage and stage.dirty),
    }
    return (
        entry_cell(record.entry),
        Cell(str(run.seed), float(run.seed)),
        Cell(record.tier),
        Cell(run.status, tone=status),
        Cell(run.reason),
        *(_receipt_cells(stage, shared) if stage else (Cell(numbers.NOTHING),) * 5),
        marks("+".join(name for name, holds in flags.items() if holds)),
    )


def _receipt_cells(stage: StageReceipt, shared: str = "") -> tuple[Cell, ...]:
    """Commit, time, memory, speed, determinism; `shared` says that the time is not of one run."""
    speed = Cell(numbers.NOTHING) if stage.per_second is None else Cell(f"{stage.per_second:.0f}", stage.per_second)
    return (
        Cell(stage.commit[:SHORT_HASH], note=stage.commit),
        Cell(numbers.seconds(stage.wall_seconds) + shared, stage.wall_seconds),
        Cell(f"{stage.peak_memory_mib:.0f} MiB", stage.peak_memory_mib),
        speed,
        determinism(stage),
    )


def determinism(stage: StageReceipt) -> Cell:
    """Asked for, and achieved."""
    if not stage.determinism_asked:
        return Cell("not asked")
    texts: dict[bool | None, Cell] = {
        True: Cell("yes", note="asked for, and achieved"),
        False: Cell("asked, not achieved", tone="bad"),
        None: Cell("asked", note="asked for; not probed"),
    }
    return texts[stage.determinism_achieved]


def receipts(results: Results) -> Table:
    """One row a stage."""
    rows = []
    for entry, receipt in results.receipts.items():
        for stage in receipt.stages:
            flags = [name for name, holds in (("off-profile", stage.off_profile), ("dirty", stage.dirty)) if holds]
            rows.append(
                (
                    entry_cell(entry),
                    Cell(stage.stage),
                    Cell("all" if stage.seed is None else str(stage.seed)),
                    Cell(machine(stage), note=str(stage.hardware.get("system", ""))),
                    *_receipt_cells(stage),
                    Cell("yes" if stage.resumed else "", note="went on from a checkpoint" if stage.resumed else ""),
                    marks("+".join(flags)),
                )
            )
    columns = headings(
        "entry", "stage", "seed", "machine", "commit", "wall", "memory", "images/s", "deterministic", "resumed", "marks"
    )
    caption = "How each stage went. Times are never compared across machines."
    return Table("Receipts", caption, columns, tuple(rows), "receipts").without_empty("resumed", "marks")


def machine(stage: StageReceipt) -> str:
    """The device: `2 x NVIDIA H100`, or the processor's name."""
    name, count = str(stage.hardware.get("name", "unknown")), stage.hardware.get("count", 1)
    return name if count == 1 else f"{count} x {name}"


def machines(results: Results) -> list[str]:
    """Every device that made a number here."""
    return sorted({machine(stage) for receipt in results.receipts.values() for stage in receipt.stages})


def evidence(results: Results) -> list[Evidence]:
    """What stands behind each entry."""
    return [_of_entry(results, record) for record in results.records]


def _of_entry(results: Results, record: EntryRecord) -> Evidence:
    receipt = results.receipts.get(record.entry)
    stages = receipt.stages if receipt else []
    versions = {f"{name} {version}" for stage in stages for name, version in stage.versions.items()}
    facts = {
        "method": record.method,
        "family": record.family,
        "task": record.task,
        "tier": record.tier,
        "source hash": record.source,
        "settings hash": record.settings_hash,
        "lock file": ", ".join(sorted({stage.lock_hash[:16] for stage in stages if stage.lock_hash})),
        "versions": ", ".join(sorted(versions)),
        "drivers": ", ".join(sorted({str(stage.hardware.get("driver") or "") for stage in stages} - {""})),
    }
    hashes = sorted({(path, digest) for stage in stages for path, digest in stage.artefacts.items()})
    path = f"{results.profile}/{record.entry}.json"
    two = headings("field", "value")
    return Evidence(
        entry=record.entry,
        name=f"evidence-{record.entry}",
        facts=Table(record.entry, "", two, tuple((Cell(name), Cell(text)) for name, text in facts.items() if text)),
        artefacts=Table(
            f"{record.entry}: artefacts",
            "",
            headings("artefact", "SHA-256"),
            tuple((Cell(name), Cell(digest)) for name, digest in hashes),
        ),
        record=f"../../../results/entries/{path}",
        receipt=f"../../../results/receipts/{path}" if receipt else "",
    )
