"""What there is of the composed profile: a row a run, failures with their reasons; writes nothing."""

from tabulate import tabulate

from benchmarks.files.listing import files_in
from benchmarks.files.typed_files import read_json
from benchmarks.plan import composition
from benchmarks.plan.params import Params
from benchmarks.provenance.freshness import why_stale
from benchmarks.provenance.identity import Identities
from benchmarks.record.records import ENTRIES, read_record
from benchmarks.run.stopping import FAILURES


def run(profile: str) -> None:
    """Prints the table."""
    params = composition.read_params_of(profile)
    today = Identities()
    rows = [row for entry in params.entries for row in _rows(params, entry, today)]
    print(tabulate(rows, headers=["entry", "seed", "status", "reason"]))


def _rows(params: Params, entry: str, today: Identities) -> list[list[str]]:
    if failures := _failures(params.profile, entry):
        return failures
    file = ENTRIES / params.profile / f"{entry}.json"
    if not file.exists():
        return [[entry, "all", "not run", "run: dvc repro"]]
    record = read_record(file)
    if reason := why_stale(record, params, today):
        return [[entry, "all", "stale", reason]]
    return [[entry, f"s{each.seed}", each.status, each.reason] for each in record.runs]


def _failures(profile: str, entry: str) -> list[list[str]]:
    """Rows of the runs of an entry that ended badly."""
    notes = [read_json(path) for path in files_in(FAILURES / profile, ".json")]
    return [
        [entry, "all" if note["seed"] is None else f"s{note['seed']}", note["status"], note["reason"]]
        for note in notes
        if note["entry"] == entry
    ]
