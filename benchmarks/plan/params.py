"""A composed profile: what stages read, and DVC as their parameters."""

from pathlib import Path

from pydantic import JsonValue

from benchmarks.files.typed_files import Typed, digest
from benchmarks.plan.hardware import Requirement
from benchmarks.plan.profiles import Count, Minutes, Name, Seeds, Tier

PARAMS = Path("params.yaml")
ENTRIES = Path("pipelines/params")


def entry_file(profile: str, entry: str) -> Path:
    """What stages read of an entry, and DVC as its parameters."""
    return ENTRIES / profile / f"{entry}.json"


class ComposedEntry(Typed):
    """What stages read of an entry: a file of `pipelines/params/<profile>/`."""

    hardware: dict[str, JsonValue]  # what of the profile's hardware decides numbers
    method: Name
    family: Name
    task: Name
    dataset: Name | None  # of the task
    extractor: Name | None  # of the task
    tier: Tier
    seeds: Seeds
    samples: Count
    timeout_minutes: Minutes | None
    needs: list[Name]
    settings: dict[Name, JsonValue]
    steps: Count | None  # None: nothing of it is trained
    validate_every: Count | None

    def models_of(self, entry: str) -> str | None:
        """The entry that trains what is evaluated as `entry`, which this is; None where nothing is trained."""
        if self.steps is not None:
            return entry
        return self.needs[0] if self.needs else None

    def pairs(self) -> int | None:
        """How many pairs it learns from, which the last entry that it needs makes."""
        count = self.settings.get("pairs")
        return count if isinstance(count, int) and count else None


class ComposedFor(Typed):
    """The profile that params.yaml was composed from."""

    profile: Name
    hash: str


class Extractors(Typed):
    """Networks to compare samples with: those that a stage trains on a data set, and published ones."""

    trained: list[Name]  # each has the name of its data set
    published: list[Name]


class Head(Typed):
    """params.yaml."""

    profile: Name
    composed_for: ComposedFor
    hardware: Requirement
    datasets: list[Name]
    extractors: Extractors


class Params(Head):
    """One profile, laid out for DVC: params.yaml, and the file of each entry."""

    entries: dict[Name, ComposedEntry]

    def needed(self, entry: str) -> list[str]:
        """The entry that it needs, the one that this needs, and so on."""
        found: list[str] = []
        for need in self.entries[entry].needs:
            found += [need, *self.needed(need)]
        return found

    def settings_hash(self, entry: str) -> str:
        """Identity of what decides an entry's numbers besides code and seeds: settings, samples, hardware flags."""
        whole = {
            "entry": self.entries[entry].model_dump(
                exclude={"seeds", "timeout_minutes", "family", "dataset", "extractor"}
            )
        }
        if needs := self.needed(entry):  # of those, what decides their models
            trained = {"method", "task", "settings", "steps", "validate_every"}
            whole["needs"] = {need: self.entries[need].model_dump(include=trained) for need in needs}
        return digest(whole)
