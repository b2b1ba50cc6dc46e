"""Dominance: a frontier above another's points, seed by seed; where it cannot be said, and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_json
from benchmarks.judging import claims
from benchmarks.record.records import EntryRecord
from tests.unit.judged import PAPER, claim, number, record, run, verdicts, word

SEEDS = (0.0, 3.0, -2.0)  # what the start of each seed adds to all that went on from it
WOBBLE = (0.0, 0.02, -0.02)
CURVE = {1.0: 10.0, 2.0: 14.0, 4.0: 20.0}  # cost -> value
BELOW = {cost: value - 3.0 for cost, value in CURVE.items()}
ABOVE = {cost: value + 3.0 for cost, value in CURVE.items()}
A_OVER_B: dict[str, Any] = {"scope": "method", "better": {"method": "method_a"}, "worse": {"method": "method_b"}}


def point(
    cost: float | None,
    value: float | None,
    entry: str,
    method: str,
    shared: Sequence[float] = SEEDS,
    direction: str = "higher",
    **fields: Any,
) -> EntryRecord:
    """An entry with a value and a cost a seed; `also` is its variant, `protocol` of the value, `cost_protocol`."""
    also, protocol = fields.pop("also", {}), fields.pop("protocol", None)
    cost_told = {"protocol": fields.pop("cost_protocol", None), "unit": fields.pop("cost_unit", "nats")}
    sign = 1.0 if direction == "higher" else -1.0
    runs = []
    for seed, (start, wobble) in enumerate(zip(shared, WOBBLE, strict=False)):
        told = None if value is None else sign * (value + start + wobble)
        metrics = [number(told, variant=also, protocol=protocol, direction=direction)]
        if cost is not None:
            metrics.append(number(cost + abs(wobble), "kl", also, **cost_told))
        runs.append(run(seed, *metrics))
    return record(runs, entry, method, **fields)


def frontier(points: Mapping[float, float], method: str, **fields: Any) -> list[EntryRecord]:
    """An entry a point."""
    named = {f"{method[-1]}_{cost:g}".replace(".", "_"): (cost, value) for cost, value in points.items()}
    return [point(cost, value, name, method, **fields) for name, (cost, value) in named.items()]


def start(value: float = 5.0, **fields: Any) -> EntryRecord:
    """The reference: its value, and no cost."""
    return point(None, value, "start", "method_c", **fields)


def dominance(direction: str = "higher", **fields: Any) -> Any:
    return claim("dominance", **{"at": "kl", "direction": direction, **A_OVER_B, **fields})


ORIGIN = {"origin": {"method": "method_c"}}


# What holds and what does not
@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("with_origin", [False, True])
@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (BELOW, "reproduced"),
        (ABOVE, "contradicted"),
        (CURVE, "undecided"),  # the same points
        ({**BELOW, 2.0: 17.0}, "contradicted"),  # one above, all others below
        ({**BELOW, 2.0: 14.0}, "undecided"),  # one on it
        ({3.0: 16.9}, "reproduced"),  # below the line from 2 to 4, which is at 17
        ({3.0: 17.2}, "contradicted"),
        ({9.0: 19.0}, "reproduced"),  # beyond it, and no better
        ({9.0: 25.0}, "undecided"),  # beyond it, where nobody knows what the frontier would reach
        ({9.0: 25.0, 2.0: 17.0}, "contradicted"),
    ],
    ids=str,
)
def test_points_against_a_frontier(
    points: dict[float, float], expected: str, with_origin: bool, direction: str
) -> None:
    records = [*frontier(CURVE, "method_a", direction=direction), *frontier(points, "method_b", direction=direction)]
    told = dominance(direction)
    if with_origin:
        told, records = dominance(direction, **ORIGIN), [*records, start(direction=direction)]
    assert word(told, *records) == expected
    assert word(told, *records[::-1]) == expected


def test_the_reason_tells_the_nearest_point() -> None:
    records = [*frontier(CURVE, "method_a"), *frontier({**BELOW, 9.0: 19.0}, "method_b")]
    (verdict,) = verdicts(dominance(), *records)
    assert verdict.reason == (
        "4 of 4 points worse than the frontier (paired t, 3 seeds, one-sided alpha 0.05); "
        "nearest b_9, kl 9.013: 19.33, the frontier 20.33, beyond its last point"
    )
    assert verdict.ours == pytest.approx(1.0)  # the frontier minus that point
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= verdict.ours <= verdict.high
    assert verdict.paper_value == "method_a better than method_b at equal kl"
    assert verdict.seeds == "21 of 21"
    (verdict,) = verdicts(dominance(), *frontier(CURVE, "method_a"), *frontier({**BELOW, 2.0: 17.0}, "method_b"))
    assert verdict.reason.endswith("; 1 reversed")
    assert verdict.ours == pytest.approx(-3.0)


def test_a_frontier_that_was_overdone_does_not_fall() -> None:
    """At cost 9 the best so far still counts: nobody has to spend more than that."""
    overdone = frontier({**CURVE, 9.0: 8.0}, "method_a")
    assert word(dominance(), *overdone, *frontier({9.0: 19.0}, "method_b")) == "reproduced"
    assert word(dominance(), *overdone, *frontier({9.0: 21.0}, "method_b")) == "contradicted"


def test_pairing_sees_through_what_seeds_share() -> None:
    """Seeds 100 apart, points 3: without pairing nothing could be said."""
    wide = (0.0, 100.0, 200.0)
    assert word(dominance(), *frontier(CURVE, "method_a", shared=wide), *frontier(BELOW, "method_b", shared=wide)) == (
        "reproduced"
    )
    assert word(dominance(), *frontier(CURVE, "method_a", shared=wide), *frontier(BELOW, "method_b")) == "undecided"


def test_one_seed_is_undecided() -> None:
    records = [*frontier(CURVE, "method_a", shared=(0.0,)), *frontier(BELOW, "method_b", shared=(0.0,))]
    (verdict,) = verdicts(dominance(), *records)
    assert (verdict.verdict, verdict.ours, verdict.low) == ("undecided", pytest.approx(3.0), None)


# The origin
def test_the_origin_carries_the_frontier_down_to_cost_0() -> None:
    near = frontier({0.5: 7.4}, "method_b")  # half-way from 5 at 0 to 10 at 1 is 7.5
    curve = frontier(CURVE, "method_a")
    (verdict,) = verdicts(dominance(), *curve, *near)
    assert verdict.verdict == "undecided"
    assert verdict.reason == "every point of method_b lies left of method_a"
    assert word(dominance(**ORIGIN), *curve, *near, start()) == "reproduced"
    assert word(dominance(**ORIGIN), *curve, *near, start(3.0)) == "contradicted"
    assert word(dominance(**ORIGIN), *curve, *near, start(12.0)) == "reproduced"  # nothing is worse than standing still


def test_a_point_left_of_the_frontier_is_left_out_and_told() -> None:
    records = [*frontier(CURVE, "method_a"), *frontier({**BELOW, 0.5: 90.0}, "method_b")]
    (verdict,) = verdicts(dominance(), *records)
    assert verdict.verdict == "reproduced"
    assert verdict.reason.endswith("; not compared, being left of it: b_0_5")
    assert verdict.reason.startswith("3 of 3 points")


def test_an_origin_may_have_a_cost_of_its_own() -> None:
    at_two = point(2.0, 30.0, "start", "method_c")
    assert word(dominance(**ORIGIN), *frontier(CURVE, "method_a"), *frontier(ABOVE, "method_b"), at_two) == (
        "contradicted"  # by the point at 1, which lies left of the origin
    )
    only = frontier({2.0: 17.0, 4.0: 23.0}, "method_b")
    assert word(dominance(**ORIGIN), *frontier(CURVE, "method_a"), *only, at_two) == "reproduced"


def test_the_origin_must_have_run() -> None:
    records = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b")]
    (verdict,) = verdicts(dominance(**ORIGIN), *records)
    assert (verdict.verdict, verdict.reason) == ("not run", "method method_c has no record here")
    diverged = record([*start().runs[:2], run(2, status="diverged")], "start", "method_c")
    assert word(dominance(**ORIGIN), *records, diverged) == "undecided"


# The margin
@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize(
    ("ahead", "expected"), [(-3.0, "reproduced"), (0.0, "reproduced"), (0.5, "reproduced"), (2.0, "contradicted")]
)
def test_not_below_by_more_than_the_margin(ahead: float, expected: str, direction: str) -> None:
    points = {cost: value + ahead for cost, value in CURVE.items()}
    records = [*frontier(CURVE, "method_a", direction=direction), *frontier(points, "method_b", direction=direction)]
    told = dominance(direction, margin={"absolute": 1.0, "reason": "a test"})
    (verdict,) = verdicts(told, *records)
    assert verdict.verdict == expected
    assert verdict.ours == pytest.approx(-ahead if direction == "higher" else ahead)  # without the margin
    assert "points at most 1 better than the frontier" in verdict.reason
    assert verdict.paper_value == "method_a at most 1 worse than method_b at equal kl"
    assert word(dominance(direction), *records) == (
        "reproduced" if ahead < 0 else "contradicted" if ahead > 0 else "undecided"
    )


# What must be shared, what is not of the claim
def test_variants_are_points_and_sides_choose_among_them() -> None:
    of_b = [
        point(cost, value + 5.0 * (reward == "true"), f"b_{cost:g}_{reward}", "method_b", also={"reward": reward})
        for cost, value in BELOW.items()
        for reward in ("learned", "true")
    ]
    curve = frontier(CURVE, "method_a")
    for reward, expected in (("learned", "reproduced"), ("true", "contradicted")):
        told = dominance(worse={"method": "method_b", "variant": {"reward": reward}})
        (verdict,) = verdicts(told, *curve, *of_b)
        assert verdict.verdict == expected
        assert f"/ reward {reward}, kl" in verdict.reason
        assert verdict.paper_value == f"method_a better than method_b / reward {reward} at equal kl"
    assert word(dominance(), *curve, *of_b) == "contradicted"


def test_one_entry_may_hold_a_whole_frontier() -> None:
    def whole(points: Mapping[float, float], entry: str, method: str) -> EntryRecord:
        runs = []
        for seed, (shared, wobble) in enumerate(zip(SEEDS, WOBBLE, strict=True)):
            rows = []
            for step, (cost, value) in enumerate(points.items()):
                rows.append(number(value + shared + wobble, variant={"step": step}, direction="higher"))
                rows.append(number(cost, "kl", {"step": step}))
            runs.append(run(seed, *rows))
        return record(runs, entry, method)

    assert word(dominance(), whole(CURVE, "entry_a", "method_a"), whole(BELOW, "entry_b", "method_b")) == "reproduced"
    assert word(dominance(), whole(CURVE, "entry_a", "method_a"), whole(ABOVE, "entry_b", "method_b")) == "contradicted"


def test_rows_without_a_cost_are_no_points() -> None:
    records = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b")]
    assert word(dominance(), *records, point(None, 99.0, "b_none", "method_b")) == "reproduced"
    (verdict,) = verdicts(dominance(), *frontier(CURVE, "method_a"), point(None, 9.0, "b_none", "method_b"))
    assert (verdict.verdict, verdict.reason) == ("undecided", "method_b has no metric kl beside score")
    other = record([run(0, number(1.0, "other"))], "entry_b", "method_b")
    (verdict,) = verdicts(dominance(), *frontier(CURVE, "method_a"), other)
    assert "method_b has no metric score" in verdict.reason


def test_a_task_that_does_not_take_the_cost_makes_no_row() -> None:
    records = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b")]
    sums = [point(None, 1.0, f"{m}_sums", f"method_{m}", task="sums") for m in "ab"]
    assert [v.task for v in verdicts(dominance(), *records, *sums)] == ["digits"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"protocol": {"split": "test", "samples": 50}}, "not comparable: samples"),
        ({"cost_protocol": {"split": "valid", "samples": 100}}, "not comparable: split"),
        ({"cost_unit": "bits"}, "not comparable: unit"),
        ({"tier": "short"}, "not comparable: tier"),
        ({"direction": "lower"}, "not comparable: direction"),
    ],
    ids=str,
)
def test_both_sides_are_taken_alike(fields: dict[str, Any], expected: str) -> None:
    assert word(dominance(), *frontier(CURVE, "method_a"), *frontier(BELOW, "method_b", **fields)) == expected
    assert word(dominance(**ORIGIN), *frontier(CURVE, "method_a"), *frontier(BELOW, "method_b"), start()) != expected
    if "cost_protocol" not in fields and "cost_unit" not in fields:
        told = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b"), start(**fields)]
        assert word(dominance(**ORIGIN), *told) == expected


def test_what_is_missing_leaves_it_open() -> None:
    curve, points = frontier(CURVE, "method_a"), frontier(BELOW, "method_b")
    (verdict,) = verdicts(dominance(), *curve, *points, point(1.0, None, "b_null", "method_b"))
    assert (verdict.verdict, verdict.reason) == ("undecided", "a seed gave no finite number of score and kl")
    two = points[0].runs[:2]
    lost = record([*two, run(2, number(7.0, direction="higher"))], "b_lost", "method_b")  # its cost was not taken
    assert word(dominance(), *curve, *points, lost) == "undecided"
    (verdict,) = verdicts(dominance(), *curve, record([run(7, *points[0].runs[0].metrics)], "b_7", "method_b"))
    assert (verdict.verdict, verdict.reason) == ("undecided", "b_7 shares no seed with method_a")
    assert word(dominance(), *curve, *points, record([run(0, status="timeout")], "b_0", "method_b")) == "undecided"


def test_seeds_that_one_side_has_alone_are_left_out() -> None:
    more = (*SEEDS, 7.0)
    runs = [
        run(seed, number(7.0 + shared, direction="higher"), number(1.0 + abs(wobble), "kl", unit="nats"))
        for seed, (shared, wobble) in enumerate(zip(more, (*WOBBLE, 0.0), strict=True))
    ]
    (verdict,) = verdicts(dominance(), *frontier(CURVE, "method_a"), record(runs, "b_1", "method_b"))
    assert verdict.verdict == "reproduced"
    assert "3 seeds" in verdict.reason


# Scopes
def test_scopes_and_memory() -> None:
    sides = {"better": {"entry": "a_1"}, "worse": {"entry": "b_1"}, "scope": "paper"}
    records = [*frontier(CURVE, "method_a"), *frontier(BELOW, "method_b")]
    assert word(dominance(**sides), *records) == "reproduced"
    short = [*frontier(CURVE, "method_a", tier="short"), *frontier(BELOW, "method_b", tier="short")]
    assert word(dominance(), *short) == "holds at short scale"
    assert word(dominance(**sides), *short) == "not comparable: tier"
    (verdict,) = verdicts(dominance(evidence="from_memory"), *records)
    assert (verdict.verdict, verdict.ours) == ("undecided", pytest.approx(3.0))
    assert word(dominance(), *frontier(CURVE, "method_a")) == "not run"


# Malformed claims
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"worse": {"literature": "PPO", "value": 1.0}}, "a printed number is no frontier"),
        ({"origin": {"literature": "GPT-2", "value": 0.0}}, "a printed number is no frontier"),
        ({"at": "score"}, "at names score, which is the metric itself"),
        ({"at": "K L"}, "claims.it.at: found 'K L'"),
        ({"worse": {"method": "method_a"}}, "better and worse are the same"),
        ({"margin": {"absolute": -1.0, "reason": "none"}}, "claims.it.margin.absolute"),
        ({"margin": {"absolute": 1.0}}, "claims.it.margin.reason: missing"),
        ({"origin": {"variant": {"beta": 1}}}, "claims.it.origin"),
        (
            {
                "scope": "paper",
                "better": {"entry": "entry_a"},
                "worse": {"entry": "entry_b"},
                "origin": {"method": "method_c"},
            },
            "origin of a claim of scope paper names an entry",
        ),
    ],
    ids=str,
)
def test_malformed_dominance_is_told(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        dominance(**fields)


def test_the_origin_must_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "all_methods", lambda root: dict.fromkeys(("method_a", "method_b")))
    monkeypatch.setattr(claims, "entries_by_profile", lambda root: {"cpu": ["entry_a"]})
    file = claims.ClaimFile(paper=PAPER, claims=[dominance(**ORIGIN)])
    write_json(tmp_path / claims.FOLDER / "made_up.yaml", file.model_dump())
    with pytest.raises(InputError, match=r"claims\.it\.origin\.method: found method_c; no such method"):
        claims.read_all(tmp_path)


# Entries of a claim of scope paper
def of_entries(**fields: Any) -> Any:
    sides = {"better": {"entries": ["a_1", "a_2", "a_4"]}, "worse": {"entries": ["b_1", "b_2", "b_4"]}}
    return dominance(**{"scope": "paper", **sides, **fields})


@pytest.mark.parametrize(("points", "expected"), [(BELOW, "reproduced"), (ABOVE, "contradicted")])
def test_a_frontier_of_several_entries_is_that_of_their_method(points, expected):
    records = [*frontier(CURVE, "method_a"), *frontier(points, "method_b")]
    assert word(of_entries(), *records) == expected
    left_out = of_entries(worse={"entries": ["b_1", "b_2"]})
    assert word(left_out, *records, *frontier({9.0: 99.0}, "method_b")) == expected


def test_every_entry_of_a_frontier_must_have_run():
    records = [*frontier(CURVE, "method_a")[:-1], *frontier(BELOW, "method_b")]
    (verdict,) = verdicts(of_entries(), *records, elsewhere={"a_4": ["h100_1"]})
    assert (verdict.verdict, verdict.reason) == ("not run", "entry a_4 belongs to h100_1")


def test_an_ordering_names_one_entry_a_side():
    sides = {"better": {"entries": ["a_1"]}, "worse": {"entry": "b_1"}}
    with pytest.raises(InputError, match="name one entry"):
        claim("ordering", scope="paper", **sides)
