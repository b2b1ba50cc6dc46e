"""The pages with every number and figure: one HTML file a profile, which needs nothing from outside."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.files.typed_files import write_text
from benchmarks.judging.results import Results
from benchmarks.record.records import EntryRecord
from benchmarks.reporting import (
    committed,
    curves,
    drawings,
    evidence,
    frontiers,
    passages,
    pictures,
    tables,
    verdicts,
)
from benchmarks.reporting.figures import Figure

TEMPLATES = Path(__file__).parent / "templates"
FEWEST_TO_SHARE = 16  # records; starting a process takes as long as drawing those of two or three
MOST_PROCESSES = 8


def build(everything: Sequence[Results], destination: Path) -> list[Path]:
    """Writes <profile>/index.html for each profile and index.html, which names them; gives back the paths.

    Raises:
        InputError: a record's picture is damaged; pages of the profiles before it are written.
    """
    drawn = _drawn([record for results in everything for record in results.records])
    written = []
    for results in everything:
        written.append(destination / results.profile / "index.html")
        write_text(written[-1], page(results, list(islice(drawn, len(results.records)))))
    written.append(destination / "index.html")
    front = committed.overview(everything, page="index.html")
    write_text(written[-1], _environment().get_template("front.html").render(profiles=front))
    return written


def _drawn(records: Sequence[EntryRecord]) -> Iterator[list[list[Figure]]]:
    """Figures of each record; drawing is most of the time of a site, so the cores share the records of many."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2 or len(records) < FEWEST_TO_SHARE:
        yield from map(figures_of, records)
        return
    # Not by fork, which may hang where a library has threads; few at a time, since some have many figures.
    with ProcessPoolExecutor(min(cores, MOST_PROCESSES), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(figures_of, records, chunksize=2)


def figures_of(record: EntryRecord) -> list[list[Figure]]:
    """Figures of one record, by kind."""
    kinds = (curves.learning_curves, curves.noted_curves, curves.cost_curves, pictures.pictures, drawings.drawings)
    return [draw(record) for draw in kinds]


def page(results: Results, of_records: Sequence[list[list[Figure]]]) -> str:
    """A profile's page, with the figures of each of its records; every text is escaped by the templates."""
    leaderboards = tables.leaderboards(results)
    links = {pair: f"#{found[0].name}" for pair, found in leaderboards.items()}
    ran_first = sorted(results.verdicts, key=lambda verdict: verdict.verdict == "not run")
    judged = verdicts.verdicts(ran_first, results, links)
    drawn = [*frontiers.frontiers(results), *curves.judged_trends(results)]  # what claims were judged by comes first
    drawn += [figure for kind in zip(*of_records, strict=True) for figures in kind for figure in figures]
    word = [column.name for column in judged.columns].index("verdict")
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=f"Profile {results.profile}",
            introduction=committed.introduction(results),
            warnings=committed.warnings(results),
            verdicts=judged,
            kinds=sorted({row[word].text for row in judged.rows}),
            ranks=tables.RANKS,
            leaderboards=[table for found in leaderboards.values() for table in found],
            figures=[(figure, Markup(figure.markup)) for figure in drawn],
            passages=passages.passages(results),
            tables=[tables.scores(results), evidence.runs(results), evidence.receipts(results)],
            evidence=evidence.evidence(results),
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
