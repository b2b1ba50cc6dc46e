"""What every figure shares: style, both formats, and the way into a page. The same records, the same bytes."""

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

INK, PAPER = "#1b1b1a", "#fefefd"  # no other element has these, so that a page can put its own colours there
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


def drawn(
    name: str, title: str, alt: str, draw: Callable[["Axes"], None], size: tuple[float, float] = (5.6, 3.3)
) -> Figure:
    """A figure of one pair of axes; `size` in inches."""
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
