"""How `claimbench merge` unites profiles; whole merges with dvc are in test_pipeline_clones.py."""

import yaml

from benchmarks.stages.merge import unite_profile
from tests.pipeline.clones import PROFILE


def with_entry(text: str, before: str, name: str) -> str:
    """A profile with one more entry, which looks like every other new one."""
    block = f"  {name}:\n    method: {name}\n    task: container\n    seeds: [0, 1, 2]\n    samples: 50\n"
    return text.replace(before, block + before, 1) if before else text + block


def test_entries_added_at_one_place_are_both_kept_in_order() -> None:
    ours, theirs = (with_entry(PROFILE, "  container:", name) for name in ("beta", "alpha"))
    united = unite_profile(ours, PROFILE, theirs)
    assert united == with_entry(ours, "  beta:", "alpha")
    assert unite_profile(theirs, PROFILE, ours) == united


def test_entries_added_at_the_end_and_edits_elsewhere_are_kept() -> None:
    ours = with_entry(PROFILE, "", "omega").replace("samples: 3", "samples: 5")
    theirs = with_entry(PROFILE, "", "psi").replace("steps: 20", "steps: 30")
    united = yaml.safe_load(unite_profile(ours, PROFILE, theirs) or "")
    assert list(united["entries"]) == ["container", "nice_digits", "omega", "psi"]
    assert united["entries"]["container"]["samples"] == 5
    assert united["entries"]["nice_digits"]["steps"] == 30
    assert united["entries"]["omega"] == {**united["entries"]["psi"], "method": "omega"}


def test_one_line_edited_on_both_sides_is_left_to_a_person() -> None:
    ours, theirs = (PROFILE.replace("steps: 20", f"steps: {steps}") for steps in (30, 40))
    assert unite_profile(ours, PROFILE, theirs) is None


def test_one_name_added_on_both_sides_is_left_to_a_person() -> None:
    both = with_entry(PROFILE, "  container:", "alpha")
    assert unite_profile(both, PROFILE, both.replace("samples: 50", "samples: 9")) is None
