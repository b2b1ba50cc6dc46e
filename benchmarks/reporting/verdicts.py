"""Claims beside what the runs say of them: those that ran first, then in the claim files' order, the papers'."""

import re

from benchmarks.reporting import numbers
from benchmarks.reporting.boards import board_names
from benchmarks.reporting.read import Judged, Results
from benchmarks.reporting.table import Cell, Column, Table, Tone
from benchmarks.reporting.tables import marks

LONGEST_VALUE = 90  # characters of a paper's value or of ours; some are nested lists


def tone(row: Judged) -> Tone:
    """Green and red only where the verdict means something: not from memory, not at smoke scale."""
    verdict = row.verdict
    if verdict.startswith(("not comparable", "not run")):
        return ""
    if row.evidence == "from_memory" or verdict.startswith("undecided") or verdict.endswith("smoke scale"):
        return "open"
    return "good" if verdict.startswith(("reproduced", "better", "holds")) else "bad"


def as_number(text: str) -> float | None:
    """The number that a text is, if it is one."""
    return float(text) if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text) else None


def ours(row: Judged) -> str:
    """What the runs say, with its interval."""
    mean = as_number(row.ours)
    if mean is None:
        return numbers.shortened(row.ours, LONGEST_VALUE) or numbers.NOTHING
    return numbers.with_interval(mean, row.low, row.high, numbers.done(row.seeds))


def paper_cell(row: Judged) -> Cell:
    """The paper's value in its own digits."""
    text = numbers.shortened(row.paper_value, LONGEST_VALUE) or numbers.NOTHING
    if row.evidence == "from_memory":
        return Cell(
            f"{text} (from memory)", as_number(row.paper_value), "not checked against the paper's text", "", "mark"
        )
    return Cell(text, as_number(row.paper_value), row.paper_value if text.endswith("…") else "")


def source(row: Judged) -> Cell:
    """Place in the paper, which is named by its title up to a colon and its year; the citation in full is a note."""
    found = re.match(r"(?P<title>.+?)(?:: .+?)?(?P<year> \(\d{4}\))?(?:, .*)?$", row.paper)
    short = f"{found['title']}{found['year'] or ''}" if found else row.paper
    return Cell(", ".join(filter(None, (short, row.where))), note=row.paper)


def verdicts(results: Results) -> Table:
    """Every claim beside what the runs say."""
    links: dict[tuple[str, str], str] = {}
    for board, place in board_names(results).items():
        links.setdefault((board.task, board.metric), f"#{place}")
    rows = []
    for row in sorted(results.verdicts, key=lambda row: row.verdict == "not run"):
        link = links.get((row.task, row.metric), "#scores") if row.ours else ""
        rows.append(
            (
                Cell(row.claim, note=f"{row.kind} {row.metric}"),
                source(row),
                Cell(row.task),
                paper_cell(row),
                Cell(ours(row), as_number(row.ours), row.ours, link),
                Cell(row.seeds or numbers.NOTHING, float(numbers.done(row.seeds))),
                Cell(row.verdict, tone=tone(row)),
                Cell(row.reason),
                marks(row.stale),
            )
        )
    columns = (
        Column("claim"),
        Column("source"),
        Column("task"),
        Column("paper", "right"),
        Column("ours", "right"),
        Column("seeds", "right"),
        Column("verdict"),
        Column("reason"),
        Column("marks"),
    )
    return Table("Verdicts", "What the runs say of each claim.", columns, tuple(rows), "verdicts").without_empty(
        "marks"
    )


def verdicts_for_paper(results: Results) -> list[Table]:
    """A table a paper, its claims in the paper's order, as a paper would print them; marks stand behind the verdict."""
    rows: dict[str, list[tuple[Cell, ...]]] = {}
    for row in results.verdicts:
        mark = marks(row.stale).text
        verdict = Cell(f"{row.verdict} [{mark}]" if mark else row.verdict, tone="mark" if mark else tone(row))
        claim = f"{row.claim} ({row.where})" if row.where else row.claim
        rows.setdefault(row.paper, []).append((Cell(claim), paper_cell(row), Cell(ours(row)), verdict))
    columns = (Column("claim"), Column("paper", "right"), Column("ours", "right"), Column("verdict"))
    caption = f"Profile {results.profile}."
    return [Table(paper, caption, columns, tuple(of)) for paper, of in (rows or {"No claims": []}).items()]
