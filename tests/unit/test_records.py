"""Files of records: what they hold once, what they leave out, and what is refused of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_json
from benchmarks.record.measurement import Measurement
from benchmarks.record.records import CurvePoint, EntryRecord, Metric, read_record
from tests.unit.judged import number, record, run

PROTOCOL = Measurement(split="test", samples=100)
OTHER = {"split": "valid"}
MADE = record(
    [
        run(0, number(1.5), number([[0.0, -2.0]], "table", {"n": 3}, interval=(0.0, 2.0))),
        run(1, number(None), number(2.0, "other", protocol=OTHER)).model_copy(
            update={"curve": [CurvePoint(step=1, images=10, train=0.5, valid=0.25, noted={"evaluations": 8.0})]}
        ),
        run(2, status="diverged"),
    ]
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_json(tmp_path / "it.json", MADE.model_dump())
    return tmp_path / "it.json"


def changed(file: Path, **fields: Any) -> None:
    write_json(file, {**json.loads(file.read_text()), **fields})


def refused(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_record(file)
    return str(caught.value)


def test_a_record_goes_to_a_file_and_back(file: Path) -> None:
    found = read_record(file)
    assert found == MADE
    assert found.runs[0].metrics[0].measurement == PROTOCOL
    before = file.read_bytes()
    write_json(file, found.model_dump())
    assert file.read_bytes() == before


def test_a_file_holds_each_protocol_once(file: Path) -> None:
    protocols = json.loads(file.read_text())["protocols"]
    assert protocols == {each.fingerprint(): each.stated() for each in (PROTOCOL, Measurement(**OTHER))}
    assert file.read_text().count('"measurement"') == 0


def test_a_metric_leaves_out_what_is_not_said_of_it(file: Path) -> None:
    plain, told = json.loads(file.read_text())["runs"][0]["metrics"]
    assert set(plain) == {"name", "value", "unit", "direction", "n", "fingerprint"}
    assert (told["variant"], told["low"], told["high"]) == ({"n": 3}, 0.0, 2.0)  # an end of 0 is one


def test_a_metric_whose_fingerprint_stands_for_nothing_is_refused(file: Path) -> None:
    changed(file, protocols={PROTOCOL.fingerprint(): PROTOCOL.stated()})
    assert refused(file) == f"{file}: runs.1.metrics.1.measurement: missing; add it"


def test_a_protocol_under_the_fingerprint_of_another_is_refused(file: Path) -> None:
    changed(file, protocols={each.fingerprint(): {"split": "train"} for each in (PROTOCOL, Measurement(**OTHER))})
    first = refused(file).splitlines()[0]
    assert first.startswith(f"{file}: runs.0.metrics.0: ")
    assert f"must be that of its measurement, {Measurement(split='train').fingerprint()}" in first


@pytest.mark.parametrize(
    "fields",
    [{"protocols": []}, {"runs": 3}, {"runs": [{"metrics": None}]}, {"runs": [{"metrics": [{"fingerprint": []}]}]}],
    ids=str,
)
def test_a_file_of_another_shape_is_refused(file: Path, fields: dict[str, Any]) -> None:
    changed(file, **fields)
    assert all(line.startswith(f"{file}: runs") for line in refused(file).splitlines())


@pytest.mark.parametrize(
    "variants",
    [({}, {}), ({"n": 1, "k": 2}, {"k": 2, "n": 1}), ({"n": 1}, {"n": 1.0}), ({"n": 1}, {"n": "1"})],
    ids=["same", "order", "float", "text"],
)
def test_a_metric_that_stands_twice_in_a_run_is_refused(file: Path, variants: tuple[dict[str, Any], ...]) -> None:
    """It counted as two seeds, with an interval from one."""
    metrics = [{**number(float(place)).model_dump(), "variant": each} for place, each in enumerate(variants)]
    changed(file, runs=[{"seed": 7, "status": "done", "metrics": metrics}])
    (line,) = refused(file).splitlines()
    assert line.startswith(f"{file}: runs.0: ")
    assert "seed 7 has score of variant" in line
    assert "twice" in line


@pytest.mark.parametrize(
    "other",
    [number(1.0, "other"), number(1.0, variant={"n": 2}), number(1.0, protocol=OTHER)],
    ids=["name", "variant", "protocol"],
)
def test_numbers_that_differ_in_name_variant_or_protocol_stand_beside_each_other(file: Path, other: Metric) -> None:
    runs = [run(0, number(1.0, variant={"n": 1}), number(1.0), other)]
    write_json(file, record(runs).model_dump())
    assert read_record(file).runs == runs


def test_reading_leaves_the_data_as_they_were(file: Path) -> None:
    data = json.loads(file.read_text())
    EntryRecord.model_validate(data)
    assert data == json.loads(file.read_text())


def test_a_record_of_an_older_form_is_refused_in_one_sentence(file: Path) -> None:
    changed(file, schema_version=1)
    assert refused(file) == (
        f"{file}: schema_version: found 1; records of this version have form 2; make the entry anew: dvc repro"
    )
