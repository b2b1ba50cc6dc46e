"""The tables as text: columns, order, marks, numbers; the same for the same records in any order."""

import csv
import io
import json
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.judging.results import Results, judged
from benchmarks.judging.tables import Judged
from tests.unit.judged import PAPER, claim, number, ordering, record, run, seeds

# Section 4 of the design, word for word.
SCORES = (
    "entry, variant, method, task, metric, unit, direction, seeds, mean, low, high, interval, tier, fingerprint, stale"
)
VERDICTS = (
    "claim, paper, where, kind, scope, task, metric, paper_value, ours, low, high, seeds, verdict, reason, "
    "evidence, stale"
)
NEAR, HIGH = [9.9, 10.0, 10.1], [14.9, 15.0, 15.1]
HEUN, EULER = {"sampler": "heun", "nfe": 35}, {"sampler": "euler", "nfe": 35}
CLAIMS = [
    (PAPER, claim("value", id="zulu")),
    (PAPER, ordering({"method": "method_a"}, {"method": "method_b"}, id="alpha")),
    (PAPER, claim("value", id="mike", entry="other", scope="paper")),
]


def written(records: list[Any], claims: Any = CLAIMS, stale: Collection[str] = ()) -> dict[str, str]:
    return judge(records, claims, stale).tables()


def judge(records: list[Any], claims: Any = CLAIMS, stale: Collection[str] = ()) -> Results:
    return judged("cpu", records, claims, {"other": ["h100_1"]}, frozenset(stale))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def several() -> list[Any]:
    """Four entries: two plain, one with variants and two metrics, one that gave nothing."""
    runs = [
        run(
            seed,
            number(v, variant=HEUN),
            number(v + 1, variant=EULER),
            number([[v, 2.0], [3.0, 4.0]], "grid"),
            number(v / 3, "accuracy", direction="higher"),
        )
        for seed, v in enumerate(NEAR)
    ]
    nothing = [run(0, status="diverged"), run(1, status="timeout")]
    return [
        seeds(NEAR),
        seeds(HIGH, "entry_b", "method_b"),
        record(runs, "entry_c", "method_a"),
        record(nothing, "entry_d", "method_b"),
    ]


@pytest.mark.parametrize(("file", "columns"), [("scores.csv", SCORES), ("verdicts.csv", VERDICTS)])
@pytest.mark.parametrize("records", [several(), []], ids=["several", "none"])
def test_columns_are_those_of_the_design(file: str, columns: str, records: list[Any]) -> None:
    text = written(records)[file]
    assert text.splitlines()[0] == columns.replace(" ", "")
    assert text.endswith("\n")
    assert "\r" not in text


def test_same_records_same_text_in_any_order() -> None:
    first = written(several())
    assert written(several()) == first
    for seed in range(5):
        shuffled = several()
        random.Random(seed).shuffle(shuffled)
        assert written(shuffled) == first


def test_scores_are_sorted_and_complete() -> None:
    found = rows(written(several())["scores.csv"])
    keys = [(row["entry"], row["variant"], row["metric"]) for row in found]
    assert keys == sorted(keys)
    assert keys == [
        ("entry_a", "default", "score"),
        ("entry_b", "default", "score"),
        ("entry_c", "default", "accuracy"),
        ("entry_c", "default", "grid"),
        ("entry_c", "euler, nfe 35", "score"),
        ("entry_c", "heun, nfe 35", "score"),
        ("entry_d", "default", ""),
    ]


def test_a_score_row() -> None:
    (row,) = rows(written([seeds([1.0, 2.0, 3.0])])["scores.csv"])
    # Student t with 2 degrees of freedom: 4.302652730 (any printed table has 4.303) times 1 / sqrt(3).
    assert float(row["low"]) == pytest.approx(2 - 4.302652730 / 3**0.5, abs=1e-8)
    assert float(row["high"]) == pytest.approx(2 + 4.302652730 / 3**0.5, abs=1e-8)
    told = {
        "mean": "2",
        "seeds": "3 of 3",
        "interval": "95 % Student t",
        "tier": "paper",
        "stale": "",
    }
    told |= {"unit": "points", "direction": "lower", "method": "method_a", "task": "digits"}
    assert told.items() <= row.items()


def test_an_entry_without_metrics_is_a_row() -> None:
    (row,) = rows(written([record([run(0, status="diverged"), run(1, status="timeout")])])["scores.csv"])
    assert (row["entry"], row["seeds"], row["mean"]) == ("entry_a", "0 of 2", "")
    assert row["interval"] == "s0 diverged, s1 timeout"


def test_one_seed_has_no_interval_unless_its_fit_gives_one() -> None:
    (row,) = rows(written([seeds([1.0])])["scores.csv"])
    assert (row["mean"], row["low"], row["high"], row["interval"]) == ("1", "", "", "")
    (row,) = rows(written([record([run(0, number(1.0, interval=(0.5, 1.5)))])])["scores.csv"])
    assert (row["low"], row["high"], row["interval"]) == ("0.5", "1.5", "95 % of the fit")


def test_fits_widen_the_interval() -> None:
    runs = [run(seed, number(value, interval=(9.0, 12.0))) for seed, value in enumerate(NEAR)]
    (row,) = rows(written([record(runs)])["scores.csv"])
    assert (row["low"], row["high"], row["interval"]) == ("9", "12", "95 % Student t, widened by the fits")


def test_a_missing_seed_shows() -> None:
    (row,) = rows(
        written([record([run(0, number(1.0)), run(1, number(3.0)), run(2, status="diverged")])])["scores.csv"]
    )
    assert (row["seeds"], row["mean"]) == ("2 of 3", "2")


def test_a_null_gives_no_mean() -> None:
    texts = written([seeds([1.0, None])])
    (row,) = rows(texts["scores.csv"])
    assert (row["mean"], row["low"], row["high"], row["interval"]) == ("", "", "", "")
    assert json.loads(texts["summary.json"]) == {}


def test_tables_of_numbers_leave_scores_whole() -> None:
    texts = written([record([run(s, number([[1.0, 2.0]], "grid"), number(v)) for s, v in enumerate(NEAR)])])
    grid, score = rows(texts["scores.csv"])
    assert (grid["metric"], grid["mean"], grid["seeds"]) == ("grid", "", "3 of 3")
    assert (score["metric"], score["mean"]) == ("score", "10")
    assert json.loads(texts["summary.json"]) == {"entry_a": {"default": {"score": 10.0}}}


@pytest.mark.parametrize(
    ("fields", "stale", "mark"),
    [
        ({}, {}, ""),
        ({}, {"entry_a"}, "stale"),
        ({}, {"entry_b", "method_a"}, ""),  # names of entries, and of others
        ({"modified": True}, {}, "modified"),
        ({"off_profile": True}, {}, "off-profile"),
        ({"modified": True, "off_profile": True}, {"entry_a"}, "stale+modified+off-profile"),
    ],
)
def test_marks_reach_every_table(fields: dict[str, Any], stale: Collection[str], mark: str) -> None:
    texts = written([seeds(NEAR, **fields)], CLAIMS[:1], stale)
    for file in ("scores.csv", "verdicts.csv"):
        (row,) = rows(texts[file])
        assert set(row["stale"].split("+")) == set(mark.split("+")), file


def test_a_row_without_metrics_is_marked_too() -> None:
    (row,) = rows(written([record([run(0, status="failed")], modified=True)], stale=["entry_a"])["scores.csv"])
    assert row["stale"] == "stale+modified"


def test_a_verdict_over_several_records_carries_the_marks_of_each() -> None:
    records = [seeds(NEAR, modified=True), seeds(HIGH, "entry_b", "method_b", off_profile=True)]
    (row,) = rows(written(records, CLAIMS[1:2])["verdicts.csv"])
    assert set(row["stale"].split("+")) == {"modified", "off-profile"}


def test_verdicts_keep_the_order_of_the_claims() -> None:
    found = rows(written(several())["verdicts.csv"])
    assert [row["claim"] for row in found] == ["zulu", "alpha", "mike"]
    assert [row["verdict"] for row in found] == ["reproduced", "undecided", "not run"]
    assert found[0]["paper"] == "A paper (2014), A journal"
    assert (found[0]["paper_value"], found[0]["ours"], found[0]["seeds"]) == ("10", "10", "3 of 3")
    assert found[1]["paper_value"] == "method_a better than method_b"
    assert (found[2]["task"], found[2]["ours"], found[2]["low"], found[2]["seeds"]) == ("", "", "", "")


def test_summary_nests_entry_variant_and_metrics_that_a_claim_judges() -> None:
    text = written(several())["summary.json"]
    found = json.loads(text)
    assert list(found) == ["entry_a", "entry_b", "entry_c"]
    assert found["entry_c"] == {
        "euler, nfe 35": {"score": pytest.approx(11.0)},
        "heun, nfe 35": {"score": pytest.approx(10.0)},
    }
    assert text == json.dumps(found, indent=1, sort_keys=True) + "\n"


def ranks(records: list[Any]) -> dict[str, tuple[int, int]]:
    (board,) = judge(records).boards
    return {place.score.entry: (place.rank_low, place.rank_high) for place in board.rows}


def test_entries_that_cannot_be_told_apart_share_their_ranks() -> None:
    records = [seeds(HIGH, "entry_c"), seeds(NEAR, "entry_b"), seeds([10.0, 10.1, 9.9], "entry_a")]
    assert ranks(records) == {"entry_a": (1, 2), "entry_b": (1, 2), "entry_c": (3, 3)}


def test_one_seed_is_told_apart_from_nobody() -> None:
    assert ranks([seeds([1.0], "entry_a"), seeds([100.0], "entry_b")]) == {"entry_a": (1, 2), "entry_b": (1, 2)}


@pytest.mark.parametrize(("direction", "best"), [("lower", "entry_a"), ("higher", "entry_b")])
def test_direction_decides_who_is_first(direction: str, best: str) -> None:
    records = [
        record([run(s, number(v, direction=direction)) for s, v in enumerate(values)], entry)
        for entry, values in (("entry_a", NEAR), ("entry_b", HIGH))
    ]
    assert ranks(records)[best] == (1, 1)


@pytest.mark.parametrize("fields", [{"task": "mnist"}, {"tier": "short"}, {"protocol": {"split": "train"}}], ids=str)
def test_ranks_are_within_task_tier_and_protocol(fields: dict[str, Any]) -> None:
    protocol = fields.pop("protocol", None)
    other = record([run(s, number(v, protocol=protocol)) for s, v in enumerate(HIGH)], "entry_b", **fields)
    assert judge([seeds(NEAR), other]).boards == []  # a row without a rival has no board


def test_a_row_whose_seeds_are_not_all_done_may_have_any_rank() -> None:
    """Its survivors are no fair sample; and those it is held against keep their own ranks."""
    lucky = record([*(run(s, number(v)) for s, v in enumerate([0.9, 1.0, 1.1])), run(3, status="diverged")], "entry_l")
    records = [seeds(HIGH, "entry_b"), lucky, seeds(NEAR, "entry_a")]
    assert ranks(records)["entry_l"] == (1, 3)
    whole = [seeds(HIGH, "entry_b"), seeds([0.9, 1.0, 1.1], "entry_l"), seeds(NEAR, "entry_a")]
    assert ranks(whole) == {"entry_l": (1, 1), "entry_a": (2, 2), "entry_b": (3, 3)}
    # A seed that is done without the metric is missing from the row as well.
    without = record([*(run(s, number(v)) for s, v in enumerate([0.9, 1.0, 1.1])), run(3)], "entry_l")
    assert ranks([seeds(HIGH, "entry_b"), without])["entry_l"] == (1, 2)


def test_two_protocols_under_one_name_are_refused() -> None:
    """scores.csv would have two rows of one key, and summary.json would have one of them by chance."""
    both = record([run(s, number(v), number(v, protocol={"split": "train"})) for s, v in enumerate(NEAR)])
    with pytest.raises(InputError, match="entry_a: score of default was taken by two protocols") as caught:
        written([both])
    assert len(str(caught.value).splitlines()) == 1
    split = [
        run(s, number(v), number(v, variant={"split": "train"}, protocol={"split": "train"}))
        for s, v in enumerate(NEAR)
    ]
    assert len(rows(written([record(split)])["scores.csv"])) == 2


def test_values_of_a_number_are_no_rivals_and_protocols_have_boards_of_their_own() -> None:
    def sampled(entry: str, nfe: int) -> Any:
        told = {"variant": {"sampler": "heun", "nfe": nfe}, "protocol": {"noise_seed": nfe}}
        return record([run(s, number(v, **told)) for s, v in enumerate(NEAR)], entry)

    steps = [number(v, variant={"nfe": nfe}) for nfe, v in enumerate(NEAR)]
    assert judge([record([run(0, *steps)])]).boards == []
    boards = judge([sampled(f"{entry}_{nfe}", nfe) for entry in ("a", "b") for nfe in (4, 16)]).boards
    assert sorted(board.title for board in boards) == ["digits: score (heun, nfe 16)", "digits: score (heun, nfe 4)"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333333333"),
        (1e-12, "1e-12"),
        (123456789.0, "123456789"),
        (-0.5, "-0.5"),
        (3, "3"),
    ],
)
def test_numbers_have_ten_significant_digits(value: float, text: str) -> None:
    (row,) = rows(written([seeds([value, value])])["scores.csv"])
    assert (row["mean"], row["low"], row["high"]) == (text, text, text)


# Reading
def test_verdicts_come_back_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_text(written(several())["verdicts.csv"])
    found = judge(several())
    assert Judged.read(tmp_path / "verdicts.csv") == [Judged.of(each, found.stale) for each in found.verdicts]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"claim,paper", b"paper,claim", "header: found paper,claim"),
        (b"zulu,", b"zulu,more,", "row 2: found 17 fields; 16 are needed"),
        (b"zulu", b"\xff", "not readable as CSV"),
        (b"zulu", b'"zulu', "not readable as CSV"),
    ],
)
def test_a_damaged_table_is_told_in_one_sentence(tmp_path: Path, old: bytes, new: bytes, sentence: str) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_bytes(written(several())["verdicts.csv"].encode().replace(old, new, 1))
    with pytest.raises(InputError) as error:
        Judged.read(path)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
