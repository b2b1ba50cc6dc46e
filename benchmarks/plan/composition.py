"""Composes params.yaml, the parameters of each entry and the families' pipelines of a profile; reads them back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.files.errors import InputError, input_error
from benchmarks.files.listing import files_below, files_in
from benchmarks.files.typed_files import digest, load, write_json, write_text, yaml_text
from benchmarks.plan import pipelines
from benchmarks.plan.methods import all_methods, families, tasks
from benchmarks.plan.params import ENTRIES, PARAMS, ComposedEntry, ComposedFor, Extractors, Head, Params, entry_file
from benchmarks.plan.profiles import FOLDER, Profile, names, read

# What of an entry's file decides which stages there are and what they depend on, or is one for all entries.
WIRED = {"hardware", "method", "family", "task", "dataset", "extractor", "needs"}


def compose(profile: Profile, root: Path = Path()) -> Params:
    """The parameters of a profile: entries sorted, so that branches adding entries touch different lines."""
    methods = all_methods(root)
    entries: dict[str, ComposedEntry] = {}
    for name, entry in sorted(profile.entries.items()):
        family = methods[entry.method].family
        task = tasks(family)[entry.task]
        entries[name] = ComposedEntry(
            hardware=profile.hardware.arithmetic(),
            method=entry.method,
            family=family,
            task=entry.task,
            dataset=task.dataset,
            extractor=getattr(task, "extractor", None),
            tier=profile.tier_of(name),
            seeds=entry.seeds,
            samples=entry.samples,
            timeout_minutes=entry.timeout_minutes,
            needs=entry.needs,
            settings=entry.settings,
            steps=entry.steps,
            validate_every=entry.validate_every,
        )
    datasets = {one.dataset for one in entries.values() if one.dataset}
    extractors = {one.extractor for one in entries.values() if one.extractor}
    params = Params(
        profile=profile.profile,
        composed_for=ComposedFor(profile=profile.profile, hash=""),
        hardware=profile.hardware,
        datasets=sorted(datasets),
        extractors=Extractors(trained=sorted(extractors & datasets), published=sorted(extractors - datasets)),
        entries=entries,
    )
    # Of the whole: what a task says of its data is as much a reason to compose again as a profile edited.
    whole = ComposedFor(profile=profile.profile, hash=digest(params.model_dump()))
    return params.model_copy(update={"composed_for": whole})


def write_params(params: Params, root: Path = Path()) -> None:
    """Writes the file of each entry, the families' pipelines and, last, params.yaml; removes files that are gone.

    A write that fails leaves the old params.yaml, whose hash is not that of the profile edited since.
    """
    texts = pipelines.texts(params, families(root))
    written = {entry_file(params.profile, entry): composed for entry, composed in params.entries.items()}
    for path, composed in written.items():
        write_json(root / path, composed.model_dump())
    for path, text in texts.items():
        write_text(root / path, text)
    there = [
        *files_in(root / ENTRIES / params.profile, ".json"),
        *(path for path in files_below(root / pipelines.FOLDER, ".yaml") if path.name == "dvc.yaml"),
    ]
    for path in there:
        if path.relative_to(root) not in written.keys() | texts.keys():
            path.unlink()
    head = "# Written by `claimbench profile NAME` from benchmarks/profiles/; edit there and run that again.\n"
    data = params.model_dump(exclude={"entries"})
    write_text(root / PARAMS, head + yaml_text(data))


def read_params(root: Path = Path()) -> Params:
    """The composed profile as it stands, edits of `dvc exp run -S` included.

    Raises:
        InputError: malformed; the profile switched without composing; the profile's file or a task edited since; a
            field edited that decides which stages there are or what they depend on.
    """
    head = load(root / PARAMS, Head)
    again = f"run: claimbench profile {head.profile}"
    if head.profile not in names(root):
        raise input_error(PARAMS, "profile", head.profile, f"the profiles are {', '.join(names(root))}")
    if head.profile != head.composed_for.profile:
        message = f"the file was composed for {head.composed_for.profile}; {again}"
        raise input_error(PARAMS, "profile", head.profile, message)
    composed = compose(read(head.profile, root), root)
    if composed.composed_for.hash != head.composed_for.hash:
        raise InputError(
            f"{PARAMS}: composed_for.hash: {FOLDER}/{head.profile}.yaml, or a task it names, has been edited since; "
            f"{again}"
        )
    problems = _edited(PARAMS, "hardware.", head.hardware.arithmetic(), composed.hardware.arithmetic())
    entries, of_entries = _read_entries(composed, root, again)
    if problems := problems + of_entries:
        raise InputError("\n".join(problems))
    return Params(**dict(head), entries=entries)


def _read_entries(composed: Params, root: Path, again: str) -> tuple[dict[str, ComposedEntry], list[str]]:
    """The files of the entries that a profile composes to, and a line for each thing wrong with them."""
    folder = ENTRIES / composed.profile
    there = {path.stem for path in files_in(root / folder, ".json")}
    if not there:
        return {}, [f"{folder}: no file of any entry; {again}"]
    entries: dict[str, ComposedEntry] = {}
    problems = [f"{folder / name}.json: no entry of the profile; {again}" for name in there - composed.entries.keys()]
    for name, wanted in composed.entries.items():
        path = entry_file(composed.profile, name)
        if name not in there:
            problems.append(f"{path}: no such file; {again}")
            continue
        try:
            entries[name] = load(root / path, ComposedEntry)
        except InputError as error:
            problems.append(str(error))
        else:
            problems += _edited(path, "", entries[name].model_dump(include=WIRED), wanted.model_dump(include=WIRED))
    return entries, sorted(problems)


def _edited(path: Path, prefix: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """A line for each field that was edited after composing and must not be."""
    message = "edit the profile's file and compose it anew: it decides the stages or all entries"
    return [
        str(input_error(path, prefix + name, found[name], message)) for name in wanted if found[name] != wanted[name]
    ]


def read_params_of(profile: str) -> Params:
    """The composed profile, for a stage of one.

    Raises:
        InputError: as `read_params`, and when another profile is composed.
    """
    params = read_params()
    if params.profile != profile:
        raise input_error(PARAMS, "profile", params.profile, f"wanted {profile}; run: claimbench profile {profile}")
    return params


def modified_entries(params: Params, root: Path = Path()) -> set[str]:
    """Entries whose parameters are not those of the profile's file (edited by `dvc exp run -S`)."""
    composed = compose(read(params.profile, root), root).entries
    edited = {name for name in params.entries if params.entries[name] != composed.get(name)}
    return edited | {name for name in params.entries if edited & set(params.needed(name))}


def run_of(params: Params, entry: str) -> ComposedEntry:
    """Raises InputError that lists the entries of the profile, if `entry` is none of them."""
    if entry not in params.entries:
        raise InputError(f"entry {entry}: not in profile {params.profile}; it has {', '.join(params.entries)}")
    return params.entries[entry]
