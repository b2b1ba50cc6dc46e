"""Stage judge: records and claims -> results/tables/<profile>/, for every profile that has records."""

import shutil
from pathlib import Path

from benchmarks.judging import claims, tables
from benchmarks.methods import all_methods
from benchmarks.provenance import entry_source
from benchmarks.records import profiles_with_records, records_of
from benchmarks.typed_files import write_text

TABLES = Path("results/tables")


def profiles_of_entries(root: Path) -> dict[str, list[str]]:
    """Profiles that have each entry."""
    having: dict[str, list[str]] = {}
    for profile, entries in claims.entries_by_profile(root).items():
        for entry in entries:
            having.setdefault(entry, []).append(profile)
    return having


def build(root: Path, destination: Path) -> None:
    """Writes every table; folders of profiles without records go.

    Raises:
        InputError: a malformed claim, profile or record; nothing is written then.
    """
    known = claims.read_all(root)
    sources = {name: entry_source(method, root) for name, method in all_methods(root).items()}
    elsewhere = profiles_of_entries(root)
    profiles = profiles_with_records(root)
    made = {name: tables.files(records_of(name, root), known, elsewhere, sources) for name in profiles}
    for profile, texts in made.items():
        for name, text in texts.items():
            write_text(destination / profile / name, text)
    for folder in destination.glob("*"):
        if folder.is_dir() and folder.name not in made:
            shutil.rmtree(folder)


def run() -> None:
    """Judges in place."""
    build(Path(), TABLES)
    print(f"tables of {', '.join(profiles_with_records()) or 'no profile'} are in {TABLES}/")
