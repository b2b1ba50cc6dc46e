r"""Tables in LaTeX: needs `booktabs`, and `longtable` where a table is longer than a page."""

import re
import unicodedata

from benchmarks.reporting.table import Cell, Table

LONGEST_TABULAR = 45  # rows that fit a page

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
    """The bare `tabular` (or `longtable`), to be read with \\input into a float of one's own."""
    environment = "longtable" if len(content.rows) > LONGEST_TABULAR else "tabular"
    heads = " & ".join(escape(column.heading) for column in content.columns)
    widths = "".join(column.align[0] for column in content.columns)
    body = [" & ".join(cell(each) for each in row) + r" \\" for row in content.rows]
    titled = rf"\multicolumn{{{len(content.columns)}}}{{l}}{{{escape(content.title)}}} \\"
    repeat = [r"\endhead"] if environment == "longtable" else []
    return "\n".join(
        [
            f"% {escape(content.title)}. {escape(content.caption)}".rstrip(),
            r"% Written by claimbench report; needs \usepackage{booktabs" + (",longtable}" if repeat else "}"),
            rf"\begin{{{environment}}}{{{widths}}}",
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
