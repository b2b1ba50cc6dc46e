"""Orderings that are spoken of below some number only, and those that allow the better side a margin."""

from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.record.records import EntryRecord
from tests.unit.judged import number, ordering, record, run, seeds, verdicts, word

SIDES = ({"method": "method_a"}, {"method": "method_b"})
ALLOWED = {"margin": {"absolute": 0.5, "reason": "a test"}}


def along(method: str, values: dict[int, float], task: str = "digits") -> EntryRecord:
    """Three seeds that lie close together, a number for each count of steps."""
    runs = [run(seed, *(number(v + 0.01 * seed, variant={"steps": n}) for n, v in values.items())) for seed in range(3)]
    return record(runs, f"{method}_{task}", method, task=task)


@pytest.mark.parametrize(("below", "expected"), [({}, "contradicted"), ({"steps": 1000}, "reproduced")])
def test_rows_that_reach_the_number_are_not_spoken_of(below: dict[str, float], expected: str) -> None:
    told = ordering(*SIDES, equal=["steps"], below=below)
    one, other = along("method_a", {10: 1.0, 100: 1.0, 1000: 3.0}), along("method_b", {10: 2.0, 100: 2.0, 1000: 2.0})
    assert word(told, one, other) == expected


def test_a_task_of_nothing_but_such_rows_has_no_verdict() -> None:
    told = ordering(*SIDES, equal=["steps"], below={"steps": 1000})
    here = [along("method_a", {10: 1.0}), along("method_b", {10: 2.0})]
    there = [along("method_a", {1000: 3.0}, "others"), along("method_b", {1000: 2.0}, "others")]
    assert [(v.task, v.verdict) for v in verdicts(told, *here, *there)] == [("digits", "reproduced")]
    assert [v.verdict for v in verdicts(told, *there)] == ["not run"]


def test_a_field_that_is_no_number_is_not_below_or_above_one() -> None:
    told = ordering(*SIDES, below={"steps": 1})
    sides = [
        record([run(s, number(v + 0.01 * s, variant={"steps": "all"})) for s in range(3)], method, method)
        for method, v in (("method_a", 1.0), ("method_b", 2.0))
    ]
    assert word(told, *sides) == "reproduced"


@pytest.mark.parametrize(
    ("ours", "direction", "expected"),
    [
        ([10.0, 10.01, 10.02], "lower", "reproduced"),  # equal
        ([10.4, 10.41, 10.42], "lower", "reproduced"),  # worse, by less than the margin
        ([9.0, 9.01, 9.02], "lower", "reproduced"),  # better
        ([10.6, 10.61, 10.62], "lower", "contradicted"),
        ([10.0, 10.5, 11.0], "lower", "undecided"),  # a wide interval
        ([9.6, 9.61, 9.62], "higher", "reproduced"),
        ([9.4, 9.41, 9.42], "higher", "contradicted"),
        ([12.0, 12.01, 12.02], "higher", "reproduced"),
    ],
)
def test_the_better_side_may_be_worse_by_the_margin(ours: list[float], direction: str, expected: str) -> None:
    one = seeds(ours, "entry_a", "method_a", direction)
    other = seeds([10.0, 10.01, 10.02], "entry_b", "method_b", direction)
    (verdict,) = verdicts(ordering(*SIDES, direction=direction, **ALLOWED), one, other)
    assert verdict.verdict == expected
    assert "margin of 0.5" in verdict.reason
    assert verdict.paper_value == "method_a at most 0.5 worse than method_b"


def test_two_claims_with_a_margin_one_each_way_say_that_both_are_equal() -> None:
    """Which is two one-sided tests: a difference beyond the margin fails one of them."""
    other = seeds([10.0, 10.01, 10.02], "entry_b", "method_b")
    for ours, expected in ((10.2, {"reproduced"}), (10.8, {"reproduced", "contradicted"})):
        one = seeds([ours, ours + 0.01, ours + 0.02], "entry_a", "method_a")
        both = [ordering(*SIDES, **ALLOWED), ordering(*reversed(SIDES), **ALLOWED)]
        assert {word(told, one, other) for told in both} == expected


@pytest.mark.parametrize("printed", ["better", "worse"])
def test_a_printed_number_has_no_margin(printed: str) -> None:
    sides: dict[str, Any] = {"better": SIDES[0], "worse": SIDES[1]}
    sides[printed] = {"literature": "a paper", "value": 1.0}
    with pytest.raises(InputError, match="margin"):
        ordering(**sides, **ALLOWED)


VARIANTS = tuple({"method": "method_a", "variant": {"loss": loss}} for loss in ("new", "old"))


def of_losses(*losses: str, status: str = "done") -> list[EntryRecord]:
    """An entry a loss, three seeds each; of one that did not end, the last seed has no number."""
    values = [[number(i + 0.01 * s, variant={"loss": loss}) for s in range(3)] for i, loss in enumerate(losses)]
    made = [[run(s, value) for s, value in enumerate(each)] for each in values]
    if status != "done":
        made.append([run(s, status=status) for s in range(3)])
    return [record(runs, f"entry_{i}", "method_a") for i, runs in enumerate(made)]


def test_a_variant_that_no_entry_of_the_profile_has_was_not_run() -> None:
    """The method ran, so its entries are there, but no number could have decided."""
    assert word(ordering(*VARIANTS), *of_losses("new", "old")) == "reproduced"
    (verdict,) = verdicts(ordering(*VARIANTS), *of_losses("new"))
    assert (verdict.verdict, verdict.reason) == ("not run", "method_a has no score of loss old here")


def test_a_variant_that_a_failed_run_may_have_had_is_undecided() -> None:
    (verdict,) = verdicts(ordering(*VARIANTS), *of_losses("new", status="diverged"))
    assert verdict.verdict == "undecided"
