"""Entries that take the models of another: what profiles refuse, and what makes their numbers stale."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.methods import all_methods
from benchmarks.profiles import NO_DATA, Params
from benchmarks.provenance import entry_source

REPOSITORY = Path(__file__).parents[2]
TINY: dict[str, Any] = {
    "profile": "tiny",
    "tier": "short",
    "hardware": {"device": "cpu", "memory_gib": 1, "threads": 1},
    "entries": {
        "trained": {
            "method": "ddpm",
            "task": "digits",
            "seeds": [0, 1],
            "settings": {"network": "mlp", "grey_levels": 17},
            "steps": 10,
            "validate_every": 5,
            "samples": 10,
        },
        "taking": {"method": "ddim", "task": "digits_table", "seeds": [1], "needs": ["trained"], "samples": 10},
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The repository's code, with one profile."""
    for package in ("implementations", "benchmarks"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def composed(root: Path, **edits: dict[str, Any]) -> Params:
    """Of TINY with fields of its entries replaced; None removes one."""
    told, edits = copy.deepcopy(TINY), json.loads(json.dumps(edits))  # no part of one is a part of another
    for entry, fields in edits.items():
        whole = {**told["entries"].get(entry, {}), **fields}
        told["entries"][entry] = {name: value for name, value in whole.items() if value is not None}
    (root / "benchmarks/profiles/tiny.yaml").write_text(yaml.safe_dump(told))
    return profiles.compose(profiles.read("tiny", root), root)


def test_its_evaluation_depends_on_the_models_of_the_other(root: Path) -> None:
    params = composed(root)
    assert list(params.runs["diffusion"]) == ["tiny_trained_s0", "tiny_trained_s1"]
    taking, trained = (params.evaluations["diffusion"][f"tiny_{name}"] for name in ("taking", "trained"))
    assert (taking.method, taking.models_of, taking.models_by) == ("ddim", "trained", "ddpm")
    assert (trained.models_of, trained.models_by) == ("trained", "ddpm")
    assert taking.extractor == "extractors/digits"
    assert {name: item.data for name, item in params.extractors.items()} == {"digits": "data/digits"}
    assert params.entries["taking"].models_of("taking") == "trained"


def test_entries_that_need_nothing_depend_on_themselves(root: Path) -> None:
    container = {"method": "container", "task": "container", "seeds": [0], "samples": 1}
    params = composed(root, container=container)
    item = params.evaluations["puzzles"]["tiny_container"]
    assert (item.models_of, item.models_by, item.extractor) == ("container", "container", NO_DATA)
    assert params.entries["container"].models_of("container") is None


STEPS = {"steps": 10, "validate_every": 5}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"taking": {"needs": ["absent"]}}, "entries of this profile are"),
        ({"taking": {"needs": ["taking"]}}, "it must be trained"),
        ({"taking": {"needs": None}}, "ddim trains nothing: leave steps out"),
        ({"taking": STEPS}, "ddim trains nothing: leave steps out"),
        ({"trained": {"needs": ["taking"]}}, "an entry cannot need itself"),
        ({"taking": {"method": "ddpm", "needs": None}}, "steps and validate_every are needed, or needs"),
        ({"taking": {"seeds": [1, 2]}}, r"seeds of trained are \[0, 1\]"),
        ({"taking": {"task": "mnist"}}, "its task must have the data set of mnist"),
        ({"taking": {"task": "ring"}}, "its task must have the data set of ring"),
        ({"taking": {"task": "grid"}, "trained": {"task": "ring"}}, "its task must be grid, which has no data set"),
        (
            {"taking": {"needs": ["flow"]}, "flow": {**TINY["entries"]["trained"], "method": "nice", "settings": {}}},
            "it must be trained, and of family diffusion",
        ),
        (
            {
                "container": {
                    "method": "container",
                    "task": "container",
                    "seeds": [0],
                    "samples": 1,
                    "needs": ["trained"],
                }
            },
            "nothing is trained, leave steps out, and needs",
        ),
    ],
)
def test_needs_that_cannot_be_met_are_refused(root: Path, edits: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        composed(root, **edits)


def test_models_of_a_task_without_a_data_set_may_be_taken_on_it(root: Path) -> None:
    params = composed(root, trained={"task": "ring"}, taking={"task": "ring"})
    taking, run = params.evaluations["diffusion"]["tiny_taking"], params.runs["diffusion"]["tiny_trained_s1"]
    assert (taking.models_of, taking.data, taking.features, taking.extractor) == ("trained", NO_DATA, NO_DATA, NO_DATA)
    assert (run.data, run.features) == (NO_DATA, NO_DATA)
    assert (params.datasets, params.extractors) == ([], {})


def test_a_method_that_trains_may_take_models_too(root: Path) -> None:
    again = {"method": "ddpm", "task": "digits_table", "seeds": [0], "samples": 5, "needs": ["trained"]}
    params = composed(root, again={**again, "settings": TINY["entries"]["trained"]["settings"]})
    assert params.entries["again"].models_of("again") == "trained"
    assert not [name for name in params.runs["diffusion"] if "again" in name]


def test_its_settings_hash_sees_what_decides_the_models(root: Path) -> None:
    before = composed(root)
    for fields in ({"steps": 11}, {"settings": {"network": "mlp", "grey_levels": 17, "width": 8}}):
        assert composed(root, trained=fields).settings_hash("taking") != before.settings_hash("taking")
    for fields in ({"samples": 11}, {"seeds": [0, 1, 2]}, {"timeout_minutes": 3.0}):
        assert composed(root, trained=fields).settings_hash("taking") == before.settings_hash("taking")


def test_its_source_sees_the_code_of_the_other_method(root: Path) -> None:
    params, methods = composed(root), all_methods(root)
    assert [method.name for method in profiles.needed_methods(params, "taking", root)] == ["ddpm"]
    assert profiles.needed_methods(params, "trained", root) == []
    alone = entry_source(methods["ddim"], root)
    assert entry_source(methods["ddim"], root, [methods["ddpm"]]) != alone
    assert entry_source(methods["ddim"], root, []) == alone


def test_it_is_modified_when_the_other_is(root: Path) -> None:
    params = composed(root)
    assert profiles.modified_entries(params, root) == set()
    edited = params.entries["trained"].model_copy(
        update={"settings": {**params.entries["trained"].settings, "width": 8}}
    )
    other = params.model_copy(update={"entries": {**params.entries, "trained": edited}})
    assert profiles.modified_entries(other, root) == {"taking", "trained"}


# What is trained from pairs


REFLOW = {
    "method": "rectified_flow",
    "task": "digits",
    "seeds": [1],
    "steps": 10,
    "validate_every": 5,
    "samples": 10,
}


def reflows(root: Path, **edits: Any) -> Params:
    first = {**REFLOW, "seeds": [0, 1], "settings": {"network": "mlp", "width": 8}}
    learnt = {"network": "mlp", "width": 8, "reflows": 1, "pairs": 100}
    second = {**REFLOW, "settings": learnt, "needs": ["first"], **edits}
    third = {**REFLOW, "settings": {**learnt, "reflows": 2}, "needs": ["first"]}
    return composed(root, first=first, second=second, third=third)


def test_a_reflow_depends_on_weights_and_pairs_of_the_first_flow_made_once(root: Path) -> None:
    params = reflows(root)
    run = params.runs["diffusion"]["tiny_second_s1"]
    assert (run.start, run.pairs) == ("runs/tiny/first/models/s1", "runs/tiny/first/pairs/n100_s1")
    assert list(params.pairs["diffusion"]) == ["tiny_first_n100_s1"]  # shared by both that learn from it
    alone = params.runs["diffusion"]["tiny_first_s0"]
    assert (alone.start, alone.pairs) == (NO_DATA, NO_DATA)


def test_settings_of_the_first_flow_are_part_of_a_reflows_identity(root: Path) -> None:
    before = reflows(root).settings_hash("second")
    edited = reflows(root)
    edited.entries["first"].settings["width"] = 9
    assert edited.settings_hash("second") != before


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"needs": None}, "names it in needs, and has settings.pairs"),
        ({"settings": {"network": "mlp", "reflows": 1}}, "names it in needs, and has settings.pairs"),
        ({"needs": ["second"]}, "an entry cannot need itself"),
        ({"settings": {"network": "mlp", "width": 8, "reflows": 1, "pairs": -5}}, "pairs: found -5; a whole number"),
        ({"settings": {"network": "mlp", "width": 8, "reflows": 1, "pairs": 9}}, "pairs: found 9; a whole number"),
        ({"settings": {"network": "mlp", "width": 9, "reflows": 1, "pairs": 100}}, "width: found 9; must be that of"),
        ({"needs": ["trained"], "seeds": [0]}, "pairs are made by rectified_flow, not by ddpm"),
    ],
)
def test_pairs_that_cannot_be_made_are_refused(root: Path, edits: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        reflows(root, **edits)


# What starts from one entry and is judged or taught by another


def preferences(root: Path, **edits: Any) -> Params:
    """A language model, what judges, what learns from either, and a student of a larger teacher."""
    small: dict[str, Any] = {
        "task": "reviews", "seeds": [0, 1], "settings": {"network": "gpt_nano"}, **STEPS, "samples": 5
    }  # fmt: skip
    large = {**small, "settings": {"network": "gpt_micro"}}
    paired = {"network": "gpt_nano", "pairs": 60}
    told = {
        "base": {**small, "method": "sft"},
        "large": {**large, "method": "sft"},
        "scorer": {**small, "method": "reward_model", "settings": paired, "needs": ["base"]},
        "learner": {**small, "method": "dpo", "settings": paired, "needs": ["base"]},
        "rollouts": {**small, "method": "ppo", "needs": ["base", "scorer"]},
        "teacher": {**large, "method": "grpo", "needs": ["large"]},
        "student": {
            **small,
            "method": "sft",
            "settings": {**paired, "responses": "rewarded"},
            "needs": ["base", "teacher"],
        },
        "best": {"method": "best_of_n", "task": "reviews", "seeds": [1], "needs": ["learner"], "samples": 5},
    }
    return composed(root, **{name: {**fields, **edits.get(name, {})} for name, fields in told.items()})


def test_of_two_needs_the_first_is_started_from_and_the_second_judges(root: Path) -> None:
    params = preferences(root)
    runs = params.runs["preferences"]
    run = runs["tiny_rollouts_s1"]
    assert (run.start, run.other) == ("runs/tiny/base/models/s1", "runs/tiny/scorer/models/s1")
    assert run.pairs == NO_DATA
    assert (run.data, run.features) == ("data/reviews", "features/reviews")
    alone = runs["tiny_base_s0"]
    assert (alone.start, alone.other, alone.pairs) == (NO_DATA, NO_DATA, NO_DATA)
    taught = runs["tiny_teacher_s0"]
    assert (taught.start, taught.other, taught.pairs) == ("runs/tiny/large/models/s0", NO_DATA, NO_DATA)
    learner = runs["tiny_learner_s0"]
    assert (learner.start, learner.other) == ("runs/tiny/base/models/s0", NO_DATA)
    assert learner.pairs == "runs/tiny/base/pairs/n60_s0"


def test_of_two_needs_the_second_makes_the_pairs(root: Path) -> None:
    """A student starts from its own kind and learns from what a teacher of another size says."""
    params = preferences(root)
    run = params.runs["preferences"]["tiny_student_s1"]
    assert (run.start, run.other) == ("runs/tiny/base/models/s1", "runs/tiny/teacher/models/s1")
    assert run.pairs == "runs/tiny/teacher/pairs/n60_s1"
    made = params.pairs["preferences"]
    assert list(made) == [f"tiny_{entry}_n60_s{seed}" for entry in ("base", "teacher") for seed in (0, 1)]
    # Each is made by its entry's method, not by that of who learns from it: its code decides them.
    assert {item.entry: item.method for item in made.values()} == {"base": "sft", "teacher": "grpo"}


def test_an_evaluation_knows_where_its_entry_started(root: Path) -> None:
    found = preferences(root).evaluations["preferences"]
    starts = {name.removeprefix("tiny_"): item.start for name, item in found.items()}
    base, large = ("runs/tiny/base/models", "runs/tiny/large/models")
    assert starts == {
        "base": NO_DATA, "large": NO_DATA, "scorer": base, "learner": base, "rollouts": base, "teacher": large,
        "student": base, "best": base,
    }  # fmt: skip
    assert (found["tiny_best"].models_of, found["tiny_best"].models_by) == ("learner", "dpo")
    assert (found["tiny_rollouts"].models_of, found["tiny_rollouts"].models_by) == ("rollouts", "ppo")


def test_an_identity_holds_every_entry_behind_it(root: Path) -> None:
    before = preferences(root)
    assert set(before.needed("rollouts")) == {"base", "scorer"}
    assert set(before.needed("student")) == {"base", "teacher", "large"}
    judge = preferences(root, scorer={"settings": {"network": "gpt_nano", "pairs": 61}})
    changed = {name for name in before.entries if judge.settings_hash(name) != before.settings_hash(name)}
    assert changed == {"scorer", "rollouts"}
    longer = preferences(root, large={"steps": 11})
    changed = {name for name in before.entries if longer.settings_hash(name) != before.settings_hash(name)}
    assert changed == {"large", "teacher", "student"}
    behind = profiles.needed_methods(before, "rollouts", root)
    assert {method.name for method in behind} == {"sft", "reward_model"}


PAIRED = {"network": "gpt_nano", "pairs": 60}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (
            {"rollouts": {"needs": None}},
            r"rollouts\.needs: found \[\]; ppo goes on from a trained model: name the entry",
        ),
        (
            {"teacher": {"needs": None}},
            r"teacher\.needs: found \[\]; grpo goes on from a trained model: name the entry",
        ),
        ({"rollouts": {"settings": PAIRED}}, r"settings\.pairs: found pairs; settings of ppo"),
        ({"learner": {"settings": {"network": "gpt_nano"}}}, "names it in needs, and has settings.pairs"),
        ({"learner": {"needs": None}}, "names it in needs, and has settings.pairs"),
        (
            {"learner": {"needs": None, "settings": {"network": "gpt_nano"}}},
            "dpo learns from pairs: give settings.pairs, and needs, the entry that makes them",
        ),
        ({"student": {"settings": {"network": "gpt_nano"}}}, "names it in needs, and has settings.pairs"),
        ({"student": {"needs": None}}, "names it in needs, and has settings.pairs"),
        ({"student": {"settings": {"network": "gpt_nano", "pairs": 9}}}, "pairs: found 9; a whole number, at least 10"),
        ({"rollouts": {"settings": {"network": "gpt_micro"}}}, "network: found gpt_micro; must be that of base"),
        (
            {"student": {"settings": {**PAIRED, "network": "gpt_micro"}}},
            "network: found gpt_micro; must be that of base",
        ),
        ({"rollouts": {"settings": {}}}, "network: found None; must be that of base, whose weights it starts from"),
        ({"learner": {"needs": ["base", "teacher"]}}, "dpo takes one entry's models; leave the second out"),
        ({"scorer": {"needs": ["base", "teacher"]}}, "reward_model takes one entry's models; leave the second out"),
        ({"best": {"needs": ["base", "learner"]}}, "best_of_n takes one entry's models; leave the second out"),
        ({"best": {**STEPS, "settings": {"most": 4}}}, "best_of_n trains nothing: leave steps out"),
        ({"rollouts": {"needs": ["base", "trained"]}}, "it must be trained, and of family preferences"),
        ({"rollouts": {"needs": ["base", "best"]}}, "it must be trained, and of family preferences"),
        ({"rollouts": {"needs": ["base", "absent"]}}, "found absent; entries of this profile are"),
        ({"rollouts": {"needs": ["base"]}}, "a learned reward is that of a second entry, a reward model"),
        ({"rollouts": {"needs": ["base", "learner"]}}, "found learner; rewards are scored by a reward model"),
        ({"teacher": {"needs": ["large", "scorer"]}}, "another reward takes no second entry"),
        ({"learner": {"needs": ["scorer"]}}, "found scorer; reward_model has no policy to start from"),
        ({"rollouts": {"needs": ["base", "scorer", "large"]}}, "rollouts.needs"),
        ({"student": {"needs": ["student"]}}, "an entry cannot need itself"),
        ({"scorer": {"seeds": [0]}}, r"rollouts\.seeds: found 1; seeds of scorer are \[0\]"),
        ({"student": {"task": "arithmetic"}}, "its task must have the data set of arithmetic"),
    ],
)
def test_starts_judges_and_teachers_that_cannot_be_are_refused(root: Path, edits: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        preferences(root, **edits)
    assert "\n" not in str(refused.value)


def test_what_does_not_train_by_rollouts_or_texts_has_no_second_need(root: Path) -> None:
    more = {**TINY["entries"]["trained"], "seeds": [1]}
    with pytest.raises(InputError, match="ddim takes one entry's models; leave the second out"):
        composed(root, more=more, taking={"needs": ["trained", "more"]})
    learnt = {"network": "mlp", "width": 8, "reflows": 1, "pairs": 100}
    first = {**REFLOW, "settings": {"network": "mlp", "width": 8}}
    second = {**REFLOW, "settings": learnt, "needs": ["first", "first"]}
    with pytest.raises(InputError, match="rectified_flow takes one entry's models; leave the second out"):
        composed(root, first=first, second=second)
