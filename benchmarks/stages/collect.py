"""Stage collect: evals/<profile>/ -> results/entries/<profile>/ and results/receipts/<profile>/."""

from pathlib import Path

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.methods import find_method
from benchmarks.profiles import Params
from benchmarks.provenance import entry_source
from benchmarks.records import ENTRIES, RECEIPTS, EntryRecord, read_receipt, read_record
from benchmarks.stages.evaluate import EVALS
from benchmarks.stages.train import FAILURES
from benchmarks.typed_files import read_json, write_text

WHOLE = ("cpu", "smoke")  # profiles of which each entry has a record of today's code; the others take hours, and lag


def run(profile: str) -> None:
    """Brings each entry's record and receipt into results/; keeps a committed one that still holds.

    Of a profile that may lag, what was never run has no record, and a committed one of other code or settings stays:
    tables mark it as stale.

    Raises:
        InputError: params.yaml is of another profile; an entry has neither an evaluation at hand nor a committed
            record of today's code and settings, unless its profile may lag; code changed while it ran. Nothing is
            written then.
    """
    params = profiles.read_params_of(profile)
    writes: dict[Path, str] = {}
    kept: list[str] = []
    never: list[str] = []
    for entry in params.entries:
        file = EVALS / profile / entry / "record.json"
        if not file.exists():
            committed = ENTRIES / profile / f"{entry}.json"
            if committed.exists() or profile in WHOLE:
                check = _check if profile in WHOLE else _check_place
                check(params, entry, read_record(_committed(committed, entry)), "committed record")
                kept.append(entry)
            else:
                never.append(entry)
            continue
        _check(params, entry, read_record(file), "evaluation")
        read_receipt(file.with_name("receipt.json"))
        writes[ENTRIES / profile / f"{entry}.json"] = file.read_text()
        writes[RECEIPTS / profile / f"{entry}.json"] = file.with_name("receipt.json").read_text()
    for path, text in writes.items():
        write_text(path, text)
    gone = [
        path
        for folder in (ENTRIES, RECEIPTS)
        for path in (folder / profile).glob("*.json")
        if path.stem not in params.entries
    ]
    for path in gone:
        path.unlink()
    told = [f"{len(writes) // 2} collected", f"{len(kept)} kept as committed"]
    told += [f"{len({path.stem for path in gone})} removed"] if gone else []
    told += [f"{len(never)} never run, without a record"] if never else []
    print(f"{profile}: {', '.join(told)}")


def _committed(path: Path, entry: str) -> Path:
    if not path.exists():
        raise InputError(f"{path}: no evaluation of {entry} is at hand and no record is committed; run: dvc repro")
    return path


def _check_place(params: Params, entry: str, record: EntryRecord, what: str) -> None:
    """Raises InputError where a record lies in another's place."""
    if (record.profile, record.entry) != (params.profile, entry):
        where = f"{params.profile}/{entry}: the {what}"
        raise InputError(f"{where} is of {record.profile}/{record.entry}; put it back to its place, or remove it")


def _check(params: Params, entry: str, record: EntryRecord, what: str) -> None:
    """Raises InputError unless the record is in its place, and of today's code, settings and seeds."""
    where = f"{params.profile}/{entry}: the {what}"
    _check_place(params, entry, record, what)
    method = find_method(params.entries[entry].method)
    family = f"benchmarks/families/{method.family}/dvc.yaml"
    again = f"run: dvc repro -f -s {family}:evaluate@{params.profile}_{entry}"
    if record.source != entry_source(method, needed=profiles.needed_methods(params, entry)):
        raise InputError(f"{where} was made by other code than today's (edited while it ran?); {again}")
    if record.settings_hash != params.settings_hash(entry):
        raise InputError(f"{where} was made with other settings than params.yaml has; {again}")
    seeds = params.entries[entry].seeds
    if [run.seed for run in record.runs] != seeds:
        raise InputError(f"{where} has other seeds than params.yaml, {seeds}; {again}")


def show(profile: str) -> None:
    """Prints what is at hand of a profile, failures with their reasons; writes nothing."""
    from tabulate import tabulate

    params = profiles.read_params_of(profile)
    rows: list[list[str]] = []
    for entry in params.entries:
        record = _current(params, EVALS / profile / entry / "record.json")
        if record:
            rows += [[entry, f"s{run.seed}", run.status, run.reason] for run in record.runs]
        else:
            rows += _notes(profile, entry) or [[entry, "all", "no evaluation", "run: dvc repro"]]
    print(tabulate(rows, headers=["entry", "seed", "status", "reason"]))


def _current(params: Params, file: Path) -> EntryRecord | None:
    """The evaluation at hand, where it is of today's code, settings and seeds."""
    if not file.exists():
        return None
    record = read_record(file)
    try:
        _check(params, file.parent.name, record, "evaluation")
    except InputError:
        return None
    return record


def _notes(profile: str, entry: str) -> list[list[str]]:
    """Rows of the runs of an entry that ended badly."""
    notes = [read_json(path) for path in sorted((FAILURES / profile).glob("*.json"))]
    return [
        [entry, "all" if note["seed"] is None else f"s{note['seed']}", note["status"], note["reason"]]
        for note in notes
        if note["entry"] == entry
    ]
