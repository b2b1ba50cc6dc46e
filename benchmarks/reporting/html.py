"""A profile's report as one HTML file that needs nothing from outside."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.reporting.evidence import Evidence
from benchmarks.reporting.figures import Figure
from benchmarks.reporting.table import Table

TEMPLATES = Path(__file__).parent / "templates"


def page(
    title: str,
    introduction: list[str],
    warnings: list[str],
    verdicts: Table,
    leaderboards: list[Table],
    figures: list[Figure],
    passages: list[Table],
    tables: list[Table],
    evidence: list[Evidence],
) -> str:
    """The whole page; every text is escaped by the templates."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    verdict = [column.name for column in verdicts.columns].index("verdict")
    return environment.get_template("page.html").render(
        title=title,
        introduction=introduction,
        warnings=warnings,
        verdicts=verdicts,
        kinds=sorted({row[verdict].text for row in verdicts.rows}),
        leaderboards=leaderboards,
        drawings=[(figure, Markup(figure.inline())) for figure in figures],
        passages=passages,
        tables=tables,
        evidence=evidence,
    )
