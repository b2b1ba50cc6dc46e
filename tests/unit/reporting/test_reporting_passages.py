"""Passages: what a record keeps and refuses, and the tables in which texts of several records stand side by side."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_json
from benchmarks.judging.results import Results
from benchmarks.record.evaluated import Lines, Passages
from benchmarks.record.records import EntryRecord, read_record
from benchmarks.reporting import drawings, passages
from benchmarks.reporting.table import Table
from tests.unit.judged import record, run
from tests.unit.reporting.conftest import HOSTILE
from tests.unit.reporting.test_reporting_site import Page, page_of

PROMPTS = ["the film", "a very"]
SFT = Passages("responses", "Responses to test prompts", "SFT", PROMPTS, ["is long", "bad one"])
TRUTH = Passages("responses", "Responses to test prompts", "reference", PROMPTS, ["was fine", "good one"], place=-1)
DPO = Passages("responses", "Responses to test prompts", "DPO", PROMPTS, ["is great", ""])


def told(*given: Any, entry: str = "entry_a", **fields: Any) -> EntryRecord:
    return record([run(0)], entry, drawings=list(given), **fields)


def results(*records: EntryRecord) -> Results:
    return Results("cpu", list(records), [], [], frozenset(), {})


def tables(*records: EntryRecord) -> list[Table]:
    return passages.passages(results(*records))


def texts(table: Table) -> list[list[str]]:
    return [[column.name for column in table.columns], *([cell.text for cell in row] for row in table.rows)]


# Records
def test_passages_come_back_as_they_were(tmp_path: Path) -> None:
    lines = Lines("errors", "errors", "n", "error", [])
    write_json(tmp_path / "it.json", told(lines, TRUTH, SFT).model_dump())
    assert read_record(tmp_path / "it.json").drawings == [lines, TRUTH, SFT]


PLAIN = json.loads(json.dumps(told(SFT).model_dump()["drawings"][0]))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({**PLAIN, "texts": ["one"]}, "passages responses: 2 prompts and 1 texts; one text a prompt is needed"),
        ({**PLAIN, "prompts": [], "texts": []}, "passages responses: 0 prompts and 0 texts"),
        ({**PLAIN, "name": "The responses"}, "name 'The responses' of a drawing: small letters, digits and"),
        ({**PLAIN, "title": " "}, "drawing responses: title is empty"),
        ({**PLAIN, "label": ""}, "passages responses: label is empty; say whose texts they are"),
        ({**PLAIN, "texts": ["one", 2]}, "drawings.0.texts.1: found 2; must be a valid string"),
        ({**PLAIN, "texts": "one"}, "drawings.0.texts"),
        ({**PLAIN, "author": "me"}, "drawings.0.author"),
        ({**PLAIN, "place": 0.5}, "drawings.0.place"),
        ({key: PLAIN[key] for key in PLAIN if key != "prompts"}, "drawings.0.prompts: missing"),
        ({**PLAIN, "kind": "text"}, "must be 'board', 'lines', 'histogram', 'passages'"),
    ],
)
def test_malformed_passages_are_told_in_one_sentence(tmp_path: Path, given: Any, reason: str) -> None:
    path = tmp_path / "it.json"
    write_json(path, {**told().model_dump(), "drawings": [given]})
    with pytest.raises(InputError) as error:
        read_record(path)
    assert str(error.value).startswith(f"{path}: drawings.0")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_writers_share_a_name_and_each_stands_once() -> None:
    assert told(SFT, DPO).drawings == [SFT, DPO]
    for given in ((SFT, SFT), (SFT, Passages("responses", "other", "SFT", ["a"], ["b"]))):
        with pytest.raises(ValueError, match="each picture has a name of its own, and each drawing"):
            told(*given)


def test_what_is_written_is_also_drawn() -> None:
    assert drawings.drawings(told(SFT)) == []  # texts are no figure


# Tables
def test_texts_of_one_name_and_prompts_are_one_table() -> None:
    (table,) = tables(told(DPO, entry="dpo"), told(SFT, entry="sft"))
    assert texts(table) == [
        ["prompt", "DPO", "SFT"],
        ["the film", "is great", "is long"],
        ["a very", "(nothing)", "bad one"],
    ]
    assert (table.title, table.name) == (
        "digits: Responses to test prompts",
        "passages-digits-responses-to-test-prompts",
    )
    assert table.caption == "2 prompts; of several seeds the first that is done."


def test_columns_are_by_place_then_by_entry_and_a_writer_stands_once() -> None:
    (table,) = tables(told(DPO, TRUTH, entry="dpo"), told(SFT, TRUTH, entry="sft"))
    assert texts(table)[0] == ["prompt", "reference", "DPO", "SFT"]
    other = Passages(**{**PLAIN, "texts": ["is short", "odd one"]})
    (table,) = tables(told(SFT, entry="sft"), told(other, entry="sft_small"))
    assert texts(table)[0] == ["prompt", "SFT (sft)", "SFT (sft_small)"]


@pytest.mark.parametrize(
    "other",
    [
        told(Passages(**{**PLAIN, "name": "answers"}), entry="entry_b"),
        told(Passages(**{**PLAIN, "prompts": ["the film", "a most"]}), entry="entry_b"),
        told(SFT, entry="entry_b", task="other"),
    ],
    ids=["name", "prompts", "task"],
)
def test_what_answers_something_else_is_another_table(other: EntryRecord) -> None:
    found = tables(told(SFT), other)
    assert [len(table.columns) for table in found] == [2, 2]
    assert len({table.name for table in found}) == 2


def test_texts_are_shown_as_they_are_but_for_what_nobody_can_see() -> None:
    odd = Passages("it", "Odd", "model", ["p", "q"], ["one\n two\t3\x00\u200b", "\n\n"])
    (table,) = tables(told(odd))
    assert texts(table)[1:] == [["p", "one\n two\t3\ufffd\ufffd"], ["q", "(nothing)"]]


# Pages
def test_hostile_texts_do_nothing() -> None:
    hostile = Passages(
        "it", HOSTILE, HOSTILE, [HOSTILE, "</td></table>"], ["<img src=http://x.invalid onerror=y>", "a|b"]
    )
    page = Page(page_of(results(told(hostile))))
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert page.row("</td></table>") == ["</td></table>", "a|b"]


def test_the_page_has_a_section_of_its_own_that_scrolls() -> None:
    index = page_of(results(told(DPO, TRUTH, entry="dpo"), told(SFT, entry="sft")))
    page = Page(index)
    assert {"passages", "passages-digits-responses-to-test-prompts"} <= set(page.ids)
    assert "#passages" in page.links
    assert page.row("the film") == ["the film", "was fine", "is great", "is long"]
    assert [given["class"] for tag, given in page.tags if "texts" in (given.get("class") or "")] == ["scroll texts"]
    assert re.search(r"\.texts \{[^}]*overflow: auto", index)
    assert "passages" not in Page(page_of(results(told()))).ids
