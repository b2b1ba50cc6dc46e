"""Frontiers: the points that dominance claims were judged by, and the figure that is drawn of them."""

import random
import xml.etree.ElementTree
from typing import Any

import pytest

from benchmarks.judging.frontier_points import FrontierPoint, Reached
from benchmarks.judging.results import Results, judged
from benchmarks.reporting import frontiers
from tests.unit.judged import PAPER, claim
from tests.unit.reporting.test_reporting_site import page_of
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


def results(of: list[Any], claims: list[Any]) -> Results:
    return judged("cpu", of, [(PAPER, each) for each in claims], {})


def points(of: list[Any], claims: list[Any]) -> list[FrontierPoint]:
    return results(of, claims).frontiers


# The points
def test_a_point_for_each_row_of_each_side() -> None:
    found = points(records(), two_claims())
    assert [(each.claim, each.role, each.entry) for each in found[:7]] == [
        ("one", "better", "a_1"),
        ("one", "better", "a_2"),
        ("one", "better", "a_4"),
        ("one", "worse", "b_1_learned"),
        ("one", "worse", "b_2_learned"),
        ("one", "worse", "b_4_learned"),
        ("one", "origin", "start"),
    ]
    assert len(found) == 14
    sides = {"method_a", "method_b / reward learned", "method_b / reward true", "method_c"}
    assert {each.side for each in found} == sides
    first, last = found[0], found[6]
    told = (first.at, first.at_unit, first.metric, first.unit, first.task)
    assert told == ("kl", "nats", "score", "points", "digits")
    assert (first.value.mean, first.cost.mean) == (pytest.approx(31 / 3), pytest.approx(1 + 0.04 / 3))
    assert first.value.low is not None
    assert first.value.low < first.value.mean
    assert (last.cost, last.at_unit) == (Reached(0.0, 0.0, 0.0), "")  # an origin costs nothing


def test_points_do_not_depend_on_the_order_of_records() -> None:
    shuffled = records()
    random.Random(0).shuffle(shuffled)
    assert points(shuffled, two_claims()) == points(records(), two_claims())


def test_no_claim_of_a_frontier_no_point() -> None:
    assert points(records(), [claim("value", entry="a_1", direction="higher")]) == []
    assert points([start()], two_claims()) == []  # an origin alone is no frontier
    assert points(records(), [dominance(measurement={"split": "valid"})]) == []


def test_one_seed_has_no_interval() -> None:
    alone = [*frontier(CURVE, "method_a", shared=(0.0,)), *frontier(BELOW, "method_b", shared=(0.0,))]
    found = results(alone, [dominance()])
    assert {(each.value.low, each.value.high, each.cost.low, each.cost.high) for each in found.frontiers} == {
        (None, None, None, None)
    }
    (figure,) = frontiers.frontiers(found)
    assert "method_a: 10 at 1" in figure.alt


# The figure
def test_claims_of_one_metric_and_cost_share_a_figure() -> None:
    (figure,) = frontiers.frontiers(results(records(), two_claims()))
    assert figure.name == "frontier_digits_score_kl"
    assert figure.title == "digits: score against kl, better is up and left"
    lines = (
        "method_a: 10.333 at 1.0133, 14.333 at 2.0133, 20.333 at 4.0133; method_b / reward learned: 7.3333 at 1.0133"
    )
    assert lines in figure.alt
    assert figure.alt.endswith("; origin method_c: 5.3333 at 0.")
    assert figure.alt.count("method_a:") == 1  # the side of two claims is drawn once
    svg = xml.etree.ElementTree.fromstring(figure.markup)
    texts = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("kl (nats)", "score (points)", "method_b / reward true", "origin: method_c"):
        assert text in texts


def test_other_tasks_have_figures_of_their_own() -> None:
    here = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b")]
    there = [one.model_copy(update={"task": "sums", "entry": f"{one.entry}_sums"}) for one in here]
    found = frontiers.frontiers(results([*here, *there], [dominance()]))
    assert [figure.name for figure in found] == ["frontier_digits_score_kl", "frontier_sums_score_kl"]
    assert frontiers.frontiers(results([], [])) == []


def test_points_are_joined_in_order_of_cost_and_a_wide_interval_does_not_flatten_them() -> None:
    found = points(records(), two_claims())
    assert [p.entry for p in frontiers.sides(found[::-1])["method_a"]] == ["a_1", "a_2", "a_4"]
    start, end = Reached(0.0, None, None), Reached(10.0, 9.0, 11.0)
    assert frontiers._limits([start, end]) == (-0.6, 11.6)
    assert frontiers._limits([Reached(0.0, -500.0, 500.0), end]) == (-3.6, 13.6)
    low, high = frontiers._limits([start])
    assert low < 0 < high


def test_the_page_shows_it_before_the_figures_of_single_entries() -> None:
    text = page_of(results(records(), two_claims()))
    assert text.index("<figcaption>") == text.index("<figcaption>digits: score against kl")
