"""Tables, records and receipts of a profile, typed. A damaged table is told in one sentence."""

import csv
import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.errors import InputError, input_error
from benchmarks.records import RECEIPTS, EntryReceipt, EntryRecord, read_receipt, records_of

TABLES = Path("results/tables")
MARKS = ("stale", "modified", "off-profile", "dirty")
VERDICTS = ("reproduced", "better", "worse", "contradicted", "undecided", "not run")
SCALED = re.compile(r"(holds|fails|undecided) at \w+ scale")

SCORES = "entry,variant,method,task,metric,unit,direction,seeds,mean,low,high,interval,tier,fingerprint,source,stale"
LEADERBOARD = "task,metric,rank_low,rank_high,entry,variant,mean,low,high,stale"
FRONTIERS = (
    "claim,task,metric,unit,direction,at,at_unit,side,role,entry,variant,seeds,"
    "at_mean,at_low,at_high,mean,low,high,stale"
)
JUDGED = "claim,paper,where,kind,scope,task,metric,paper_value,ours,low,high,seeds,verdict,reason,evidence,stale"


@dataclass(frozen=True)
class Score:
    """A row of scores.csv; an entry without any number has one row, its metric and direction empty."""

    entry: str
    variant: str
    method: str
    task: str
    metric: str
    unit: str
    direction: str
    seeds: str
    mean: float | None
    low: float | None
    high: float | None
    interval: str
    tier: str
    fingerprint: str
    source: str
    stale: str


@dataclass(frozen=True)
class Place:
    """A row of leaderboard.csv."""

    task: str
    metric: str
    rank_low: int
    rank_high: int
    entry: str
    variant: str
    mean: float | None
    low: float | None
    high: float | None
    stale: str


@dataclass(frozen=True)
class Judged:
    """A row of verdicts.csv; `paper_value` and `ours` are numbers or texts, as the claim's kind has it."""

    claim: str
    paper: str
    where: str
    kind: str
    scope: str
    task: str
    metric: str
    paper_value: str
    ours: str
    low: float | None
    high: float | None
    seeds: str
    verdict: str
    reason: str
    evidence: str
    stale: str


@dataclass(frozen=True)
class FrontierPoint:
    """A row of frontiers.csv: what an entry and variant reaches (`mean`) for how much (`at_mean`), means over seeds."""

    claim: str
    task: str
    metric: str
    unit: str
    direction: str
    at: str
    at_unit: str
    side: str
    role: str
    entry: str
    variant: str
    seeds: str
    at_mean: float
    at_low: float | None
    at_high: float | None
    mean: float
    low: float | None
    high: float | None
    stale: str


@dataclass(frozen=True)
class Results:
    """All that a profile's report is made of."""

    profile: str
    scores: list[Score]
    places: list[Place]
    verdicts: list[Judged]
    records: list[EntryRecord]
    receipts: dict[str, EntryReceipt]
    frontiers: list[FrontierPoint] = field(default_factory=list)

    @property
    def tiers(self) -> list[str]:
        return [tier for tier in ("smoke", "short", "paper") if any(record.tier == tier for record in self.records)]

    def runs_done(self) -> tuple[int, int]:
        """Runs that are done, and all runs."""
        statuses = [run.status for record in self.records for run in record.runs]
        return statuses.count("done"), len(statuses)


def profiles_with_tables(root: Path = Path()) -> list[str]:
    """Profiles that have been judged, sorted."""
    return sorted(path.parent.name for path in (root / TABLES).glob("*/verdicts.csv"))


def results(profile: str, root: Path = Path()) -> Results:
    """Tables, records and receipts of a profile.

    Raises:
        InputError: a table is absent or damaged, a record or receipt is not what it must be.
    """
    folder = root / TABLES / profile
    scores = [
        Score(**row.fields(("mean", "low", "high")))
        for row in read_csv(folder / "scores.csv", SCORES, ("direction", ("higher", "lower", "")))
    ]
    places = [
        Place(**row.fields(("mean", "low", "high"), ("rank_low", "rank_high")))
        for row in read_csv(folder / "leaderboard.csv", LEADERBOARD)
    ]
    verdicts = [Judged(**row.fields(("low", "high"))) for row in read_verdicts(folder)]
    receipts = {path.stem: read_receipt(path) for path in sorted((root / RECEIPTS / profile).glob("*.json"))}
    return Results(profile, scores, places, verdicts, records_of(profile, root), receipts, read_frontiers(folder))


def read_frontiers(folder: Path) -> list[FrontierPoint]:
    """Points of frontiers.csv; none where no claim is about a frontier. Raises InputError on a point without place."""
    path = folder / "frontiers.csv"
    if not path.exists():
        return []
    points = []
    for row in read_csv(path, FRONTIERS, ("role", ("better", "worse", "origin"))):
        told = row.fields(("at_mean", "at_low", "at_high", "mean", "low", "high"))
        for name in ("at_mean", "mean"):
            if told[name] is None:
                raise input_error(row.where, name, "nothing", "a point needs a finite number")
        points.append(FrontierPoint(**told))
    return points


@dataclass(frozen=True)
class Row:
    """A row of a CSV file, and where it stands."""

    where: str
    texts: dict[str, str]

    def fields(self, numbers: tuple[str, ...], wholes: tuple[str, ...] = ()) -> dict[str, Any]:
        """All fields: some as numbers (None where empty), some as whole numbers from 1, the rest as texts."""
        fields: dict[str, Any] = dict(self.texts)
        for name in numbers:
            fields[name] = _number(self.where, name, self.texts[name])
        for name in wholes:
            if not re.fullmatch(r"[1-9]\d{0,8}", self.texts[name]):
                raise input_error(self.where, name, repr(self.texts[name]), "a whole number from 1 is needed")
            fields[name] = int(self.texts[name])
        return fields


def read_verdicts(folder: Path) -> list[Row]:
    """Rows of verdicts.csv; raises InputError on a verdict that is none of the closed set."""
    rows = read_csv(folder / "verdicts.csv", JUDGED)
    for row in rows:
        verdict = row.texts["verdict"]
        if verdict not in VERDICTS and not SCALED.fullmatch(verdict) and not verdict.startswith("not comparable"):
            allowed = f"a verdict is one of {', '.join(VERDICTS)}, not comparable: <field>, <holds> at <tier> scale"
            raise input_error(row.where, "verdict", repr(verdict), allowed)
    return rows


def read_csv(path: Path, header: str, choice: tuple[str, tuple[str, ...]] | None = None) -> list[Row]:
    """Rows of a table whose columns are exactly `header`.

    Raises:
        InputError: absent, not UTF-8, other columns, a row of another length, an unknown mark or choice.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: claimbench judge")
    try:
        lines = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; make it anew with: claimbench judge") from None
    except csv.Error as error:
        raise InputError(f"{path}: not readable as CSV ({error}); make it anew with: claimbench judge") from None
    columns = header.split(",")
    if not lines or lines[0] != columns:
        raise input_error(path, "header", ",".join(lines[0]) if lines else "nothing", f"the columns are {header}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{path}: row {number}"
        if len(line) != len(columns):
            raise input_error(where, "", f"{len(line)} fields", f"{len(columns)} are needed, one a column")
        texts = dict(zip(columns, line, strict=True))
        if unknown := [mark for mark in filter(None, texts["stale"].split("+")) if mark not in MARKS]:
            raise input_error(where, "stale", unknown[0], f"marks are {', '.join(MARKS)}, joined by +")
        if choice and texts[choice[0]] not in choice[1]:
            raise input_error(where, choice[0], repr(texts[choice[0]]), f"one of {', '.join(choice[1])} is needed")
        rows.append(Row(where, texts))
    return rows


def _number(where: str, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise input_error(where, name, repr(text), "a finite number, or nothing, is needed")
    return value
