"""Profiles composed into params.yaml, and the pipeline files that read it."""

import difflib
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.methods import all_methods, families, tasks
from benchmarks.profiles import Params, Profile
from benchmarks.typed_files import load, validate

REPOSITORY = Path(__file__).parents[2]
NAMES = profiles.names(REPOSITORY)
NAME = re.compile(r"[a-z0-9_]+")
SMALL: dict[str, Any] = {
    "profile": "tiny",
    "tier": "smoke",
    "hardware": {"device": "cpu", "memory_gib": 1},
    "entries": {
        "nice_digits": {
            "method": "nice",
            "task": "digits",
            "seeds": [0, 3],
            "settings": {"hidden_units": 32},
            "steps": 10,
            "validate_every": 5,
            "samples": 5,
        },
        "container": {"method": "container", "task": "container", "tier": "paper", "seeds": [1], "samples": 5},
    },
}


def altered(**entry: Any) -> dict[str, Any]:
    """SMALL with fields of nice_digits changed."""
    entries = {**SMALL["entries"], "nice_digits": {**SMALL["entries"]["nice_digits"], **entry}}
    return {**SMALL, "entries": entries}


def composed(data: dict[str, Any]) -> Params:
    return profiles.compose(validate("tiny.yaml", data, Profile), REPOSITORY)


def text_of(params: Params, folder: Path) -> str:
    profiles.write_params(params, folder / "params.yaml")
    return (folder / "params.yaml").read_text()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that has profile tiny, composed."""
    for package in ("implementations", "benchmarks/families"):
        shutil.copytree(REPOSITORY / package, tmp_path / package)
    (tmp_path / profiles.FOLDER).mkdir(parents=True)
    (tmp_path / profiles.FOLDER / "tiny.yaml").write_text(yaml.safe_dump(SMALL))
    profiles.write_params(profiles.compose(profiles.read("tiny", tmp_path), tmp_path), tmp_path / "params.yaml")
    return tmp_path


# The profiles of the repository
@pytest.mark.parametrize("name", NAMES)
def test_every_profile_reads_and_composes(name: str, tmp_path: Path) -> None:
    profile = profiles.read(name, REPOSITORY)
    params = profiles.compose(profile, REPOSITORY)
    assert text_of(params, tmp_path) == text_of(profiles.compose(profile, REPOSITORY), tmp_path)
    assert load(tmp_path / "params.yaml", Params) == params
    assert list(params.entries) == sorted(profile.entries)
    runs = {key: run for family in params.runs.values() for key, run in family.items()}
    wanted = {f"{name}_{entry}_s{seed}" for entry, told in profile.entries.items() if told.steps for seed in told.seeds}
    assert set(runs) == wanted
    assert {key for family in params.evaluations.values() for key in family} == {f"{name}_{e}" for e in profile.entries}


def test_stage_keys_are_names_and_unique_over_all_profiles() -> None:
    """dvc.lock keeps the entries of every profile; cpu / mnist_x and cpu_mnist / x would be one key."""
    keys = []
    for name in NAMES:
        params = profiles.compose(profiles.read(name, REPOSITORY), REPOSITORY)
        for mapping in (params.runs, params.evaluations):
            keys += [(family, key) for family, items in mapping.items() for key in items]
    assert all(NAME.fullmatch(key) for _, key in keys)
    assert len(set(keys)) == len(keys)
    assert len(keys) > 5


def test_settings_of_every_profile_have_the_methods_types() -> None:
    for name in NAMES:
        params = profiles.compose(profiles.read(name, REPOSITORY), REPOSITORY)
        for entry, told in params.entries.items():
            method = all_methods(REPOSITORY)[told.method]
            profiles.typed_settings(method, told.method_settings(), f"{name}: {entry}")


def test_the_committed_params_are_those_of_profile_cpu(tmp_path: Path) -> None:
    """As committed where git can tell, since a working copy may be switched to another profile for a while.

    Both sides are taken from the commit, so that an edit in progress is no failure.
    """

    def committed(path: str) -> str | None:
        shown = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=REPOSITORY, capture_output=True, text=True)
        return shown.stdout if shown.returncode == 0 else None

    params = committed("params.yaml")
    source = committed("benchmarks/profiles/cpu.yaml")
    if params is None or source is None:
        params = (REPOSITORY / "params.yaml").read_text()
        source = (REPOSITORY / "benchmarks/profiles/cpu.yaml").read_text()
    (tmp_path / "cpu.yaml").write_text(source)
    profile = load(tmp_path / "cpu.yaml", Profile)
    assert params == text_of(profiles.compose(profile, REPOSITORY), tmp_path)


# Composition
def test_composition() -> None:
    params = composed(SMALL)
    assert params.composed_for.profile == "tiny"
    assert params.datasets == ["digits"]
    assert list(params.runs["flows"]) == ["tiny_nice_digits_s0", "tiny_nice_digits_s3"]
    assert params.runs["puzzles"] == {}
    assert list(params.evaluations["puzzles"]) == ["tiny_container"]
    assert params.evaluations["puzzles"]["tiny_container"].data == profiles.NO_DATA
    assert (params.entries["container"].tier, params.entries["nice_digits"].tier) == ("paper", "smoke")
    nice = params.entries["nice_digits"]
    assert nice.settings == {"hidden_units": 32, "steps": 10, "validate_every": 5}
    assert nice.method_settings() == {"hidden_units": 32}
    assert "seeds" not in nice.settings
    assert nice.budget() == {"steps": 10, "validate_every": 5}
    assert params.entries["container"].budget() is None


def test_every_family_has_its_keys_even_where_nothing_runs() -> None:
    """`foreach: ${runs.flows}` fails on a key that is not there."""
    only = composed({**SMALL, "entries": {"container": SMALL["entries"]["container"]}})
    assert sorted(only.runs) == sorted(only.evaluations) == families(REPOSITORY)


def test_the_order_of_the_profile_does_not_show(tmp_path: Path) -> None:
    turned = {**SMALL, "entries": dict(reversed(SMALL["entries"].items()))}
    assert text_of(composed(turned), tmp_path) == text_of(composed(SMALL), tmp_path)


def test_adding_an_entry_only_adds_lines(tmp_path: Path) -> None:
    """So that branches adding different entries merge; but for the hash, and `datasets` where a new one comes."""
    more = {**SMALL, "entries": {**SMALL["entries"], "middle": SMALL["entries"]["nice_digits"]}}
    before, after = (
        [line for line in text_of(composed(data), tmp_path).splitlines() if not line.startswith("  hash: ")]
        for data in (SMALL, more)
    )
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert [line for line in changes if line[0] == "-"] == []
    assert sum("middle" in line for line in changes) > 3


def test_round_trip(root: Path) -> None:
    params = profiles.read_params(root)
    assert params == composed(SMALL)
    before = (root / "params.yaml").read_bytes()
    profiles.write_params(params, root / "params.yaml")
    assert (root / "params.yaml").read_bytes() == before


def test_a_failed_write_leaves_the_old_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (root / "params.yaml").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.typed_files.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        profiles.write_params(composed(altered(steps=99)), root / "params.yaml")
    assert (root / "params.yaml").read_bytes() == before
    assert sorted(path.name for path in root.iterdir()) == ["benchmarks", "implementations", "params.yaml"]


# Steps, where the family trains
@pytest.mark.parametrize(
    ("entry", "fields", "told"),
    [
        (
            "nice_digits",
            {"steps": None, "validate_every": None},
            "methods of flows: steps and validate_every are needed",
        ),
        ("container", {"steps": 10, "validate_every": 5}, "methods of puzzles: nothing is trained, leave steps out"),
    ],
)
def test_steps_are_asked_for_where_the_family_trains(root: Path, entry: str, fields: dict[str, Any], told: str) -> None:
    entries = {**SMALL["entries"], entry: {**SMALL["entries"][entry], **fields}}
    (root / profiles.FOLDER / "tiny.yaml").write_text(yaml.safe_dump({**SMALL, "entries": entries}))
    with pytest.raises(InputError, match=told) as caught:
        profiles.read("tiny", root)
    assert f"entries.{entry}.steps" in str(caught.value)


def test_whether_a_family_trains_is_read_off_the_root(root: Path) -> None:
    (root / "benchmarks/families/flows/train.py").unlink()
    with pytest.raises(InputError, match="methods of flows: nothing is trained"):
        profiles.read("tiny", root)


# Settings out of range
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"couplings": 0}, "couplings must be above 0, not 0"),
        ({"hidden_units": -1}, "hidden_units must be above 0"),
        ({"batch": 0}, "batch must be above 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"gradient_clip": 0.0}, "gradient_clip must be above 0"),
        ({"ema_half_life": 0}, "ema_half_life must be above 0"),
        ({"beta1": 1.0}, r"beta1 and beta2 lie in \[0, 1\)"),
        ({"beta2": -0.1}, r"beta1 and beta2 lie in \[0, 1\)"),
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_one_sentence(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        profiles.typed_settings(all_methods(REPOSITORY)["nice"], given, "here.yaml")
    assert str(caught.value).startswith("here.yaml: settings: ")
    assert len(str(caught.value).splitlines()) == 1


def test_settings_that_may_be_none() -> None:
    given = {"gradient_clip": None, "ema_half_life": None}
    made = profiles.typed_settings(all_methods(REPOSITORY)["nice"], given, "here.yaml")
    assert (made.gradient_clip, made.ema_half_life) == (None, None)


# Edits by `dvc exp run -S`
def experiment(root: Path, *place: str, value: Any) -> Params:
    path = root / "params.yaml"
    data = yaml.safe_load(path.read_text())
    node = data
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    path.write_text(yaml.safe_dump(data))
    return profiles.read_params(root)


def test_nothing_is_modified_as_composed(root: Path) -> None:
    assert profiles.modified_entries(profiles.read_params(root), root) == set()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("settings", "hidden_units"), 33),
        (("settings", "steps"), 11),
        (("samples",), 6),
        (("seeds",), [0]),
        (("tier",), "paper"),
    ],
    ids=["setting", "steps", "samples", "seeds", "tier"],
)
def test_an_edited_entry_is_modified(root: Path, place: tuple[str, ...], value: Any) -> None:
    params = experiment(root, "entries", "nice_digits", *place, value=value)
    assert profiles.modified_entries(params, root) == {"nice_digits"}


def test_edited_hardware_modifies_every_entry(root: Path) -> None:
    params = experiment(root, "hardware", "precision", value="bfloat16")
    assert profiles.modified_entries(params, root) == {"container", "nice_digits"}


@pytest.mark.parametrize(("field", "value"), [("memory_gib", 64.0), ("name", "H100"), ("count", 2)])
def test_hardware_that_decides_no_number_modifies_nothing(root: Path, field: str, value: Any) -> None:
    params = experiment(root, "hardware", field, value=value)
    assert profiles.modified_entries(params, root) == set()


def test_an_entry_that_the_profile_lacks_is_modified(root: Path) -> None:
    entry = composed(SMALL).entries["container"].model_dump()
    params = experiment(root, "entries", "extra", value=entry)
    assert profiles.modified_entries(params, root) == {"extra"}


# The hash of settings
@pytest.mark.parametrize("entry", [{"seeds": [0, 1, 2]}, {"timeout_minutes": 5.0}], ids=str)
def test_the_settings_hash_ignores(entry: dict[str, Any]) -> None:
    assert composed(altered(**entry)).settings_hash("nice_digits") == composed(SMALL).settings_hash("nice_digits")


@pytest.mark.parametrize(
    "entry",
    [
        {"settings": {"hidden_units": 33}},
        {"settings": {}},
        {"settings": {"hidden_units": 32, "batch": 10}},
        {"steps": 11},
        {"validate_every": 4},
        {"samples": 6},
        {"task": "mnist"},
        {"tier": "short"},
        {"needs": ["container"]},
    ],
    ids=str,
)
def test_the_settings_hash_sees(entry: dict[str, Any]) -> None:
    assert composed(altered(**entry)).settings_hash("nice_digits") != composed(SMALL).settings_hash("nice_digits")


@pytest.mark.parametrize("flag", [{"precision": "tf32"}, {"deterministic": False}, {"threads": 2}], ids=str)
def test_the_settings_hash_sees_hardware_flags(flag: dict[str, Any]) -> None:
    other = composed({**SMALL, "hardware": {**SMALL["hardware"], **flag}})
    for entry in SMALL["entries"]:
        assert other.settings_hash(entry) != composed(SMALL).settings_hash(entry)


@pytest.mark.parametrize("field", [{"memory_gib": 64}, {"name": "H100"}, {"count": 2}], ids=str)
def test_the_settings_hash_ignores_which_machine_may_run(field: dict[str, Any]) -> None:
    other = composed({**SMALL, "hardware": {**SMALL["hardware"], **field}})
    for entry in SMALL["entries"]:
        assert other.settings_hash(entry) == composed(SMALL).settings_hash(entry)


def test_the_settings_hash_sees_the_settings_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    before = composed(SMALL)
    assert before.entries["nice_digits"].task_settings == {"dataset": "digits", "shape": [8, 8], "levels": 17}
    assert before.entries["container"].task_settings == {}
    told = tasks("flows")
    finer = {**told, "digits": replace(told["digits"], levels=18)}
    monkeypatch.setattr(profiles, "tasks", lambda family: finer if family == "flows" else tasks(family))
    after = composed(SMALL)
    assert after.entries["nice_digits"].task_settings["levels"] == 18
    assert after.settings_hash("nice_digits") != before.settings_hash("nice_digits")
    assert after.settings_hash("container") == before.settings_hash("container")


def test_an_entrys_hash_does_not_see_the_other_entries() -> None:
    assert composed(altered(steps=11)).settings_hash("container") == composed(SMALL).settings_hash("container")


# The pipeline files
FAMILY_FILES = sorted((REPOSITORY / "benchmarks/families").glob("*/dvc.yaml"))
OUTPUTS = {"runs", "evals", "data", "features", "extractors", "sources", "results", "reports"}


def stages(path: Path) -> dict[str, dict[str, Any]]:
    """The body of every stage, with `foreach` beside the fields of `do`."""
    told = yaml.safe_load(path.read_text())["stages"]
    return {name: {**stage, **stage.get("do", {})} for name, stage in told.items()}


def outputs(stage: dict[str, Any]) -> list[str]:
    return [out if isinstance(out, str) else next(iter(out)) for out in stage.get("outs", [])]


def test_every_family_has_a_pipeline_file() -> None:
    assert [path.parent.name for path in FAMILY_FILES] == families(REPOSITORY)


@pytest.mark.parametrize("path", FAMILY_FILES, ids=lambda path: path.parent.name)
def test_family_pipeline(path: Path) -> None:
    family = path.parent.name
    assert yaml.safe_load(path.read_text())["vars"] == ["../../../params.yaml"]
    found = stages(path)
    assert set(found) <= {"train", "pairs", "evaluate"}
    assert "evaluate" in found
    assert ("train" in found) == (path.parent / "train.py").exists()
    for name, stage in found.items():
        assert NAME.fullmatch(name)
        items = {"train": "runs", "pairs": "pairs", "evaluate": "evaluations"}[name]
        assert stage["foreach"] == f"${{{items}.{family}}}"
        assert stage["wdir"] == "../../.."
        assert (path.parent / stage["wdir"]).resolve() == REPOSITORY
        wanted = "entries.${item.entry}" if name == "evaluate" else "entries.${item.entry}.settings"
        assert wanted in stage["params"]
        arithmetic = composed(SMALL).hardware.arithmetic()
        assert {told for told in stage["params"] if told.startswith("hardware")} == {
            f"hardware.{f}" for f in arithmetic
        }
        if name != "evaluate":
            assert "entries.${item.entry}.task_settings" in stage["params"]
        code = "evaluate" if name == "evaluate" else "train"  # which holds what makes pairs
        assert {"numerics.txt", "sources/${item.method}.txt", f"sources/stages/{code}_{family}.txt"} <= set(
            stage["deps"]
        )
        assert stage["cmd"].startswith(f"python -m benchmarks.cli {name} ${{item.profile}} ${{item.entry}}")
        for out in outputs(stage):
            assert "${item.profile}/${item.entry}" in out  # or two stages would write one place


@pytest.mark.parametrize("path", [REPOSITORY / "dvc.yaml", *FAMILY_FILES], ids=lambda path: path.parent.name)
def test_commands_and_outputs_of_every_stage(path: Path) -> None:
    for name, stage in stages(path).items():
        assert NAME.fullmatch(name)
        assert isinstance(stage["cmd"], str)
        assert not set("|;&><`") & set(stage["cmd"]), "a pipe hides a failure from DVC"
        assert outputs(stage), f"{name} has no output, so nothing depends on it"
        for out in outputs(stage):
            assert out.split("/")[0] in OUTPUTS, out


def test_no_two_stages_write_one_place() -> None:
    outs = [
        out for path in (REPOSITORY / "dvc.yaml", *FAMILY_FILES) for s in stages(path).values() for out in outputs(s)
    ]
    family_outs = {out for path in FAMILY_FILES for s in stages(path).values() for out in outputs(s)}
    root_outs = [out for s in stages(REPOSITORY / "dvc.yaml").values() for out in outputs(s)]
    assert len(set(root_outs)) == len(root_outs)
    assert family_outs.isdisjoint(root_outs)
    assert len(outs) > 8
