"""All that the records and claims say of one profile, in memory; tables and reports are written from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.judging import frontier_points, leaderboard, tables
from benchmarks.judging.claims import Claim, Paper
from benchmarks.judging.frontier_points import FrontierPoint
from benchmarks.judging.leaderboard import Board
from benchmarks.judging.tables import Score
from benchmarks.judging.verdicts import Verdict, judge
from benchmarks.record.records import EntryReceipt, EntryRecord


@dataclass(frozen=True)
class Results:
    """One profile, judged. What only a page shows (boards, frontiers) is worked out when it is asked for."""

    profile: str
    records: list[EntryRecord]
    verdicts: list[Verdict]  # in the order of the claim files
    scores: list[Score]
    stale: frozenset[str]  # entries whose record is not of today's code, settings and seeds
    receipts: dict[str, EntryReceipt]

    @cached_property
    def boards(self) -> list[Board]:
        """Leaderboards of all metrics."""
        return leaderboard.boards(self.scores)

    @cached_property
    def frontiers(self) -> list[FrontierPoint]:
        """Points of the dominance claims."""
        claims = {verdict.claim.id: verdict.claim for verdict in self.verdicts}
        return frontier_points.frontier_points(claims.values(), self.records)

    @property
    def tiers(self) -> list[str]:
        """Tiers of the records, the smallest first."""
        return [tier for tier in ("smoke", "short", "paper") if any(record.tier == tier for record in self.records)]

    def runs_done(self) -> tuple[int, int]:
        """Runs that are done, and all runs."""
        statuses = [run.status for record in self.records for run in record.runs]
        return statuses.count("done"), len(statuses)

    def marks(self, verdict: Verdict) -> str:
        """Marks of all records behind a verdict, joined by +."""
        return tables.joined(verdict.records, self.stale)

    def tables(self) -> dict[str, str]:
        """Texts of the profile's tables by file name."""
        return tables.files(self.scores, self.verdicts, self.stale)


def judged(
    profile: str,
    records: list[EntryRecord],
    claims: Sequence[tuple[Paper, Claim]],
    elsewhere: Mapping[str, Sequence[str]],
    stale: frozenset[str] = frozenset(),
    receipts: dict[str, EntryReceipt] | None = None,
) -> Results:
    """Judges every claim by one profile's records; `elsewhere` maps entries to the profiles that have them.

    Raises:
        InputError: two protocols gave the same metric of one entry and variant.
    """
    verdicts = [verdict for paper, claim in claims for verdict in judge(paper, claim, records, elsewhere)]
    return Results(profile, records, verdicts, tables.scores(records, stale), stale, receipts or {})
