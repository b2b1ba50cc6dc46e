"""A profile's report as pages of Markdown; of a README GitHub shows the first 500 KiB and no more."""

from dataclasses import dataclass

from benchmarks.reporting import boards, markdown, passages
from benchmarks.reporting.content import Content
from benchmarks.reporting.evidence import Evidence
from benchmarks.reporting.figures import Figure
from benchmarks.reporting.table import Table

LONGEST = 480 * 1024  # bytes of a page's sections; longer only where one section is, and README.md is never cut
ABOUT = {
    "leaderboards": "rankings",
    "entries": "every number of each entry, and what stands behind it",
    "runs": "how each run and stage went: status, time, memory, machine",
    "figures": "of single entries",
}


@dataclass(frozen=True)
class Page:
    """A file, and the sections in it by their names, which links from elsewhere know."""

    kind: str
    name: str
    text: str
    sections: tuple[str, ...]


def pages(content: Content) -> dict[str, str]:
    """Every page's text by its name: README.md with the verdicts, what stands behind them in others."""
    entries = _paged(content.title, "entries", "", _entries(content))
    homes = _homes(entries)
    ranked = {board.name: markdown.section(board.with_links(homes)) for board in content.leaderboards}
    rankings = _paged(content.title, "leaderboards", f"{boards.RANKS}\n", ranked)
    runs = [content.runs.with_links(homes), content.receipts.with_links(homes)]
    others = [
        *rankings,
        *entries,
        *_paged(content.title, "runs", "", {table.name: markdown.section(table) for table in runs}),
        *_paged(content.title, "figures", "", {figure.name: _drawing(figure) for figure in content.entry_figures}),
    ]
    verdicts = content.verdicts.with_links(homes | _homes(rankings))
    return {"README.md": _first(content, verdicts, others)} | {page.name: page.text for page in others}


def _homes(made: list[Page]) -> dict[str, str]:
    return {section: page.name for page in made for section in page.sections}


def _paged(title: str, kind: str, caption: str, sections: dict[str, str]) -> list[Page]:
    """Sections by their names on as few pages as their lengths allow; no page without a section."""
    groups: list[list[str]] = []
    room = 0
    for name, text in sections.items():
        if not groups or len(text.encode()) > room:
            groups.append([])
            room = LONGEST
        groups[-1].append(name)
        room -= len(text.encode())
    made = []
    for number, names in enumerate(groups, start=1):
        heading = f"# {title}: {kind}" + (f" ({number} of {len(groups)})" if len(groups) > 1 else "")
        parts = [f"{heading}\n", "Back to the [verdicts](README.md).\n", *filter(None, [caption])]
        page = f"{kind}.md" if number == 1 else f"{kind}_{number}.md"
        made.append(Page(kind, page, "\n".join([*parts, *(sections[name] for name in names)]), tuple(names)))
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


def _entries(content: Content) -> dict[str, str]:
    """What each entry is and every number of it; the tables may be of other entries than the records."""
    scores = content.scores.by_first_column()
    sections = {
        content.scores.name: f'<a id="{content.scores.name}"></a>\n\n{markdown.escape(content.scores.caption)}\n'
    }
    for entry in content.evidence:
        numbers = scores.pop(entry.entry, None)
        parts = (
            f'<a id="{entry.name}"></a>\n',
            f"## {markdown.escape(entry.entry)}\n",
            _facts(entry),
            markdown.table(numbers.without("task", "tier")) if numbers else "Not in the tables yet.\n",
        )
        sections[entry.name] = "\n".join(parts)
    for name, numbers in scores.items():
        sections[f"numbers-{name}"] = f"## {markdown.escape(name)}\n\nNo record of it.\n\n{markdown.table(numbers)}"
    return sections


def _facts(entry: Evidence) -> str:
    links = [f"[record]({entry.record})", *([f"[receipt]({entry.receipt})"] if entry.receipt else [])]
    facts = "; ".join(f"{name.text} {value.text}" for name, value in entry.facts.rows)
    return f"{', '.join(links)}: {markdown.escape(facts)}\n"


def _drawing(figure: Figure) -> str:
    return f"![{markdown.escape(figure.alt)}](figures/{figure.name}.png)\n"
