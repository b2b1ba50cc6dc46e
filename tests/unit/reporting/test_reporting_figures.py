"""Figures one by one: what is drawn, how large, and what is told of damaged pictures."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.files.errors import InputError
from benchmarks.judging.results import Results
from benchmarks.record import evaluated as measured
from benchmarks.record.measurement import Measurement
from benchmarks.record.records import EntryRecord, Picture, RunRecord
from benchmarks.reporting import curves, pictures
from tests.unit.judged import metric, number, record, run
from tests.unit.reporting.conftest import verdict


@pytest.fixture
def flow(everything: list[Results]) -> EntryRecord:
    return next(record for record in everything[0].records if record.entry == "nice_digits")


@pytest.fixture
def puzzle(everything: list[Results]) -> EntryRecord:
    return next(record for record in everything[0].records if record.entry == "container")


def picture(shape: tuple[int, ...], columns: int = 0, top: int = 255) -> Picture:
    """The k-th image is of level k throughout."""
    array = np.zeros(shape, np.uint8) + np.arange(shape[0], dtype=np.uint8).reshape(-1, *[1] * (len(shape) - 1))
    return Picture.of(measured.Picture("it", "what it shows", array, top, columns))


def test_records_without_pictures_or_curves_have_no_figures(puzzle: EntryRecord, flow: EntryRecord) -> None:
    assert curves.learning_curves(puzzle) == curves.noted_curves(puzzle) == pictures.pictures(puzzle) == []
    assert curves.cost_curves(flow) == []


def test_names_titles_and_words_of_pictures(flow: EntryRecord) -> None:
    samples, interpolation, density = pictures.pictures(flow)
    assert samples.name == "samples_nice_digits"
    assert samples.title == "nice_digits: samples, draws of the trained model"
    assert samples.alt == "nice_digits: samples: draws of the trained model; grey images of 8 by 8 pixels."
    assert interpolation.alt.endswith("colour images of 5 by 4 pixels.")
    assert density.alt.endswith("grey images of 64 by 64 pixels.")


@pytest.mark.parametrize(
    ("shape", "columns", "sheet"),
    [
        ((20, 8, 8), 0, (4, 5)),  # about square
        ((20, 8, 8), 9, (3, 9)),
        ((3, 8, 8), 9, (1, 3)),
        ((1, 64, 64), 0, (1, 1)),
        ((2, 64, 64), 2, (1, 2)),
        ((6, 3, 5, 4), 3, (2, 3)),
        ((250, 4, 4), 0, (5, 5)),  # as many as are kept
        ((250, 4, 4), 9, (11, 9)),  # whole rows of at most a hundred
        ((100, 28, 28), 0, (5, 5)),
        ((50, 3, 32, 32), 10, (3, 10)),  # colours weigh more: at most 39
        ((40, 3, 100, 100), 0, (2, 2)),
        ((4, 500, 500), 2, (1, 2)),  # one row is the least
    ],
)
def test_sheets(shape: tuple[int, ...], columns: int, sheet: tuple[int, int]) -> None:
    told = picture(shape, columns)
    drawn = pictures._sheet(told.array(), told)
    height, width = shape[-2:]
    down, across = sheet
    assert drawn.shape == (down * (height + 1) - 1, across * (width + 1) - 1, *([3] if len(shape) == 4 else []))
    for place in range(min(shape[0], down * across)):
        corner = drawn[place // across * (height + 1), place % across * (width + 1)]
        assert np.all(corner == place / 255), place
    if across > 1:
        assert np.all(drawn[:, width] == pictures.BETWEEN)


def test_levels_above_the_top_are_white() -> None:
    told = picture((18, 2, 2), 18, top=16)
    assert list(pictures._sheet(told.array(), told)[0, ::3]) == [*(k / 16 for k in range(17)), 1.0]


def test_channels_stay_in_their_order() -> None:
    array = np.zeros((1, 3, 2, 2), np.uint8)
    array[0, 2] = 255
    told = Picture.of(measured.Picture("it", "blue", array))
    assert pictures._sheet(told.array(), told)[0, 0].tolist() == [0.0, 0.0, 1.0]


def test_the_page_holds_a_density_pixel_by_pixel(flow: EntryRecord) -> None:
    """Noise is the worst case of compression: 64 by 64 bytes, base 64."""
    figure = pictures.pictures(flow)[2]
    packed = re.search(r'src="data:image/png;base64,([^"]+)"', figure.markup)
    assert packed
    shown = Image.open(io.BytesIO(base64.b64decode(packed[1])))
    assert np.array_equal(np.asarray(shown), flow.pictures[2].array()[0])
    assert len(figure.markup) < 64 * 64 * 4 / 3 + 1000


@pytest.mark.parametrize(
    "data", ["", "####", "AAAA", Picture.of(measured.Picture("i", "t", np.zeros((1, 2, 2), np.uint8))).data]
)
def test_damaged_bytes_are_told(flow: EntryRecord, data: str) -> None:
    broken = flow.model_copy(update={"pictures": [flow.pictures[0].model_copy(update={"data": data})]})
    with pytest.raises(InputError, match="entry nice_digits: picture samples: cannot be unpacked") as error:
        pictures.pictures(broken)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("array", "name", "reason"),
    [
        (np.zeros((8, 8), np.uint8), "it", r"grey images are \(n, h, w\), colour images \(n, 3, h, w\)"),
        (np.zeros((2, 4, 8, 8), np.uint8), "it", "colour images"),
        (np.zeros((0, 8, 8), np.uint8), "it", "greater than or equal to 1"),
        (np.zeros((1, 8, 8), np.float32), "it", "found float32; levels are uint8"),
        (np.zeros((1, 8, 8), np.uint8), "It is", "pattern"),
    ],
)
def test_what_is_no_picture_is_refused(array: Any, name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Picture.of(measured.Picture(name, "what it shows", array))


def test_each_picture_has_a_name_of_its_own(flow: EntryRecord) -> None:
    told = flow.model_dump()
    told["pictures"].append(told["pictures"][0])
    with pytest.raises(ValueError, match="each picture has a name of its own"):
        EntryRecord.model_validate(told)


def test_pictures_come_back_as_they_were(flow: EntryRecord) -> None:
    again = EntryRecord.model_validate(flow.model_dump())
    digits = np.random.default_rng(0).integers(0, 17, (20, 8, 8)).astype(np.uint8)  # as the fixture drew them
    assert np.array_equal(again.pictures[0].array(), digits)
    assert (again.pictures[0].top, again.pictures[1].columns) == (16, 3)


# Curves
def test_noted_quantities_have_a_figure_each(flow: EntryRecord) -> None:
    (figure,) = curves.noted_curves(flow)
    assert figure.name == "noted_evaluations_nice_digits"
    assert "seed 0 from 14 to 38" in figure.alt
    assert all(f"seed {seed}" in figure.markup for seed in range(4))
    assert "noted" not in "".join(figure.name for figure in curves.learning_curves(flow))
    lone = flow.model_copy(update={"runs": [one.model_copy(update={"curve": one.curve[:1]}) for one in flow.runs]})
    assert curves.noted_curves(lone) == []


def results_of(records: list[EntryRecord], task: str = "digits", **fields: Any) -> Results:
    trend = {"kind": "trend", "along": "n", "shape": "rises"}
    told = verdict("undecided", records, task=task, **(fields if "kind" in fields else trend | fields))
    return Results("cpu", records, [told], [], frozenset(), {})


def of_length(length: int, method: str = "method_a", values: tuple[float, ...] = (1.0, 1.1, 0.9), **also: Any) -> Any:
    runs = [run(seed, number(length * value, variant={"n": length, **also})) for seed, value in enumerate(values)]
    return record(runs, f"{method}_{length}", method)


def test_a_judged_trend_has_a_figure() -> None:
    records = [of_length(n, method) for method in ("method_a", "method_b") for n in (2, 8, 32)]
    (figure,) = curves.judged_trends(results_of(records))
    assert figure.name == "trend_digits_score_n"
    assert "method_a: from 2 to 32; method_b: from 2 to 32" in figure.alt
    assert "score (points)" in figure.markup


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ([of_length(n) for n in (2, 8)], {}),  # too few for a trend
        ([of_length(n) for n in (2, 8, 32)], {"kind": "value"}),
        ([of_length(n) for n in (2, 8, 32)], {"metric": "other"}),
        ([of_length(n) for n in (2, 8, 32)], {"task": "mnist"}),
        ([of_length(n, solver=f"euler_{n}") for n in (2, 8, 32)], {}),  # each in a variant of its own
        ([], {}),
    ],
    ids=["two", "no_trend", "metric", "task", "variants", "none"],
)
def test_what_is_no_trend_has_none(records: list[EntryRecord], verdict: dict[str, Any]) -> None:
    assert curves.judged_trends(results_of(records, **verdict)) == []


def test_one_seed_shows_no_interval_and_entries_are_named() -> None:
    law = Measurement(instances="any")
    steps = [
        metric("score", 1.0 * step, "points", "lower", 1, law, {"step": step, "solver": "a"}) for step in (1, 2, 3)
    ]
    one = record([RunRecord(seed=0, status="done", metrics=steps)], "entry_a")
    (figure,) = curves.judged_trends(results_of([one]))
    assert "entry_a / solver a: from 1 to 3" in figure.alt
    several = [one, record([*one.runs], "entry_b")]
    (figure,) = curves.judged_trends(results_of(several))
    assert re.findall(r"entry_\w", figure.alt) == ["entry_a", "entry_b"]
