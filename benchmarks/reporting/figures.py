"""What every figure shares: style, and the way into a page. The same records, the same bytes."""

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    """A figure as part of a page (`markup`, an svg or img element); `alt` says in words what it shows."""

    name: str
    title: str
    alt: str
    markup: str


def drawn(
    name: str, title: str, alt: str, draw: Callable[["Axes"], None], size: tuple[float, float] = (5.6, 3.3)
) -> Figure:
    """A figure of one pair of axes; `size` in inches."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    file = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's own settings are
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]  # its stub asks for the literal names
        drawing = Drawing(figsize=size, layout="constrained")
        FigureCanvasSVG(drawing)
        draw(drawing.add_subplot())
        drawing.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Type", "Format")))
    return Figure(name, title, alt, _inline(file.getvalue(), name, alt))


def _inline(svg: str, name: str, alt: str) -> str:
    """An SVG file as part of a page: in the page's colours, its ids apart from those of other figures."""
    # A hundredth of a point is enough; texts, which are outside of tags, keep their digits.
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg[svg.index("<svg") :].strip())
    referenced = {first or second for first, second in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)}

    def identity(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in referenced else ""

    text = re.sub(r' id="([^"]+)"', identity, text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = text.replace(INK, "currentColor").replace(PAPER, "none")
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1)
