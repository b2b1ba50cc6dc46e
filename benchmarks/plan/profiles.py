"""Profiles: a hardware requirement and the budget of every entry."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError, model_validator

from benchmarks.files.errors import InputError, input_error
from benchmarks.files.listing import files_in
from benchmarks.files.typed_files import Typed, load, read_text
from benchmarks.plan.family import Planned, check, family
from benchmarks.plan.hardware import Requirement
from benchmarks.plan.methods import Method, all_methods

FOLDER = Path("benchmarks/profiles")
CLAIMS = Path("benchmarks/claims")

# DVC breaks or drops stages silently on other characters (`-` joins axes, `@` separates them).
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Tier = Literal["smoke", "short", "paper"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[list[Seed], Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Minutes = Annotated[float, Field(gt=0)]


class Entry(Typed):
    """A method with settings on a task."""

    method: Name
    task: Name
    seeds: Seeds
    tier: Tier | None = None  # None: the profile's
    settings: dict[Name, JsonValue] = {}
    steps: Count | None = None  # optimiser steps; None for what is not trained
    validate_every: Count | None = None  # steps
    samples: Count  # drawn at evaluation
    timeout_minutes: Minutes | None = None  # of one training run
    # The entry whose models it takes or starts from; then, of some that are trained, one that judges or teaches.
    needs: list[Name] = Field(default=[], max_length=2)

    @model_validator(mode="after")
    def _consistent(self) -> "Entry":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must differ from each other")
        if (self.steps is None) != (self.validate_every is None):
            raise ValueError("steps and validate_every come together")
        return self


EntriesOfProfiles = dict[Name, dict[Name, Entry]]


class _WithEntries(Typed):
    """What of a claim file is about profiles."""

    model_config = ConfigDict(extra="ignore")

    entries: EntriesOfProfiles


class Profile(Typed):
    """One file of `benchmarks/profiles/`, with the entries that claim files add to it."""

    profile: Name
    tier: Tier
    hardware: Requirement
    entries: dict[Name, Entry] = Field(min_length=1)

    def tier_of(self, entry: str) -> Tier:
        return self.entries[entry].tier or self.tier


def names(root: Path = Path()) -> list[str]:
    """Profiles at hand, sorted."""
    return [path.stem for path in files_in(root / FOLDER, ".yaml")]


def read(name: str, root: Path = Path()) -> Profile:
    """A profile, checked against the methods and tasks at hand.

    Raises:
        InputError: unknown profile; malformed file; else a line for each thing that an entry asks for and cannot have.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name) or name not in names(root):
        name = name if name.isprintable() else repr(name)
        raise InputError(f"profile {name}: no file {FOLDER}/{name}.yaml; there are {', '.join(names(root))}")
    path = FOLDER / f"{name}.yaml"
    profile = load(root / path, Profile)
    if profile.profile != name:
        raise input_error(path, "profile", profile.profile, f"must be the file's name, {name}")
    profile = _with_entries_of_claims(profile, root)
    if problems := [str(problem) for problem in _problems(path, profile.entries, root)]:
        raise InputError("\n".join(problems))
    return profile


def _with_entries_of_claims(profile: Profile, root: Path) -> Profile:
    """With the entries that stand beside the claims about them; raises InputError when one is there twice."""
    entries = dict(profile.entries)
    for path in files_in(root / CLAIMS, ".yaml"):
        if not re.search(r"^entries:", read_text(path), re.MULTILINE):  # most have none
            continue
        for name, entry in load(path, _WithEntries).entries.get(profile.profile, {}).items():
            if name in entries:
                field = f"entries.{profile.profile}.{name}"
                raise input_error(
                    path.relative_to(root), field, name, "the profile has such an entry already; rename it"
                )
            entries[name] = entry
    return profile.model_copy(update={"entries": entries})


@dataclass(frozen=True)
class _Checked:
    """An entry whose names are all known, and what it is checked against."""

    path: Path  # of the profile, for messages
    name: str
    entry: Entry
    entries: Mapping[str, Entry]
    methods: Mapping[str, Method]
    tasks: Mapping[str, Any]  # of the family
    family_trains: bool

    @property
    def method(self) -> Method:
        return self.methods[self.entry.method]

    def problem(self, field: str, found: object, allowed: str) -> InputError:
        return input_error(self.path, f"entries.{self.name}.{field}", found, allowed)


def _problems(path: Path, entries: Mapping[str, Entry], root: Path) -> Iterator[InputError]:
    """All that is wrong with the entries; nothing more is asked while a name is unknown."""
    methods = all_methods(root)
    unknown = [
        error for name, entry in entries.items() for error in _unknown_names(path, name, entry, entries, methods)
    ]
    yield from unknown
    for name, entry in entries.items() if not unknown else ():
        declared = family(methods[entry.method].family)
        known = {task.name: task for task in declared.tasks}
        checked = _Checked(path, name, entry, entries, methods, known, declared.train is not None)
        found = [*_wrong_steps(checked), *_unknown_settings(checked), *_wrong_needs(checked)]
        yield from found or _refused_by_family(checked)


def _unknown_names(
    path: Path, name: str, entry: Entry, entries: Mapping[str, Entry], methods: Mapping[str, Method]
) -> Iterator[InputError]:
    """Is there such a method, such a task in its family, and are there the entries that it needs?"""
    field = f"entries.{name}"
    if entry.method not in methods:
        yield input_error(path, f"{field}.method", entry.method, f"the methods are {', '.join(methods)}")
    else:
        declared = family(methods[entry.method].family)
        known = [task.name for task in declared.tasks]
        if entry.task not in known:
            yield input_error(path, f"{field}.task", entry.task, f"tasks of {declared.name} are {', '.join(known)}")
    for need in entry.needs:
        if need not in entries:
            yield input_error(path, f"{field}.needs", need, f"entries of this profile are {', '.join(entries)}")


def _wrong_steps(checked: _Checked) -> Iterator[InputError]:
    """Does the entry say how long to train where something is trained, and only there?"""
    entry, method = checked.entry, checked.method
    message = ""
    if not checked.family_trains and (entry.steps is not None or entry.needs):
        message = f"methods of {method.family}: nothing is trained, leave steps out, and needs"
    elif checked.family_trains and not method.trains() and (entry.steps is not None or not entry.needs):
        message = f"{method.name} trains nothing: leave steps out, and name in needs the entry whose models it takes"
    elif checked.family_trains and method.trains() and entry.steps is None and not entry.needs:
        message = f"methods of {method.family}: steps and validate_every are needed, or needs"
    if message:
        yield checked.problem("steps", entry.steps, message)


def _unknown_settings(checked: _Checked) -> Iterator[InputError]:
    """Does the method have these settings?"""
    allowed = checked.method.settings_fields()
    for setting in checked.entry.settings:
        if setting not in allowed:
            message = f"settings of {checked.method.name}: {', '.join(allowed)}"
            yield checked.problem(f"settings.{setting}", setting, message)


def _wrong_needs(checked: _Checked) -> Iterator[InputError]:
    """Can the needed entries give models of this family, on this data, for these seeds, without a circle?"""
    entry, own = checked.entry, checked.method.family
    for need in entry.needs:
        other = checked.entries[need]
        if checked.name in {need} | _needed_by(need, checked.entries):
            yield checked.problem("needs", need, "an entry cannot need itself")
        elif other.steps is None or checked.methods[other.method].family != own:
            yield checked.problem("needs", need, f"it must be trained, and of family {own}")
        elif checked.tasks[other.task].dataset != checked.tasks[entry.task].dataset:
            yield checked.problem("needs", need, f"its task must have the data set of {entry.task}")
        elif checked.tasks[entry.task].dataset is None and other.task != entry.task:
            yield checked.problem("needs", need, f"its task must be {entry.task}, which has no data set")
        elif lacking := sorted(set(entry.seeds) - set(other.seeds)):
            yield checked.problem("seeds", lacking[0], f"seeds of {need} are {other.seeds}")


def _refused_by_family(checked: _Checked) -> Iterator[InputError]:
    """Does what the family knows of its methods allow the entry?"""
    entry, entries, methods = checked.entry, checked.entries, checked.methods
    needs = tuple((need, entries[need], methods[entries[need].method]) for need in entry.needs)
    planned = Planned(checked.path, checked.name, entry, checked.method, needs)
    try:
        check(planned)
    except InputError as error:
        yield error


def _needed_by(entry: str, entries: Mapping[str, Entry]) -> set[str]:
    """What an entry needs, directly or not; ends on circles."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        needs = set(entries[waiting.pop()].needs) & set(entries)
        waiting += needs - found
        found |= needs
    return found


def typed_settings(method: Method, given: Mapping[str, JsonValue], where: str) -> Any:
    """The method's `Settings`, each value checked against the field's annotation; `where` is for the sentence only.

    Raises:
        InputError: an unknown setting, or a value of the wrong type or out of range.
    """
    settings_type = method.declaration().settings
    hints = get_type_hints(settings_type)
    for name, value in given.items():
        if name not in hints:
            raise input_error(where, f"settings.{name}", name, f"settings of {method.name}: {', '.join(hints)}")
        try:
            TypeAdapter(hints[name]).validate_python(value, strict=True)
        except ValidationError as error:
            allowed = error.errors()[0]["msg"].removeprefix("Input should be ")
            raise input_error(where, f"settings.{name}", repr(value), allowed) from None
    try:
        return settings_type(**given)
    except ValueError as error:
        raise InputError(f"{where}: settings: {error}") from None
