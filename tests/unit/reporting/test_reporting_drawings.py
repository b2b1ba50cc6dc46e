"""Drawings: what a record keeps and refuses, which seed's an evaluation keeps, and what a page shows of each."""

import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.families.puzzles import evaluate as puzzles
from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_json
from benchmarks.plan import composition, profiles
from benchmarks.record import evaluated as measured
from benchmarks.record.evaluated import Board, Drawing, Evaluated, Histogram, Line, Lines, rounded, rounded_rows
from benchmarks.record.records import ENTRIES, EntryRecord, Picture, read_record
from benchmarks.reporting import drawings, figures
from benchmarks.reporting.figures import Figure
from benchmarks.stages import evaluate
from tests.unit.judged import record, run

GRID = Board("grid", "policy and values", [[0.5, -1.25, 3], [-0.001, 2, 0]], [["→", "↓", "○"], ["", " ", "←"]], 2)
RATE = Lines(
    "rate",
    "error of values",
    "episodes",
    "error",
    [
        Line("found", [1, 10, 100], [1, 0.1, 0]),
        Line("1 over n", [1, 100], [1, 0.01], theory=True),
        Line("other", [1, 10], [2, 1]),
    ],
    "xy",
)
ENDS = Histogram("ends", "where it ends", "end", [-1, 0, 2], [0.5, 0.25], Line("normal", [-1, 0, 1], [0.2, 0.4, 0.2]))


def drawing(*given: Drawing) -> EntryRecord:
    return record([run(0)], drawings=list(given))


def figure(given: Drawing) -> Figure:
    (found,) = drawings.drawings(drawing(given))
    return found


def texts(found: Figure) -> dict[str, str]:
    """Each text of the SVG with its style."""
    root = xml.etree.ElementTree.fromstring(found.markup)
    return {each.text or "": each.get("style", "") for each in root.iter("{http://www.w3.org/2000/svg}text")}


# Records
def test_drawings_come_back_as_they_were(tmp_path: Path) -> None:
    write_json(tmp_path / "it.json", drawing(GRID, RATE, ENDS).model_dump())
    assert read_record(tmp_path / "it.json").drawings == [GRID, RATE, ENDS]


BOARD, LINES, HISTOGRAM = (json.loads(json.dumps(drawing(d).model_dump()["drawings"][0])) for d in (GRID, RATE, ENDS))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({**BOARD, "values": [[1, 2, 3], [4, 5]]}, "board grid: values have rows of [3, 2], 2 rows of 3 are needed"),
        ({**BOARD, "marks": [["→"]]}, "board grid: marks have rows of [1], 2 rows of 3 are needed"),
        ({**BOARD, "values": [], "marks": []}, "board grid: has no cells"),
        ({**BOARD, "values": [[]], "marks": [[]]}, "board grid: has no cells"),
        ({**BOARD, "rows": ["a"]}, "board grid: 1 labels of rows for 2"),
        ({**BOARD, "columns": ["a", "b"]}, "board grid: 2 labels of columns for 3"),
        ({**BOARD, "decimals": -1}, "board grid: decimals -1; 0 to 9 are allowed"),
        ({**BOARD, "values": [["1", 2, 3], [4, 5, 6]]}, "drawings.0.values.0.0: found '1'; must be a valid number"),
        ({**BOARD, "shade": 1}, "drawings.0.shade"),
        ({**BOARD, "name": "A grid"}, "name 'A grid' of a drawing: small letters, digits and underscores"),
        ({**BOARD, "title": " "}, "drawing grid: title is empty"),
        ({**BOARD, "kind": "picture"}, "drawings.0.kind: found 'picture'; must be 'board', 'lines', 'histogram'"),
        ({key: BOARD[key] for key in BOARD if key != "kind"}, "drawings.0.kind: missing"),
        ({key: BOARD[key] for key in BOARD if key != "values"}, "drawings.0.values: missing"),
        ({**LINES, "lines": [{"label": "a", "x": [1], "y": []}]}, "lines rate: line 'a' has 1 x and 0 y"),
        ({**LINES, "logarithmic": "z"}, "drawings.0.logarithmic: found 'z'"),
        ({**HISTOGRAM, "edges": [0, 1]}, "histogram ends: 2 edges for 2 densities; one edge more is needed"),
        ({**HISTOGRAM, "edges": [], "densities": []}, "histogram ends: 0 edges for 0 densities"),
        ({**HISTOGRAM, "edges": [0, 1, 1]}, "histogram ends: edges do not rise"),
        ({**HISTOGRAM, "densities": [0.5, -0.5]}, "histogram ends: density -0.5 is below 0"),
        ({**HISTOGRAM, "theory": {"label": "a", "x": [1], "y": []}}, "histogram ends: line 'a' has 1 x and 0 y"),
        (3, "drawings.0: found 3; must be a valid dictionary"),
    ],
)
def test_malformed_drawings_are_told_in_one_sentence(tmp_path: Path, told: Any, reason: str) -> None:
    path = tmp_path / "it.json"
    write_json(path, {**drawing().model_dump(), "drawings": [told]})
    with pytest.raises(InputError) as error:
        read_record(path)
    assert str(error.value).startswith(f"{path}: drawings.0")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "it.json"
    write_json(path, drawing(GRID).model_dump())
    path.write_text(path.read_text().replace("-1.25", value))
    with pytest.raises(InputError, match=r"drawings\.0\.values\.0\.1.*a finite number"):
        read_record(path)


def test_each_drawing_has_a_name_of_its_own() -> None:
    picture = Picture.of(measured.Picture("grid", "what it shows", np.zeros((1, 2, 2), np.uint8)))
    for told in ({"drawings": [GRID, GRID]}, {"drawings": [GRID], "pictures": [picture]}):
        with pytest.raises(ValueError, match="each picture has a name of its own, and each drawing"):
            record([run(0)], **told)


# Evaluation
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *taken: Evaluated | Exception) -> EntryRecord:
    """The record of the smoke profile's puzzle whose seeds give, one after the other, what is told."""
    params = composition.compose(profiles.read("smoke"))
    monkeypatch.setattr(composition, "read_params_of", lambda _: params)
    told = iter(taken)

    def take(*_: Any) -> Evaluated:
        given = next(told)
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(puzzles, "evaluate", take)
    evaluate.run("smoke", "container", True, tmp_path)
    return read_record(tmp_path / ENTRIES / "smoke/container.json")


def test_the_first_seed_that_is_done_gives_the_drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = evaluated(tmp_path, monkeypatch, Evaluated([], drawings=[GRID]), Evaluated([], drawings=[RATE]))
    assert kept.drawings == [GRID]
    kept = evaluated(tmp_path, monkeypatch, ArithmeticError("no step"), Evaluated([], drawings=[RATE]))
    assert kept.drawings == [RATE]
    kept = evaluated(tmp_path, monkeypatch, Evaluated([]), Evaluated([], drawings=[RATE]))
    assert kept.drawings == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Board("grid", "title", [[1.0]], [["a", "b"]]), "board grid: marks have rows of [2], 1 rows of 1 are needed"),
        (Board("grid", "title", [[float("nan")]], [[""]]), "found nan; must be a finite number"),
        (Board("grid", "title", np.ones((1, 1)), [[""]]), "a drawing holds numbers and texts of plain Python only"),
        ("grid", "found 'grid'; must be a valid dictionary"),
    ],
)
def test_what_cannot_be_kept_ends_an_evaluation_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any, reason: str
) -> None:
    with pytest.raises(InputError) as error:
        evaluated(tmp_path, monkeypatch, Evaluated([], drawings=[given]), Evaluated([]))
    assert reason in str(error.value)
    assert "results/entries/smoke/container.json: drawings.0: found " in str(error.value)
    assert "\n" not in str(error.value)


# Boards
def test_a_board_says_marks_numbers_and_labels() -> None:
    told = Board(**{**BOARD, "rows": ["top", "low"], "columns": ["A", "B", "C"], "row_title": "y", "column_title": "x"})
    found = figure(told)
    assert (found.name, found.title) == ("grid_entry_a", "entry_a: policy and values")
    assert found.alt == (
        "entry_a: policy and values; 2 by 3 cells; lowest value -1.25 in row 1, column 2; "
        "highest 3 in row 1, column 3; marks: → 1, ↓ 1, ○ 1, ← 1."
    )
    assert {"→", "↓", "○", "←", "0.50", "-1.25", "0.00", "top", "low", "A", "B", "C", "y", "x"} <= set(texts(found))
    assert "-0.00" not in texts(found)


def test_texts_in_cells_keep_their_colour_on_any_page_and_others_follow_it() -> None:
    styles = texts(figure(GRID))
    for text in ("→", "0.50", "-1.25"):
        assert f"fill: {drawings.DARK}" in styles[text] or f"fill: {drawings.LIGHT}" in styles[text]
    assert "fill: currentColor" in styles["entry_a: policy and values"]
    assert {drawings.DARK, drawings.LIGHT}.isdisjoint({figures.INK, figures.PAPER})


def test_every_shade_has_a_text_that_can_be_read() -> None:
    def luminance(colour: Any) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for shade in drawings._shades()(range(drawings.SHADES)):
        ink = drawings._ink(shade)
        other = luminance([int(ink[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        low, high = sorted((luminance(shade), other))
        assert (high + 0.05) / (low + 0.05) >= 4.5  # what level AA of WCAG 2 asks of small texts


def test_a_board_is_vectors_and_small() -> None:
    generator = np.random.default_rng(0)
    marks = [list(generator.choice(list("↑→↓←○"), 10)) for _ in range(10)]
    written = Board("b", "t", rounded_rows(generator.normal(0, 50, (10, 10))), marks, decimals=2)
    shaded = Board("b", "t", written.values, marks, rows=["r"] * 10, columns=["c"] * 10)
    for board in (written, shaded):
        found = figure(board)
        assert "<image" not in found.markup
        assert len(found.markup) < 60_000
        assert found == figure(board)


def test_a_colour_bar_tells_values_that_are_not_written() -> None:
    plain = Board("b", "t", [[-2.0, 0.0], [1.0, 2.0]], [["", ""], ["", ""]])
    assert {"-2", "2"} <= set(texts(figure(plain)))
    level = Board("b", "t", [[2.0, 2.0]], [["", ""]])
    assert set(texts(figure(level))) == {"entry_a: t"}
    assert "lowest value 2 in row 1, column 1; highest 2" in figure(level).alt


# Lines
def test_what_a_logarithm_cannot_show_is_left_out_and_counted() -> None:
    found = figure(RATE)
    assert "found (1 of 3 points not above 0): from 1 at 1 to 0.1 at 10; " in found.alt
    assert "error against episodes, log-log" in found.alt
    assert "found (1 of 3 points not above 0)" in texts(found)
    plain = figure(Lines(**{**vars(RATE), "logarithmic": ""}))
    assert "found: from 1 at 1 to 0 at 100; " in plain.alt


def test_lines_without_a_point_have_no_figure() -> None:
    nothing = Lines("rate", "t", "x", "y", [Line("a", [1, 2], [0, -1]), Line("b", [], [])], "y")
    assert drawings.drawings(drawing(nothing, Lines("none", "t", "x", "y", []))) == []
    some = Lines("rate", "t", "x", "y", [*nothing.lines, Line("c", [1], [1])], "y")
    assert set(texts(figure(some))) & {"a", "b", "c"} == {"c"}


def test_whole_numbers_have_whole_ticks() -> None:
    def shown(x: list[float]) -> set[str]:
        return set(texts(figure(Lines("l", "t", "sweeps", "y", [Line("a", x, [100, 200])]))))

    assert "2.5" not in shown([2, 3])
    assert "2.6" in shown([2.5, 3])


def test_theory_is_dashed_in_the_colour_of_the_line_before_it() -> None:
    found, theory, other = (drawings._style(RATE, place, 3) for place in range(3))
    assert found["color"] == theory["color"] != other["color"]
    assert found["linestyle"] == other["linestyle"] != theory["linestyle"]
    assert theory["linewidth"] < found["linewidth"]
    many = Lines("many", "t", "x", "y", [Line(str(k), [1, 2], [k, k]) for k in range(18)])
    looks = {(style["color"], style["linestyle"]) for style in (drawings._style(many, k, 2) for k in range(18))}
    assert len(looks) == 18


def test_many_lines_or_long_names_have_their_legend_below() -> None:
    def height(found: Figure) -> float:
        return float(xml.etree.ElementTree.fromstring(found.markup).get("height", "").removesuffix("pt"))

    few = [Line(str(k), [1, 2], [k, k + 1]) for k in range(4)]
    inside = height(figure(Lines("few", "t", "x", "y", few)))
    five = height(figure(Lines("five", "t", "x", "y", [*few, Line("more", [1, 2], [0, 1])])))
    long = height(figure(Lines("long", "t", "x", "y", [Line("a name that is rather long for a legend", [1], [1])])))
    assert five > long > inside


# Histograms
def test_a_histogram_stands_beside_its_theory() -> None:
    found = figure(ENDS)
    assert found.alt == (
        "entry_a: where it ends; histogram of 2 bins from -1 to 2, highest density 0.5 from -1 to 0; "
        "normal: highest 0.4 at 0."
    )
    assert {"ours", "normal", "end", "density"} <= set(texts(found))
    alone = figure(Histogram("ends", "t", "end", [0, 1], [1]))
    assert "ours" not in texts(alone)


def test_numbers_are_rounded_for_records() -> None:
    assert rounded([1 / 3, 123456.7, 0]) == [0.33333, 123460.0, 0.0]
    assert rounded_rows(np.array([[2 / 3], [1e-9 / 3]])) == [[0.66667], [3.3333e-10]]
