"""The reports that are in git: short Markdown and LaTeX, by path below reports/."""

from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.judging.results import Results
from benchmarks.reporting import evidence, latex, markdown, verdicts
from benchmarks.reporting.table import Cell, Table, headings
from benchmarks.reporting.tables import MARKS, marks

WARNINGS = {
    "smoke": "Tier smoke: these numbers mean nothing. They show that everything runs.",
    "short": "Tier short: the budget is far below the papers'. Read orderings only, never a paper's number.",
}

WRITTEN = "Written by `claimbench report` from `results/`"
EVERY_NUMBER = "Every number, leaderboard, figure and receipt: `make report`"


def is_ours(text: str) -> bool:
    """Whether a file of reports/ is one that `files` made, of other results: it has their sentence, or is empty."""
    return not text.strip() or any(sentence in text for sentence in (WRITTEN, EVERY_NUMBER, latex.WRITTEN))


def files(everything: Sequence[Results]) -> dict[str, str]:
    """The front door, and each profile's verdicts in Markdown and LaTeX."""
    made = {"README.md": front_door(everything)}
    for results in everything:
        tables = verdicts.verdicts_for_paper(results)
        made[f"{results.profile}/README.md"] = _profile(results)
        made[f"{results.profile}/tables/verdicts.tex"] = "\n".join(map(latex.table, tables))
    return made


def _profile(results: Results) -> str:
    judged = verdicts.run(results)
    return "\n".join(
        [
            f"# Profile {results.profile}\n",
            f"{markdown.escape(introduction(results))}\n",
            *(f"> **{warning}**\n" for warning in warnings(results)),
            f"{EVERY_NUMBER}, then open "
            f"`reports/site/{results.profile}/index.html`. For a paper: [LaTeX](tables/verdicts.tex).\n",
            markdown.section(verdicts.verdicts(judged, results, {})),
            f"{len(results.verdicts) - len(judged)} claims were not run here; `claimbench claims` lists them.\n",
        ]
    )


def introduction(results: Results) -> str:
    """What the profile is and how it went, in a paragraph."""
    done, of = results.runs_done()
    methods = len({record.method for record in results.records})
    parts = [
        f"{count(len(results.records), 'entry', 'entries')} of {count(methods, 'method')}, {done} of {of} runs done, "
        f"{count(len(results.verdicts), 'claim')} judged: {verdicts.counts(results.verdicts)}."
    ]
    if len(results.tiers) > 1:
        by_tier = Counter[str](record.tier for record in results.records)
        parts.append(f"Tiers: {', '.join(f'{tier} ({by_tier[tier]})' for tier in results.tiers)}.")
    if machines := evidence.machines(results):
        parts.append(f"Run on {' and '.join(machines)}.")
    return " ".join(parts)


def warnings(results: Results) -> list[str]:
    """What a reader of the profile's numbers must know first."""
    return [WARNINGS[tier] for tier in results.tiers if tier in WARNINGS]


def overview(everything: Sequence[Results], folder: str = "", page: str = "README.md") -> Table:
    """A row a profile, linked to its page below `folder`."""
    rows = tuple(
        (
            Cell(results.profile, link=f"{folder}{results.profile}/{page}"),
            Cell(", ".join(results.tiers)),
            Cell(str(len(results.records))),
            Cell("{} of {}".format(*results.runs_done())),
            Cell(verdicts.counts(results.verdicts)),
        )
        for results in everything
    )
    columns = headings("profile", "tier", "entries", "runs done", "verdicts")
    return Table("Profiles", "", columns, rows)


def front_door(everything: Sequence[Results]) -> str:
    """reports/README.md: a row a profile, what did not hold, and how to read a verdict."""
    failures = _failures(everything)
    return "\n".join(
        [
            "# Reports\n",
            f"{WRITTEN}, never by hand. Nothing is compared across profiles. "
            "`make report` builds pages with every number and figure into `reports/site/`.\n",
            markdown.table(overview(everything)) if everything else "No profile has results yet: run `make repro`.\n",
            "## Claims that did not hold\n",
            markdown.table(failures) if failures.rows else "None.\n",
            "## How to read a verdict\n",
            markdown.table(_glossary("verdict", verdicts.MEANINGS)),
            "A number such as 1980.5 [1979, 1982] is the mean over seeds and its interval; one seed shows no interval. "
            "The tolerance of each claim was fixed before its first run.\n",
            "Marks beside a number:\n",
            markdown.table(_glossary("mark", MARKS.items())),
        ]
    )


def _failures(everything: Sequence[Results]) -> Table:
    rows = tuple(
        (
            Cell(results.profile, link=f"{results.profile}/README.md"),
            Cell(verdict.claim.id),
            verdicts.source(verdict.paper, verdict.claim.where),
            verdicts.paper_cell(verdict),
            Cell(verdicts.ours(verdict)),
            Cell(verdict.verdict, tone=verdicts.tone(verdict)),
            marks(results.marks(verdict)),
        )
        for results in everything
        if results.tiers != ["smoke"]
        for verdict in verdicts.failed(results)
    )
    columns = headings("profile", "claim", "source", "paper", "ours", "verdict", "marks")
    return Table("", "", columns, rows).without_empty("marks")


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 claim`, `2 claims`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _glossary(name: str, pairs: Iterable[tuple[str, str]]) -> Table:
    return Table("", "", headings(name, "means"), tuple((Cell(word), Cell(text)) for word, text in pairs))
