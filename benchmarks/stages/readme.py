"""Keeps the results table of README.md equal to results/."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks.errors import InputError
from benchmarks.judging.protocols import describe
from benchmarks.reporting import boards, markdown, numbers, read, tables, verdicts
from benchmarks.reporting.boards import Board
from benchmarks.reporting.read import Judged, Results
from benchmarks.reporting.table import Cell, Column, Table
from benchmarks.typed_files import write_text

README = Path("README.md")
BEGIN = "<!-- results: written by 'claimbench readme' -->"
END = "<!-- end of results -->"
OTHERWISE = ("contradicted", "fails", "better", "worse")
NUMBER = re.compile(r" -?[\d.][\de.+-]*$")  # at the end of a part of a variant, such as n 64
MOST_BEST = 20  # rows of first places
MOST_SHARING = 3  # rows in the first place; a board on which more share it has no winner to tell of


def run(root: Path = Path()) -> None:
    """Writes the lines between the two markers anew, the file whole.

    Raises:
        InputError: README.md is absent or lacks the markers; a table is damaged.
    """
    before, _, after = _parts(root)
    write_text(root / README, before + block(root) + after)


def matches(root: Path = Path()) -> bool:
    """Whether README.md says what results/ says; raises as `run`."""
    return _parts(root)[1] == block(root)


def finding(root: Path = Path()) -> str | None:
    """What `claimbench verify` says of README.md; None where all is well."""
    try:
        return None if matches(root) else f"{README}: the results table is not that of results/; run: claimbench readme"
    except InputError as error:
        return str(error)


def block(root: Path = Path()) -> str:
    """The Markdown between the markers, of every profile but smoke ones: verdicts counted by paper, what did not hold,
    and best rows.
    """
    everything = [read.results(profile, root) for profile in read.profiles_with_tables(root)]
    shown = [results for results in everything if set(results.tiers) - {"smoke"} and results.profile != "smoke"]
    if not shown:
        return "\nNo results yet: run `make repro`.\n\n"
    not_run = [
        f"{count} in {results.profile}"
        for results in shown
        if (count := sum(row.verdict == "not run" for row in results.verdicts))
    ]
    parts = [
        "A row for each profile and paper. A claim that speaks of more than one task has a verdict on each.\n",
        markdown.table(_papers(shown)),
        *([f"Claims not run: {', '.join(not_run)}.\n"] if not_run else []),
    ]
    if (differing := _not_held(shown)).rows:
        parts += ["Every claim that did not hold, or whose number came out otherwise:\n", markdown.table(differing)]
    else:
        parts += ["No claim that was judged came out otherwise than its paper says.\n"]
    if (best := _best(shown)).rows:
        more = len(best.rows) - MOST_BEST
        rest = f"; the first {MOST_BEST} rows, {more} more are in the [reports](reports/README.md)" if more > 0 else ""
        parts += [
            "Best of each leaderboard of judged metrics on which methods compete and the seeds tell some apart (those "
            f"that share the first place, {MOST_SHARING} at most, are not told apart; of a metric taken at many values "
            f"of a number, such as n, the last is shown{rest}):\n",
            markdown.table(replace(best, rows=best.rows[:MOST_BEST]).without_empty("marks")),
        ]
    return "\n" + "\n".join(parts) + "\n"


def _papers(shown: list[Results]) -> Table:
    rows = []
    for results in shown:
        of_paper: dict[str, list[Judged]] = {}
        for row in results.verdicts:
            if row.verdict != "not run":
                of_paper.setdefault(row.paper, []).append(row)
        for judged in of_paper.values():
            counts = Counter(
                f"{row.verdict} (from memory)" if row.evidence == "from_memory" else row.verdict for row in judged
            )
            told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items(), key=_most_first))
            found = {mark for row in judged for mark in row.stale.split("+")}
            rows.append(
                (
                    Cell(results.profile, link=f"reports/{results.profile}/README.md"),
                    verdicts.source(replace(judged[0], where="")),
                    Cell(str(len({row.claim for row in judged}))),
                    Cell(told),
                    tables.marks("+".join(mark for mark in read.MARKS if mark in found)),
                )
            )
    columns = (
        Column("profile"),
        Column("paper"),
        Column("claims judged", "right"),
        Column("verdicts"),
        Column("marks"),
    )
    return Table("", "", columns, tuple(rows)).without_empty("marks")


def _most_first(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _not_held(shown: list[Results]) -> Table:
    rows = tuple(
        (
            Cell(results.profile, link=f"reports/{results.profile}/README.md"),
            Cell(row.claim),
            verdicts.source(row),
            verdicts.paper_cell(row),
            Cell(verdicts.ours(row)),
            Cell(row.verdict, tone=verdicts.tone(row)),
            tables.marks(row.stale),
        )
        for results in shown
        for row in results.verdicts
        if row.verdict.startswith(OTHERWISE)
    )
    columns = (
        Column("profile"),
        Column("claim"),
        Column("source"),
        Column("paper", "right"),
        Column("ours", "right"),
        Column("verdict"),
        Column("marks"),
    )
    return Table("", "", columns, rows).without_empty("marks")


def _best(shown: list[Results]) -> Table:
    """First places of the boards that `_contested` picks, where few share them."""
    rows = []
    for results in shown:
        for ranked in _contested(results):
            board = boards.leaderboard(results, ranked)
            column = board.columns[3]
            heading = f"{board.title}{column.heading[-2:] if column.better else ''}"
            first = [row for row in board.rows if row[0].value == 1]
            for row in first if len(first) <= MOST_SHARING else ():
                marks = row[5] if len(row) > 5 else Cell("")
                entry = Cell(numbers.shortened(f"{row[1].text} / {row[2].text}"))
                rows.append((Cell(results.profile), Cell(heading), entry, Cell(row[3].text), marks))
    columns = (
        Column("profile"),
        Column("task: metric"),
        Column("entry / variant"),
        Column("mean", "right"),
        Column("marks"),
    )
    return Table("", "", columns, tuple(rows))


def _contested(results: Results) -> list[Board]:
    """Boards of judged metrics on which two methods or algorithms compete and the seeds tell anyone apart.

    Of boards that differ in a number of the variant only, the last.
    """
    judged = {(row.task, row.metric) for row in results.verdicts}
    rivals = {
        (record.entry, describe(metric.variant)): (record.method, metric.variant.get("algorithm"))
        for record in results.records
        for run in record.runs
        for metric in run.metrics
    }
    last: dict[tuple[object, ...], Board] = {}
    for board in boards.boards(results):
        competing = {rivals.get((place.entry, place.variant)) for place, _ in board.rows} - {None}
        if board.told_apart and len(competing) > 1 and (board.task, board.metric) in judged:
            last[_but_for_numbers(board)] = board  # they come in the order of their numbers
    return sorted(last.values(), key=lambda board: boards.natural(board.title))


def _but_for_numbers(board: Board) -> tuple[object, ...]:
    """What boards have in common that differ in a number of the variant only: that is another protocol."""
    shared = set.intersection(*(set(place.variant.split(", ")) for place, _ in board.rows))
    fields = frozenset(field for part in shared if (field := NUMBER.sub("", part)) != part)
    others = frozenset(part for part in shared if NUMBER.sub("", part) == part)
    fingerprint, _, tier = board.protocol.rpartition(", ")
    return board.task, board.metric, tier, fields, others, "" if fields else fingerprint


def _parts(root: Path) -> tuple[str, str, str]:
    """README.md up to the end of the first marker's line, between, and from the second marker on."""
    path = root / README
    if not path.is_file():
        raise InputError(f"{README}: no such file; write one with the lines {BEGIN} and {END}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{README}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    return split(text)


def split(text: str) -> tuple[str, str, str]:
    """The text of README.md up to the end of the first marker's line, between, and from the second marker on.

    Raises:
        InputError: the markers are not there once each, in order.
    """
    lines = text.splitlines(keepends=True)
    plain = [line.rstrip("\r\n") for line in lines]
    if plain.count(BEGIN) != 1 or plain.count(END) != 1 or plain.index(BEGIN) > plain.index(END):
        raise InputError(f"{README}: the results stand between the lines {BEGIN} and {END}, once each; add them")
    first, last = plain.index(BEGIN), plain.index(END)
    return "".join(lines[: first + 1]), "".join(lines[first + 1 : last]), "".join(lines[last:])
