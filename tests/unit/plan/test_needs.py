"""Entries that take the models of others: what profiles refuse, and what makes their numbers stale."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.plan import composition
from tests.unit.plan import tiny
from tests.unit.plan.tiny import PAIRED, PREFERENCES, STEPS, TAKING, composed, refuses

NETWORK = {"network": "gpt_nano"}


# Each with the place that is named: entry, field, and what was found there.
@pytest.mark.parametrize(
    ("edits", "place"),
    [
        ({"taking": {"needs": ["absent"]}}, "taking.needs: found absent"),
        ({"taking": {"needs": ["taking"]}}, "taking.needs: found taking"),
        ({"taking": {"needs": None}}, "taking.steps: found None"),
        ({"taking": STEPS}, "taking.steps: found 10"),
        ({"trained": {"needs": ["taking"]}}, "trained.needs: found taking"),
        ({"taking": {"method": "ddpm", "needs": None}}, "taking.steps: found None"),
        ({"taking": {"seeds": [1, 2]}}, "taking.seeds: found 2"),
        ({"taking": {"task": "mnist"}}, "taking.needs: found trained"),
        ({"taking": {"task": "ring"}}, "taking.needs: found trained"),
        ({"taking": {"task": "grid"}, "trained": {"task": "ring"}}, "taking.needs: found trained"),
        ({"taking": {"needs": ["flow"]}, "flow": {**tiny.NICE, "seeds": [1]}}, "taking.needs: found flow"),
        ({"container": {**tiny.CONTAINER, "needs": ["trained"]}}, "container.steps: found None"),
        ({"more": tiny.DDPM, "taking": {"needs": ["trained", "more"]}}, "taking.needs: found ['trained', 'more']"),
    ],
)
def test_needs_that_cannot_be_met_are_refused(code: Path, edits: dict[str, Any], place: str) -> None:
    refuses(code, TAKING, place, **edits)


@pytest.mark.parametrize(
    ("edits", "place"),
    [
        ({"needs": None}, "needs: found []"),
        ({"settings": {"network": "mlp", "reflows": 1}}, "needs: found ['first']"),
        ({"needs": ["second"]}, "needs: found second"),
        ({"needs": ["first", "first"]}, "needs: found ['first', 'first']"),
        ({"settings": {**tiny.LEARNT, "pairs": -5}}, "settings.pairs: found -5"),
        ({"settings": {**tiny.LEARNT, "pairs": 9}}, "settings.pairs: found 9"),
        ({"settings": {**tiny.LEARNT, "width": 9}}, "settings.width: found 9"),
        ({"needs": ["trained"]}, "needs: found trained"),
    ],
)
def test_pairs_that_cannot_be_made_are_refused(code: Path, edits: dict[str, Any], place: str) -> None:
    refuses(code, {**tiny.REFLOWS, "trained": tiny.DDPM}, f"second.{place}", second=edits)


@pytest.mark.parametrize(
    ("edits", "place"),
    [
        ({"base": {"needs": ["learner"], "settings": PAIRED}}, "base.needs: found learner"),  # which needs base
        ({"rollouts": {"needs": None}}, "rollouts.needs: found []"),
        ({"rollouts": {"settings": PAIRED}}, "rollouts.settings.pairs: found pairs"),
        ({"learner": {"settings": NETWORK}}, "learner.needs: found ['base']"),
        ({"learner": {"needs": None}}, "learner.needs: found []"),
        ({"learner": {"needs": None, "settings": NETWORK}}, "learner.settings.pairs: found None"),
        ({"student": {"settings": {**NETWORK, "pairs": 9}}}, "student.settings.pairs: found 9"),
        ({"rollouts": {"settings": tiny.MICRO["settings"]}}, "rollouts.settings.network: found gpt_micro"),
        ({"rollouts": {"settings": {}}}, "rollouts.settings.network: found None"),
        ({"learner": {"needs": ["base", "teacher"]}}, "learner.needs: found ['base', 'teacher']"),
        ({"best": {"needs": ["base", "learner"]}}, "best.needs: found ['base', 'learner']"),
        ({"best": {**STEPS, "settings": {"most": 4}}}, "best.steps: found 10"),
        ({"rollouts": {"needs": ["base"]}}, "rollouts.needs: found ['base']"),
        ({"rollouts": {"needs": ["base", "learner"]}}, "rollouts.needs: found learner"),
        ({"teacher": {"needs": ["large", "scorer"]}}, "teacher.needs: found ['large', 'scorer']"),
        ({"learner": {"needs": ["scorer"]}}, "learner.needs: found scorer"),
        ({"rollouts": {"needs": ["base", "scorer", "large"]}}, "rollouts.needs: found ['base', 'scorer', 'large']"),
    ],
)
def test_starts_judges_and_teachers_that_cannot_be_are_refused(code: Path, edits: dict[str, Any], place: str) -> None:
    refuses(code, PREFERENCES, place, **edits)


def test_models_are_those_of_the_entry_that_trains_them(code: Path) -> None:
    again = {
        **tiny.DDPM,
        "steps": None,
        "validate_every": None,
        "seeds": [0],
        "needs": ["trained"],
    }  # of a method that can
    params = composed(code, {**TAKING, "container": tiny.CONTAINER, "again": again})
    found = {name: entry.models_of(name) for name, entry in params.entries.items()}
    assert found == {"again": "trained", "container": None, "taking": "trained", "trained": "trained"}


def test_the_settings_hash_sees_what_decides_the_models_taken(code: Path) -> None:
    before = composed(code, TAKING).settings_hash("taking")
    for fields in ({"steps": 11}, {"settings": {"network": "mlp", "grey_levels": 17, "width": 8}}):
        assert composed(code, TAKING, trained=fields).settings_hash("taking") != before
    for fields in ({"samples": 11}, {"seeds": [0, 1, 2]}, {"timeout_minutes": 3.0}):
        assert composed(code, TAKING, trained=fields).settings_hash("taking") == before


def test_the_settings_hash_sees_every_entry_behind(code: Path) -> None:
    before = composed(code, PREFERENCES)
    assert set(before.needed("rollouts")) == {"base", "scorer"}
    assert set(before.needed("student")) == {"base", "teacher", "large"}

    def changed(**edits: dict[str, Any]) -> set[str]:
        after = composed(code, PREFERENCES, **edits)
        return {name for name in before.entries if after.settings_hash(name) != before.settings_hash(name)}

    assert changed(scorer={"settings": {**PAIRED, "pairs": 61}}) == {"scorer", "rollouts"}
    assert changed(large={"steps": 11}) == {"large", "teacher", "student"}


def test_an_entry_is_modified_when_one_behind_it_is(code: Path) -> None:
    params = composed(code, {**TAKING, "other": {**tiny.FLOW, "settings": {"network": "mlp"}}})
    edited = params.entries["trained"].model_copy(update={"steps": 11})
    other = params.model_copy(update={"entries": {**params.entries, "trained": edited}})
    assert composition.modified_entries(params, code) == set()
    assert composition.modified_entries(other, code) == {"taking", "trained"}
