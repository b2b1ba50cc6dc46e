"""Every claim with its verdict in each profile that has records."""

from pathlib import Path

from benchmarks.judging import claims
from benchmarks.judging.tables import Judged
from benchmarks.record.records import TABLES, profiles_with_records


def verdicts_of(profile: str) -> list[Judged]:
    """Rows of the profile's verdicts.csv; none before the first `judge`."""
    path = TABLES / profile / "verdicts.csv"
    return Judged.read(path) if path.exists() else []


def run() -> None:
    """Raises InputError when a claim file is malformed."""
    from tabulate import tabulate

    judged = {profile: verdicts_of(profile) for profile in profiles_with_records(Path())}
    rows = []
    for _, claim in claims.read_all():
        words = []
        for profile in judged:
            found = [row.verdict for row in judged[profile] if row.claim == claim.id]
            words.append(", ".join(found) or "not judged yet")
        rows.append([claim.id, claim.kind, claims.paper_value(claim), *words])
    print(tabulate(rows, headers=["claim", "kind", "paper", *judged], disable_numparse=True))
