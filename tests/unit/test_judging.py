"""Every word of the closed set of verdicts, what caps it, and how often chance alone gives a wrong one."""

import random
import re
from typing import Any

import numpy as np
import pytest

from benchmarks.files.errors import InputError
from benchmarks.judging import findings, rows
from benchmarks.record.records import Metric
from tests.unit.judged import claim, number, ordering, record, run, seeds, verdicts, word

NEAR, LOW, HIGH = [9.9, 10.0, 10.1], [4.9, 5.0, 5.1], [14.9, 15.0, 15.1]
METHOD = {"scope": "method", "method": "method_a"}
A_OVER_B = ({"method": "method_a"}, {"method": "method_b"})
CLOSED = re.compile(
    r"reproduced|better|worse|contradicted|undecided|not run|not comparable: [a-z_]+"
    r"|(holds|fails|undecided) at (smoke|short) scale"
)


# Values
@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        (NEAR, "lower", "reproduced"),
        (LOW, "lower", "better"),
        (LOW, "higher", "worse"),
        (HIGH, "lower", "worse"),
        (HIGH, "higher", "better"),
        ([10.0, 12.0, 8.0], "lower", "undecided"),  # a wide interval
        ([10.9, 11.0, 11.1], "lower", "undecided"),  # astride the edge at 11
        ([10.0], "lower", "undecided"),  # one seed gives no interval, however near
        ([5.0], "lower", "undecided"),
        ([10.0, 10.0], "lower", "reproduced"),  # no spread: the interval is a point
        ([11.0, 11.0], "lower", "reproduced"),  # on the edge, edges included
    ],
)
def test_value(values: list[float], direction: str, expected: str) -> None:
    assert word(claim("value", direction=direction), seeds(values, direction=direction)) == expected


@pytest.mark.parametrize("direction", ["lower", "higher"])
@pytest.mark.parametrize(("target", "tolerance", "edge"), [(0.7, 0.1, 0.8), (1.97, 0.05, 2.02), (0.3, 0.1, 0.2)])
def test_a_value_on_the_edge_in_decimal_is_within(target: float, tolerance: float, edge: float, direction: str) -> None:
    """0.7 + 0.1 is below 0.8 in float64; rounding must not make a verdict."""
    told = claim("value", value=target, tolerance={"absolute": tolerance, "reason": "a test"}, direction=direction)
    assert word(told, seeds([edge] * 3, direction=direction)) == "reproduced"


def test_value_shows_interval_seeds_test_and_reason() -> None:
    (verdict,) = verdicts(claim("value"), seeds(NEAR))
    assert verdict.ours == pytest.approx(10.0)
    assert verdict.low is not None
    assert verdict.high is not None
    assert 9.0 < verdict.low < 10.0 < verdict.high < 11.0
    assert verdict.seeds == "3 of 3"
    assert verdict.reason.endswith("(two one-sided t tests)")
    assert "widened" not in verdict.reason
    assert verdict.paper_value == "10"


@pytest.mark.parametrize(
    ("interval", "expected"), [((9.5, 10.5), "reproduced"), ((8.0, 10.5), "undecided"), ((9.5, 12.0), "undecided")]
)
def test_a_fits_own_interval_widens(interval: tuple[float, float], expected: str) -> None:
    runs = [run(seed, number(value, interval=interval)) for seed, value in enumerate(NEAR)]
    (verdict,) = verdicts(claim("value"), record(runs))
    assert verdict.verdict == expected
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= interval[0]
    assert verdict.high >= interval[1]
    assert "widened by the fits' own" in verdict.reason
    assert "p " not in verdict.reason  # the p value is of the test alone, not of the wider interval


def test_a_fits_own_interval_can_keep_better_away() -> None:
    runs = [run(seed, number(value, interval=(value - 1, 9.5))) for seed, value in enumerate(LOW)]
    assert word(claim("value"), record(runs)) == "undecided"


def test_fewer_seeds_decide_less() -> None:
    values = [10.5, 10.1, 10.4, 10.2, 10.3]
    assert word(claim("value"), seeds(values)) == "reproduced"
    assert word(claim("value"), seeds(values[:2])) == "undecided"
    assert word(claim("value"), seeds(values[:1])) == "undecided"
    far = [8.4, 8.6, 8.2, 8.5, 8.3]
    assert word(claim("value"), seeds(far)) == "better"
    assert word(claim("value"), seeds(far[1:3])) == "undecided"


def test_null_value_is_undecided() -> None:
    assert word(claim("value"), seeds([10.0, None, 10.0])) == "undecided"
    assert word(claim("value"), seeds([None, None])) == "undecided"


# Tiers and scopes
@pytest.mark.parametrize("tier", ["smoke", "short"])
@pytest.mark.parametrize(
    ("values", "expected"), [(NEAR, "holds"), (LOW, "fails"), (HIGH, "fails"), ([10.0, 12.0, 8.0], "undecided")]
)
def test_below_the_papers_scale(tier: str, values: list[float], expected: str) -> None:
    assert word(claim("value", **METHOD), seeds(values, tier=tier)) == f"{expected} at {tier} scale"
    assert word(claim("value"), seeds(values, tier=tier)) == "not comparable: tier"


def test_scope_method_has_a_row_a_task() -> None:
    records = [
        seeds(NEAR, "a_one", task="one"),
        seeds(LOW, "a_two", task="two"),
        seeds(NEAR, "b", "method_b", task="six"),
    ]
    found = verdicts(claim("value", **METHOD), *records)
    assert [(v.task, v.verdict) for v in found] == [("one", "reproduced"), ("two", "better")]


def test_an_ordering_is_judged_where_both_sides_ran() -> None:
    records = [
        seeds(LOW, "a_one", task="one"),
        seeds(HIGH, "b_one", "method_b", task="one"),
        seeds(LOW, "a_two", task="two"),
        seeds(HIGH, "b_three", "method_b", task="three"),
    ]
    assert [v.task for v in verdicts(ordering(*A_OVER_B), *records)] == ["one"]


def test_entries_of_one_method_that_disagree_are_undecided() -> None:
    one, other = seeds(NEAR, "a_one"), seeds(LOW, "a_two")
    assert word(claim("value", **METHOD), one, seeds(NEAR, "a_two")) == "reproduced"
    assert word(claim("value", **METHOD), one, other) == "undecided"


def test_entries_of_different_tiers_are_not_comparable() -> None:
    both = seeds(LOW), seeds(HIGH, "entry_b", "method_b", tier="short")
    assert word(ordering(*A_OVER_B), *both) == "not comparable: tier"


# Not run
def test_not_run_names_the_profiles_that_have_the_entry() -> None:
    told = claim("value", entry="elsewhere_only")
    (verdict,) = verdicts(told, seeds(NEAR), elsewhere={"elsewhere_only": ["a100_1", "h100_1"]})
    assert verdict.verdict == "not run"
    assert "elsewhere_only belongs to a100_1 and h100_1" in verdict.reason
    assert (verdict.ours, verdict.low, verdict.high, verdict.records) == (None, None, None, ())


def test_not_run_of_a_method_without_records() -> None:
    (verdict,) = verdicts(claim("value", scope="method", method="method_z"), seeds(NEAR))
    assert (verdict.verdict, "method_z has no record here" in verdict.reason) == ("not run", True)


@pytest.mark.parametrize("scope", ["paper", "method"])
@pytest.mark.parametrize("order", [0, 1])
def test_an_ordering_of_which_one_side_did_not_run_is_not_run(scope: str, order: int) -> None:
    sides = [{"entry": "entry_a"}, {"entry": "entry_b"}]
    told = ordering(sides[order], sides[1 - order], scope=scope)
    (verdict,) = verdicts(told, seeds(LOW), elsewhere={"entry_b": ["h100_1"]})
    assert verdict.verdict == "not run"
    assert "entry_b belongs to h100_1" in verdict.reason


def test_nothing_at_all_is_not_run() -> None:
    assert word(claim("value")) == "not run"


def test_not_run_names_only_the_sides_that_are_missing() -> None:
    (verdict,) = verdicts(ordering(*A_OVER_B), seeds(LOW))
    assert (verdict.verdict, verdict.reason) == ("not run", "method method_b has no record here")
    told = ordering({"entry": "entry_a"}, {"entry": "entry_b"}, scope="paper")
    (verdict,) = verdicts(told, seeds(LOW), elsewhere={"entry_a": ["cpu"], "entry_b": ["h100_1"]})
    assert (verdict.verdict, verdict.reason) == ("not run", "entry entry_b belongs to h100_1")
    (verdict,) = verdicts(ordering(*A_OVER_B))
    assert verdict.reason == "method method_a has no record here; method method_b has no record here"


def test_not_run_where_the_sides_share_no_task() -> None:
    (verdict,) = verdicts(ordering(*A_OVER_B), seeds(LOW, task="one"), seeds(HIGH, "entry_b", "method_b", task="two"))
    assert (verdict.verdict, verdict.reason) == ("not run", "the sides have no task in common here")


# Comparability
def test_another_unit_is_not_comparable() -> None:
    told = claim("value")
    assert word(told, seeds(NEAR)) == "reproduced"
    (verdict,) = verdicts(told, seeds(NEAR, unit="bits"))
    assert verdict.verdict == "not comparable: unit"
    assert "another unit" in verdict.reason
    assert (verdict.ours, verdict.low, verdict.high) == (None, None, None)
    assert word(claim("exact", value=10.0), seeds([10.0], unit="bits")) == "not comparable: unit"


def test_another_unit_in_a_later_row_counts_too() -> None:
    told = claim("value", scope="method", method="method_a")
    assert word(told, seeds(NEAR, "a_one"), seeds(NEAR, "a_two", unit="bits")) == "not comparable: unit"


@pytest.mark.parametrize("asked", ["lower", "higher"])
def test_another_direction_is_not_comparable(asked: str) -> None:
    """The words better and worse would be swapped."""
    other = "higher" if asked == "lower" else "lower"
    assert word(claim("value", direction=asked), seeds(LOW, direction=other)) == "not comparable: direction"
    assert word(claim("value", direction=asked), seeds(LOW, direction=asked)) in ("better", "worse")


@pytest.mark.parametrize(("field", "value"), [("unit", "bits"), ("direction", "higher")])
@pytest.mark.parametrize("order", [0, 1])
def test_either_side_of_an_ordering_can_be_what_differs(field: str, value: str, order: int) -> None:
    fields: list[dict[str, str]] = [{}, {}]
    fields[order] = {field: value}
    records = seeds(LOW, **fields[0]), seeds(HIGH, "entry_b", "method_b", **fields[1])
    assert word(ordering(*A_OVER_B), *records) == f"not comparable: {field}"


def test_sides_of_a_papers_ordering_on_different_tasks_are_not_comparable() -> None:
    told = ordering({"entry": "entry_a"}, {"entry": "entry_b"}, scope="paper")
    one, other = seeds(LOW, task="mnist"), seeds(HIGH, "entry_b", "method_b", task="digits")
    (verdict,) = verdicts(told, one, other)
    assert verdict.verdict == "not comparable: task"
    assert verdict.reason == "the sides ran on the tasks digits and mnist"
    assert {record.entry for record in verdict.records} == {"entry_a", "entry_b"}
    assert word(told, one, seeds(HIGH, "entry_b", "method_b", task="mnist")) == "reproduced"


@pytest.mark.parametrize("order", [0, 1])
def test_a_papers_claim_names_entries_not_methods(order: int) -> None:
    sides = [{"method": "method_a"}, {"entry": "entry_b"}]
    with pytest.raises(InputError, match="name entries, not methods"):
        ordering(sides[order], sides[1 - order], scope="paper")


# Protocols
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"split": "test", "samples": 100}, "reproduced"),
        ({"split": "test"}, "reproduced"),  # fields not asked for do not matter
        ({"split": "train", "samples": 100}, "not comparable: split"),
        ({"split": "test", "samples": 50}, "not comparable: samples"),
        ({"split": "train", "samples": 50}, "not comparable: split"),  # the first field that differs
        ({"extractor": "inception"}, "not comparable: extractor"),  # ours states none
    ],
)
def test_measurement_asked_for(asked: dict[str, Any], expected: str) -> None:
    assert word(claim("value", measurement=asked), seeds(NEAR)) == expected


def test_of_several_protocols_the_one_asked_for_is_judged() -> None:
    def both(seed: int, value: float) -> Any:
        return run(seed, number(value), number(99.0, protocol={"split": "train"}))

    told = record([both(seed, value) for seed, value in enumerate(NEAR)])
    assert word(claim("value", measurement={"split": "test"}), told) == "reproduced"
    assert word(claim("value", measurement={"split": "train"}), told) == "worse"


@pytest.mark.parametrize("field", ["split", "samples"])
def test_orderings_need_equal_fingerprints(field: str) -> None:
    other = {"split": "valid", "samples": 100} if field == "split" else {"split": "test", "samples": 50}
    b = record([run(s, number(v, protocol=other)) for s, v in enumerate(HIGH)], "entry_b", "method_b")
    assert word(ordering(*A_OVER_B), seeds(LOW), b) == f"not comparable: {field}"
    assert word(ordering(*A_OVER_B, varies=[field]), seeds(LOW), b) == "reproduced"
    wrong = "samples" if field == "split" else "split"
    assert word(ordering(*A_OVER_B, varies=[wrong]), seeds(LOW), b) == f"not comparable: {field}"


@pytest.mark.parametrize("order", [0, 1])
def test_a_field_that_only_one_side_states_differs(order: int) -> None:
    more = {"split": "test", "samples": 100, "judge": "a model"}
    b = record([run(s, number(v, protocol=more)) for s, v in enumerate(NEAR)], "entry_b", "method_b")
    told = ordering(A_OVER_B[order], A_OVER_B[1 - order])
    assert word(told, seeds(NEAR), b) == "not comparable: judge"


# Exact
@pytest.mark.parametrize(
    ("paper", "ours", "expected"),
    [
        (49, 49.0, "reproduced"),
        (49, 49.5, "reproduced"),  # half a unit of the last digit printed
        (49, 49.51, "contradicted"),
        (0.35, 0.3549, "reproduced"),
        (0.35, 0.345, "reproduced"),  # half a printed unit is not a binary number
        (0.35, 0.3551, "contradicted"),
        (1e-5, 1.4e-5, "reproduced"),
        (1e-5, 1.6e-5, "contradicted"),
        (1e-5, 0.4, "contradicted"),
        (1.5e-7, 1.56e-7, "contradicted"),
        (1e20, 1e20, "reproduced"),
        ([[0.1, 0.25], [3.0, 4.0]], [[0.1, 0.254], [3.0, 4.0]], "reproduced"),
        ([[0.1, 0.25], [3.0, 4.0]], [[0.1, 0.256], [3.0, 4.0]], "contradicted"),
        ([1.0, 2.0], [1.0], "contradicted"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "contradicted"),
        (1.0, [1.0, 1.0], "contradicted"),
        ([[[1.0]], [[2.0]]], [[[1.0]], [[2.0]]], "reproduced"),
    ],
)
def test_exact(paper: Any, ours: Any, expected: str) -> None:
    assert word(claim("exact", value=paper), seeds([ours])) == expected


def test_exact_decimals_where_zeros_end_the_number() -> None:
    assert word(claim("exact", value=0.5), seeds([0.52])) == "reproduced"
    assert word(claim("exact", value=0.5, decimals=2), seeds([0.52])) == "contradicted"
    assert word(claim("exact", value=0.5, decimals=2), seeds([0.504])) == "reproduced"
    (verdict,) = verdicts(claim("exact", value=0.5, decimals=2), seeds([0.5]))
    assert verdict.paper_value == "0.50"


def test_exact_with_a_stated_tolerance() -> None:
    stated = {"tolerance": {"absolute": 0.2, "reason": "a test"}}
    assert word(claim("exact", value=1.0, **stated), seeds([1.2, 0.8])) == "reproduced"
    assert word(claim("exact", value=1.0, **stated), seeds([1.21])) == "contradicted"


def test_exact_asks_every_run() -> None:
    assert word(claim("exact", value=49), seeds([49.0, 49.0, 48.0])) == "contradicted"
    assert word(claim("exact", value=49), seeds([49.0, None])) == "undecided"
    assert word(claim("exact", value=49, **METHOD), seeds([48.0], tier="short")) == "fails at short scale"


# Orderings
def test_ordering_by_welch() -> None:
    (verdict,) = verdicts(ordering(*A_OVER_B), seeds(LOW), seeds(HIGH, "entry_b", "method_b"))
    assert verdict.verdict == "reproduced"
    assert "Welch t" in verdict.reason
    assert verdict.ours == pytest.approx(-10.0)
    assert word(ordering(*A_OVER_B), seeds(HIGH), seeds(LOW, "entry_b", "method_b")) == "contradicted"
    up = {"direction": "higher"}
    a, b = seeds(HIGH, **up), seeds(LOW, "entry_b", "method_b", **up)
    assert word(ordering(*A_OVER_B, **up), a, b) == "reproduced"
    assert word(ordering(*A_OVER_B), seeds(NEAR), seeds(NEAR, "entry_b", "method_b")) == "undecided"
    assert word(ordering(*A_OVER_B), seeds([5.0]), seeds([9.0], "entry_b", "method_b")) == "undecided"


# Seeds differ by 100, the variants by 1: only a paired test can tell them apart.
NOISY = [(0.0, 1.0), (100.0, 101.1), (200.0, 201.0), (300.0, 300.9)]
HEUN, EULER = {"sampler": "heun"}, {"sampler": "euler"}
OVER = ({"method": "method_a", "variant": HEUN}, {"method": "method_a", "variant": EULER})


def variants(pairs: list[tuple[Any, Any]], **fields: Any) -> Any:
    runs = [run(s, number(a, variant=HEUN), number(b, variant=EULER)) for s, (a, b) in enumerate(pairs)]
    return record(runs, **fields)


def test_variants_of_one_entry_are_paired() -> None:
    (verdict,) = verdicts(ordering(*OVER), variants(NOISY))
    assert verdict.verdict == "reproduced"
    assert "paired t" in verdict.reason
    apart = [seeds([a for a, _ in NOISY]), seeds([b for _, b in NOISY], "entry_b", "method_b")]
    assert word(ordering(*A_OVER_B), *apart) == "undecided"  # the same numbers of two entries are not paired
    assert word(ordering(*OVER), variants(NOISY[:1])) == "undecided"


def test_nulls_never_shift_the_pairs() -> None:
    pairs: list[tuple[Any, Any]] = [(None, 1.0), (100.0, None), *NOISY[2:]]
    assert word(ordering(*OVER), variants(pairs)) == "undecided"
    one_side: list[tuple[Any, Any]] = [(None, b) for _, b in NOISY]
    assert word(ordering(*OVER), variants(one_side)) == "undecided"


def lengths(gaps: dict[int, float]) -> Any:
    """Two variants at several n; at each, the second is worse by the gap."""
    noise = (0.0, 0.1, -0.1, 0.05)
    return record(
        [
            run(
                seed,
                *(number(100.0 * n, variant={"sampler": "heun", "n": n}) for n in gaps),
                *(number(100.0 * n + gap + wobble, variant={"sampler": "euler", "n": n}) for n, gap in gaps.items()),
            )
            for seed, wobble in enumerate(noise)
        ]
    )


def test_equal_pairs_rows_over_n() -> None:
    told = ordering(*OVER, equal=["n"])
    (verdict,) = verdicts(told, lengths({8: 1.0, 16: 2.0}))
    assert verdict.verdict == "reproduced"
    assert "2 of 2 pairs" in verdict.reason
    # Without `equal`, heun at 16 is held against euler at 8 too, and loses.
    assert word(ordering(*OVER), lengths({8: 1.0, 16: 2.0})) == "contradicted"
    assert word(told, lengths({8: 1.0, 16: -2.0})) == "contradicted"  # reversed in one of several pairs
    assert word(told, lengths({8: 1.0, 16: 0.0})) == "undecided"  # not shown in one of several pairs
    assert word(told, lengths({8: -1.0, 16: -2.0})) == "contradicted"


def test_no_rows_to_pair_is_undecided() -> None:
    runs = [
        run(s, number(1.0, variant={"sampler": "heun", "n": 8}), number(2.0 + s, variant={"sampler": "euler", "n": 16}))
        for s in range(3)
    ]
    (verdict,) = verdicts(ordering(*OVER, equal=["n"]), record(runs))
    assert (verdict.verdict, verdict.reason) == ("undecided", "no two rows share n")


@pytest.mark.parametrize(
    ("values", "direction", "ours_better", "expected"),
    [
        (LOW, "lower", True, "reproduced"),
        (HIGH, "lower", True, "contradicted"),
        (LOW, "higher", True, "contradicted"),
        (HIGH, "higher", True, "reproduced"),
        (LOW, "lower", False, "contradicted"),
        (HIGH, "lower", False, "reproduced"),
        (LOW, "higher", False, "reproduced"),
        (HIGH, "higher", False, "contradicted"),
        ([9.0, 11.0], "lower", True, "undecided"),
        ([5.0], "lower", True, "undecided"),
        ([None, None], "lower", True, "undecided"),
        ([5.0, None], "lower", True, "undecided"),
    ],
)
def test_against_literature(values: list[Any], direction: str, ours_better: bool, expected: str) -> None:
    ours, printed = {"method": "method_a"}, {"literature": "RNADE", "value": 10.0}
    better, worse = (ours, printed) if ours_better else (printed, ours)
    (verdict,) = verdicts(ordering(better, worse, direction=direction), seeds(values, direction=direction))
    assert verdict.verdict == expected
    if expected != "undecided":
        assert "RNADE 10" in verdict.reason


def test_a_field_that_only_one_sides_rows_carry_does_not_hinder() -> None:
    """Rows of a flow that solves an ODE name their solver; those of other methods have no such field."""
    solver = {"solver": "dopri5", "tolerance": 1e-5, "batch": 1000}
    solved = record([run(s, number(v, variant=solver)) for s, v in enumerate(LOW)], "entry_a", "method_a")
    other = seeds(HIGH, "entry_b", "method_b")
    assert word(ordering(*A_OVER_B), solved, other) == "reproduced"
    assert word(ordering(*A_OVER_B[::-1]), solved, other) == "contradicted"
    coarse = ({"method": "method_a", "variant": {"solver": "dopri5"}}, A_OVER_B[1])
    assert word(ordering(*coarse), solved, other) == "reproduced"
    fixed = ({"method": "method_a", "variant": {"solver": "rk4"}}, A_OVER_B[1])
    assert word(ordering(*fixed), solved, other) == "not run"
    # `equal` asks for it on both sides, and the other side has none.
    assert word(ordering(*A_OVER_B, equal=["solver"]), solved, other) == "undecided"


def test_one_seed_a_side_shows_no_interval() -> None:
    """An infinite end is nothing that a table could hold."""
    (verdict,) = verdicts(ordering(*A_OVER_B), seeds([5.0]), seeds([9.0], "entry_b", "method_b"))
    assert (verdict.verdict, verdict.ours, verdict.low, verdict.high) == ("undecided", -4.0, None, None)


def test_literature_alone_needs_no_run_but_ours_does() -> None:
    told = ordering({"method": "method_a"}, {"literature": "RNADE", "value": 10.0})
    assert word(told, seeds(LOW, "entry_b", "method_b")) == "not run"


# Caps
@pytest.mark.parametrize("values", [NEAR, LOW, HIGH])
def test_from_memory_is_never_green_or_red(values: list[float]) -> None:
    for told in (claim("value", evidence="from_memory"), claim("exact", value=10.0, evidence="from_memory")):
        assert word(told, seeds(values)) == "undecided"
    told = claim("value", evidence="from_memory", **METHOD)
    (verdict,) = verdicts(told, seeds(values, tier="short"))
    assert verdict.verdict == "undecided at short scale"
    assert verdict.ours == pytest.approx(sum(values) / 3)  # shown all the same


@pytest.mark.parametrize("status", ["diverged", "skipped", "failed", "timeout"])
@pytest.mark.parametrize("values", [NEAR, LOW, HIGH])
def test_a_seed_that_is_not_done_caps(status: str, values: list[float]) -> None:
    done = [run(seed, number(value)) for seed, value in enumerate(values)]
    (verdict,) = verdicts(claim("value"), record([*done, run(7, status=status)]))
    assert verdict.verdict == "undecided"
    assert verdict.reason == f"seed 7 {status}: for a reason"
    assert verdict.seeds == "3 of 4"
    a, b = record([*done, run(7, status=status)]), seeds([50.0, 51.0], "entry_b", "method_b")
    assert word(ordering(*A_OVER_B), a, b) == "undecided"
    assert word(ordering(*A_OVER_B[::-1]), b, a) == "undecided"


def test_no_seed_done_is_undecided() -> None:
    (verdict,) = verdicts(claim("value"), record([run(0, status="diverged")]))
    assert (verdict.verdict, verdict.reason) == ("undecided", "seed 0 diverged: for a reason")


def test_a_done_seed_without_the_metric_is_undecided() -> None:
    told = record([run(0, number(10.0)), run(1, number(10.0)), run(2)])
    (verdict,) = verdicts(claim("value"), told)
    assert (verdict.verdict, verdict.reason) == ("undecided", "seed 2 is done without metric score")
    assert word(claim("exact", value=10.0), told) == "undecided"


def test_a_metric_or_variant_that_was_not_taken_is_undecided() -> None:
    assert word(claim("value", metric="other"), seeds(NEAR)) == "undecided"
    assert word(claim("value", variant=HEUN), seeds(NEAR)) == "undecided"


def test_a_task_that_does_not_take_the_metric_makes_no_row() -> None:
    """A failed run tells nothing of what its task takes; a metric that no task takes is told of."""
    told = claim("exact", scope="method", method="method_a", value=1.0, metric="score")
    on_digits = seeds([1.0, 1.0], "entry_a")
    elsewhere = record([run(0, number(3.0, name="other"))], "entry_b", task="energies")
    failed = record([run(0, status="failed")], "entry_c", task="mixture")
    assert [v.task for v in verdicts(told, on_digits, elsewhere)] == ["digits"]
    assert [v.task for v in verdicts(told, on_digits, elsewhere, failed)] == ["digits", "mixture"]
    assert [v.task for v in verdicts(told, elsewhere)] == ["energies"]
    assert "metric" in verdicts(told, elsewhere)[0].reason


def random_case(chance: random.Random) -> tuple[Any, list[Any]]:
    """A claim of any judged kind with records of any tier, status and protocol."""
    tier = chance.choice(["smoke", "short", "paper"])
    scope = chance.choice(["paper", "method"])
    shared = {
        "scope": scope,
        "direction": chance.choice(["lower", "higher"]),
        "evidence": chance.choice(["verified", "verified", "from_memory"]),
        "measurement": chance.choice([None, None, {"split": "test"}, {"split": "train"}]),
    }
    subject = {"entry": "entry_a"} if scope == "paper" else {"method": "method_a"}
    match chance.choice(["value", "exact", "ordering", "literature", "trend"]):
        case "value":
            told = claim("value", **subject, **shared)
        case "exact":
            told = claim("exact", value=chance.choice([10.0, 5.0]), **subject, **shared)
        case "ordering":
            sides = {"better": {"entry": "entry_a"}, "worse": {"entry": "entry_b"}}
            told = claim(
                "ordering", **(sides if scope == "paper" else dict(zip(sides, A_OVER_B, strict=True))), **shared
            )
        case "trend":
            told = claim("trend", along="n", shape=chance.choice(["rises", "falls"]), **subject, **shared)
        case _:
            told = claim("ordering", better=subject, worse={"literature": "X", "value": 10.0}, **shared)
    records = []
    for entry in ("a", "b"):
        middle, spread = chance.choice([5.0, 10.0, 11.0, 15.0]), chance.choice([0.0, 0.1, 3.0])
        direction = told.direction if chance.random() < 0.97 else chance.choice(["lower", "higher"])
        unit = "points" if chance.random() < 0.97 else "pounds"
        variants = [{"n": 8}, {"n": 16}, {"n": 32}] if told.kind == "trend" else [{}]
        slope = chance.choice([-5.0, 0.0, 5.0])
        runs = []
        for seed in range(chance.choice([1, 2, 3, 5])):
            drawn = [
                chance.choice([None] + 9 * [chance.gauss(middle + slope * place, spread)])
                for place in range(len(variants))
            ]
            numbers = [
                number(value, variant=variant, direction=direction, unit=unit)
                for value, variant in zip(drawn, variants, strict=True)
            ]
            runs.append(run(seed, *numbers) if chance.random() < 0.95 else run(seed, status="diverged"))
        other = chance.choice(["smoke", "short", "paper"]) if chance.random() < 0.1 else tier
        task = "digits" if chance.random() < 0.95 else "mnist"
        records.append(record(runs, f"entry_{entry}", f"method_{entry}", tier=other, task=task))
    return told, records


def test_property_the_set_is_closed_and_the_caps_hold() -> None:
    """2,000 random cases: words are of the closed set; `reproduced` only at tier paper, verified, all seeds done."""
    chance = random.Random(0)
    seen = set()
    for _ in range(2000):
        told, records = random_case(chance)
        for verdict in verdicts(told, *records):
            assert CLOSED.fullmatch(verdict.verdict), verdict.verdict
            assert verdict.reason
            assert "\n" not in verdict.reason
            seen.add(verdict.verdict)
            decided = verdict.verdict.split(" at ")[0]
            tiers = {record.tier for record in verdict.records}
            if decided in ("reproduced", "better", "worse", "contradicted"):
                assert tiers == {"paper"}
            if decided in ("holds", "fails"):
                assert "paper" not in tiers
                assert told.scope == "method"
            if decided in ("reproduced", "better", "worse", "contradicted", "holds", "fails"):
                assert told.evidence == "verified"
                assert all(run.status == "done" for record in verdict.records for run in record.runs)
                assert (told.measurement is None) or told.measurement.split == "test"
    scaled = {
        f"{outcome} at {tier} scale" for outcome in ("holds", "fails", "undecided") for tier in ("smoke", "short")
    }
    plain = {"reproduced", "better", "worse", "contradicted", "undecided"}
    assert (
        scaled | plain | {f"not comparable: {what}" for what in ("split", "tier", "unit", "direction", "task")} <= seen
    )  # so the loop above asked them all


def test_verdicts_do_not_depend_on_the_order_of_records() -> None:
    chance = random.Random(1)
    for _ in range(300):
        told, records = random_case(chance)
        values = [chance.gauss(10.0, 0.1) for _ in range(3)]
        records.append(seeds(values, "entry_c", "method_a", direction=told.direction))
        one, other = (
            [(v.verdict, v.reason, v.ours, v.low, v.high, v.seeds, v.records) for v in verdicts(told, *order)]
            for order in (records, records[::-1])
        )
        assert one == other


# Chance
TRIALS = 2000


def wrong_at_the_edge(n: int, truth: float, generator: np.random.Generator) -> dict[str, float]:
    """Shares of the outcomes of TRIALS value claims of 10 +- 1 whose true mean is `truth`.

    Through the inner function: `judge` around it only decides who is compared, and building records takes longer than
    the test itself. The metrics skip validation for the same reason.
    """
    told = claim("value")
    (row,) = rows.rows_of(rows.subjects(told)[0], told, [seeds(NEAR)])
    counts = dict.fromkeys(("holds", "better", "worse", "undecided"), 0)
    for values in generator.normal(truth, 0.3, size=(TRIALS, n)).tolist():
        by_seed = {seed: Metric.model_construct(value=value, low=None, high=None) for seed, value in enumerate(values)}
        trial = rows.Row(row.record, row.variant, row.protocol, by_seed)
        counts[findings.value(told, trial).outcome] += 1
    return {outcome: count / TRIALS for outcome, count in counts.items()}


@pytest.mark.parametrize("n", [3, 5, 10])
def test_wrong_verdicts_at_the_edge_are_as_rare_as_stated(n: int) -> None:
    """At the edge the mean is as likely to err one way as the other, and each wrong word may come in 5 % of trials.

    The bound leaves four standard errors of a share of 5 % over TRIALS trials: a right test fails once in 30,000.
    """
    allowed = 0.05 + 4 * (0.05 * 0.95 / TRIALS) ** 0.5
    generator = np.random.default_rng(n)
    upper = wrong_at_the_edge(n, 11.0, generator)
    lower = wrong_at_the_edge(n, 9.0, generator)
    for shares, never in ((upper, "better"), (lower, "worse")):
        for outcome in ("holds", "better", "worse"):
            assert shares[outcome] <= allowed, (outcome, shares)
        # The other side is two tolerances (over six standard deviations) away.
        assert shares[never] == 0.0
    # And the test has power: at 5 % each way it must speak at times, or the bounds above would say nothing.
    assert upper["worse"] > 0.02
    assert lower["better"] > 0.02
    assert upper["holds"] > 0.005
