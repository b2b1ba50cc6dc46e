"""Curves: losses and noted quantities along training, cost along length, judged trends along a field."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.judging.results import Results
from benchmarks.judging.rows import Row, is_number, rows_named
from benchmarks.judging.trends import lines_along
from benchmarks.record.measurement import describe
from benchmarks.record.records import CurvePoint, EntryRecord, RunRecord
from benchmarks.reporting.figures import Figure, drawn
from benchmarks.statistics.intervals import student_t
from benchmarks.statistics.trends import FEWEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIN, VALID, BAD = "#4c8fc4", "#e07b22", "#c8372d"
LINES = ("#2f7fc1", "#e07b22", "#2a9d6f", "#b565a7", "#8c7a2b", "#c8372d")
STROKES = ("-", "--", ":", "-.")
MOST_POINTS = 100  # of a curve; more cannot be seen and would swell the page


def learning_curves(record: EntryRecord) -> list[Figure]:
    """Training and validation loss against examples seen, one line a seed."""
    runs = [run for run in record.runs if len(run.curve) > 1]
    if not runs:
        return []
    title = f"{record.entry}: loss while training"

    def draw(axes: "Axes") -> None:
        for run in runs:
            _curve(axes, run)
        low, high = _limits([run for run in runs if run.status == "done"] or runs)
        axes.set(xlabel="examples seen", ylabel="loss (the method's own unit)", title=title, ylim=(low, high))
        axes.xaxis.set_major_formatter(lambda value, _: _thousands(value))
        labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(labels.values(), labels.keys())

    ends = ", ".join(f"seed {run.seed} ends at {run.curve[-1].valid:.4g} ({run.status})" for run in runs)
    return [drawn(f"curve_{record.entry}", title, f"{title}, {len(runs)} seeds. Validation loss: {ends}.", draw)]


def _curve(axes: "Axes", run: RunRecord) -> None:
    points = _thinned(run.curve)
    images = [point.images for point in points]
    common: dict[str, Any] = {"linewidth": 1.1, "alpha": 0.85}
    axes.plot(images, [point.train for point in points], color=TRAIN, linestyle=(0, (4, 1.5)), label="train", **common)
    axes.plot(images, [point.valid for point in points], color=VALID, label="validation", **common)
    if run.status != "done":
        axes.plot(images[-1:], [points[-1].valid], color=BAD, marker="x", linestyle="", label=run.status, clip_on=False)


def _limits(runs: list[RunRecord]) -> tuple[float, float]:
    """Limits of the loss that leave out the steepest beginning, which would flatten all the rest."""
    losses = sorted(loss for run in runs for point in run.curve for loss in (point.train, point.valid))
    low, high = losses[0], losses[min(len(losses) - 1, int(0.97 * len(losses)))]
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _thinned(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    return [*curve[: -1 : math.ceil(len(curve) / MOST_POINTS)], curve[-1]]


def noted_curves(record: EntryRecord) -> list[Figure]:
    """Each quantity that was noted along training, against examples seen, one line a seed."""
    names = sorted({name for run in record.runs for point in run.curve for name in point.noted})
    return [figure for name in names if (figure := _noted(record, name))]


def _noted(record: EntryRecord, name: str) -> Figure | None:
    curves = {run.seed: [point for point in run.curve if name in point.noted] for run in record.runs}
    curves = {seed: _thinned(curve) for seed, curve in curves.items() if len(curve) > 1}
    if not curves:
        return None
    title = f"{record.entry}: {name} while training"

    def draw(axes: "Axes") -> None:
        for place, (seed, curve) in enumerate(curves.items()):
            values = [point.noted[name] for point in curve]
            colour = LINES[place % len(LINES)]
            axes.plot([p.images for p in curve], values, color=colour, linewidth=1.1, alpha=0.85, label=f"seed {seed}")
        axes.set(xlabel="examples seen", ylabel=name, title=title)
        axes.xaxis.set_major_formatter(lambda value, _: _thousands(value))
        axes.legend()

    ends = ", ".join(
        f"seed {seed} from {curve[0].noted[name]:.4g} to {curve[-1].noted[name]:.4g}" for seed, curve in curves.items()
    )
    return drawn(f"noted_{name}_{record.entry}", title, f"{title}. {ends}.", draw)


def cost_curves(record: EntryRecord) -> list[Figure]:
    """Looks at the input against its length n, both on log scales, one line an algorithm; the mean over seeds."""
    counted: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for metric in (metric for run in record.runs for metric in run.metrics):
        n, looks = metric.variant.get("n"), metric.value
        if metric.name == "looks" and isinstance(n, int) and isinstance(looks, int | float) and looks > 0:
            counted[str(metric.variant.get("algorithm", record.method))][n].append(looks)
    lines = {
        name: {n: sum(of) / len(of) for n, of in sorted(by.items())} for name, by in counted.items() if len(by) > 1
    }
    if not lines:
        return []
    title = f"{record.entry}: cost in looks at the input"

    def draw(axes: "Axes") -> None:
        for place, (name, line) in enumerate(sorted(lines.items())):
            colour = LINES[place % len(LINES)]
            axes.plot(
                list(line), list(line.values()), color=colour, marker="o", markersize=3.5, linewidth=1.2, label=name
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set(xlabel="n", ylabel="looks", title=title)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_major_formatter(lambda value, _: _thousands(value))
        axes.minorticks_off()
        axes.legend()

    ends = "; ".join(
        f"{name}: {list(line.values())[-1]:.4g} at n = {max(line)}" for name, line in sorted(lines.items())
    )
    return [drawn(f"cost_{record.entry}", title, f"{title}, log-log. {ends}.", draw)]


def judged_trends(results: Results) -> list[Figure]:
    """A metric along a field of the variant, for each task and metric of which a trend was judged."""
    figures = []
    for task, metric in sorted({(v.task, v.claim.metric) for v in results.verdicts if v.claim.kind == "trend"}):
        rows = [row for row in rows_named(metric, [r for r in results.records if r.task == task]) if row.finite]
        fields = sorted({name for row in rows for name, value in row.variant.items() if is_number(value)})
        drawable = ((field, _lines(field, [r for r in rows if is_number(r.variant.get(field))])) for field in fields)
        figures += [_trend(task, metric, field, lines) for field, lines in drawable if lines]
    return figures


def _lines(field: str, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Lines long enough for a trend, by method or entry and what else the variant says."""
    named: dict[str, list[Row]] = {}
    for method in sorted({row.record.method for row in rows}):
        for line in lines_along(field, [row for row in rows if row.record.method == method]):
            entries = {row.record.entry for row in line}
            others = {name: value for name, value in line[0].variant.items() if name != field}
            name = entries.pop() if len(entries) == 1 else method
            if len(line) >= FEWEST:
                named[f"{name} / {describe(others)}" if others else name] = line
    return named


def _trend(task: str, metric: str, field: str, lines: dict[str, list[Row]]) -> Figure:
    unit = next(iter(next(iter(lines.values()))[0].by_seed.values())).unit
    title = f"{task}: {metric} along {field}"

    def draw(axes: "Axes") -> None:
        for place, (name, line) in enumerate(lines.items()):
            found = [student_t(row.values) for row in line]
            means = [interval.mean for interval in found]
            reach = [i.high - i.mean if i.n > 1 else 0.0 for i in found]  # one seed shows no interval
            style: dict[str, Any] = {"color": LINES[place % len(LINES)], "marker": "o", "markersize": 3, "capsize": 2}
            style["linestyle"] = STROKES[place // len(LINES) % len(STROKES)]  # so that twenty lines differ
            axes.errorbar([float(row.variant[field]) for row in line], means, reach, linewidth=1.1, label=name, **style)
        axes.set(xlabel=field, ylabel=metric if unit == metric else f"{metric} ({unit})", title=title)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: _thousands(value))
        axes.figure.legend(loc="outside lower left")  # names of rows are long

    ends = "; ".join(
        f"{name}: from {student_t(line[0].values).mean:.4g} to {student_t(line[-1].values).mean:.4g}"
        for name, line in lines.items()
    )
    alt = f"{title}, means and 95 % intervals over seeds. {ends}."
    return drawn(f"trend_{task}_{metric}_{field}", title, alt, draw, (5.6, 2.9 + 0.2 * len(lines)))


def _thousands(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
