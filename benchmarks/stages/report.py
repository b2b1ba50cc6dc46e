"""Stage report: results/ -> the Markdown and LaTeX of reports/; on demand the pages of reports/site/."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from benchmarks.files.errors import InputError
from benchmarks.files.listing import files_in, folders_in
from benchmarks.files.typed_files import write_text
from benchmarks.judging.results import Results
from benchmarks.plan import composition
from benchmarks.reporting import committed, numbers, tables, verdicts
from benchmarks.stages import judge

REPORTS = Path("reports")
SITE = REPORTS / "site"  # not in git


def run() -> None:
    """Writes what is in git, removes reports of profiles without records; prints the composed profile's verdicts."""
    everything = judge.results()
    write(everything, REPORTS)
    tell(everything)


def write(everything: Sequence[Results], destination: Path) -> None:
    """Writes the Markdown and LaTeX of every profile, and removes that of others.

    Raises:
        InputError: a file that it did not make stands where it writes; nothing is written then.
    """
    made = {destination / name: text for name, text in committed.files(everything).items()}
    for path in made:
        if path.exists() and not _ours(path):
            raise InputError(f"{path}: not written by claimbench report, and so not replaced; move it elsewhere")
    for path, text in made.items():
        write_text(path, text)
    for folder in folders_in(destination):
        for path in (*files_in(folder, "README.md"), *files_in(folder / "tables", ".tex")):
            if path not in made and _ours(path):
                path.unlink()


def _ours(path: Path) -> bool:
    return path.is_file() and committed.is_ours(path.read_bytes().decode(errors="replace"))


def site() -> None:
    """Builds the pages with every number and figure."""
    from benchmarks.reporting import site as pages  # matplotlib and jinja2 take a second

    for path in pages.build(judge.results(), SITE):
        print(path)


def tell(everything: Sequence[Results] | None = None) -> None:
    """Prints the verdicts of the composed profile and the path of its report."""
    profile = _composed()
    for results in judge.results() if everything is None else everything:
        if results.profile == profile:
            print(f"{summary(results)}\n\n{REPORTS / profile / 'README.md'}")
            return
    print(f"no records of profile {profile} yet" if profile else "no profile is composed")


def summary(results: Results) -> str:
    """Counts and rows of verdicts in plain text."""
    rows = []
    for verdict in results.verdicts:
        mark = tables.marks(results.marks(verdict)).text
        word = f"{verdict.verdict} [{mark}]" if mark else verdict.verdict
        rows.append((numbers.shortened(verdict.claim.id, 50), verdicts.ours(verdict), word))
    head = f"profile {results.profile}: {committed.introduction(results)}"
    return head + "\n\n" + tabulate(rows, headers=("claim", "ours", "verdict"), disable_numparse=True)


def _composed() -> str:
    try:
        return composition.read_params().profile
    except InputError:
        return ""
