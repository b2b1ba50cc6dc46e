"""What verify says of records and receipts, and status of the entries of a profile."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import CheckFailed
from benchmarks.files.typed_files import write_json, write_text
from benchmarks.judging.results import Results, judged
from benchmarks.plan import composition
from benchmarks.plan.params import Params
from benchmarks.provenance.identity import Identities
from benchmarks.record.receipts import file_hash
from benchmarks.record.records import ENTRIES, RECEIPTS, EntryRecord, Metric, RunRecord, read_record
from benchmarks.run.stopping import FAILURES
from benchmarks.stages import evaluate, status, verify
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
ONE, TABLE = number(1.0), number([[2.0, 3.0]], "table")
LOST = number(None, "lost")
FITTED = number(1.0, "slope", {"nfe": 5}, interval=(0.5, 1.5))
COMMITTED = record([run(0, ONE, TABLE, LOST, FITTED), run(1, ONE), run(2, status="diverged")])


def again(*first: Metric, others: Sequence[RunRecord] = COMMITTED.runs[1:]) -> EntryRecord:
    """The committed record with other numbers in its first run, or with other runs beside it."""
    return record([run(0, *first) if first else COMMITTED.runs[0], *others])


@pytest.mark.parametrize(
    "same",
    [
        COMMITTED,
        again(number(1.0 + 1e-9), TABLE, LOST, FITTED),
        again(FITTED, LOST, TABLE, ONE),
        record(COMMITTED.runs[::-1]),
    ],
    ids=["itself", "tolerance", "order of numbers", "order of seeds"],
)
def test_what_came_again_is_no_finding(same: EntryRecord) -> None:
    assert verify._moved(COMMITTED, same) == []


OWN = number(1.0, "slope", {"nfe": 5}, interval=(0.5, 1.6))
VALID = number(1.0, protocol={"split": "valid"})


@pytest.mark.parametrize(
    ("other", "findings"),
    [
        (again(number(1.1), TABLE, LOST, FITTED), ["s0 score: 1.0 is committed, 1.1 came again"]),
        (again(number(None), TABLE, LOST, FITTED), ["s0 score: 1.0 is committed, None came again"]),
        (again(ONE, TABLE, number(0.0, "lost"), FITTED), ["s0 lost: None is committed, 0.0 came again"]),
        (
            again(ONE, number([2.0, 3.0], "table"), LOST, FITTED),
            ["s0 table: [[2.0, 3.0]] is committed, [2.0, 3.0] came again"],
        ),
        (again(number(1.0, unit="bits"), TABLE, LOST, FITTED), ["s0 score unit: points is committed, bits came again"]),
        (
            again(number(1.0, direction="higher"), TABLE, LOST, FITTED),
            ["s0 score direction: lower is committed, higher came again"],
        ),
        (
            again(ONE.model_copy(update={"n": 11}), TABLE, LOST, FITTED),
            ["s0 score n: 10 is committed, 11 came again"],
        ),
        (again(ONE, TABLE, LOST, OWN), ["s0 slope / nfe 5 high: 1.5 is committed, 1.6 came again"]),
        (
            again(ONE, TABLE, LOST),
            [f"s0 slope / nfe 5 by measurement {FITTED.fingerprint}: is committed and did not come again"],
        ),
        (
            again(ONE, TABLE, LOST, FITTED, number(1.0, "new")),
            [f"s0 new by measurement {ONE.fingerprint}: came again and is not committed"],
        ),
        (
            again(VALID, TABLE, LOST, FITTED),
            [
                f"s0 score by measurement {ONE.fingerprint}: is committed and did not come again",
                f"s0 score by measurement {VALID.fingerprint}: came again and is not committed",
            ],
        ),
        (
            again(others=[run(1, status="timeout"), run(2, ONE)]),
            [
                "s1: done is committed, timeout (for a reason) came again",
                "s2: diverged (for a reason) is committed, done came again",
            ],
        ),
        (
            again(others=[run(1, ONE), run(3, ONE)]),
            ["s2: is committed and did not come again", "s3: came again and is not committed"],
        ),
    ],
    ids=["number", "not finite", "finite", "shape", "unit", "direction", "n", "interval", "fewer", "more", "protocol",
         "ended otherwise", "seeds"],
)  # fmt: skip
def test_each_difference_is_one_finding(other: EntryRecord, findings: list[str]) -> None:
    assert verify._moved(COMMITTED, other) == [f"entry_a {finding}" for finding in findings]


def test_verify_with_a_rerun_says_no_where_a_null_became_a_number(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 is that of CheckFailed."""
    for entry in params.entries:
        committed(params, entry, runs=[run(seed, number(None)) for seed in params.entries[entry].seeds])

    def evaluated(profile: str, entry: str, off_profile: bool, destination: Path) -> None:
        assert not off_profile
        text = (ENTRIES / profile / f"{entry}.json").read_text()
        place = destination / ENTRIES / profile / f"{entry}.json"
        write_text(place, text.replace('"value": null', '"value": 0.0') if entry == "container" else text)

    monkeypatch.setattr(evaluate, "run", evaluated)
    assert verify.rerun_findings() == ["container s1 score: None is committed, 0.0 came again"]
    monkeypatch.setattr(verify, "generated", lambda everything: {})
    monkeypatch.setattr(verify.readme, "finding", lambda everything: "")
    verify.run(rerun=False)
    with pytest.raises(CheckFailed, match="1 findings\n  container s1 score"):
        verify.run(rerun=True)


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
