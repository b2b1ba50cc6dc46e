"""Claims beside what the runs say of them, and verdicts counted."""

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.judging.claims import ExactClaim, Paper, ValueClaim
from benchmarks.judging.results import Results
from benchmarks.judging.verdicts import Verdict
from benchmarks.reporting import numbers
from benchmarks.reporting.table import Cell, Table, Tone, headings
from benchmarks.reporting.tables import marks

LONGEST_VALUE = 90  # characters of a paper's value or of ours; some are nested lists
GOOD = ("reproduced", "holds", "better")
FAILED = ("contradicted", "fails", "better", "worse")  # came out otherwise than the paper says, to the good or the bad
MEANINGS = (
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


def tone(verdict: Verdict) -> Tone:
    """Green and red only where the verdict means something: not from memory, not at smoke scale."""
    word = verdict.verdict
    if word.startswith(("not comparable", "not run")):
        return ""
    if verdict.claim.evidence == "from_memory" or word.startswith("undecided") or word.endswith("smoke scale"):
        return "open"
    return "good" if word.startswith(GOOD) else "bad"


def failed(results: Results) -> list[Verdict]:
    """Verdicts that came out otherwise than the paper says."""
    return [verdict for verdict in results.verdicts if verdict.verdict.startswith(FAILED)]


def run(results: Results) -> list[Verdict]:
    """Verdicts of claims that a run of the profile speaks of."""
    return [verdict for verdict in results.verdicts if verdict.verdict != "not run"]


def counts(verdicts: Sequence[Verdict]) -> str:
    """`3 reproduced, 1 undecided`, most frequent first; which field is not comparable does not matter here."""
    found = Counter(verdict.verdict.partition(":")[0] for verdict in verdicts)
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {word}" for word, count in ordered) or "no verdicts"


def _seeds_done(verdict: Verdict) -> int:
    return sum(run.status == "done" for record in verdict.records for run in record.runs)


def ours(verdict: Verdict) -> str:
    """What the runs say, with its interval."""
    return numbers.with_interval(verdict.ours, verdict.low, verdict.high, _seeds_done(verdict))


def paper_cell(verdict: Verdict) -> Cell:
    """The paper's value in its own digits."""
    claim, whole = verdict.claim, verdict.paper_value
    value = claim.value if isinstance(claim, ValueClaim | ExactClaim) and not isinstance(claim.value, list) else None
    text = numbers.shortened(whole, LONGEST_VALUE)
    if claim.evidence == "from_memory":
        return Cell(f"{text} (from memory)", value, "not checked against the paper's text", "", "mark")
    return Cell(text, value, "" if text == whole else whole)


def source(paper: Paper, where: str = "") -> Cell:
    """Place in the paper, which is named by its title up to a colon and its year; the citation in full is a note."""
    year = f" ({paper.year})" if paper.year else ""
    short = f"{paper.title.partition(': ')[0]}{year}"
    return Cell(", ".join(filter(None, (short, where))), note=paper.citation())


def verdicts(judged: Sequence[Verdict], results: Results, links: Mapping[tuple[str, str], str]) -> Table:
    """Claims beside what the runs say of them; `links` are places in the page by task and metric."""
    rows = [
        (
            Cell(verdict.claim.id, note=f"{verdict.claim.kind} {verdict.claim.metric}"),
            source(verdict.paper, verdict.claim.where),
            Cell(verdict.task),
            paper_cell(verdict),
            Cell(
                ours(verdict),
                verdict.ours,
                link=links.get((verdict.task, verdict.claim.metric), "") if verdict.ours is not None else "",
            ),
            Cell(verdict.seeds or numbers.NOTHING, float(_seeds_done(verdict))),
            Cell(verdict.verdict, tone=tone(verdict)),
            Cell(verdict.reason),
            marks(results.marks(verdict)),
        )
        for verdict in judged
    ]
    columns = headings("claim", "source", "task", "paper", "ours", "seeds", "verdict", "reason", "marks")
    caption = "What the runs say of each claim."
    return Table("Verdicts", caption, columns, tuple(rows), "verdicts").without_empty("marks")


def verdicts_for_paper(results: Results) -> list[Table]:
    """A table a paper, its claims in the paper's order, as a paper would print them; marks stand behind the verdict.

    Claims that no run of the profile is about are left out; a claim that several tasks are about names each.
    """
    rows: dict[str, list[tuple[Cell, ...]]] = {}
    times = Counter(verdict.claim.id for verdict in run(results))
    for verdict in run(results):
        mark = marks(results.marks(verdict)).text
        word = Cell(f"{verdict.verdict} [{mark}]" if mark else verdict.verdict, tone="mark" if mark else tone(verdict))
        task = f", {verdict.task}" if times[verdict.claim.id] > 1 else ""
        claim = Cell(f"{verdict.claim.id}{task} ({verdict.claim.where})")
        rows.setdefault(verdict.paper.citation(), []).append((claim, paper_cell(verdict), Cell(ours(verdict)), word))
    columns = headings("claim", "paper", "ours", "verdict")
    caption = f"Profile {results.profile}."
    return [Table(paper, caption, columns, tuple(of)) for paper, of in (rows or {"No claims": []}).items()]
