"""A profile composed: params.yaml, the file of each entry, edits of those, and the hash of settings."""

import difflib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.files.errors import InputError
from benchmarks.plan import composition, pipelines
from benchmarks.plan.params import PARAMS, entry_file
from tests.unit.plan.tiny import CONTAINER, NICE, PLAIN, TAKING, composed, written

NICE_FILE = entry_file("tiny", "nice_digits")


def files(root: Path) -> dict[str, str]:
    """All that composing writes."""
    paths = [root / PARAMS, *(path for path in (root / "pipelines").rglob("*") if path.is_file())]
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def edit(root: Path, path: Path, value: Any, *place: str) -> None:
    """As `dvc exp run -S` would."""
    data = yaml.safe_load((root / path).read_text())
    node = data
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    (root / path).write_text(json.dumps(data) if path.suffix == ".json" else yaml.safe_dump(data))


def test_composition(code: Path) -> None:
    params = composed(code, PLAIN, container={"tier": "paper"})
    nice, container = params.entries["nice_digits"], params.entries["container"]
    assert list(params.entries) == ["container", "nice_digits"]
    assert (params.profile, params.datasets) == ("tiny", ["digits"])
    assert (params.extractors.trained, params.extractors.published) == ([], [])
    assert (container.tier, nice.tier) == ("paper", "smoke")
    assert (container.family, container.dataset, container.steps) == ("puzzles", None, None)
    assert (nice.family, nice.dataset, nice.settings) == ("flows", "digits", {"hidden_units": 32})
    assert nice.hardware == {"device": "cpu", "threads": 1, "precision": "float32", "deterministic": True}


def test_an_extractor_is_trained_where_it_has_the_name_of_a_data_set(code: Path) -> None:
    assert composed(code, TAKING).extractors.trained == ["digits"]
    without = composed(code, TAKING, trained={"task": "ring"}, taking={"task": "ring"})
    assert (without.datasets, without.extractors.trained) == ([], [])


def test_round_trip(code: Path) -> None:
    params = written(code, PLAIN)
    before = files(code)
    assert composition.read_params(code) == params
    composition.write_params(composition.read_params(code), code)
    assert files(code) == before


def test_the_order_of_the_profile_does_not_show(code: Path) -> None:
    written(code, PLAIN)
    before = files(code)
    written(code, dict(reversed(PLAIN.items())))
    assert files(code) == before


def test_adding_an_entry_only_adds_lines(code: Path) -> None:
    """So that branches adding different entries merge; but for the hash, and `datasets` where a new one comes."""
    written(code, PLAIN)
    before = files(code)
    written(code, {**PLAIN, "middle": NICE})
    after = files(code)
    assert after.keys() - before.keys() == {"pipelines/params/tiny/middle.json"}
    changes = [
        line
        for name in before
        for line in difflib.ndiff(before[name].splitlines(), after[name].splitlines())
        if line[0] in "+-" and "  hash: " not in line
    ]
    assert [line for line in changes if line[0] == "-"] == []
    assert sum("middle" in line for line in changes) > 3


def test_files_of_what_is_gone_are_removed_and_no_others(code: Path) -> None:
    written(code, PLAIN)
    gone, other = code / pipelines.pipeline("no_family"), code / entry_file("another", "nice_digits")
    for path in (gone, other):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    written(code, {"container": CONTAINER})
    assert [path.name for path in (code / NICE_FILE).parent.iterdir()] == ["container.json"]
    assert (gone.exists(), other.exists()) == (False, True)


def test_a_failed_write_leaves_the_old_files(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(code, PLAIN)
    before = files(code)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    params = composed(code, PLAIN, nice_digits={"steps": 99})
    monkeypatch.setattr("benchmarks.files.typed_files.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        composition.write_params(params, code)
    assert files(code) == before


def test_a_write_that_fails_half_way_is_not_read_as_composed(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(code, PLAIN)
    params = composed(code, PLAIN, nice_digits={"steps": 99})
    monkeypatch.setattr(composition, "write_text", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        composition.write_params(params, code)
    with pytest.raises(InputError, match=r"composed_for\.hash"):
        composition.read_params(code)


# Edits by `dvc exp run -S`
@pytest.mark.parametrize(
    ("place", "value"),
    [("settings.hidden_units", 33), ("steps", 11), ("samples", 6), ("seeds", [0]), ("tier", "paper")],
)
def test_an_edited_entry_is_modified(code: Path, place: str, value: Any) -> None:
    written(code, PLAIN)
    assert composition.modified_entries(composition.read_params(code), code) == set()
    edit(code, NICE_FILE, value, *place.split("."))
    assert composition.modified_entries(composition.read_params(code), code) == {"nice_digits"}


@pytest.mark.parametrize(
    ("path", "place", "value"),
    [
        (NICE_FILE, "hardware", {"device": "cuda"}),
        (NICE_FILE, "method", "realnvp"),
        (NICE_FILE, "task", "mnist"),
        (NICE_FILE, "family", "puzzles"),
        (NICE_FILE, "dataset", None),
        (NICE_FILE, "needs", ["absent"]),
        (PARAMS, "hardware.precision", "bfloat16"),
    ],
)
def test_what_decides_the_stages_or_all_entries_is_not_edited_in_place(
    code: Path, path: Path, place: str, value: Any
) -> None:
    written(code, PLAIN)
    edit(code, path, value, *place.split("."))
    with pytest.raises(InputError) as refused:
        composition.read_params(code)
    assert str(refused.value).startswith(f"{path}: {place}: found {value}; ")


def test_hardware_that_decides_no_number_may_be_edited(code: Path) -> None:
    written(code, PLAIN)
    for field, value in (("memory_gib", 64.0), ("name", "H100"), ("count", 2)):
        edit(code, PARAMS, value, "hardware", field)
    assert composition.read_params(code).hardware.memory_gib == 64
    assert composition.modified_entries(composition.read_params(code), code) == set()


# The hash of settings
@pytest.mark.parametrize("fields", [{"seeds": [0, 1, 2]}, {"timeout_minutes": 5.0}], ids=str)
def test_the_settings_hash_ignores(code: Path, fields: dict[str, Any]) -> None:
    before, after = composed(code, PLAIN), composed(code, PLAIN, nice_digits=fields)
    assert after.settings_hash("nice_digits") == before.settings_hash("nice_digits")


@pytest.mark.parametrize(
    "fields",
    [
        {"settings": {"hidden_units": 33}}, {"settings": {}}, {"settings": {"hidden_units": 32, "batch": 10}},
        {"steps": 11}, {"validate_every": 4}, {"samples": 6}, {"task": "mnist"}, {"tier": "short"},
        {"method": "realnvp"},
    ],
    ids=str,
)  # fmt: skip
def test_the_settings_hash_sees(code: Path, fields: dict[str, Any]) -> None:
    before, after = composed(code, PLAIN), composed(code, PLAIN, nice_digits=fields)
    assert after.settings_hash("nice_digits") != before.settings_hash("nice_digits")
    assert after.settings_hash("container") == before.settings_hash("container")


@pytest.mark.parametrize(
    ("hardware", "seen"),
    [
        ({"precision": "tf32"}, True), ({"deterministic": False}, True), ({"threads": 2}, True),
        ({"memory_gib": 64}, False), ({"name": "H100"}, False), ({"count": 2}, False),
    ],
    ids=str,
)  # fmt: skip
def test_the_settings_hash_sees_flags_and_not_which_machine_may_run(
    code: Path, hardware: dict[str, Any], seen: bool
) -> None:
    before, after = composed(code, PLAIN), composed(code, PLAIN, hardware)
    for entry in PLAIN:
        assert (after.settings_hash(entry) != before.settings_hash(entry)) is seen
