"""Working in a fresh clone, in several profiles, on several branches, with experiments."""

import pytest

from tests.pipeline.clones import CONTAINER_EDIT, NICE_LOSS, PROFILE, UP_TO_DATE, Clone, new_method, ran
from tests.pipeline.conftest import Base

BEHIND = {"collect", "judge", "report"}
CI = ("repro", "--dry", "--allow-missing")


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("family", "old", "edit", "again"),
    [
        ("puzzles", "container", CONTAINER_EDIT, {"evaluate@smoke_container"}),
        (
            "flows",
            "nice",
            (NICE_LOSS, NICE_LOSS.replace("-model", "-2.0 * model")),
            {"train@smoke_nice_digits_s0", "evaluate@smoke_nice_digits"},
        ),
    ],
    ids=["puzzles", "flows"],
)
def test_in_a_fresh_clone_without_cache_a_new_method_runs_alone_and_so_does_an_edited_one(
    bare: Clone, family: str, old: str, edit: tuple[str, str], again: set[str]
) -> None:
    assert UP_TO_DATE in bare.dvc(*CI)
    before = bare.hashes("results/entries", "results/receipts")
    entry = new_method(bare, "alpha", family)
    bare.dvc("repro", "fetch", "features", "sources")
    trained = {f"train@smoke_{entry}_s0"} if family == "flows" else set()
    assert bare.repro("--allow-missing") == {*trained, f"evaluate@smoke_{entry}", *BEHIND}
    after = bare.hashes("results/entries", "results/receipts")
    assert {name: after[name] for name in before} == before
    assert bare.entries() == {"container", "nice_digits", entry}

    bare.edit(f"implementations/{family}/{old}.py", *edit)
    assert bare.repro("--allow-missing") == {"sources", *again, *BEHIND}
    others = {name for name in after if f"/{old}" not in name}
    edited = bare.hashes("results/entries", "results/receipts")
    assert {name: edited[name] for name in others} == {name: after[name] for name in others}
    assert {row["stale"] for row in bare.table("scores")} == {""}
    bare.bench("readme")
    bare.bench("verify")


@pytest.mark.dvc
def test_profiles_lie_side_by_side_and_switching_back_trains_nothing(clone: Clone) -> None:
    before = clone.hashes("results/entries", "results/tables/smoke")
    clone.compose(
        PROFILE[: PROFILE.index("  container:")].replace("profile: smoke", "profile: other")
        + PROFILE[PROFILE.index("  nice_digits:") :],
        "other",
    )
    assert clone.repro() == {"train@other_nice_digits_s0", "evaluate@other_nice_digits", *BEHIND}
    assert clone.entries("other") == {"nice_digits"}
    clone.bench("profile", "smoke")
    assert clone.repro() <= BEHIND
    clone.bench("profile", "other")
    assert clone.repro() <= BEHIND
    after = clone.hashes("results/entries", "results/tables/smoke")
    assert {name: after[name] for name in before} == before
    assert "results/entries/other/nice_digits.json" in after
    assert {path.parent.name for path in (clone / "reports").glob("*/index.html")} == {"smoke", "other"}

    clone.edit("benchmarks/profiles/smoke.yaml", "steps: 20", "steps: 30")
    assert not {stage for stage in clone.repro() if "@" in stage}  # smoke is not the profile that is composed
    for table in ("scores", "leaderboard"):
        for row in clone.table(table):
            assert row["stale"] == ("stale" if row["entry"] == "nice_digits" else "")
    assert {row["stale"] for row in clone.table("scores", "other")} == {""}
    clone.bench("readme")
    clone.bench("verify")


@pytest.mark.dvc
def test_branches_that_add_methods_merge_without_training_anything_again(clone: Clone) -> None:
    for name, family in (("alpha", "puzzles"), ("beta", "flows"), ("gamma", "puzzles")):
        clone.git("checkout", "-q", "-b", name, "main")
        new_method(clone, name, family)
        assert {stage for stage in clone.repro() if "@" in stage and name not in stage} == set()
        clone.bench("readme")
        clone.commit(f"add {name}")
    clone.git("checkout", "-q", "alpha")
    records = {}
    for name in ("beta", "gamma"):
        records |= clone.hashes("results/entries")
        clone.git("merge", "-q", "--no-edit", name, code=None)
        clone.bench("merge")
        assert not {stage for stage in clone.repro("--allow-missing") if "@" in stage}
        clone.bench("readme")
        clone.commit(f"merge {name}")
        after = clone.hashes("results/entries")
        assert {name: after[name] for name in records} == records
    assert clone.entries() == {"container", "nice_digits", "alpha", "beta_digits", "gamma"}
    assert {row["stale"] for row in clone.table("scores")} == {""}
    assert UP_TO_DATE in clone.dvc(*CI)
    clone.bench("verify")


@pytest.mark.dvc
def test_an_experiment_marks_what_it_changed_and_cannot_switch_the_profile(clone: Clone) -> None:
    told = clone.dvc("exp", "run", "-S", "profile=cpu", code=255)
    assert "params.yaml: profile: found cpu; the file was composed for smoke; run: claimbench profile cpu" in told
    clone.git("checkout", "-q", "--", "params.yaml")

    told = clone.dvc("exp", "run", "-S", "+entries.nice_digits.settings.learning_rate=0.01")
    assert "evaluate@smoke_container" not in ran(told)
    assert "evaluate@smoke_nice_digits" in ran(told)
    assert clone.json("results/entries/smoke/nice_digits.json")["modified"] is True
    assert clone.json("results/entries/smoke/container.json")["modified"] is False
    for table in ("scores", "leaderboard"):
        for row in clone.table(table):
            assert row["stale"] == ("modified" if row["entry"] == "nice_digits" else "")


@pytest.mark.dvc
def test_a_fresh_clone_is_up_to_date_and_verifies(base: Base, bare: Clone) -> None:
    assert UP_TO_DATE in bare.dvc(*CI)
    assert "everything is as the records say" in bare.bench("verify")
