"""Profiles: a hardware requirement and the budget of every entry; and the params.yaml composed of one of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import yaml
from pydantic import Field, JsonValue, StringConstraints, TypeAdapter, ValidationError, model_validator

from benchmarks.errors import InputError, input_error
from benchmarks.hardware import Requirement
from benchmarks.methods import Method, all_methods, tasks
from benchmarks.typed_files import Typed, digest, load, write_text

FOLDER = Path("benchmarks/profiles")
PARAMS = Path("params.yaml")

# DVC breaks or drops stages silently on other characters (`-` joins axes, `@` separates them).
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Tier = Literal["smoke", "short", "paper"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]

STAGE_SETTINGS = ("steps", "validate_every")
FEWEST_PAIRS = 10
NO_DATA = "numerics.txt"  # a dependency that every stage has anyway: DVC's templates cannot leave one out


class Entry(Typed):
    """A method with settings on a task."""

    method: Name
    task: Name
    seeds: list[Seed] = Field(min_length=1)
    tier: Tier | None = None  # None: the profile's
    settings: dict[Name, JsonValue] = {}
    steps: int | None = Field(default=None, ge=1)  # optimiser steps; None for what is not trained
    validate_every: int | None = Field(default=None, ge=1)  # steps
    samples: int = Field(ge=1)  # drawn at evaluation
    timeout_minutes: float | None = Field(default=None, gt=0)  # of one training run
    # The entry whose models it takes or starts from; then, of some that are trained, one that judges or teaches.
    needs: list[Name] = Field(default=[], max_length=2)

    @model_validator(mode="after")
    def _consistent(self) -> "Entry":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must differ from each other")
        if (self.steps is None) != (self.validate_every is None):
            raise ValueError("steps and validate_every come together")
        if reserved := set(self.settings) & set(STAGE_SETTINGS):
            raise ValueError(f"{sorted(reserved)[0]} stands beside settings, not in it")
        return self


class Profile(Typed):
    """One file of `benchmarks/profiles/`."""

    profile: Name
    tier: Tier
    hardware: Requirement
    entries: dict[Name, Entry] = Field(min_length=1)

    def tier_of(self, entry: str) -> Tier:
        return self.entries[entry].tier or self.tier


class Item(Typed):
    """What DVC's stages are told of an entry.

    `data` and `features` are what its stages depend on; of a task without a data set `NO_DATA`.
    """

    profile: Name
    entry: Name
    method: Name
    data: str
    features: str


class Run(Item):
    """An entry with one seed: an item of `runs.<family>` of params.yaml.

    `start` is the model of the entry that it starts from, `other` that of a second one that it needs, `pairs` the
    folder that it learns from; where there is none `NO_DATA`.
    """

    seed: int
    start: str
    other: str
    pairs: str


class Recording(Item):
    """Pairs to make by a trained entry, with one seed: an item of `pairs.<family>` of params.yaml."""

    seed: int
    count: int


class Evaluation(Item):
    """An entry to evaluate: an item of `evaluations.<family>` of params.yaml."""

    extractor: str  # of a task that asks for none `NO_DATA`
    models_of: Name  # the entry whose models are evaluated: itself, or the one that it needs
    models_by: Name  # that entry's method
    start: str  # models of the entry that a trained one started from; of one that started afresh `NO_DATA`


class Extraction(Typed):
    """A network to compare samples with: an item of `extractors` of params.yaml."""

    extractor: Name
    data: str  # what it is trained on; of one that is published `NO_DATA`


class ComposedEntry(Typed):
    """What stages read of an entry; `settings` decides its training, the rest its evaluation and its tables."""

    method: Name
    task: Name
    tier: Tier
    seeds: list[Seed]
    samples: int
    timeout_minutes: float | None
    needs: list[Name]
    task_settings: dict[Name, JsonValue]
    settings: dict[Name, JsonValue]

    def method_settings(self) -> dict[str, JsonValue]:
        """The settings without what the training stage takes for itself."""
        return {name: value for name, value in self.settings.items() if name not in STAGE_SETTINGS}

    def budget(self) -> dict[str, int] | None:
        """What the training stage takes for itself, steps and validate_every; None for what is not trained."""
        found = {name: value for name in STAGE_SETTINGS if isinstance(value := self.settings.get(name), int)}
        return found if len(found) == len(STAGE_SETTINGS) else None

    def models_of(self, entry: str) -> str | None:
        """The entry that trains what is evaluated as `entry`, which this is; None where nothing is trained."""
        if self.budget() is not None:
            return entry
        return self.needs[0] if self.needs else None


class ComposedFor(Typed):
    profile: Name
    hash: str


class Params(Typed):
    """params.yaml: one profile, laid out for DVC."""

    profile: Name
    composed_for: ComposedFor
    hardware: Requirement
    datasets: list[Name]
    extractors: dict[Name, Extraction]
    runs: dict[Name, dict[Name, Run]]
    pairs: dict[Name, dict[Name, Recording]]
    evaluations: dict[Name, dict[Name, Evaluation]]
    entries: dict[Name, ComposedEntry]

    def needed(self, entry: str) -> list[str]:
        """The entry that it needs, the one that this needs, and so on."""
        found: list[str] = []
        for need in self.entries[entry].needs:
            found += [need, *self.needed(need)]
        return found

    def settings_hash(self, entry: str) -> str:
        """Identity of what decides an entry's numbers, seeds aside: settings, samples, task, hardware flags."""
        composed = self.entries[entry].model_dump(exclude={"seeds", "timeout_minutes"})
        whole = {"entry": composed, "hardware": self.hardware.arithmetic()}
        if needs := self.needed(entry):  # of those, what decides their models
            told = {"method", "task_settings", "settings"}
            whole["needs"] = {need: self.entries[need].model_dump(include=told) for need in needs}
        return digest(whole)


def names(root: Path = Path()) -> list[str]:
    """Profiles at hand, sorted."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))


def read(name: str, root: Path = Path()) -> Profile:
    """A profile, checked against the methods and tasks at hand.

    Raises:
        InputError: unknown profile; malformed file; unknown method, task, setting or need.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name) or name not in names(root):
        name = name if name.isprintable() else repr(name)
        raise InputError(f"profile {name}: no file {FOLDER}/{name}.yaml; there are {', '.join(names(root))}")
    path = FOLDER / f"{name}.yaml"
    profile = load(root / path, Profile)
    if profile.profile != name:
        raise input_error(path, "profile", profile.profile, f"must be the file's name, {name}")
    methods = all_methods(root)
    for entry_name, entry in profile.entries.items():
        _check(path, f"entries.{entry_name}", entry, methods, profile.entries, root)
    return profile


def _check(
    path: Path, field: str, entry: Entry, methods: Mapping[str, Method], entries: Mapping[str, Entry], root: Path
) -> None:
    if entry.method not in methods:
        raise input_error(path, f"{field}.method", entry.method, f"the methods are {', '.join(methods)}")
    method = methods[entry.method]
    known_tasks = tasks(method.family)
    if entry.task not in known_tasks:
        raise input_error(path, f"{field}.task", entry.task, f"tasks of {method.family} are {', '.join(known_tasks)}")
    family_trains = (root / "benchmarks/families" / method.family / "train.py").exists()
    if not family_trains and (entry.steps is not None or entry.needs):
        told = "nothing is trained, leave steps out, and needs"
        raise input_error(path, f"{field}.steps", entry.steps, f"methods of {method.family}: {told}")
    if family_trains and not method.trains() and (entry.steps is not None or not entry.needs):
        told = f"{method.name} trains nothing: leave steps out, and name in needs the entry whose models it takes"
        raise input_error(path, f"{field}.steps", entry.steps, told)
    if family_trains and method.trains() and entry.steps is None and not entry.needs:
        told = f"methods of {method.family}: steps and validate_every are needed, or needs"
        raise input_error(path, f"{field}.steps", entry.steps, told)
    for need in entry.needs:
        if need not in entries:
            raise input_error(path, f"{field}.needs", need, f"entries of this profile are {', '.join(entries)}")
    _check_origin(path, field, entry, method)
    allowed = method.settings_fields()
    for setting in entry.settings:
        if setting not in allowed:
            raise input_error(
                path, f"{field}.settings.{setting}", setting, f"settings of {method.name}: {', '.join(allowed)}"
            )
    for place, need in enumerate(entry.needs):
        other = entries[need]
        trainer = methods.get(other.method)
        if other.steps is None or trainer is None or trainer.family != method.family:
            raise input_error(path, f"{field}.needs", need, f"it must be trained, and of family {method.family}")
        if other.task not in known_tasks or known_tasks[other.task].dataset != known_tasks[entry.task].dataset:
            raise input_error(path, f"{field}.needs", need, f"its task must have the data set of {entry.task}")
        if known_tasks[entry.task].dataset is None and other.task != entry.task:
            raise input_error(path, f"{field}.needs", need, f"its task must be {entry.task}, which has no data set")
        if entry.steps is not None and method.makes_its_pairs() and other.method != entry.method:
            raise input_error(path, f"{field}.needs", need, f"pairs are made by {entry.method}, not by {other.method}")
        judges = place == 1 and method.learns_from() == "rollouts"
        if entry.steps is not None and method.learns_from() and not (trainer.scores() if judges else trainer.answers()):
            told = "rewards are scored by a reward model" if judges else f"{other.method} has no policy to start from"
            raise input_error(path, f"{field}.needs", need, told)
        for setting in ("network", "width") if entry.steps is not None and place == 0 else ():
            if entry.settings.get(setting) != other.settings.get(setting):
                told = f"must be that of {need}, whose weights it starts from"
                raise input_error(path, f"{field}.settings.{setting}", entry.settings.get(setting), told)
        if field.removeprefix("entries.") in {need} | _needed_by(need, entries):
            raise input_error(path, f"{field}.needs", need, "an entry cannot need itself")
        if lacking := sorted(set(entry.seeds) - set(other.seeds)):
            raise input_error(path, f"{field}.seeds", lacking[0], f"seeds of {need} are {other.seeds}")


def _check_origin(path: Path, field: str, entry: Entry, method: Method) -> None:
    """Whether what is trained from something says from what, and nothing else does."""
    count, trained = entry.settings.get("pairs"), entry.steps is not None
    if method.learns_from() == "rollouts":
        if trained and not entry.needs:
            told = f"{method.name} goes on from a trained model: name the entry that has it"
            raise input_error(path, f"{field}.needs", entry.needs, told)
        learned = "reward" in method.settings_fields() and entry.settings.get("reward", "learned") == "learned"
        if trained and learned != (len(entry.needs) == 2):
            told = "a learned reward is that of a second entry, a reward model; another reward takes no second entry"
            raise input_error(path, f"{field}.needs", entry.needs, told)
    elif (trained and bool(entry.needs)) != (pairs_of(entry) is not None) or (count and not method.takes_pairs()):
        told = "what is trained from the pairs of an entry names it in needs, and has settings.pairs; nothing else does"
        raise input_error(path, f"{field}.needs", entry.needs, told)
    if method.learns_from() == "pairs" and count is None:
        told = f"{method.name} learns from pairs: give settings.pairs, and needs, the entry that makes them"
        raise input_error(path, f"{field}.settings.pairs", None, told)
    # What learns from pairs takes the log-probabilities of the model that made them for those of its reference.
    if len(entry.needs) > 1 and (not trained or method.learns_from() in ("", "pairs")):
        told = f"{method.name} takes one entry's models; leave the second out"
        raise input_error(path, f"{field}.needs", entry.needs, told)
    if count is not None and (type(count) is not int or count < FEWEST_PAIRS):
        told = f"a whole number, at least {FEWEST_PAIRS}, so that some are left to validate with"
        raise input_error(path, f"{field}.settings.pairs", count, told)


def pairs_of(entry: Entry | ComposedEntry) -> int | None:
    """How many pairs an entry learns from."""
    count = entry.settings.get("pairs")
    return count if isinstance(count, int) else None


def _needed_by(entry: str, entries: Mapping[str, Entry]) -> set[str]:
    """What an entry needs, directly or not; ends on circles."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        needs = set(entries[waiting.pop()].needs) & set(entries)
        waiting += needs - found
        found |= needs
    return found


def compose(profile: Profile, root: Path = Path()) -> Params:
    """The parameters of a profile: entries sorted, so that branches adding entries touch different lines."""
    methods = all_methods(root)
    runs: dict[str, dict[str, Run]] = {}
    pairs: dict[str, dict[str, Recording]] = {}
    evaluations: dict[str, dict[str, Evaluation]] = {}
    datasets: set[str] = set()
    extractors: set[str] = set()
    entries: dict[str, ComposedEntry] = {}
    for family in sorted({method.family for method in methods.values()}):
        runs[family], pairs[family], evaluations[family] = {}, {}, {}
    for name, entry in sorted(profile.entries.items()):
        family = methods[entry.method].family
        task = tasks(family)[entry.task]
        dataset, extractor = task.dataset, getattr(task, "extractor", None)
        datasets |= {dataset} if dataset else set()
        extractors |= {extractor} if extractor else set()
        where = {"profile": profile.profile, "entry": name, "method": entry.method}
        where |= {folder: f"{folder}/{dataset}" if dataset else NO_DATA for folder in ("data", "features")}
        models_of = name if entry.steps is not None or not entry.needs else entry.needs[0]
        trained = profile.entries[models_of]
        evaluations[family][f"{profile.profile}_{name}"] = Evaluation(
            **where,
            extractor=f"extractors/{extractor}" if extractor else NO_DATA,
            models_of=models_of,
            models_by=trained.method,
            start=_models(profile, trained.needs[0]) if trained.steps is not None and trained.needs else NO_DATA,
        )
        if entry.steps is not None:
            for seed in entry.seeds:
                start, other = (
                    f"{_models(profile, entry.needs[place])}/s{seed}" if place < len(entry.needs) else NO_DATA
                    for place in range(2)
                )
                made = NO_DATA
                if (count := pairs_of(entry)) is not None:
                    need = entry.needs[-1]
                    made = f"runs/{profile.profile}/{need}/pairs/n{count}_s{seed}"
                    # Of entries that need the same pairs of one entry, the item is the same: they are made once.
                    pairs[family][f"{profile.profile}_{need}_n{count}_s{seed}"] = Recording(
                        profile=profile.profile,
                        entry=need,
                        method=profile.entries[need].method,
                        **{folder: where[folder] for folder in ("data", "features")},
                        seed=seed,
                        count=count,
                    )
                runs[family][f"{profile.profile}_{name}_s{seed}"] = Run(
                    **where, seed=seed, start=start, other=other, pairs=made
                )
        budget = {"steps": entry.steps, "validate_every": entry.validate_every} if entry.steps is not None else {}
        entries[name] = ComposedEntry(
            method=entry.method,
            task=entry.task,
            tier=profile.tier_of(name),
            seeds=entry.seeds,
            samples=entry.samples,
            timeout_minutes=entry.timeout_minutes,
            needs=entry.needs,
            task_settings=task.settings(),
            settings={**entry.settings, **budget},
        )
    params = Params(
        profile=profile.profile,
        composed_for=ComposedFor(profile=profile.profile, hash=""),
        hardware=profile.hardware,
        datasets=sorted(datasets),
        extractors={
            name: Extraction(extractor=name, data=f"data/{name}" if name in datasets else NO_DATA)
            for name in sorted(extractors)
        },
        runs=runs,
        pairs=pairs,
        evaluations=evaluations,
        entries=entries,
    )
    # Of the whole composition: a task edited in code is as much a reason to compose again as a profile edited.
    whole = digest(params.model_dump())
    return params.model_copy(update={"composed_for": ComposedFor(profile=profile.profile, hash=whole)})


def _models(profile: Profile, entry: str) -> str:
    """The folder of an entry's models."""
    return f"runs/{profile.profile}/{entry}/models"


def write_params(params: Params, path: Path = PARAMS) -> None:
    """Writes params.yaml, whole or not at all."""
    head = "# Composed by `claimbench profile NAME` from benchmarks/profiles/; edit there and compose again.\n"
    write_text(path, head + yaml.safe_dump(params.model_dump(), sort_keys=False, default_flow_style=False, width=1000))


def read_params(root: Path = Path()) -> Params:
    """params.yaml as it stands, edits of `dvc exp run -S` included.

    Raises:
        InputError: malformed; the profile switched without composing; the profile's file or a task edited since.
    """
    path = PARAMS
    params = load(root / path, Params)
    if params.profile != params.composed_for.profile:
        raise input_error(
            path,
            "profile",
            params.profile,
            f"the file was composed for {params.composed_for.profile}; run: claimbench profile {params.profile}",
        )
    if compose(read(params.profile, root), root).composed_for.hash != params.composed_for.hash:
        raise InputError(
            f"{path}: composed_for.hash: {FOLDER}/{params.profile}.yaml, or a task it names, has been edited since; "
            f"run: claimbench profile {params.profile}"
        )
    return params


def read_params_of(profile: str) -> Params:
    """params.yaml, for a stage of one profile.

    Raises:
        InputError: as `read_params`, and when another profile is composed.
    """
    params = read_params()
    if params.profile != profile:
        raise input_error(PARAMS, "profile", params.profile, f"wanted {profile}; run: claimbench profile {profile}")
    return params


def modified_entries(params: Params, root: Path = Path()) -> set[str]:
    """Entries whose parameters are not those of the profile's file (edited by `dvc exp run -S`)."""
    composed = compose(read(params.profile, root), root)
    edited = {
        name
        for name in params.entries
        if name not in composed.entries
        or params.entries[name] != composed.entries[name]
        or params.hardware.arithmetic() != composed.hardware.arithmetic()
    }
    return edited | {name for name in params.entries if edited & set(params.needed(name))}


def needed_methods(params: Params, entry: str, root: Path = Path()) -> list[Method]:
    """Methods of the entries that it needs, directly or not, whose code decides its numbers too."""
    methods = all_methods(root)
    return [methods[params.entries[need].method] for need in params.needed(entry)]


def run_of(params: Params, entry: str) -> ComposedEntry:
    """Raises InputError that lists the entries of the profile, if `entry` is none of them."""
    if entry not in params.entries:
        raise InputError(f"entry {entry}: not in profile {params.profile}; it has {', '.join(params.entries)}")
    return params.entries[entry]


def typed_settings(method: Method, given: Mapping[str, JsonValue], where: str) -> Any:
    """The method's `Settings`, each value checked against the field's annotation; `where` is for the sentence only.

    Raises:
        InputError: an unknown setting, or a value of the wrong type or out of range.
    """
    settings_type = method.module().Settings
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
