"""What an evaluation is handed: data where there are any, the curve of its run, one sentence where there is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.errors import InputError
from benchmarks.metrics.given import Given, Trainer
from benchmarks.records import CurvePoint, RunRecord
from benchmarks.stages import evaluate

POINT = CurvePoint(step=10, images=1000, train=2.5, valid=3.5, noted={"evaluations": 26.0})


def inputs(dataset: str | None, curve: list[CurvePoint]) -> Given:
    hardware = SimpleNamespace(arithmetic=dict)
    entry = SimpleNamespace(samples=5, models_of=lambda name: name, budget=lambda: None, needs=[])
    params: Any = SimpleNamespace(profile="cpu", entries={"it": entry}, hardware=hardware)
    record, task = RunRecord(seed=3, status="done", curve=curve), SimpleNamespace(dataset=dataset)
    return evaluate._inputs(params, "it", record, task, Trainer(None, None))


def test_a_task_without_a_data_set_fails_only_when_asked_for_data() -> None:
    given = inputs(None, [POINT])
    assert (given.seed, given.samples) == (3, 5)
    for asked, folder in ((lambda: given.images("test"), "data"), (given.features, "features")):
        with pytest.raises(InputError, match=f"entry it: its task has no data set, so that there are no {folder}"):
            asked()


def test_the_curve_is_flat_and_empty_for_what_is_not_trained() -> None:
    told = {"step": 10, "images": 1000, "train": 2.5, "valid": 3.5, "evaluations": 26.0}
    assert inputs(None, [POINT]).curve() == [told]
    assert inputs(None, []).curve() == []


def test_weights_that_are_not_there_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"model\.pt: no such file; entry it has no weights"):
        inputs("digits", []).weights()


def test_an_extractor_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"entry it: there is no extractor extractors/None; run: dvc repro"):
        inputs("digits", []).extractor()
