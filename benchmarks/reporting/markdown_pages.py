"""A profile's report as pages of Markdown, each short enough for the sites that show them."""

from dataclasses import dataclass

from benchmarks.reporting import markdown, passages
from benchmarks.reporting.content import Content
from benchmarks.reporting.evidence import Evidence
from benchmarks.reporting.figures import Figure
from benchmarks.reporting.table import Table

LONGEST = 480 * 1024  # bytes of a page's sections; code hosts show no more than 500 KiB of a page
BOARDS = (
    "A rank such as 1–3 says that the seeds leave these places open. What stands behind an entry is in "
    "[entries.md](entries.md).\n"
)
ABOUT = {
    "leaderboards": "rankings",
    "entries": "every number of each entry, and what stands behind it",
    "runs": "how each run and stage went: status, time, memory, machine",
    "figures": "of single entries",
}


@dataclass(frozen=True)
class Page:
    """A file, and which places of the report are in it."""

    kind: str
    name: str
    text: str
    places: tuple[str, ...] = ()


def pages(content: Content) -> dict[str, str]:
    """Every page's text by its name: README.md with the verdicts, what stands behind them in others."""
    boards = _paged(content, "leaderboards", BOARDS, {board.name: _board(board) for board in content.leaderboards})
    entries = _paged(content, "entries", _caption_of_scores(content), _entries(content))
    found = {place: page.name for page in (*boards, *entries) for place in page.places}
    homes = found | ({content.scores.name: entries[0].name} if entries else {})
    runs = [content.runs.with_links(homes), content.receipts.with_links(homes)]
    others = [
        *boards,
        *entries,
        *_paged(content, "runs", "", {table.name: markdown.section(table) for table in runs}),
        *_paged(content, "figures", "", {figure.name: _drawing(figure) for figure in content.entry_figures}),
    ]
    first = Page("verdicts", "README.md", _first(content, content.verdicts.with_links(homes), others))
    return {page.name: page.text for page in (first, *others)}


def _paged(content: Content, kind: str, caption: str, sections: dict[str, str]) -> list[Page]:
    """Sections by their places on as few pages as their lengths allow; no page without a section."""
    groups: list[list[str]] = []
    room = 0
    for place, text in sections.items():
        if not groups or len(text.encode()) > room:
            groups.append([])
            room = LONGEST
        groups[-1].append(place)
        room -= len(text.encode())
    made = []
    for number, places in enumerate(groups, start=1):
        title = f"# {content.title}: {kind}" + (f" ({number} of {len(groups)})" if len(groups) > 1 else "")
        parts = [f"{title}\n", "Back to the [verdicts](README.md).\n", *filter(None, [caption])]
        name = f"{kind}.md" if number == 1 else f"{kind}_{number}.md"
        made.append(Page(kind, name, "\n".join([*parts, *(sections[place] for place in places)]), tuple(places)))
    return made


def _first(content: Content, verdicts: Table, others: list[Page]) -> str:
    parts = [
        f"# {content.title}\n",
        f"{markdown.escape(content.introduction)}\n",
        *(f"> **{warning}**\n" for warning in content.warnings),
        _contents(others),
        markdown.section(verdicts),
    ]
    if content.judged_figures:
        parts += ["## Figures\n", "What claims were judged by.\n", *map(_drawing, content.judged_figures)]
    if content.passages:
        parts.append("## Texts side by side\n")
        parts += [markdown.section(passages.shortened(table), level=3) for table in content.passages]
    return "\n".join(parts)


def _contents(others: list[Page]) -> str:
    """Where everything else is."""
    kinds: dict[str, list[Page]] = {}
    for page in others:
        kinds.setdefault(page.kind, []).append(page)
    lines = [f"{', '.join(f'[{page.name}]({page.name})' for page in of)}: {ABOUT[kind]}" for kind, of in kinds.items()]
    lines += [
        "[index.html](index.html): everything in one file to download, with sorting",
        "for a paper: [verdicts](tables/verdicts.tex), [leaderboards](tables/leaderboard.tex), "
        "[scores](tables/scores.tex)",
    ]
    return "".join(f"- {line}\n" for line in lines)


def _board(board: Table) -> str:
    """Without links to the entries: thousands of them would double the pages."""
    return markdown.section(board.with_links({}))


def _caption_of_scores(content: Content) -> str:
    return f'<a id="{content.scores.name}"></a>\n\n{markdown.escape(content.scores.caption)}\n'


def _entries(content: Content) -> dict[str, str]:
    """What each entry is and every number of it, by the entry's place."""
    scores = content.scores.without("task", "tier").by_first_column()
    told = {entry.entry: entry for entry in content.evidence}
    sections = {}
    for name in dict.fromkeys([*told, *scores]):  # the tables may be of other entries than the records
        place = f'<a id="{told[name].name}"></a>\n' if name in told else ""
        facts = _facts(told[name]) if name in told else ""
        numbers = markdown.table(scores[name]) if name in scores else "Not in the tables yet.\n"
        parts = (place, f"## {markdown.escape(name)}\n", facts, numbers)
        sections[f"evidence-{name}"] = "\n".join(filter(None, parts))
    return sections


def _facts(entry: Evidence) -> str:
    links = [f"[record]({entry.record})", *([f"[receipt]({entry.receipt})"] if entry.receipt else [])]
    facts = "; ".join(f"{name.text} {value.text}" for name, value in entry.facts.rows)
    return f"{', '.join(links)}: {markdown.escape(facts)}\n"


def _drawing(figure: Figure) -> str:
    return f"![{markdown.escape(figure.alt)}](figures/{figure.name}.png)\n"
