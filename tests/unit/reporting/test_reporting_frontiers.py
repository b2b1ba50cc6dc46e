"""Frontiers: the table that the judge writes of them, how it is read, and the figure that is drawn."""

import csv
import io
import random
import re
import shutil
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import InputError
from benchmarks.judging import tables
from benchmarks.reporting import frontiers, pages, read
from benchmarks.reporting.figures import Figure
from benchmarks.stages import judge
from benchmarks.typed_files import write_json, write_text
from tests.unit.judged import PAPER, claim
from tests.unit.test_judging_dominance import ABOVE, BELOW, CURVE, ORIGIN, dominance, frontier, point, start

LEARNED = {"method": "method_b", "variant": {"reward": "learned"}}
TRUE = {"method": "method_b", "variant": {"reward": "true"}}


def records() -> list[Any]:
    """A better side, a worse one of two variants, and a start."""
    learned = [point(c, v, f"b_{c:g}_learned", "method_b", also={"reward": "learned"}) for c, v in BELOW.items()]
    true = [point(c, v, f"b_{c:g}_true", "method_b", also={"reward": "true"}) for c, v in ABOVE.items()]
    return [*frontier(CURVE, "method_a"), *learned, *true, start()]


def two_claims() -> list[Any]:
    return [dominance(id="one", worse=LEARNED, **ORIGIN), dominance(id="two", worse=TRUE, **ORIGIN)]


def written(of: list[Any], claims: list[Any], stale: tuple[str, ...] = ()) -> dict[str, str]:
    return tables.files(of, [(PAPER, each) for each in claims], {}, stale)


def read_back(text: str, tmp_path: Path) -> list[read.FrontierPoint]:
    write_text(tmp_path / "frontiers.csv", text)
    return read.read_frontiers(tmp_path)


def figures(points: list[read.FrontierPoint]) -> list[Figure]:
    return frontiers.frontiers(read.Results("cpu", [], [], [], [], {}, points))


# The table
def test_a_row_for_each_point_of_each_side(tmp_path: Path) -> None:
    text = written(records(), two_claims(), ("a_2",))["frontiers.csv"]
    assert text.splitlines()[0] == read.FRONTIERS
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["claim"], row["role"], row["entry"]) for row in rows[:7]] == [
        ("one", "better", "a_1"),
        ("one", "better", "a_2"),
        ("one", "better", "a_4"),
        ("one", "worse", "b_1_learned"),
        ("one", "worse", "b_2_learned"),
        ("one", "worse", "b_4_learned"),
        ("one", "origin", "start"),
    ]
    assert len(rows) == 14
    assert {row["side"] for row in rows} == {
        "method_a",
        "method_b / reward learned",
        "method_b / reward true",
        "method_c",
    }
    first, last = read_back(text, tmp_path)[0], read_back(text, tmp_path)[6]
    assert (first.at, first.at_unit, first.metric, first.unit, first.task) == (
        "kl",
        "nats",
        "score",
        "points",
        "digits",
    )
    assert (first.mean, first.at_mean) == (pytest.approx(31 / 3), pytest.approx(1 + 0.04 / 3))
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.mean < first.high
    assert (last.at_mean, last.at_low, last.at_high, last.at_unit) == (0.0, 0.0, 0.0, "")  # an origin costs nothing
    assert [row["stale"] for row in rows[:3]] == ["", "stale", ""]


def test_the_table_does_not_depend_on_the_order_of_records() -> None:
    told = records()
    random.Random(0).shuffle(told)
    assert written(told, two_claims()) == written(records(), two_claims())


def test_no_claim_of_a_frontier_no_table() -> None:
    assert "frontiers.csv" not in written(records(), [claim("value", entry="a_1", direction="higher")])
    assert "frontiers.csv" not in written([start()], two_claims())  # an origin alone is no frontier
    asked = {"measurement": {"split": "valid"}}
    assert "frontiers.csv" not in written(records(), [dominance(**asked)])


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    alone = [*frontier(CURVE, "method_a", shared=(0.0,)), *frontier(BELOW, "method_b", shared=(0.0,))]
    found = read_back(written(alone, [dominance()])["frontiers.csv"], tmp_path)
    assert {(p.low, p.high, p.at_low, p.at_high) for p in found} == {(None, None, None, None)}
    (figure,) = figures(found)
    assert "method_a: 10 at 1" in figure.alt


def test_a_table_of_claims_that_are_gone_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in records():
        write_json(tmp_path / f"results/entries/cpu/{one.entry}.json", one.model_dump())
    monkeypatch.setattr(judge, "stale_entries", lambda *_: set())
    destination = tmp_path / "tables"
    for known, expected in ((two_claims(), True), ([], False)):
        monkeypatch.setattr(
            judge.claims, "read_all", lambda root, entries, known=known: [(PAPER, each) for each in known]
        )
        judge.build(tmp_path, destination)
        assert (destination / "cpu/frontiers.csv").exists() == expected
        assert (destination / "cpu/scores.csv").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (",kl,nats,", ",kl,", "row 2: found 18 fields"),
        (",better,", ",good,", "row 2: role: found 'good'; one of better, worse, origin is needed"),
        ("10.33333333", "nan", "row 2: mean: found 'nan'"),
        ("10.33333333", "", "row 2: mean: found nothing; a point needs a finite number"),
        ("claim,task", "task,claim", "header: found task,claim"),
    ],
)
def test_damaged_frontiers_are_told(results_root: Path, tmp_path: Path, old: str, new: str, sentence: str) -> None:
    root = tmp_path / "root"
    shutil.copytree(results_root, root)
    text = written(records(), two_claims())["frontiers.csv"]
    assert old in text
    write_text(root / "results/tables/cpu/frontiers.csv", text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read.results("cpu", root)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


# The figure
def test_claims_of_one_metric_and_cost_share_a_figure(tmp_path: Path) -> None:
    (figure,) = figures(read_back(written(records(), two_claims())["frontiers.csv"], tmp_path))
    assert figure.name == "frontier_digits_score_kl"
    assert figure.title == "digits: score against kl, better is up and left"
    lines = (
        "method_a: 10.333 at 1.0133, 14.333 at 2.0133, 20.333 at 4.0133; method_b / reward learned: 7.3333 at 1.0133"
    )
    assert lines in figure.alt
    assert figure.alt.endswith("; origin method_c: 5.3333 at 0.")
    assert figure.alt.count("method_a:") == 1  # the side of two claims stands once
    told = [each.text for each in xml.etree.ElementTree.fromstring(figure.svg).iter("{http://www.w3.org/2000/svg}text")]
    for text in ("kl (nats)", "score (points)", "method_b / reward true", "origin: method_c"):
        assert text in told


def test_other_metrics_costs_and_tasks_have_figures_of_their_own(tmp_path: Path) -> None:
    here = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b")]
    elsewhere = [
        *here,
        *(one.model_copy(update={"task": "sums", "entry": f"{one.entry}_sums"}) for one in here),
    ]
    found = figures(read_back(written(elsewhere, [dominance()])["frontiers.csv"], tmp_path))
    assert [figure.name for figure in found] == ["frontier_digits_score_kl", "frontier_sums_score_kl"]
    assert figures([]) == []


def test_points_are_joined_in_order_of_cost_and_a_wide_interval_does_not_flatten_them(tmp_path: Path) -> None:
    points = read_back(written(records(), two_claims())["frontiers.csv"], tmp_path)
    assert [p.entry for p in frontiers.sides(points[::-1])["method_a"]] == ["a_1", "a_2", "a_4"]
    assert frontiers._limits([(0.0, None, None), (10.0, 9.0, 11.0)]) == (-0.6, 11.6)
    assert frontiers._limits([(0.0, -500.0, 500.0), (10.0, 9.0, 11.0)]) == (-3.6, 13.6)
    low, high = frontiers._limits([(0.0, None, None)])
    assert low < 0 < high


def test_the_report_shows_it(results_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(results_root, root)
    write_text(root / "results/tables/cpu/frontiers.csv", written(records(), two_claims())["frontiers.csv"])
    made = pages.report(read.results("cpu", root))
    assert {f"figures/frontier_digits_score_kl.{kind}" for kind in ("png", "svg")} <= made.keys()
    assert 'href="figures/frontier_digits_score_kl.png"' in made["index.html"].decode()
    assert "](figures/frontier_digits_score_kl.png)" in made["README.md"].decode()
    first = re.search(r"!\[[^\]]*\]\(figures/(\w+)\.png\)", made["README.md"].decode())
    assert first
    assert first[1] == "frontier_digits_score_kl"  # before the curves of single entries
