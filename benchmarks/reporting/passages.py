"""Passages: what the models of a task wrote, a row a prompt and a column a writer."""

from benchmarks.judging.results import Results
from benchmarks.record.evaluated import Passages
from benchmarks.reporting.table import Cell, Column, Table, anchors


def passages(results: Results) -> list[Table]:
    """A table for each task, name and list of prompts; writers from the left by their place, then by entry."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[tuple[str, Passages]]] = {}
    for record in results.records:
        for found in (drawing for drawing in record.drawings if isinstance(drawing, Passages)):
            groups.setdefault((record.task, found.name, tuple(found.prompts)), []).append((record.entry, found))
    titles = [f"{task}: {found[0][1].title}" for (task, _, _), found in groups.items()]
    named = zip(titles, anchors(titles, "passages"), groups.values(), strict=True)
    return [_table(title, name, found) for title, name, found in named]


def _table(title: str, name: str, found: list[tuple[str, Passages]]) -> Table:
    """Texts of the same writer in several records, such as the reference, are shown once."""
    columns: dict[tuple[str, tuple[str, ...]], str] = {}
    for entry, written in sorted(found, key=lambda pair: pair[1].place):
        columns.setdefault((written.label, tuple(written.texts)), entry)
    labels = [label for label, _ in columns]
    headings = [
        f"{label} ({entry})" if labels.count(label) > 1 else label for (label, _), entry in columns.items()
    ]  # two entries of one label are told apart by their names
    prompts = found[0][1].prompts
    rows = zip(prompts, *(texts for _, texts in columns), strict=True)
    cells = tuple((Cell(_plain(prompt)), *(_cell(text) for text in texts)) for prompt, *texts in rows)
    count = len(prompts)
    caption = f"{count} {'prompt' if count == 1 else 'prompts'}; of several seeds the first that is done."
    return Table(title, caption, tuple(map(Column, ["prompt", *headings])), cells, name)


def _cell(text: str) -> Cell:
    return Cell(_plain(text)) if text.strip() else Cell("(nothing)", tone="open")


def _plain(text: str) -> str:
    """What can be shown: a model may write any character."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text.strip("\n"))
