"""What families ask of the entries of a profile, and what a family declares."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from benchmarks.plan import family as contract
from benchmarks.plan import profiles
from benchmarks.plan.family import Planned
from benchmarks.plan.methods import all_methods, families

METHODS = all_methods()
ROOT = Path(__file__).parents[3]


def entry(method: str, needs: tuple[str, ...] = (), steps: int | None = 10, **settings: Any) -> Any:
    return SimpleNamespace(method=method, needs=list(needs), steps=steps, settings=settings)


def planned(name: str, entries: dict[str, Any]) -> Planned:
    asked = entries[name]
    needs = tuple((need, entries[need], METHODS[entries[need].method]) for need in asked.needs)
    return Planned(Path("tiny.yaml"), name, asked, METHODS[asked.method], needs)


@pytest.mark.parametrize("profile", profiles.names())
def test_every_entry_of_a_profile_is_allowed(profile: str) -> None:
    entries = dict(profiles.read(profile).entries)
    for name in entries:
        contract.check(planned(name, entries))


BASE = {"flow": entry("rectified_flow"), "lm": entry("sft"), "rm": entry("reward_model", ("lm",), pairs=20)}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (entry("nice", ("flow",)), "needs: found .*; what is trained from the pairs of an entry names it in needs"),
        (entry("rectified_flow", ("flow",)), "needs: .*what is trained from the pairs"),
        (entry("rectified_flow", pairs=100), "needs: .*what is trained from the pairs"),
        (entry("rectified_flow", ("flow",), pairs=9), "settings.pairs: found 9; a whole number, at least 10"),
        (entry("rectified_flow", ("flow", "flow"), pairs=20), "takes one entry's models; leave the second out"),
        (entry("rectified_flow", ("flow",), pairs=20, width=8), "settings.width: found 8; must be that of flow"),
        (entry("ddim", ("flow",), steps=None), "needs: found flow; ddim samples models of ddpm"),
        (entry("dpo"), "settings.pairs: found None; dpo learns from pairs"),
        (entry("dpo", ("lm", "lm"), pairs=20), "dpo takes one entry's models; leave the second out"),
        (entry("dpo", ("rm",), pairs=20), "needs: found rm; reward_model has no policy to start from"),
        (entry("grpo"), "grpo goes on from a trained model: name the entry that has it"),
        (entry("ppo", ("lm",)), "a learned reward is that of a second entry, a reward model"),
        (entry("ppo", ("lm", "rm"), reward="true"), "a learned reward is that of a second entry, a reward model"),
        (entry("ppo", ("lm", "lm")), "needs: found lm; rewards are scored by a reward model"),
    ],
)
def test_what_cannot_be_is_refused(asked: Any, told: str) -> None:
    with (
        pytest.raises(InputError, match=rf"^tiny\.yaml: entries\.asked\.{told}")
        if told.startswith(("needs", "settings"))
        else pytest.raises(InputError, match=rf"^tiny\.yaml: entries\.asked\.needs: .*{told}")
    ):
        contract.check(planned("asked", {**BASE, "asked": asked}))


@pytest.mark.parametrize("name", families())
def test_a_family_declares_its_methods_tasks_and_drivers(name: str) -> None:
    family = contract.family(name)
    assert family.name == name
    assert len({task.name for task in family.tasks}) == len(family.tasks)
    assert callable(family.evaluator())
    for named, found in ((family.train, family.trainer), (family.pairs, family.pair_maker)):
        if named is None:
            with pytest.raises(InputError, match=name):
                found()
        else:
            assert callable(found())
    for method in (found for found in METHODS.values() if found.family == name):
        assert type(method.declaration()) is family.method
        assert not (method.trains() and family.train is None)


def test_declarations_of_families_import_no_torch() -> None:
    modules = [f"benchmarks.families.{name}.family" for name in families()]
    program = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
