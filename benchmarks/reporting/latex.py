r"""Tables in LaTeX: needs `booktabs`, and `longtable` where a table is longer than a page.

Columns of long texts share the width that the others leave of a line, so that a table in \footnotesize fits an A4 page.
"""

import math
import re
import unicodedata
from collections.abc import Sequence

from benchmarks.reporting.table import Cell, Table

WRITTEN = "Written by claimbench report; needs"  # in a comment at the top of each table
LONGEST_TABULAR = 45  # lines that fit a page
LONGEST_UNBROKEN = 30  # characters of a text on one line, in a column of its own width
LONGEST_SHARE = 70  # characters by which a column of long texts gets its share of the width, at most
WIDTH_OF_CHARACTER = 0.0095  # of the width of a line, in \footnotesize

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "→": r"$\rightarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}


def escape(text: str) -> str:
    """A text that LaTeX shows as it is, on one line; control characters are left out."""
    flat = " ".join(text.split())
    shown = "".join(_ESCAPES.get(c, c) for c in flat if unicodedata.category(c)[0] != "C")
    # A bracket that begins a cell would be read as an option of the \\ or \midrule before it.
    shown = re.sub(r"^([\[*])", r"{\1}", shown)
    return re.sub(r"(?<![\w\-$}])-(?=\d)", "$-$", shown)


def cell(content: Cell) -> str:
    """A cell; what deserves attention is set slanted."""
    text = escape(content.text)
    return rf"\emph{{{text}}}" if text and content.tone in ("mark", "open", "bad") else text


def table(content: Table) -> str:
    r"""The bare `tabular` (or `longtable`), to be read with \input into a float of one's own."""
    heads = " & ".join(escape(column.heading) for column in content.columns)
    widths = _widths(content)
    fits = sum(_lines(row, widths) for row in content.rows) <= LONGEST_TABULAR
    environment = "tabular" if fits else "longtable"
    show = [_paragraph if width[0] == "p" else cell for width in widths]
    body = [" & ".join(of(each) for of, each in zip(show, row, strict=True)) + r" \\" for row in content.rows]
    whole = r"p{0.96\linewidth}" if any(width[0] == "p" for width in widths) else "l"
    titled = rf"\multicolumn{{{len(content.columns)}}}{{{whole}}}{{{escape(content.title)}}} \\"
    repeat = [r"\endhead"] if environment == "longtable" else []
    return "\n".join(
        [
            f"% {escape(content.title)}. {escape(content.caption)}".rstrip(),
            rf"% {WRITTEN} \usepackage{{booktabs" + (",longtable}" if repeat else "}"),
            rf"\begin{{{environment}}}{{{''.join(widths)}}}",
            r"\toprule",
            titled,
            r"\midrule",
            heads + r" \\",
            r"\midrule",
            *repeat,
            *body,
            r"\bottomrule",
            rf"\end{{{environment}}}",
            "",
        ]
    )


def _widths(content: Table) -> list[str]:
    """A column's letter, or the paragraph that it is where its longest text is long."""
    columns = zip(*content.rows, strict=True) if content.rows else [()] * len(content.columns)
    longest = [max((len(each.text) for each in column), default=0) for column in columns]
    longest[-1] = min(longest[-1], LONGEST_UNBROKEN)  # no paragraph: its \raggedright would take the \\ behind the row
    left = 0.93 - WIDTH_OF_CHARACTER * sum(length + 2 for length in longest if length <= LONGEST_UNBROKEN)
    shares = [min(length, LONGEST_SHARE) if length > LONGEST_UNBROKEN else 0 for length in longest]
    return [
        rf"p{{{left * share / sum(shares):.2f}\linewidth}}" if share else column.align[0]
        for column, share in zip(content.columns, shares, strict=True)
    ]


def _lines(row: Sequence[Cell], widths: Sequence[str]) -> int:
    """About how many lines a row takes."""
    parts = [float(width[2:].partition("\\")[0]) if width[0] == "p" else 1.0 for width in widths]
    return max(math.ceil(len(each.text) * WIDTH_OF_CHARACTER / part) for each, part in zip(row, parts, strict=True))


def _paragraph(content: Cell) -> str:
    """A cell flush left, in which an id may end a line after an underscore."""
    text = cell(content).replace(r"\_", r"\_\allowbreak{}")
    return rf"\raggedright {text}" if text else text
