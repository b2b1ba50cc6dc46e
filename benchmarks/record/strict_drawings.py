"""What a drawing must be to stand in a record: the drawings and passages of `evaluated.py`, read strictly."""

import json
import re
from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter

from benchmarks.record.evaluated import Board, Drawing, Histogram, Line, Lines, Passages

Kept = Drawing | Passages


def _named(drawing: Kept) -> None:
    if not re.fullmatch(r"[a-z0-9_]+", drawing.name):
        raise ValueError(f"name {drawing.name!r} of a drawing: small letters, digits and underscores are allowed")
    if not drawing.title.strip():
        raise ValueError(f"drawing {drawing.name}: title is empty; say in a line what it shows")


def _board(board: Board) -> Board:
    _named(board)
    widths = [len(row) for row in board.values]
    if not widths or not widths[0]:
        raise ValueError(f"board {board.name}: has no cells")
    for name, rows in (("values", board.values), ("marks", board.marks)):
        found = [len(row) for row in rows]
        if found != [widths[0]] * len(widths):
            wanted = f"{len(widths)} rows of {widths[0]}"
            raise ValueError(f"board {board.name}: {name} have rows of {found}, {wanted} are needed")
    for name, labels, cells in (("rows", board.rows, len(widths)), ("columns", board.columns, widths[0])):
        if labels and len(labels) != cells:
            raise ValueError(f"board {board.name}: {len(labels)} labels of {name} for {cells}")
    if board.decimals is not None and not 0 <= board.decimals <= 9:
        raise ValueError(f"board {board.name}: decimals {board.decimals}; 0 to 9 are allowed")
    return board


def _line(of: str, line: Line) -> None:
    if len(line.x) != len(line.y):
        raise ValueError(f"{of}: line {line.label!r} has {len(line.x)} x and {len(line.y)} y")


def _lines(lines: Lines) -> Lines:
    _named(lines)
    for line in lines.lines:
        _line(f"lines {lines.name}", line)
    return lines


def _histogram(histogram: Histogram) -> Histogram:
    _named(histogram)
    of, edges, densities = f"histogram {histogram.name}", histogram.edges, histogram.densities
    if not densities or len(edges) != len(densities) + 1:
        raise ValueError(f"{of}: {len(edges)} edges for {len(densities)} densities; one edge more is needed")
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"{of}: edges do not rise")
    if min(densities) < 0:
        raise ValueError(f"{of}: density {min(densities)} is below 0")
    if histogram.theory:
        _line(of, histogram.theory)
    return histogram


def _passages(passages: Passages) -> Passages:
    _named(passages)
    of, prompts, texts = f"passages {passages.name}", len(passages.prompts), len(passages.texts)
    if not passages.label.strip():
        raise ValueError(f"{of}: label is empty; say whose texts they are")
    if not prompts or prompts != texts:
        raise ValueError(f"{of}: {prompts} prompts and {texts} texts; one text a prompt is needed")
    return passages


_STRICT: TypeAdapter[Kept] = TypeAdapter(
    Annotated[
        Annotated[Board, AfterValidator(_board)]
        | Annotated[Lines, AfterValidator(_lines)]
        | Annotated[Histogram, AfterValidator(_histogram)]
        | Annotated[Passages, AfterValidator(_passages)],
        Field(discriminator="kind"),
    ],
    config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False),
)


def _read(told: Any) -> Kept:
    """By way of JSON, since strict mode takes a mapping for a dataclass from there only."""
    try:
        text = json.dumps(told, default=asdict)
    except (TypeError, ValueError):
        raise ValueError("a drawing holds numbers and texts of plain Python only") from None
    return _STRICT.validate_json(text)


KeptDrawing = Annotated[Kept, BeforeValidator(_read)]
