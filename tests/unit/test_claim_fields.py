"""A claim that names a field or a metric which no row of its sides has is refused."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.judging.fields import Measured
from benchmarks.record.records import EntryRecord
from benchmarks.stages import judge
from tests.unit.conftest import REPOSITORY
from tests.unit.judged import PAPER, claim, number, ordering, record, run, word

BETTER, WORSE = {"method": "method_a"}, {"method": "method_b"}


def rows(entry: str, method: str, values: Sequence[float] = (1.0, 1.1, 1.2), **fields: Any) -> EntryRecord:
    """At each of two steps, with a cost."""
    runs = []
    for seed, value in enumerate(values):
        taken = [number(value + step, variant={"step": step, "sampler": "heun"}) for step in (1, 2)]
        runs.append(run(seed, *taken, number(float(seed), "cost", {"step": 1, "sampler": "heun"})))
    return record(runs, entry, method, **fields)


A, B = rows("entry_a", "method_a"), rows("entry_b", "method_b", (2.0, 2.1, 2.3))
ENTRIES = {"cpu": ["entry_a", "entry_b"]}


def refusals(
    told: Any, *records: EntryRecord, entries: dict[str, list[str]] | None = None, root: Path = Path()
) -> list[str]:
    """Lines of the refusal, without the file and the claim that each begins with."""
    try:
        Measured(records, entries or ENTRIES, root).check([(PAPER, told)])
    except InputError as error:
        return [line.removeprefix("benchmarks/claims/made_up.yaml: claims.it.") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    ("good", "bad", "refused"),
    [
        (ordering(BETTER, WORSE, equal=["step"]), ordering(BETTER, WORSE, equal=["xstep"]), ["equal", "equal"]),
        (ordering(BETTER, WORSE, below={"step": 2}), ordering(BETTER, WORSE, below={"xstep": 2}), ["below"]),
        (ordering(BETTER, WORSE, varies=["split"]), ordering(BETTER, WORSE, varies=["solver"]), ["varies"]),
        (
            ordering({**BETTER, "variant": {"step": 1}}, WORSE),
            ordering({**BETTER, "variant": {"xstep": 1}}, WORSE),
            ["variant"],
        ),
        (claim("exact", value=1.0, variant={"step": 1}), claim("exact", value=1.0, variant={"stp": 1}), ["variant"]),
        (claim("value"), claim("value", metric="scorr"), ["metric"]),
        (ordering(BETTER, WORSE), ordering(BETTER, WORSE, metric="scorr"), ["metric", "metric"]),
        (
            claim("trend", along="step", shape="rises"),
            claim("trend", along="steps", shape="rises"),
            ["along"],
        ),
        (
            claim("trend", along="step", shape="rises", varies=["samples"]),
            claim("trend", along="step", shape="rises", varies=["draws"]),
            ["varies"],
        ),
        (
            claim("dominance", scope="method", better=BETTER, worse=WORSE, at="cost"),
            claim("dominance", scope="method", better=BETTER, worse=WORSE, at="costt"),
            ["at", "at"],
        ),
    ],
    ids=["equal", "below", "varies", "variant", "exact", "metric", "method", "along", "trend varies", "at"],
)
def test_a_field_that_no_row_has_is_refused(good: Any, bad: Any, refused: list[str]) -> None:
    assert refusals(good, A, B) == []
    assert [line.partition(":")[0] for line in refusals(bad, A, B)] == refused


def test_the_refusal_names_claim_field_and_what_is_there() -> None:
    with pytest.raises(InputError) as caught:
        Measured([A, B], ENTRIES).check([(PAPER, ordering(BETTER, WORSE, equal=["xstep"]))])
    assert str(caught.value).splitlines()[0] == (
        "benchmarks/claims/made_up.yaml: claims.it.equal: found xstep; no row of method_a has it; its rows of score "
        "have sampler, step; correct the name"
    )


def test_a_misspelt_field_would_have_turned_the_verdict() -> None:
    """Each step's two values differ as claimed; across steps they do not, and a lost field pairs across steps."""
    assert word(ordering(BETTER, WORSE, equal=["step"]), A, B) == "reproduced"
    assert word(ordering(BETTER, WORSE, equal=["xstep"]), A, B) != "reproduced"


def test_each_side_is_asked() -> None:
    other = record([run(seed, number(2.0 + seed)) for seed in range(3)], "entry_b", "method_b")
    (line,) = refusals(ordering(BETTER, WORSE, equal=["step"]), A, other)
    assert "no row of method_b has it; its rows of score have no field" in line
    assert refusals(ordering(BETTER, WORSE, below={"step": 2}), A, other) == []  # `below` is asked where a row has it


@pytest.mark.parametrize("records", [[], [A], [A, record([run(0, status="diverged")], "entry_b", "method_b")]])
def test_nothing_is_said_of_a_side_without_numbers(records: list[EntryRecord]) -> None:
    claims = (ordering({"method": "method_b"}, BETTER, below={"x": 1}), ordering(BETTER, WORSE, varies=["draws"]))
    assert [refusals(told, *records) for told in claims] == [[], []]
    assert refusals(claim("value", entry="entry_b", metric="scorr"), *records) == []


def test_one_profile_may_have_what_another_lacks() -> None:
    plain = record([run(0, number(1.0))], "entry_a", "method_a", profile="smoke")
    assert refusals(ordering(BETTER, WORSE, equal=["step"]), plain, A, B) == []


def test_a_metric_may_be_that_of_an_entry_or_a_task_not_run(tmp_path: Path) -> None:
    """Then the code, or the record of another method, knows such a name; else it is refused all the same."""
    of_entry, of_method = claim("value", metric="train_bits"), ordering(BETTER, WORSE, metric="train_bits")
    twice = {"cpu": ["entry_a"], "h100": ["entry_a"]}
    other = record([run(0, number(1.0, "train_bits"))], "c", "method_c")

    def refused(*records: EntryRecord) -> list[int]:
        return [len(refusals(told, *records, entries=twice, root=tmp_path)) for told in (of_entry, of_method)]

    assert refused(A, B) == [1, 2]
    assert refused(A, B, other) == [0, 0]
    (tmp_path / "benchmarks/families").mkdir(parents=True)
    (tmp_path / "benchmarks/families/any.py").write_text('row(f"train_{name}")\nname = "bits"\n')
    assert refused(A, B) == [0, 0]
    # Where the entry has run wherever it is, no other run of it can give the metric.
    assert len(refusals(of_entry, A, B, entries={"cpu": ["entry_a"]}, root=tmp_path)) == 1


def test_judge_refuses_the_misspelling_that_was_found(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the committed records and claims; `xstep` made it contradicted, exit 0."""
    for name in ("benchmarks/profiles", "benchmarks/claims", "results/entries"):
        shutil.copytree(REPOSITORY / name, code / name, dirs_exist_ok=True)
    path = code / "benchmarks/claims/zhao_rl_chapter_6.yaml"
    before, claim_, after = path.read_text().partition("id: zhao_mbgd_50_before_5\n")
    path.write_text(before + claim_ + after.replace("equal: [step]", "equal: [xstep]", 1))
    monkeypatch.chdir(code)
    with pytest.raises(InputError) as caught:
        judge.run()
    told = str(caught.value)
    assert "zhao_rl_chapter_6.yaml: claims.zhao_mbgd_50_before_5.equal: found xstep; no row of sgd_mean_50" in told
    assert not (code / "results/tables").exists()
