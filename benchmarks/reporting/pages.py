"""Every profile's report, and the front door: a pure function of results/."""

import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.records import EntryRecord
from benchmarks.reporting import (
    boards,
    curves,
    drawings,
    evidence,
    frontiers,
    html,
    latex,
    markdown,
    markdown_pages,
    passages,
    pictures,
    read,
    tables,
    verdicts,
)
from benchmarks.reporting.content import Content
from benchmarks.reporting.figures import Figure
from benchmarks.reporting.read import Results
from benchmarks.reporting.table import Cell, Column, Table
from benchmarks.typed_files import write_bytes, write_text

WARNINGS = {
    "smoke": "Tier smoke: these numbers mean nothing. They show that everything runs.",
    "short": "Tier short: the budget is far below the papers'. Read orderings only, never a paper's number.",
}
HOW_TO_READ = (
    ("reproduced", "the paper's value lies within the stated tolerance of ours, shown by a test over seeds"),
    ("better, worse", "ours differs from the paper's value, to the good or to the bad"),
    ("contradicted", "an ordering, trend, dominance or exact value of the paper does not hold here"),
    ("undecided", "the seeds cannot tell; a run that is not done also leaves its claim undecided"),
    ("holds / fails / undecided at … scale", "the same for a claim about a method, run below the paper's scale"),
    (
        "not comparable: …",
        "the number was taken in another way than the paper's; the field named is the first to differ",
    ),
    ("not run", "no run of this profile speaks of the claim"),
)
MARKS = (
    ("stale", "made by other code than the committed one"),
    ("modified", "made with parameters that are not the profile's"),
    ("off-profile", "made on hardware that the profile does not allow"),
    ("dirty", "made with uncommitted changes"),
)
FEWEST_TO_SHARE = 16  # records; starting a process takes as long as drawing those of two or three
MOST_PROCESSES = 8


def build(root: Path, destination: Path) -> list[Path]:
    """Writes the report of every profile that has tables, and the front door; gives back what it wrote.

    Each profile's folder is made apart and put in its place whole; folders of profiles without tables are removed.

    Raises:
        InputError: a table, record or receipt is absent or damaged; the reports stand as they did.
    """
    everything = [read.results(profile, root) for profile in read.profiles_with_tables(root)]
    destination.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".reports.") as apart:
        for results in everything:
            made = Path(apart) / results.profile
            for path, content in report(results).items():
                write_bytes(made / path, content)
                written.append(destination / results.profile / path)
        for results in everything:
            target = destination / results.profile
            if target.exists():
                target.rename(Path(apart) / f"{results.profile}.old")
            (Path(apart) / results.profile).rename(target)
        _remove_others(destination, {results.profile for results in everything}, Path(apart))
    write_text(destination / "README.md", front_door(everything))
    return [*written, destination / "README.md"]


def _remove_others(destination: Path, kept: set[str], apart: Path) -> None:
    """Reports of other profiles go; a folder that is no report stays, whatever it does here."""
    for page in destination.glob("*/index.html"):
        if page.parent.name not in kept and (page.parent / "tables/verdicts.tex").exists():
            gone = apart / f"{page.parent.name}.gone"
            page.parent.rename(gone)
            shutil.rmtree(gone)


def report(results: Results) -> dict[str, bytes]:
    """Every file of a profile's report by its path below the profile's folder."""
    content = _content(results)
    texts = {
        "index.html": html.page(content),
        **markdown_pages.pages(content),
        "tables/verdicts.tex": "\n".join(latex.table(table) for table in verdicts.verdicts_for_paper(results)),
        "tables/leaderboard.tex": latex.table(boards.leaderboard_for_paper(results)),
        "tables/scores.tex": latex.table(content.scores),
    }
    files = {path: text.encode() for path, text in texts.items()}
    for figure in content.figures:
        files |= {f"figures/{figure.name}.png": figure.png, f"figures/{figure.name}.svg": figure.svg}
    return files


def _content(results: Results) -> Content:
    of_records = _of_every_record(results.records)
    return Content(
        title=f"Profile {results.profile}",
        introduction=introduction(results),
        warnings=[WARNINGS[tier] for tier in results.tiers if tier in WARNINGS],
        verdicts=verdicts.verdicts(results),
        leaderboards=boards.leaderboards(results),
        judged_figures=[*frontiers.frontiers(results), *curves.judged_trends(results)],
        entry_figures=[figure for kind in zip(*of_records, strict=True) for figures in kind for figure in figures],
        passages=passages.passages(results),
        scores=tables.scores(results),
        runs=evidence.runs(results),
        receipts=evidence.receipts(results),
        evidence=evidence.evidence(results),
    )


def _of_every_record(records: Sequence[EntryRecord]) -> list[list[list[Figure]]]:
    """Figures by record and kind. Drawing is nearly all of a report's time, so the cores share the records of many."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2 or len(records) < FEWEST_TO_SHARE:
        return [_of_record(record) for record in records]
    # Not by fork, which may hang where a library has threads; a few records at a time, since some have many figures.
    with ProcessPoolExecutor(min(cores, MOST_PROCESSES), multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_of_record, records, chunksize=2))


def _of_record(record: EntryRecord) -> list[list[Figure]]:
    kinds = (curves.learning_curves, curves.noted_curves, curves.cost_curves, pictures.pictures, drawings.drawings)
    return [draw(record) for draw in kinds]


def introduction(results: Results) -> str:
    """What the profile is and how it went, in a paragraph."""
    done, of = results.runs_done()
    methods = len({record.method for record in results.records})
    parts = [
        f"{_count(len(results.records), 'entry', 'entries')} of {_count(methods, 'method')}, "
        f"{done} of {of} runs done, {_count(len(results.verdicts), 'claim')} judged: {verdict_counts(results)}."
    ]
    if len(results.tiers) > 1:
        by_tier = Counter[str](record.tier for record in results.records)
        parts.append(f"Tiers: {', '.join(f'{tier} ({by_tier[tier]})' for tier in results.tiers)}.")
    if machines := evidence.machines(results):
        parts.append(f"Run on {' and '.join(machines)}.")
    return " ".join(parts)


def verdict_counts(results: Results) -> str:
    """`3 reproduced, 1 undecided`, most frequent first; which field is not comparable does not matter here."""
    counts = Counter(row.verdict.partition(":")[0] for row in results.verdicts)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {verdict}" for verdict, count in ordered) or "no verdicts"


def front_door(everything: list[Results]) -> str:
    """reports/README.md: a row a profile, and how to read a verdict."""
    rows = tuple(
        (
            Cell(results.profile, link=f"{results.profile}/README.md"),
            Cell(", ".join(results.tiers)),
            Cell(str(len(results.records))),
            Cell("{} of {}".format(*results.runs_done())),
            Cell(verdict_counts(results)),
            Cell("index.html", link=f"{results.profile}/index.html"),
        )
        for results in everything
    )
    columns = (
        Column("profile"),
        Column("tier"),
        Column("entries", "right"),
        Column("runs done", "right"),
        Column("verdicts"),
        Column("page"),
    )
    profiles = Table("Reports", "", columns, rows)
    return "\n".join(
        [
            "# Reports\n",
            "Written by `claimbench report` from `results/`, never by hand. Nothing is compared across profiles.\n",
            markdown.table(profiles) if rows else "No profile has results yet: run `make repro`.\n",
            "## How to read a verdict\n",
            markdown.table(_glossary("verdict", HOW_TO_READ)),
            "A number such as 1980.5 [1979, 1982] is the mean over seeds and its interval; one seed shows no interval. "
            "The tolerance of each claim was fixed before its first run.\n",
            "Marks beside a number:\n",
            markdown.table(_glossary("mark", MARKS)),
        ]
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _glossary(name: str, pairs: tuple[tuple[str, str], ...]) -> Table:
    return Table("", "", (Column(name), Column("means")), tuple((Cell(word), Cell(text)) for word, text in pairs))
