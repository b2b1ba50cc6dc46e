"""Frontiers: what each side of the dominance claims reaches for how much, one figure a task and pair of metrics."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.judging.frontier_points import FrontierPoint, Reached
from benchmarks.judging.results import Results
from benchmarks.reporting import numbers
from benchmarks.reporting.curves import LINES
from benchmarks.reporting.figures import Figure, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P")
ORIGIN = "#8a8a86"  # grey that is seen on light and dark pages
WIDTH, HEIGHT, LINE = 5.6, 3.4, 0.2  # inches; of the figure, and of a name in its legend
ROOM, MOST_ROOM = 0.06, 0.3  # of the span of the means, on each side; wide intervals of few seeds leave the axes


def frontiers(results: Results) -> list[Figure]:
    """A figure for each task, metric and cost of which a dominance was claimed."""
    groups: dict[tuple[str, str, str], list[FrontierPoint]] = {}
    for point in results.frontiers:
        groups.setdefault((point.task, point.metric, point.at), []).append(point)
    return [_figure(*group, points) for group, points in groups.items()]


def sides(points: Sequence[FrontierPoint]) -> dict[str, list[FrontierPoint]]:
    """Points of each side, in order of cost; a side of several claims once, the origin left out."""
    found: dict[str, dict[tuple[str, str], FrontierPoint]] = {}
    for point in points:
        if point.role != "origin":
            found.setdefault(point.side, {}).setdefault((point.entry, point.variant), point)
    return {side: sorted(of.values(), key=lambda p: (p.cost.mean, p.value.mean)) for side, of in found.items()}


def _figure(task: str, metric: str, at: str, points: list[FrontierPoint]) -> Figure:
    lines = sides(points)
    starts = {(p.entry, p.variant): p for p in points if p.role == "origin"}
    first = points[0]
    at_unit = next((p.at_unit for p in points if p.at_unit), "")
    title = f"{task}: {metric} against {at}"

    def draw(axes: "Axes") -> None:
        for place, (side, line) in enumerate(lines.items()):
            colour, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
            line_style: dict[str, Any] = {"color": colour, "linewidth": 1.3, "marker": marker, "markersize": 4.5}
            axes.plot([p.cost.mean for p in line], [p.value.mean for p in line], label=side, zorder=3, **line_style)
            _bars(axes, line, colour)
        for place, start in enumerate(starts.values()):
            _bars(axes, [start], ORIGIN)
            named = f"origin: {start.side}" if place == 0 else None
            star: dict[str, Any] = {"marker": "*", "markersize": 10, "color": ORIGIN, "linestyle": "", "zorder": 4}
            axes.plot([start.cost.mean], [start.value.mean], label=named, **star)
        axes.set_xlim(*_limits([p.cost for p in points]))
        axes.set_ylim(*_limits([p.value for p in points]))
        axes.set(xlabel=_named(at, at_unit), ylabel=_named(metric, first.unit), title=title)
        axes.figure.legend(loc="outside lower left")

    better = "up" if first.direction == "higher" else "down"
    words = "; ".join(f"{side}: {', '.join(map(_point, line))}" for side, line in lines.items())
    origin = "".join(f"; origin {start.side}: {_point(start)}" for start in starts.values())
    alt = f"{title}, means and 95 % intervals over seeds, better is {better} and left. {words}{origin}."
    height = HEIGHT + LINE * (len(lines) + bool(starts))
    return drawn(f"frontier_{task}_{metric}_{at}", f"{title}, better is {better} and left", alt, draw, (WIDTH, height))


def _bars(axes: "Axes", points: Sequence[FrontierPoint], colour: str) -> None:
    """Intervals both ways; of one seed there is none."""
    style: dict[str, Any] = {"fmt": "none", "ecolor": colour, "elinewidth": 0.9, "capsize": 2, "alpha": 0.55}
    for point in points:
        across, up = (
            None if it.low is None or it.high is None else [[it.mean - it.low], [it.high - it.mean]]
            for it in (point.cost, point.value)
        )
        axes.errorbar([point.cost.mean], [point.value.mean], xerr=across, yerr=up, **style)


def _limits(found: Sequence[Reached]) -> tuple[float, float]:
    """Of means with their intervals: all means, and the intervals as far as they do not flatten them."""
    low, high = min(it.mean for it in found), max(it.mean for it in found)
    span = high - low or abs(high) or 1.0
    lowest = min([low, *(it.low for it in found if it.low is not None)])
    highest = max([high, *(it.high for it in found if it.high is not None)])
    return max(lowest, low - MOST_ROOM * span) - ROOM * span, min(highest, high + MOST_ROOM * span) + ROOM * span


def _named(metric: str, unit: str) -> str:
    return metric if unit in ("", metric) else f"{metric} ({unit})"


def _point(point: FrontierPoint) -> str:
    return f"{numbers.plain(point.value.mean)} at {numbers.plain(point.cost.mean)}"
