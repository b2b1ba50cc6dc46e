"""A profile's report as one HTML file that needs nothing from outside."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.reporting import boards
from benchmarks.reporting.content import Content

TEMPLATES = Path(__file__).parent / "templates"


def page(content: Content) -> str:
    """The whole page; every text is escaped by the templates."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    verdict = [column.name for column in content.verdicts.columns].index("verdict")
    return environment.get_template("page.html").render(
        content=content,
        ranks=boards.RANKS,
        kinds=sorted({row[verdict].text for row in content.verdicts.rows}),
        drawings=[(figure, Markup(figure.inline())) for figure in content.figures],
        tables=[content.scores, content.runs, content.receipts],
    )
