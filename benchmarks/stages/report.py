"""Stage report: results/ -> reports/, and what the composed profile says in short."""

from pathlib import Path

from tabulate import tabulate

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.reporting import numbers, pages, read, tables, verdicts

REPORTS = Path("reports")


def run() -> None:
    """Writes every report; prints where the composed profile's is, and its verdicts."""
    pages.build(Path(), REPORTS)
    tell()


def tell() -> None:
    """Prints the verdicts of the composed profile and the path of its page."""
    profile = _composed()
    if profile not in read.profiles_with_tables():
        print(f"no tables of profile {profile} yet" if profile else "no profile is composed")
        for path in sorted(REPORTS.glob("*/index.html")):
            print(path)
        return
    print(summary(read.results(profile)))
    print(f"\n{REPORTS / profile / 'index.html'}")


def summary(results: read.Results) -> str:
    """Counts and rows of verdicts in plain text."""
    rows = []
    for row in results.verdicts:
        mark = tables.marks(row.stale).text
        verdict = f"{row.verdict} [{mark}]" if mark else row.verdict
        rows.append((numbers.shortened(row.claim, 50), verdicts.ours(row), verdict))
    head = f"profile {results.profile}: {pages.introduction(results)}"
    return head + "\n\n" + tabulate(rows, headers=("claim", "ours", "verdict"), disable_numparse=True)


def _composed() -> str:
    try:
        return profiles.read_params().profile
    except InputError:
        return ""
