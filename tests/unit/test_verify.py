"""What verify says of records and receipts, and status of the entries of a profile."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.typed_files import write_json
from benchmarks.judging.results import Results, judged
from benchmarks.plan import composition
from benchmarks.plan.params import Params
from benchmarks.provenance.identity import Identities
from benchmarks.record.receipts import file_hash
from benchmarks.record.records import ENTRIES, RECEIPTS, EntryRecord, RunRecord, read_record
from benchmarks.run.stopping import FAILURES
from benchmarks.stages import status, verify
from tests.unit.judged import number, record, run
from tests.unit.plan.tiny import PLAIN, composed

STAGE: dict[str, Any] = {
    "stage": "evaluate", "seed": None, "commit": "c", "dirty": False, "wall_seconds": 1.0, "cpu_seconds": 1.0,
    "peak_memory_mib": 1.0, "per_second": None, "hardware": {}, "versions": {}, "lock_hash": "", "timings": {},
    "determinism_asked": True, "determinism_achieved": None,
}  # fmt: skip


@pytest.fixture
def params(code: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Profile tiny, which is composed and of which every entry must have a record; its root is the current folder."""
    made = composed(code, PLAIN)
    monkeypatch.setattr(composition, "read_params", lambda: made)
    monkeypatch.setattr(verify, "WHOLE", ("tiny",))
    monkeypatch.chdir(code)
    return made


def committed(params: Params, entry: str, source: str = "", runs: Sequence[RunRecord] = ()) -> Path:
    """A record of today's code unless told otherwise, with its receipt."""
    own = params.entries[entry]
    made = record(
        runs or [run(seed, number(1.0)) for seed in own.seeds],
        entry,
        own.method,
        profile="tiny",
        source=source or Identities().evaluation(params, entry),
        settings_hash=params.settings_hash(entry),
    )
    file = ENTRIES / "tiny" / f"{entry}.json"
    write_json(file, made.model_dump())
    receipt = {"profile": "tiny", "entry": entry, "stages": [{**STAGE, "artefacts": {str(file): file_hash(file)}}]}
    write_json(RECEIPTS / "tiny" / f"{entry}.json", receipt)
    return file


def results() -> list[Results]:
    read: list[EntryRecord] = [read_record(path) for path in sorted((ENTRIES / "tiny").glob("*.json"))]
    return [judged("tiny", read, [], {}, frozenset(), {})]


# Records of today
def test_records_of_today_are_no_finding(params: Params) -> None:
    for entry in params.entries:
        committed(params, entry)
    assert verify._not_of_today(results()) == []


def test_entries_without_a_record_of_today_are_told(params: Params) -> None:
    stale = committed(params, "container", "older code")
    assert verify._not_of_today(results()) == [
        f"{ENTRIES}/tiny/nice_digits.json: no such file; run: dvc repro",
        f"{stale}: it was made by other code than today's; run: dvc repro",
    ]


def test_records_of_no_entry_are_told(params: Params) -> None:
    for entry in params.entries:
        committed(params, entry)
    del params.entries["container"]
    assert verify._not_of_today(results()) == [
        f"{ENTRIES}/tiny/container.json: profile tiny has no such entry; run: dvc repro"
    ]


def test_a_profile_that_takes_hours_may_lag(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "WHOLE", ("cpu", "smoke"))
    committed(params, "container", "older code")
    assert verify._not_of_today(results()) == []


# Records and receipts
def test_a_record_and_its_receipt_are_no_finding(params: Params) -> None:
    committed(params, "container")
    assert verify._pairs() == []


def test_a_record_or_a_receipt_alone_is_told(params: Params) -> None:
    committed(params, "container").unlink()
    committed(params, "nice_digits")
    (RECEIPTS / "tiny/nice_digits.json").unlink()
    assert verify._pairs() == [
        f"{ENTRIES}/tiny/nice_digits.json: has no receipt", f"{RECEIPTS}/tiny/container.json: has no record"
    ]  # fmt: skip


def test_a_record_edited_by_hand_is_told(params: Params) -> None:
    file = committed(params, "container")
    file.write_text(file.read_text().replace("1.0", "0.5"))
    assert verify._pairs() == [f"{file}: its SHA-256 is not the one in {RECEIPTS}/tiny/container.json"]


def test_a_receipt_that_names_no_record_is_told(params: Params) -> None:
    file = committed(params, "container")
    receipt = {"profile": "tiny", "entry": "container", "stages": [{**STAGE, "artefacts": {}}]}
    write_json(RECEIPTS / "tiny/container.json", receipt)
    assert verify._pairs() == [f"{file}: its SHA-256 is not the one in {RECEIPTS}/tiny/container.json"]


# A second evaluation
@pytest.mark.parametrize(
    ("again", "what"),
    [
        (run(0, number(1.0 + 1e-9), number([[2.0, 3.0]])), None),
        (run(0, number(1.1), number([[2.0, 3.0]])), "1.0 is committed, 1.1 came again"),
        (run(0, number(1.0), number([[2.0]])), "[[2.0, 3.0]] is committed, [[2.0]] came again"),
        (run(0, number(None), number([[2.0, 3.0]])), "1.0 is committed, None came again"),
        (run(0, number(1.0)), "done with 2 numbers is committed, done with 1 came again"),
        (run(0, status="diverged"), "done with 2 numbers is committed, diverged with 0 came again"),
    ],
    ids=["tolerance", "number", "shape", "not finite", "fewer", "diverged"],
)
def test_what_moved_is_told(again: RunRecord, what: str | None) -> None:
    found = verify._moved(record([run(0, number(1.0), number([[2.0, 3.0]]))]), record([again]))
    assert len(found) == (what is not None)
    assert all(what in line for line in found if what)


# status
def rows(params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    monkeypatch.setattr(composition, "read_params_of", lambda profile: params)
    status.run("tiny")
    return [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[2:]]


def test_status_has_a_row_a_run(
    params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    diverged = RunRecord(seed=3, status="diverged", reason="loss is nan")
    committed(params, "nice_digits", runs=[run(0, number(1.0)), diverged])
    assert rows(params, capsys, monkeypatch) == [
        ["container", "all", "not run   run: dvc repro"],
        ["nice_digits", "s0", "done"],
        ["nice_digits", "s3", "diverged  loss is nan"],
    ]


def test_status_says_what_failed_and_what_is_stale_and_why(
    params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(params, "nice_digits")  # of a time before the failure
    committed(params, "container", "older code")
    note = {"entry": "nice_digits", "seed": 3, "status": "timeout", "reason": "5 minutes are over"}
    write_json(FAILURES / "tiny/nice_digits_s3.json", note)
    assert rows(params, capsys, monkeypatch) == [
        ["container", "all", "stale     it was made by other code than today's"],
        ["nice_digits", "s3", "timeout   5 minutes are over"],
    ]
