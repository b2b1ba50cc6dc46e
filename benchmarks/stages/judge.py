"""Stage judge: records and claims -> results/tables/<profile>/, for every profile that has records."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.files.listing import files_in, folders_in
from benchmarks.files.typed_files import write_text
from benchmarks.judging import claims, tables
from benchmarks.judging.fields import Measured
from benchmarks.judging.results import Results, judged
from benchmarks.plan import composition, profiles
from benchmarks.provenance.freshness import why_stale
from benchmarks.provenance.identity import Identities
from benchmarks.record.records import RECEIPTS, TABLES, profiles_with_records, read_receipt, records_of


def profiles_having(entries_by_profile: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Profiles that have each entry."""
    having: dict[str, list[str]] = {}
    for profile, entries in entries_by_profile.items():
        for entry in entries:
            having.setdefault(entry, []).append(profile)
    return having


def results(root: Path = Path(), receipts: bool = True) -> list[Results]:
    """Every profile that has records, judged; `receipts` says whether to read those too.

    Raises:
        InputError: a malformed claim, profile, record or receipt; a claim that names a field which no row has.
    """
    plans = {name: profiles.read(name, root) for name in profiles.names(root)}
    entries = {name: list(plan.entries) for name, plan in plans.items()}
    known, elsewhere = claims.read_all(root, entries), profiles_having(entries)
    today = Identities(root)
    recorded = {profile: records_of(profile, root) for profile in profiles_with_records(root)}
    Measured([record for records in recorded.values() for record in records], entries, root).check(known)
    found = []
    for profile, records in recorded.items():
        params = composition.compose(plans[profile], root) if profile in plans else None
        stale = frozenset(record.entry for record in records if why_stale(record, params, today))
        paths = files_in(root / RECEIPTS / profile, ".json") if receipts else []
        read = {path.stem: read_receipt(path) for path in paths}
        found.append(judged(profile, records, known, elsewhere, stale, read))
    return found


def build(root: Path, destination: Path) -> None:
    """Judges and writes every table.

    Raises:
        InputError: a malformed claim, profile or record; nothing is written then.
    """
    write(results(root, receipts=False), destination)


def write(everything: Sequence[Results], destination: Path) -> None:
    """Writes every table; those of profiles without records go, and nothing else, whatever lies beside them."""
    made = {each.profile: each.tables() for each in everything}
    for profile, texts in made.items():
        for name, text in texts.items():
            write_text(destination / profile / name, text)
    for folder in folders_in(destination):
        if folder.name not in made and tables.are_ours(folder):
            for name in tables.NAMES:
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def run() -> None:
    """Judges in place."""
    build(Path(), TABLES)
    print(f"tables of {', '.join(profiles_with_records()) or 'no profile'} are in {TABLES}/")
