"""Figures, drawn from records only: the same records, the same bytes."""

import html
import io
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.errors import InputError
from benchmarks.records import EntryRecord, RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

INK, PAPER = "#1b1b1a", "#fefefd"  # no other element has these, so that a page can put its own colours there
TRAIN, VALID, BAD = "#4c8fc4", "#e07b22", "#c8372d"
LINES = ("#2f7fc1", "#e07b22", "#2a9d6f", "#b565a7", "#8c7a2b", "#c8372d")
MOST_POINTS = 100  # of a curve; more cannot be seen and would swell the page
MOST_IMAGES = 100
STYLE: dict[str, Any] = {
    "svg.hashsalt": "claimbench",
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold a dollar
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#8888884d",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), PAPER),
}


@dataclass(frozen=True)
class Figure:
    """A drawing in both formats; `alt` says in words what it shows."""

    name: str
    title: str
    alt: str
    png: bytes
    svg: bytes

    def inline(self) -> str:
        """The SVG as part of a page: in the page's colours, its ids apart from those of other figures."""
        text = self.svg.decode()
        text = text[text.index("<svg") :].strip()
        used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
        referenced = {first or second for first, second in used}

        def identity(found: re.Match[str]) -> str:
            return f' id="{self.name}-{found[1]}"' if found[1] in referenced else ""

        text = re.sub(r' id="([^"]+)"', identity, text)
        text = re.sub(r'(url\(#|href="#)', rf"\g<1>{self.name}-", text)
        text = text.replace(INK, "currentColor").replace(PAPER, "none")
        return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(self.alt)}"', 1)


def learning_curves(record: EntryRecord) -> Figure | None:
    """Training and validation loss against images seen, one line a seed."""
    runs = [run for run in record.runs if len(run.curve) > 1]
    if not runs:
        return None
    title = f"{record.entry}: loss while training"

    def draw(axes: "Axes") -> None:
        for run in runs:
            _curve(axes, run)
        low, high = _limits([run for run in runs if run.status == "done"] or runs)
        axes.set(xlabel="images seen", ylabel="loss (the method's own unit)", title=title, ylim=(low, high))
        axes.xaxis.set_major_formatter(lambda value, _: _thousands(value))
        labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(labels.values(), labels.keys())

    ends = ", ".join(f"seed {run.seed} ends at {run.curve[-1].valid:.4g} ({run.status})" for run in runs)
    return _figure(f"curve_{record.entry}", title, f"{title}, {len(runs)} seeds. Validation loss: {ends}.", draw)


def _curve(axes: "Axes", run: RunRecord) -> None:
    step = math.ceil(len(run.curve) / MOST_POINTS)
    points = [*run.curve[:-1:step], run.curve[-1]]
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


def sample_grid(record: EntryRecord) -> Figure | None:
    """The record's samples, at most a hundred, as one image; raises InputError when they are not grey images."""
    if record.samples is None:
        return None
    import numpy as np

    try:
        images = record.samples.array()
    except Exception as error:  # zlib, base64 and the reshape each have their own
        raise InputError(f"entry {record.entry}: samples: cannot be unpacked ({error}); collect it anew") from None
    if images.ndim != 3 or not images.size:
        raise InputError(f"entry {record.entry}: samples: found shape {images.shape}; grey images are (n, h, w)")
    images = images[:MOST_IMAGES]
    count, height, width = images.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    sheet = np.full((down * (height + 1) - 1, across * (width + 1) - 1), 0.5)
    for place, image in enumerate(images):
        top, left = place // across * (height + 1), place % across * (width + 1)
        sheet[top : top + height, left : left + width] = np.clip(image / record.samples.top, 0, 1)
    title = f"{record.entry}: samples"

    def draw(axes: "Axes") -> None:
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="none")
        axes.set_axis_off()
        axes.set_title(title)

    alt = f"{title}: {count} images of {height} by {width} pixels drawn by the trained model."
    return _figure(f"samples_{record.entry}", title, alt, draw, size=(3.9, 0.3 + 3.9 * down / across))


def cost_curves(record: EntryRecord) -> Figure | None:
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
        return None
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
    return _figure(f"cost_{record.entry}", title, f"{title}, log-log. {ends}.", draw)


def _figure(name: str, title: str, alt: str, draw: Any, size: tuple[float, float] = (5.6, 3.3)) -> Figure:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's own settings are
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]  # its stub asks for the literal names
        drawing = Drawing(figsize=size, layout="constrained")
        FigureCanvasAgg(drawing)
        draw(drawing.add_subplot())
        png = _saved(drawing, "png", {"Software": None})
        svg = _saved(drawing, "svg", {"Date": None, "Creator": None, "Type": None, "Format": None})
    # A hundredth of a point is enough; texts, which stand outside of tags, keep their digits.
    svg = re.sub(rb"<[^>]*>", lambda tag: re.sub(rb"(\.\d\d)\d+", rb"\1", tag[0]), svg)
    return Figure(name, title, alt, png, svg)


def _saved(drawing: "Drawing", kind: str, metadata: dict[str, None]) -> bytes:
    file = io.BytesIO()
    drawing.savefig(file, format=kind, metadata=metadata, dpi=100)
    return file.getvalue()


def _thousands(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
