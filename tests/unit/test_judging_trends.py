"""Trends: along a field within one entry or over several, what must be shared, what keeps them apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_json
from benchmarks.judging import claims
from benchmarks.record.records import EntryRecord
from tests.unit.judged import PAPER, claim, number, record, run, seeds, verdicts, word

UP = {8: [1.0, 1.1, 0.9], 16: [5.0, 5.1, 4.9], 32: [9.0, 9.1, 8.9]}
DOWN = dict(zip(UP, reversed(UP.values()), strict=True))
HUMP = {8: UP[8], 16: UP[32], 32: UP[16]}
FLAT = dict.fromkeys(UP, UP[8])
METHOD = {"scope": "method", "method": "method_a"}


def within(values: Mapping[Any, Sequence[Any]], entry: str = "entry_a", **fields: Any) -> EntryRecord:
    """One entry whose rows go along n; `also` joins each variant, `protocol` is theirs, the rest is the record's."""
    also, protocol = fields.pop("also", {}), fields.pop("protocol", None)
    of_seed = zip(*values.values(), strict=True)
    runs = [
        run(seed, *(number(v, variant={**also, "n": n}, protocol=protocol) for n, v in zip(values, told, strict=True)))
        for seed, told in enumerate(of_seed)
    ]
    return record(runs, entry, **fields)


def apart(values: Mapping[Any, Sequence[Any]], **fields: Any) -> list[EntryRecord]:
    """An entry for each n."""
    return [within({n: of}, f"entry_{n:.0f}", **fields) for n, of in values.items()]


def trend(shape: str = "rises", **fields: Any) -> Any:
    return claim("trend", along="n", shape=shape, **(fields or METHOD))


@pytest.mark.parametrize(
    ("values", "shape", "expected"),
    [
        (UP, "rises", "reproduced"),
        (UP, "falls", "contradicted"),
        (DOWN, "falls", "reproduced"),
        (DOWN, "rises", "contradicted"),
        (HUMP, "rises", "contradicted"),  # the last is above the first, but a step goes back
        (HUMP, "falls", "contradicted"),
        (FLAT, "rises", "undecided"),
        ({n: values[:1] for n, values in UP.items()}, "rises", "undecided"),  # one seed
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_rises_and_falls(values: dict[int, list[float]], shape: str, expected: str, several: bool) -> None:
    records = apart(values) if several else [within(values)]
    (verdict,) = verdicts(trend(shape), *records)
    assert verdict.verdict == expected
    assert ("Welch t" if several else "paired t") in verdict.reason
    assert word(trend(shape), *records[::-1]) == expected


def test_the_reason_tells_the_values_and_where_they_go_back() -> None:
    told = "along n: 1 at 8, 9 at 16, 5 at 32 (last against first: paired t, 3 seeds, one-sided alpha 0.05)"
    (verdict,) = verdicts(trend(), within(HUMP))
    assert verdict.reason == f"{told}; 1 of 2 steps reversed, the first from 16 to 32"
    assert verdict.ours == pytest.approx(4.0)  # last minus first
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= verdict.ours <= verdict.high
    assert verdict.paper_value == "rises along n"
    long = {n: [float(n), n + 0.1] for n in range(0, 2100, 100)}
    (verdict,) = verdicts(trend(), within(long))
    assert "0.05 at 0, 400.1 at 400, 800 at 800, 1200 at 1200, 1600 at 1600, 2000 at 2000 (6 of 21" in verdict.reason


def test_pairing_within_an_entry_sees_through_the_seeds() -> None:
    noise = [0.0, 100.0, 200.0, 300.0]
    values = {
        n: [base + shift + wobble for base in noise] for n, shift, wobble in ((8, 0, 0), (16, 1, 0.1), (32, 2, 0))
    }
    assert word(trend(), within(values)) == "reproduced"
    assert word(trend(), *apart(values)) == "undecided"  # other runs, whose seeds share nothing


def test_values_are_in_the_order_of_numbers() -> None:
    """Not of texts, and whole numbers and others together."""
    values = {100: [7.0, 7.1], 8: [3.0, 3.1], 16.5: [5.0, 5.1]}
    assert word(trend(), within(values)) == "reproduced"
    assert word(trend(), *apart(values)) == "reproduced"


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_values_are_undecided(count: int) -> None:
    values = {n: UP[n] for n in list(UP)[:count]}
    for records in ([within(values)], apart(values)):
        (verdict,) = verdicts(trend(), *records)
        assert verdict.verdict == "undecided"
        assert verdict.reason.endswith("; a trend needs 3 values")
        assert "1 at 8" in verdict.reason


@pytest.mark.parametrize("value", ["many", True])
def test_rows_whose_field_is_no_number_are_not_of_the_trend(value: Any) -> None:
    other = record([run(s, number(99.0, variant={"n": value})) for s in range(3)], "entry_b")
    plain = seeds([99.0] * 3, "entry_c")
    assert word(trend(), within(UP), other, plain) == "reproduced"
    (verdict,) = verdicts(trend(), other, plain)
    assert verdict.verdict == "undecided"
    assert verdict.reason == "method_a has no metric score in variant default with a number n"


def test_other_fields_make_trends_that_must_agree() -> None:
    heun, euler = {"sampler": "heun"}, {"sampler": "euler"}
    both = [within(UP, also=heun), within(UP, "entry_b", also=euler)]
    (verdict,) = verdicts(trend(), *both)
    assert verdict.verdict == "reproduced"
    assert verdict.reason.startswith("in all 2 trends; the first: along n")
    mixed = [within(UP, also=heun), within(DOWN, "entry_b", also=euler)]
    (verdict,) = verdicts(trend(), *mixed)
    assert (verdict.verdict, verdict.reason) == ("undecided", "trends disagree: 1 fails, 1 holds")
    assert word(trend(variant=heun, **METHOD), *mixed) == "reproduced"
    assert word(trend(variant=euler, **METHOD), *mixed) == "contradicted"


def test_entries_that_repeat_a_value_are_trends_of_their_own() -> None:
    """Two runs with something else between them must not be read as one."""
    higher = {n: [value + 100 for value in values] for n, values in UP.items()}
    (verdict,) = verdicts(trend(), within(UP), within(higher, "entry_b"))
    assert verdict.verdict == "reproduced"
    assert verdict.reason.startswith("in all 2 trends")
    assert word(trend(), within(UP), within(DOWN, "entry_b")) == "undecided"
    assert word(trend(), *apart(UP), within({8: UP[8]}, "entry_b")) == "undecided"


@pytest.mark.parametrize("field", ["split", "samples"])
def test_all_rows_share_one_protocol(field: str) -> None:
    other = {"split": "valid", "samples": 100} if field == "split" else {"split": "test", "samples": 50}
    records = [*apart({8: UP[8], 16: UP[16]}), within({32: UP[32]}, "entry_32", protocol=other)]
    assert word(trend(), *records) == f"not comparable: {field}"
    asked = {"split": "test", "samples": 100}
    (verdict,) = verdicts(trend(measurement=asked, **METHOD), *records)
    assert verdict.verdict == "undecided"  # the row of the other protocol is not asked for; two are left
    assert word(trend(measurement={"split": "train"}, **METHOD), *records) == "not comparable: split"


@pytest.mark.parametrize(("field", "value"), [("unit", "bits"), ("direction", "higher")])
def test_another_unit_or_direction_is_not_comparable(field: str, value: str) -> None:
    assert word(trend(**{**METHOD, field: value}), within(UP)) == f"not comparable: {field}"


def test_one_verdict_a_task() -> None:
    records = [within(UP, "entry_one", task="one"), *apart(DOWN, task="two")]
    assert [(v.task, v.verdict) for v in verdicts(trend(), *records)] == [
        ("one", "reproduced"),
        ("two", "contradicted"),
    ]


def test_tiers() -> None:
    assert word(trend(), within(UP, tier="short")) == "holds at short scale"
    assert word(trend("falls"), within(UP, tier="smoke")) == "fails at smoke scale"
    assert word(trend(entry="entry_a"), within(UP, tier="short")) == "not comparable: tier"
    mixed = [*apart({8: UP[8], 16: UP[16]}), within({32: UP[32]}, "entry_32", tier="short")]
    assert word(trend(), *mixed) == "not comparable: tier"


@pytest.mark.parametrize("values", [UP, DOWN, HUMP, FLAT])
@pytest.mark.parametrize("several", [False, True])
def test_from_memory_is_never_green_or_red(values: dict[int, list[float]], several: bool) -> None:
    told = trend(evidence="from_memory", **METHOD)
    for tier, expected in (("paper", "undecided"), ("short", "undecided at short scale")):
        records = apart(values, tier=tier) if several else [within(values, tier=tier)]
        (verdict,) = verdicts(told, *records)
        assert verdict.verdict == expected
        assert "from memory" in verdict.reason
        assert verdict.ours is not None  # shown all the same


def test_a_seed_that_is_not_done_or_lacks_a_value_caps() -> None:
    lost = record([*within(UP).runs, run(3, status="diverged")])
    assert word(trend(), lost) == "undecided"
    gone = record([run(0, status="timeout")], "entry_64")  # the whole entry at one value: its row must not just vanish
    assert word(trend(), *apart(UP), gone) == "undecided"
    null = {**UP, 16: [5.0, None, 4.9]}
    for records in ([within(null)], apart(null)):
        (verdict,) = verdicts(trend(), *records)
        assert (verdict.verdict, verdict.reason) == ("undecided", "a seed gave no finite number")
    short = record([*within(UP).runs, run(3, number(1.0, variant={"n": 8}))])
    (verdict,) = verdicts(trend(), short)
    assert (verdict.verdict, verdict.reason) == ("undecided", "seed 3 is done without metric score")
    grid = {n: [[1.0, 2.0]] * 3 for n in UP}
    assert word(trend(), within(grid)) == "undecided"


def test_a_shape_without_a_judge_is_undecided() -> None:
    (verdict,) = verdicts(trend("changes_at", point=16.0, **METHOD), within(UP))
    assert (verdict.verdict, verdict.reason) == ("undecided", "trends of shape changes_at have no judge yet")


# Levelling off
def shaped(*means: float) -> dict[int, list[float]]:
    """At n = 0, 10, 20, 30, 40, so that the second half begins at the third; three seeds."""
    return {10 * k: [mean - 0.1, mean, mean + 0.1] for k, mean in enumerate(means)}


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((0.0, 60.0, 98.0, 100.0, 100.0), "reproduced"),
        ((0.0, 101.0, 100.0, 99.0, 100.0), "reproduced"),  # goes back by less than a tenth
        ((0.0, 25.0, 50.0, 75.0, 100.0), "contradicted"),
        ((0.0, 60.0, 100.0, 100.0, 70.0), "contradicted"),
        ((100.0, 60.0, 2.0, 0.0, 0.0), "contradicted"),  # the wrong way
        ((5.0, 5.0, 5.0, 5.0, 5.0), "undecided"),
        ((0.0, 60.0, 90.0, 95.0, 100.0), "undecided"),  # a tenth, just
    ],
)
@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("several", [False, True])
def test_saturates(means: tuple[float, ...], expected: str, direction: str, several: bool) -> None:
    sign = 1.0 if direction == "higher" else -1.0
    values = {n: [sign * value for value in of] for n, of in shaped(*means).items()}
    told = trend("saturates", **{**METHOD, "direction": direction})
    records = [
        record(
            [
                run(told.seed, *(m.model_copy(update={"direction": direction}) for m in told.metrics))
                for told in one.runs
            ],
            one.entry,
        )
        for one in (apart(values) if several else [within(values)])
    ]
    (verdict,) = verdicts(told, *records)
    assert verdict.verdict == expected
    assert ("Welch t" if several else "paired t") in verdict.reason
    assert word(told, *records[::-1]) == expected


def test_the_reason_tells_how_much_comes_late() -> None:
    told = trend("saturates", **METHOD)  # lower is better
    values = {n: [-value for value in of] for n, of in shaped(0.0, 60.0, 98.0, 100.0, 100.0).items()}
    (verdict,) = verdicts(told, within(values))
    assert verdict.reason.endswith("one-sided alpha 0.05); 2 % of the change comes after 20, 10 % are a level")
    assert verdict.ours == pytest.approx(-100.0)
    assert verdict.paper_value == "saturates along n"
    (verdict,) = verdicts(told, within({8: [3.0, 3.1], 90: [1.0, 1.1], 100: [1.0, 1.1]}))
    assert verdict.verdict == "undecided"
    assert verdict.reason.endswith("; no value but the first lies in the first half of n")
    (verdict,) = verdicts(told, within({8: [3.0, 3.1], 100: [1.0, 1.1]}))
    assert verdict.reason.endswith("a trend needs 3 values")
    back = {n: [-value for value in of] for n, of in shaped(0.0, 60.0, 100.0, 100.0, 70.0).items()}
    (verdict,) = verdicts(told, within(back))
    assert verdict.reason.endswith("; 1 of 4 steps go back by more, the first from 30 to 40")


# Scope paper
def test_a_papers_trend_over_several_entries() -> None:
    told = trend(entries=["entry_8", "entry_16", "entry_32"])
    assert word(told, *apart(UP), within({64: DOWN[32]}, "entry_64")) == "reproduced"  # entry_64 is not asked
    (verdict,) = verdicts(told, *apart({8: UP[8], 16: UP[16]}), elsewhere={"entry_32": ["h100_1"]})
    assert (verdict.verdict, verdict.reason) == ("not run", "entry entry_32 belongs to h100_1")
    tasks = [*apart({8: UP[8], 16: UP[16]}), within({32: UP[32]}, "entry_32", task="mnist")]
    assert word(told, *tasks) == "not comparable: task"
    methods = [*apart({8: UP[8], 16: UP[16]}), within({32: UP[32]}, "entry_32", method="method_b")]
    assert word(told, *methods) == "not comparable: method"
    without = [*apart({8: UP[8], 16: UP[16]}), seeds([1.0, 2.0, 3.0], "entry_32")]
    (verdict,) = verdicts(told, *without)
    assert (verdict.verdict, "entry_32 has no metric score" in verdict.reason) == ("undecided", True)


def test_a_papers_trend_within_one_entry() -> None:
    assert word(trend(entry="entry_a"), within(UP), within(DOWN, "entry_b")) == "reproduced"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"entry": "entry_a", "entries": ["entry_b"]}, "one entry, or about several"),
        ({"entries": ["entry_a", "entry_a"]}, "several entries that differ"),
        ({"entries": ["entry_a"], **METHOD}, "names its method, and no entry"),
        ({"entries": [], "scope": "paper", "entry": None}, "names its entry, and no method"),
        ({"variant": {"n": 8}, **METHOD}, "along names n, which the variant already fixes"),
    ],
    ids=str,
)
def test_malformed_subjects_are_told(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        trend(**fields)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (["entry_8", "entry_16", "entry_x"], r"claims\.it\.entries: found entry_x; no profile has such an entry"),
        (["entry_8", "entry_16"], None),
    ],
)
def test_every_entry_of_a_trend_must_be_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str], sentence: str | None
) -> None:
    monkeypatch.setattr(claims, "all_methods", lambda root: {})
    monkeypatch.setattr(claims, "entries_by_profile", lambda root: {"cpu": ["entry_8", "entry_16"]})
    file = claims.ClaimFile(paper=PAPER, claims=[trend(entries=entries)])
    write_json(tmp_path / claims.FOLDER / "made_up.yaml", file.model_dump())  # JSON is YAML
    if sentence is None:
        assert claims.read_all(tmp_path) == [(PAPER, file.claims[0])]
    else:
        with pytest.raises(InputError, match=sentence):
            claims.read_all(tmp_path)


@pytest.mark.parametrize(("varies", "expected"), [([], "not comparable: samples"), (["samples"], "reproduced")])
def test_a_measurement_may_differ_along_the_way_where_the_claim_says_so(varies: list[str], expected: str) -> None:
    runs = [
        run(
            seed,
            *(
                number(4.0 - n / 100 + 0.01 * seed, variant={"images": n}, protocol={"split": "test", "samples": n})
                for n in (100, 200, 300)
            ),
        )
        for seed in range(3)
    ]
    told = claim("trend", scope="method", method="method_a", along="images", shape="falls", varies=varies)
    assert word(told, record(runs)) == expected
