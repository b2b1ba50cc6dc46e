"""What a profile's report says, whatever it is written in."""

from dataclasses import dataclass

from benchmarks.reporting.evidence import Evidence
from benchmarks.reporting.figures import Figure
from benchmarks.reporting.table import Table


@dataclass(frozen=True)
class Content:
    """Everything that a report in HTML or in Markdown shows."""

    title: str
    introduction: str
    warnings: list[str]
    verdicts: Table
    leaderboards: list[Table]
    judged_figures: list[Figure]  # frontiers and trends that a claim was judged by
    entry_figures: list[Figure]
    passages: list[Table]
    scores: Table
    runs: Table
    receipts: Table
    evidence: list[Evidence]

    @property
    def figures(self) -> list[Figure]:
        """All of them, those of claims first."""
        return [*self.judged_figures, *self.entry_figures]
