"""Drawings of a record: boards of cells, lines, histograms."""

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.record.evaluated import Board, Drawing, Histogram, Line, Lines, Passages
from benchmarks.record.records import EntryRecord
from benchmarks.reporting import numbers
from benchmarks.reporting.curves import LINES
from benchmarks.reporting.figures import Figure, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

SHADES = 32  # of the colour map; a colour bar of more would be drawn pixel by pixel
DARK, LIGHT = "#050505", "#ffffff"  # texts in cells, whose colours are the same on light and dark pages
CELL, WRITTEN = 0.36, 0.5  # inches; of a cell in which no number is written, and of one in which one is
NARROWEST = 3.4  # inches
WIDTH, HEIGHT, LINE = 5.6, 3.0, 0.17  # inches; of axes with lines, and of a line of text
CHARACTERS = 11  # of a title, on an inch
MOST_INSIDE, LONGEST_INSIDE = 4, 28  # lines and characters of a legend inside the axes
FEW_POINTS = 12  # of a line; so many are marked one by one
THEORY: dict[str, Any] = {"linewidth": 1.0, "linestyle": (0, (4, 2))}


def drawings(record: EntryRecord) -> list[Figure]:
    """A figure for each drawing of the record; lines without any point that can be drawn have none, nor have texts."""
    drawn_ones = [drawing for drawing in record.drawings if not isinstance(drawing, Passages)]
    return [figure for drawing in drawn_ones if (figure := _figure(record.entry, drawing))]


def _figure(entry: str, drawing: Drawing) -> Figure | None:
    title = f"{entry}: {drawing.title}"
    name = f"{drawing.name}_{entry}"
    match drawing:
        case Board():
            return _board(name, title, drawing)
        case Lines():
            return _lines(name, title, drawing)
        case Histogram():
            return _histogram(name, title, drawing)


def _heading(title: str, inches: float) -> list[str]:
    return textwrap.wrap(title, int(CHARACTERS * inches), break_long_words=False)


def _board(name: str, title: str, board: Board) -> Figure:
    """Rows from the top, as the record has them; values shade the cells, the low ones dark."""
    down, across = len(board.values), len(board.values[0])
    flat = [value for row in board.values for value in row]
    low, high = min(flat), max(flat)
    side = CELL if board.decimals is None else WRITTEN
    keyed = board.decimals is None and low < high  # what is not written is told by a colour bar
    width = max(NARROWEST, 0.5 + side * across + (0.8 if keyed else 0))
    heading = _heading(title, width)

    def draw(axes: "Axes") -> None:
        import numpy as np

        margin = 0 if low < high else 1  # one value has the colour in the middle
        between: dict[str, Any] = {"edgecolors": "#80808066", "linewidth": 0.5, "clip_on": False}
        mesh = axes.pcolormesh(board.values, cmap=_shades(), vmin=low - margin, vmax=high + margin, **between)
        for row, colours in enumerate(mesh.to_rgba(np.array(board.values)).tolist()):
            for column, colour in enumerate(colours):
                _texts(axes, board, row, column, _ink(colour))
        axes.set(title="\n".join(heading), xlabel=board.column_title, ylabel=board.row_title, aspect="equal")
        axes.set_xticks([k + 0.5 for k in range(across)] if board.columns else [], board.columns)
        axes.set_yticks([k + 0.5 for k in range(down)] if board.rows else [], board.rows)
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        if keyed:
            bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.8, aspect=14, format=lambda value, _: _tick(value))
            bar.outline.set_visible(False)

    labels = 0.25 * (bool(board.columns) + bool(board.column_title))
    size = (width, 0.2 + LINE * len(heading) + side * down + labels)
    figure = drawn(name, title, _board_words(title, board), draw, size)
    unturned = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", figure.markup)  # a fifth of each cell's text
    return replace(figure, markup=unturned)


def _texts(axes: "Axes", board: Board, row: int, column: int, ink: str) -> None:
    """Mark above number, or the one that there is in the middle of the cell."""
    mark = board.marks[row][column].strip()
    number = "" if board.decimals is None else numbers.fixed(board.values[row][column], board.decimals)
    mark_at, number_at = (0.34, 0.73) if mark and number else (0.5, 0.5)
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    if mark:
        largest = 11 if len(mark) == 1 else 18 / len(mark)
        axes.text(column + 0.5, row + mark_at, mark, fontsize=min(largest, 10 if number else 11), **middle)
    if number:
        axes.text(column + 0.5, row + number_at, number, fontsize=min(8, 45 / len(number)), **middle)


def _shades() -> "Colormap":
    from matplotlib import colormaps

    return colormaps["viridis"].resampled(SHADES)


def _ink(colour: Sequence[float]) -> str:
    """Dark or light, whichever has the greater contrast (relative luminance as WCAG 2 defines it)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return DARK if luminance > 0.18 else LIGHT


def _board_words(title: str, board: Board) -> str:
    down, across = len(board.values), len(board.values[0])
    cells = [(value, row, column) for row, of in enumerate(board.values) for column, value in enumerate(of)]
    (low, *at_low), (high, *at_high) = min(cells), max(cells)
    marks = Counter(mark.strip() for row in board.marks for mark in row if mark.strip())
    parts = [
        f"{title}; {down} by {across} cells",
        f"lowest value {numbers.plain(low)} in row {at_low[0] + 1}, column {at_low[1] + 1}",
        f"highest {numbers.plain(high)} in row {at_high[0] + 1}, column {at_high[1] + 1}",
        *([f"marks: {', '.join(f'{mark} {count}' for mark, count in marks.most_common())}"] if marks else []),
    ]
    return "; ".join(parts) + "."


def _lines(name: str, title: str, lines: Lines) -> Figure | None:
    """What is not above 0 has no place on a logarithmic axis; it is left out, and the legend counts it."""
    shown = [(place, line, kept) for place, line in enumerate(lines.lines) if (kept := _points(line, lines))]
    if not shown:
        return None
    labels = [_label(line, kept) for _, line, kept in shown]
    below = len(shown) > MOST_INSIDE or max(map(len, labels)) > LONGEST_INSIDE
    heading = _heading(title, WIDTH)

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        for (place, _, kept), label in zip(shown, labels, strict=True):
            xs, ys = zip(*kept, strict=True)
            axes.plot(xs, ys, label=label, **_style(lines, place, len(kept)))
        for axis, letter in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            if letter in lines.logarithmic:
                _logarithmic(axes, letter)
            elif letter == "x" and all(x == int(x) for _, _, kept in shown for x, _ in kept):
                axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))  # no half of a sweep
            axis.set_major_formatter(lambda value, _: _tick(value))
        axes.set(xlabel=lines.x_title, ylabel=lines.y_title, title="\n".join(heading))
        _legend(axes, below)

    words = "; ".join(
        f"{label}: from {numbers.plain(kept[0][1])} at {numbers.plain(kept[0][0])} "
        f"to {numbers.plain(kept[-1][1])} at {numbers.plain(kept[-1][0])}"
        for (_, _, kept), label in zip(shown, labels, strict=True)
    )
    scale = {"": "", "x": ", x logarithmic", "y": ", y logarithmic", "xy": ", log-log"}[lines.logarithmic]
    alt = f"{title}; {lines.y_title} against {lines.x_title}{scale}. {words}."
    height = HEIGHT + LINE * len(heading) + (LINE * len(shown) if below else 0)
    return drawn(name, title, alt, draw, (WIDTH, height))


def _points(line: Line, lines: Lines) -> list[tuple[float, float]]:
    return [
        (x, y)
        for x, y in zip(line.x, line.y, strict=True)
        if (x > 0 or "x" not in lines.logarithmic) and (y > 0 or "y" not in lines.logarithmic)
    ]


def _label(line: Line, kept: list[tuple[float, float]]) -> str:
    gone = len(line.x) - len(kept)
    return f"{line.label} ({gone} of {len(line.x)} points not above 0)" if gone else line.label


def _style(lines: Lines, place: int, points: int) -> dict[str, Any]:
    """The colours by turns; theory has that of the last line before it which is none."""
    measured = [k for k in range(place + 1) if not lines.lines[k].theory]
    turn = max(0, len(measured) - 1)
    colour = {"color": LINES[turn % len(LINES)]}
    if lines.lines[place].theory:
        return {**colour, **THEORY}
    marked = {"marker": "o", "markersize": 3} if points <= FEW_POINTS else {}
    return {**colour, "linewidth": 1.3, "linestyle": ("-", "-.", ":")[turn // len(LINES) % 3], **marked}


def _logarithmic(axes: "Axes", letter: str) -> None:
    from matplotlib.ticker import LogLocator

    getattr(axes, f"set_{letter}scale")("log")
    axis = axes.xaxis if letter == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    few = [1.0] if high >= 100 * low else [1.0, 2.0, 5.0] if high >= 5 * low else [1.0, *range(2, 10)]
    axis.set_major_locator(LogLocator(subs=few, numticks=9))
    axis.minorticks_off()


def _legend(axes: "Axes", below: bool) -> None:
    if not below:
        axes.legend()
        return
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=1)


def _histogram(name: str, title: str, histogram: Histogram) -> Figure:
    edges, densities, theory = histogram.edges, histogram.densities, histogram.theory
    heading = _heading(title, WIDTH)

    def draw(axes: "Axes") -> None:
        axes.stairs(densities, edges, fill=True, color=LINES[0], alpha=0.45, linewidth=0, label="ours")
        axes.stairs(densities, edges, color=LINES[0], linewidth=0.8)
        if theory:
            axes.plot(theory.x, theory.y, color=LINES[1], label=theory.label, **THEORY)
            axes.legend()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: _tick(value))
        axes.set(xlabel=histogram.x_title, ylabel="density", title="\n".join(heading))

    most = densities.index(max(densities))
    alt = (
        f"{title}; histogram of {len(densities)} bins from {numbers.plain(edges[0])} to {numbers.plain(edges[-1])}, "
        f"highest density {numbers.plain(densities[most])} "
        f"from {numbers.plain(edges[most])} to {numbers.plain(edges[most + 1])}"
    )
    if theory and theory.y:
        top = max(range(len(theory.y)), key=theory.y.__getitem__)
        alt += f"; {theory.label}: highest {numbers.plain(theory.y[top])} at {numbers.plain(theory.x[top])}"
    return drawn(name, title, f"{alt}.", draw, (WIDTH, HEIGHT + LINE * len(heading)))


def _tick(value: float) -> str:
    return f"{value / 1000:g}k" if 10_000 <= abs(value) < 1e6 else f"{value:g}"
