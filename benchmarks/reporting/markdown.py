"""Tables in Markdown (the GitHub kind)."""

import re

from benchmarks.reporting.table import Cell, Table

_SPECIAL = re.compile(r"([\\`*\[\]|~$#])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """A text that Markdown shows as it is, on one line.

    An underscore inside a word is left alone: it has no meaning there, and names stay readable in the source.
    """
    text = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], " ".join(text.split()))
    return re.sub(r"(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])", r"\\_", _SPECIAL.sub(r"\\\1", text))


def cell(content: Cell) -> str:
    """A cell; tones that must not be missed are set bold or slanted."""
    text = escape(content.text)
    if text and content.tone in ("good", "bad"):
        text = f"**{text}**"
    elif text and content.tone in ("mark", "open"):
        text = f"*{text}*"
    return f"[{text}]({content.link})" if content.link and text else text


def table(content: Table) -> str:
    """The table without its title; ends with a newline."""
    lines = [
        [escape(column.heading) for column in content.columns],
        ["---:" if column.align == "right" else "---" for column in content.columns],
        *([cell(each) for each in row] for row in content.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def section(content: Table, level: int = 2) -> str:
    """Heading, caption and table."""
    place = f'<a id="{content.name}"></a>\n\n' if content.name else ""
    caption = f"{escape(content.caption)}\n\n" if content.caption else ""
    body = table(content) if content.rows else "Nothing here.\n"
    return f"{place}{'#' * level} {escape(content.title)}\n\n{caption}{body}"
