"""Stage judge: records and claims -> results/tables/<profile>/, for every profile that has records."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import profiles
from benchmarks.judging import claims, tables
from benchmarks.methods import all_methods
from benchmarks.provenance import entry_source
from benchmarks.records import EntryRecord, profiles_with_records, records_of
from benchmarks.typed_files import write_text

TABLES = Path("results/tables")


def profiles_having(entries_by_profile: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Profiles that have each entry."""
    having: dict[str, list[str]] = {}
    for profile, entries in entries_by_profile.items():
        for entry in entries:
            having.setdefault(entry, []).append(profile)
    return having


def stale_entries(profile: str, records: Sequence[EntryRecord], root: Path) -> set[str]:
    """Entries whose record was made by other code, settings or seeds than the profile and the tree have today."""
    methods = all_methods(root)
    params = profiles.compose(profiles.read(profile, root), root) if profile in profiles.names(root) else None
    return {
        record.entry
        for record in records
        if params is None
        or record.entry not in params.entries
        or record.method not in methods
        or record.source
        != entry_source(methods[record.method], root, profiles.needed_methods(params, record.entry, root))
        or [run.seed for run in record.runs] != params.entries[record.entry].seeds
        or (not record.modified and record.settings_hash != params.settings_hash(record.entry))
    }


def build(root: Path, destination: Path) -> None:
    """Writes every table; folders of profiles without records go.

    Raises:
        InputError: a malformed claim, profile or record; nothing is written then.
    """
    entries = claims.entries_by_profile(root)  # once: reading every profile takes longer than judging
    known = claims.read_all(root, entries)
    elsewhere = profiles_having(entries)
    made = {}
    for name in profiles_with_records(root):
        records = records_of(name, root)
        made[name] = tables.files(records, known, elsewhere, stale_entries(name, records, root))
    for profile, texts in made.items():
        for name, text in texts.items():
            write_text(destination / profile / name, text)
    for folder in destination.glob("*"):
        if folder.is_dir() and folder.name not in made:
            shutil.rmtree(folder)
        elif "frontiers.csv" not in made.get(folder.name, {}):  # of claims that are gone
            (folder / "frontiers.csv").unlink(missing_ok=True)


def run() -> None:
    """Judges in place."""
    build(Path(), TABLES)
    print(f"tables of {', '.join(profiles_with_records()) or 'no profile'} are in {TABLES}/")
