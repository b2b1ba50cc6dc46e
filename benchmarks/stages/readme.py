"""Keeps the results table of README.md equal to results/."""

from pathlib import Path

from benchmarks.errors import InputError
from benchmarks.reporting import boards, markdown, numbers, read, tables, verdicts
from benchmarks.reporting.read import Results
from benchmarks.reporting.table import Cell, Column, Table
from benchmarks.typed_files import write_text

README = Path("README.md")
BEGIN = "<!-- results: written by 'claimbench readme' -->"
END = "<!-- end of results -->"


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
    """The Markdown between the markers: verdicts and best rows of every profile but smoke ones."""
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
        markdown.table(_verdicts(shown)),
        *([f"Claims not run: {', '.join(not_run)}.\n"] if not_run else []),
    ]
    if (best := _best(shown)).rows:
        parts += ["Best of each leaderboard (those that share the first place are not told apart by the seeds):\n"]
        parts += [markdown.table(best)]
    return "\n" + "\n".join(parts) + "\n"


def _verdicts(shown: list[Results]) -> Table:
    rows = tuple(
        (
            Cell(results.profile, link=f"reports/{results.profile}/README.md"),
            Cell(f"{row.claim} ({row.where})" if row.where else row.claim),
            verdicts.paper_cell(row),
            Cell(verdicts.ours(row)),
            Cell(row.verdict, tone=verdicts.tone(row)),
            tables.marks(row.stale),
        )
        for results in shown
        for row in results.verdicts
        if row.verdict != "not run"
    )
    columns = (
        Column("profile"),
        Column("claim"),
        Column("paper", "right"),
        Column("ours", "right"),
        Column("verdict"),
        Column("marks"),
    )
    return Table("", "", columns, rows).without_empty("marks")


def _best(shown: list[Results]) -> Table:
    """First places on metrics that claims speak of, where the seeds tell anyone apart."""
    rows = []
    for results in shown:
        judged = {(row.task, row.metric) for row in results.verdicts}
        for ranked in boards.boards(results):
            if not ranked.told_apart or (ranked.task, ranked.metric) not in judged:
                continue
            board = boards.leaderboard(results, ranked)
            column = board.columns[3]
            heading = f"{board.title}{column.heading[-2:] if column.better else ''}"
            for row in board.rows:
                if row[0].value == 1:
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
    return Table("", "", columns, tuple(rows)).without_empty("marks")


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
