"""Profiles: those of the repository, and what is refused of others; needs have tests of their own."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.plan import profiles
from benchmarks.plan.methods import all_methods
from tests.unit.plan.tiny import PLAIN, STEPS, composed, refuses

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize("name", profiles.names(REPOSITORY))
def test_every_profile_reads_and_its_settings_have_the_methods_types(name: str) -> None:
    methods = all_methods(REPOSITORY)
    entries = profiles.read(name, REPOSITORY).entries
    made = [profiles.typed_settings(methods[one.method], one.settings, name) for one in entries.values()]
    assert len(made) == len(entries) > 0


def test_steps_are_asked_for_where_the_family_trains(code: Path) -> None:
    refuses(code, PLAIN, "nice_digits.steps: found None", nice_digits={"steps": None, "validate_every": None})
    refuses(code, PLAIN, "container.steps: found 10", container=STEPS)


def test_all_that_is_wrong_is_said_at_once(code: Path) -> None:
    wrong = {"nice_digits": {"settings": {"hidden": 1, "batches": 2}}, "container": {"steps": 1, "validate_every": 1}}
    lines = refuses(code, PLAIN, "container.steps: found 1", **wrong)
    assert [line.split(":")[1].strip() for line in lines] == [
        "entries.nice_digits.settings.hidden", "entries.nice_digits.settings.batches", "entries.container.steps"
    ]  # fmt: skip


def test_unknown_names_are_said_before_what_follows_from_them(code: Path) -> None:
    wrong = {"nice_digits": {"method": "ncie", "needs": ["absent"]}, "container": {"task": "digits", "steps": None}}
    lines = refuses(code, PLAIN, "nice_digits.method: found ncie", **wrong)
    assert len(lines) == 3


@pytest.mark.parametrize(
    "given",
    [
        {"couplings": 0}, {"hidden_units": -1}, {"batch": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")},
        {"gradient_clip": 0.0}, {"ema_half_life": 0}, {"beta1": 1.0}, {"beta2": -0.1},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_out_of_range_is_one_sentence(given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        profiles.typed_settings(all_methods(REPOSITORY)["nice"], given, "here.yaml")
    assert str(caught.value).startswith("here.yaml: settings: ")
    assert next(iter(given)) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_settings_that_may_be_none() -> None:
    given = {"gradient_clip": None, "ema_half_life": None}
    made = profiles.typed_settings(all_methods(REPOSITORY)["nice"], given, "here.yaml")
    assert (made.gradient_clip, made.ema_half_life) == (None, None)


def test_a_claim_file_brings_entries_to_profiles(code: Path) -> None:
    """So that a new method needs one file beside its code and its test."""
    composed(code, PLAIN)
    file = code / "benchmarks/claims/brought.yaml"
    block = "{method: container, task: container, seeds: [0], samples: 5}"
    file.write_text(f"paper: {{}}\nentries:\n  tiny:\n    brought: {block}\n  other: {{}}\nclaims: []\n")
    assert "brought" in profiles.read("tiny", code).entries
    file.write_text(f"entries:\n  tiny:\n    container: {block}\n")
    with pytest.raises(InputError, match=r"brought\.yaml: entries\.tiny\.container: found container"):
        profiles.read("tiny", code)
