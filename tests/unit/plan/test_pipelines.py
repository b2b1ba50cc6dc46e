"""DVC's stages of entries: names, commands, and what each depends on and writes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.plan import composition, pipelines, profiles
from benchmarks.plan.methods import families
from benchmarks.plan.params import Params
from tests.unit.plan.tiny import CONTAINER, PLAIN, PREFERENCES, REFLOWS, TAKING, composed

REPOSITORY = Path(__file__).parents[3]
NAME = re.compile(r"[a-z0-9_]+")
DATA = ["data/digits", "features/digits"]
TRAINED_BY = ["hardware", "method", "task", "settings", "steps", "validate_every"]
EVALUATED_BY = [*TRAINED_BY, "tier", "seeds", "samples", "needs"]

Stage = dict[str, Any]


def stages(params: Params) -> dict[str, Stage]:
    """Of all families."""
    texts = pipelines.texts(params, families(REPOSITORY))
    return {name: stage for text in texts.values() for name, stage in yaml.safe_load(text)["stages"].items()}


def outputs(stage: Stage) -> list[str]:
    return [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"]]


def depends(stage: Stage, *deps: str) -> bool:
    """On these, and the versions of numerical libraries, alone."""
    return stage["deps"] == sorted(["numerics.txt", *deps])


def reads(stage: Stage) -> dict[str, list[str]]:
    """Fields of entries' files by entry."""
    return {Path(path).stem: fields for one in stage["params"] for path, fields in one.items()}


@pytest.fixture(scope="module")
def every_profile() -> dict[str, Params]:
    return {
        name: composition.compose(profiles.read(name, REPOSITORY), REPOSITORY) for name in profiles.names(REPOSITORY)
    }


def test_names_of_stages_are_unique_over_all_profiles(every_profile: dict[str, Params]) -> None:
    """cpu / mnist_x and cpu_mnist / x would have one name, in messages and in dvc.lock."""
    found = [name for params in every_profile.values() for name in stages(params)]
    assert all(NAME.fullmatch(name) for name in found)
    assert len(set(found)) == len(found) > 5


def test_commands_and_outputs_of_every_stage(every_profile: dict[str, Params]) -> None:
    for profile, params in every_profile.items():
        found = stages(params)
        outs = [out for stage in found.values() for out in outputs(stage)]
        assert len(set(outs)) == len(outs), "two stages write one place"
        for name, stage in found.items():
            kind = name.split("_")[0]
            assert stage["wdir"] == "../.."
            assert stage["cmd"].startswith(f"python -m benchmarks.cli {kind} {profile} ")
            assert not set("|;&><`") & set(stage["cmd"]), "a pipe hides a failure from DVC"
            assert all(profile in Path(out).parts for out in outputs(stage))


def test_the_committed_files_are_those_of_profile_cpu(every_profile: dict[str, Params]) -> None:
    if yaml.safe_load((REPOSITORY / "params.yaml").read_text())["profile"] != "cpu":
        pytest.skip("the working copy is switched to another profile")
    params = every_profile["cpu"]
    for path, text in pipelines.texts(params, families(REPOSITORY)).items():
        assert (REPOSITORY / path).read_text() == text
    assert composition.read_params(REPOSITORY) == params


def test_a_family_without_entries_has_an_empty_pipeline(code: Path) -> None:
    texts = pipelines.texts(composed(code, {"container": CONTAINER}), families(code))
    assert list(texts) == [pipelines.pipeline(family) for family in families(code)]
    empty = [path.parent.name for path, text in texts.items() if yaml.safe_load(text) == {"stages": {}}]
    assert empty == [family for family in families(code) if family != "puzzles"]


def test_a_plain_entry_is_trained_for_each_seed_and_evaluated(code: Path) -> None:
    found = stages(composed(code, PLAIN))
    trained, evaluated = found["train_tiny_nice_digits_s3"], found["evaluate_tiny_nice_digits"]
    assert list(found) == [
        "train_tiny_nice_digits_s0", "train_tiny_nice_digits_s3", "evaluate_tiny_nice_digits", "evaluate_tiny_container"
    ]  # fmt: skip
    assert trained["cmd"] == "python -m benchmarks.cli train tiny nice_digits 3"
    assert depends(trained, *DATA, "sources/tiny/nice_digits/train.txt")
    assert reads(trained) == {"nice_digits": TRAINED_BY}
    assert outputs(trained) == ["runs/tiny/nice_digits/models/s3", "runs/tiny/nice_digits/receipts/s3.json"]
    assert depends(evaluated, *DATA, "sources/tiny/nice_digits/evaluate.txt", "runs/tiny/nice_digits/models")
    assert reads(evaluated) == {"nice_digits": EVALUATED_BY}
    assert outputs(evaluated) == [f"results/{kind}/tiny/nice_digits.json" for kind in ("entries", "receipts")]
    for out in evaluated["outs"]:  # in git, not in DVC's cache
        assert list(out.values()) == [{"cache": False, "persist": True}]


def test_an_entry_without_a_data_set_or_models_depends_on_its_code_alone(code: Path) -> None:
    assert depends(stages(composed(code, PLAIN))["evaluate_tiny_container"], "sources/tiny/container/evaluate.txt")
    found = stages(composed(code, TAKING, trained={"task": "ring"}, taking={"task": "ring"}))
    assert depends(found["train_tiny_trained_s1"], "sources/tiny/trained/train.txt")
    assert depends(found["evaluate_tiny_taking"], "sources/tiny/taking/evaluate.txt", "runs/tiny/trained/models")


def test_an_entry_that_takes_models_is_evaluated_on_those(code: Path) -> None:
    found = stages(composed(code, TAKING))
    evaluated = found["evaluate_tiny_taking"]
    assert not [name for name in found if name.startswith("train_tiny_taking")]
    models = ["runs/tiny/trained/models", "extractors/digits"]
    assert depends(evaluated, *DATA, *models, "sources/tiny/taking/evaluate.txt")
    assert reads(evaluated) == {"taking": EVALUATED_BY, "trained": TRAINED_BY}


def test_a_reflow_starts_from_the_first_flow_and_learns_from_its_pairs_made_once(code: Path) -> None:
    found = stages(composed(code, REFLOWS))
    start, learned = "runs/tiny/first/models/s1", "runs/tiny/first/pairs/n100_s1"
    assert [name for name in found if name.startswith("pairs")] == ["pairs_tiny_first_n100_s1"]
    pairs = found["pairs_tiny_first_n100_s1"]
    assert pairs["cmd"] == "python -m benchmarks.cli pairs tiny first 1 100"
    assert depends(pairs, *DATA, start, "sources/tiny/first/pairs.txt")
    assert reads(pairs) == {"first": TRAINED_BY}
    assert outputs(pairs) == [learned]
    for entry in ("second", "third"):
        assert depends(found[f"train_tiny_{entry}_s1"], *DATA, start, learned, f"sources/tiny/{entry}/train.txt")
    assert depends(found["train_tiny_first_s0"], *DATA, "sources/tiny/first/train.txt")


def test_starts_judges_and_teachers_are_what_training_depends_on(code: Path) -> None:
    found = stages(composed(code, PREFERENCES))
    common = ("data/reviews", "features/reviews")

    def trained_from(entry: str) -> list[str]:
        deps = found[f"train_tiny_{entry}_s1"]["deps"]
        assert set(common) <= set(deps)
        return [dep.removeprefix("runs/tiny/") for dep in deps if dep.startswith("runs/")]

    assert trained_from("base") == []
    assert trained_from("learner") == ["base/models/s1", "base/pairs/n60_s1"]
    assert trained_from("rollouts") == ["base/models/s1", "scorer/models/s1"]
    assert trained_from("teacher") == ["large/models/s1"]
    # A student starts from its own kind and learns from what a teacher of another size says.
    assert trained_from("student") == ["base/models/s1", "teacher/models/s1", "teacher/pairs/n60_s1"]
    made = [name for name in found if name.startswith("pairs")]
    assert sorted(made) == [f"pairs_tiny_{entry}_n60_s{seed}" for entry in ("base", "teacher") for seed in (0, 1)]


def test_an_evaluation_depends_on_the_models_and_where_they_started(code: Path) -> None:
    found = stages(composed(code, PREFERENCES))
    behind = {
        name.removeprefix("evaluate_tiny_"): {dep.split("/")[2] for dep in stage["deps"] if dep.startswith("runs/")}
        for name, stage in found.items()
        if name.startswith("evaluate")
    }
    assert behind == {
        "base": {"base"}, "large": {"large"}, "scorer": {"scorer", "base"}, "learner": {"learner", "base"},
        "rollouts": {"rollouts", "base"}, "teacher": {"teacher", "large"}, "student": {"student", "base"},
        "best": {"learner", "base"},
    }  # fmt: skip


def test_what_is_made_of_a_data_set_depends_on_what_is_declared_of_it() -> None:
    """Its levels and shape are in the declaration alone, not in the data."""
    root = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    for stage in ("fetch", "features", "train_extractor"):
        assert "sources/data/${item}.txt" in root[stage]["do"]["deps"]
