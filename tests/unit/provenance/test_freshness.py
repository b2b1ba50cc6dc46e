"""Which records are not of today's code, settings and seeds, and why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plan import composition, profiles
from benchmarks.provenance.freshness import why_stale
from benchmarks.provenance.identity import Identities
from benchmarks.record.records import EntryRecord
from tests.unit.judged import record, run
from tests.unit.plan.tiny import PLAIN, composed
from tests.unit.provenance.test_identity import edit

BOTH = set(PLAIN)


def made(root: Path, **fields: Any) -> list[EntryRecord]:
    """Records of both entries as the root stands now."""
    params, today = composed(root, PLAIN), Identities(root)
    return [
        record(
            [run(seed) for seed in one.seeds],
            name,
            one.method,
            profile="tiny",
            family=one.family,
            task=one.task,
            source=today.evaluation(params, name),
            settings_hash=params.settings_hash(name),
            **fields,
        )
        for name, one in params.entries.items()
    ]


def stale(root: Path, records: list[EntryRecord]) -> dict[str, str]:
    """Why, by entry."""
    params = composition.compose(profiles.read("tiny", root), root) if "tiny" in profiles.names(root) else None
    today = Identities(root)
    return {each.entry: why for each in records if (why := why_stale(each, params, today))}


def hardware(**fields: Any) -> Callable[[Path], None]:
    return lambda root: void(composed(root, PLAIN, fields))


def entry(name: str, **fields: Any) -> Callable[[Path], None]:
    return lambda root: void(composed(root, PLAIN, **{name: fields}))


def source(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: edit(root, name, old, new)


def gone(name: str) -> Callable[[Path], None]:
    return lambda root: void(composed(root, {key: value for key, value in PLAIN.items() if key != name}))


def void(_: Any) -> None:
    """What is composed is read anew."""


CONTAINER = "implementations/puzzles/container.py"
FLOWS = "benchmarks/families/flows"
CODE, SETTINGS, SEEDS = "by other code", "with other settings", "other seeds than the profile"
NO_ENTRY, NO_PROFILE = "profile tiny has no such entry", "there is no profile tiny"
# What happens, whose record is stale then, and a part of why.
CASES: dict[str, tuple[Callable[[Path], None], set[str], str]] = {
    "untouched": (lambda root: None, set(), ""),
    "setting": (entry("nice_digits", settings={"hidden_units": 33}), {"nice_digits"}, SETTINGS),
    "steps": (entry("nice_digits", steps=11), {"nice_digits"}, SETTINGS),
    "samples": (entry("container", samples=6), {"container"}, SETTINGS),
    "tier": (entry("container", tier="paper"), {"container"}, SETTINGS),
    "new_seed": (entry("nice_digits", seeds=[0, 3, 4]), {"nice_digits"}, SEEDS),
    "fewer_seeds": (entry("nice_digits", seeds=[0]), {"nice_digits"}, SEEDS),
    "timeout": (entry("nice_digits", timeout_minutes=5.0), set(), ""),
    "precision": (hardware(precision="bfloat16"), BOTH, SETTINGS),
    "memory": (hardware(memory_gib=64), set(), ""),
    "entry_gone": (gone("container"), {"container"}, NO_ENTRY),
    "method_edited": (source(CONTAINER, "looks += 1", "looks += 2"), {"container"}, CODE),
    "comment_edited": (source(CONTAINER, "# plain integers", "# whole numbers"), set(), ""),
    "training_edited": (source(f"{FLOWS}/learning.py", "total = 0.0", "total = 1.0"), {"nice_digits"}, CODE),
    "evaluation_edited": (source(f"{FLOWS}/measuring/trained.py", "SEED = 0", "SEED = 1"), {"nice_digits"}, CODE),
    "profile_gone": (lambda root: (root / profiles.FOLDER / "tiny.yaml").unlink(), BOTH, NO_PROFILE),
}


@pytest.mark.parametrize(("happens", "expected", "why"), CASES.values(), ids=CASES)
def test_stale(code: Path, happens: Callable[[Path], None], expected: set[str], why: str) -> None:
    records = made(code)
    happens(code)
    found = stale(code, records)
    assert set(found) == expected
    assert all(why in each for each in found.values())


def test_a_method_that_is_gone(code: Path) -> None:
    records = made(code)
    gone("container")(code)  # a profile that still named it would not be read
    (code / CONTAINER).unlink()
    assert stale(code, records) == {"container": NO_ENTRY}


@pytest.mark.parametrize("name", ["setting", "steps", "samples", "precision"])
def test_settings_of_a_modified_record_are_its_own(code: Path, name: str) -> None:
    """It is marked as modified; it cannot have the profile's settings."""
    records = made(code, modified=True)
    CASES[name][0](code)
    assert stale(code, records) == {}


@pytest.mark.parametrize("name", ["new_seed", "method_edited", "entry_gone", "profile_gone"])
def test_seeds_and_code_of_a_modified_record_count(code: Path, name: str) -> None:
    records = made(code, modified=True)
    CASES[name][0](code)
    assert set(stale(code, records)) == CASES[name][1]
