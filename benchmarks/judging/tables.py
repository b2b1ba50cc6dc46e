"""The tables of `results/tables/<profile>/`: one model a table, which names its columns and writes its rows."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PlainSerializer

from benchmarks.files.errors import InputError, input_error
from benchmarks.files.typed_files import Typed, validate
from benchmarks.judging.verdicts import Verdict
from benchmarks.record.measurement import Variant, describe
from benchmarks.record.records import EntryRecord, Metric
from benchmarks.statistics.intervals import student_t

LEVEL = 0.95
NAMES = ("scores.csv", "summary.json", "verdicts.csv")  # of the files of a profile


class TableRow(Typed):
    """A row of a CSV file: the columns are the fields, in their order, but for those that `exclude` keeps in memory."""

    @classmethod
    def columns(cls) -> list[str]:
        """Names of the columns."""
        return [name for name, field in cls.model_fields.items() if not field.exclude]

    def cells(self) -> list[str]:
        """Texts of the row: numbers with ten significant digits, nothing where there is none."""
        return [_cell(value) for value in self.model_dump().values()]

    @classmethod
    def read(cls, path: Path) -> list[Self]:
        """Rows of a file that `write` made.

        Raises:
            InputError: absent, not UTF-8, other columns, a row of another length, a value that a field refuses.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such file; make it with: claimbench judge")
        try:
            lines = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: not readable as CSV ({error}); make it anew with: claimbench judge") from None
        if not lines or lines[0] != cls.columns():
            found = ",".join(lines[0]) if lines else "nothing"
            raise input_error(path, "header", found, f"the columns are {','.join(cls.columns())}")
        for number, line in enumerate(lines, start=1):
            if len(line) != len(lines[0]):
                raise input_error(path, f"row {number}", f"{len(line)} fields", f"{len(lines[0])} are needed")
        return [
            validate(f"{path}: row {number}", dict(zip(lines[0], line, strict=True)), cls)
            for number, line in enumerate(lines[1:], start=2)
        ]


def write(model: type[TableRow], rows: Iterable[TableRow]) -> str:
    """Rows as CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(model.columns())
    writer.writerows(row.cells() for row in rows)
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Seeds:
    """How many runs gave the number, of how many."""

    done: int
    of: int

    def __str__(self) -> str:
        return f"{self.done} of {self.of}"


class Score(TableRow):
    """An entry, variant and metric over the seeds that are done; an entry without any number has one row without."""

    entry: str
    variant: Annotated[Variant, PlainSerializer(describe)] = {}
    method: str
    task: str
    metric: str = ""
    unit: str = ""
    direction: str = ""
    seeds: Annotated[Seeds, PlainSerializer(str)]
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str
    tier: str
    fingerprint: str = ""
    stale: str
    values: list[float] = Field(default=[], exclude=True)  # finite numbers, one a seed

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the row."""
        return self.entry, describe(self.variant), self.metric


class Judged(TableRow):
    """A verdict; `paper_value` and `ours` are numbers or texts, as the claim's kind has it."""

    claim: str
    paper: str
    where: str
    kind: str
    scope: str
    task: str
    metric: str
    paper_value: str
    ours: str
    low: str
    high: str
    seeds: str
    verdict: str
    reason: str
    evidence: str
    stale: str

    @classmethod
    def of(cls, verdict: Verdict, stale: Collection[str]) -> Self:
        """The row of a verdict; its marks are those of all its records."""
        claim = verdict.claim
        return cls(
            claim=claim.id,
            paper=verdict.paper.citation(),
            where=claim.where,
            kind=claim.kind,
            scope=claim.scope,
            task=verdict.task,
            metric=claim.metric,
            paper_value=verdict.paper_value,
            ours=_cell(verdict.ours),
            low=_cell(verdict.low),
            high=_cell(verdict.high),
            seeds=verdict.seeds,
            verdict=verdict.verdict,
            reason=verdict.reason,
            evidence=claim.evidence,
            stale=joined(verdict.records, stale),
        )


def marks(record: EntryRecord, stale: Collection[str]) -> list[str]:
    """Why a record must not be taken at face value; `stale` names the entries that today's code did not make."""
    found = {"stale": record.entry in stale, "modified": record.modified, "off-profile": record.off_profile}
    return [mark for mark, holds in found.items() if holds]


def joined(records: Iterable[EntryRecord], stale: Collection[str]) -> str:
    """Marks of several records as a cell of a table."""
    return "+".join(sorted({mark for record in records for mark in marks(record, stale)}))


def scores(records: Iterable[EntryRecord], stale: Collection[str]) -> list[Score]:
    """A row for each entry, variant and metric: mean over the seeds that are done, with its interval.

    Raises:
        InputError: two protocols gave the same metric of one entry and variant.
    """
    rows = []
    for record in records:
        shared: dict[str, Any] = {name: getattr(record, name) for name in ("entry", "method", "task", "tier")}
        shared["stale"] = "+".join(marks(record, stale))
        for metrics in _grouped(record):
            values = [float(metric.value) for metric in metrics if isinstance(metric.value, float | int)]
            done = len(values) == len(metrics) and len(values) > 0
            low, high, interval = _interval(metrics, values) if done else (None, None, "")
            rows.append(
                Score(
                    **shared,
                    variant=metrics[0].variant,
                    metric=metrics[0].name,
                    unit=metrics[0].unit,
                    direction=metrics[0].direction,
                    seeds=Seeds(len(metrics), len(record.runs)),
                    mean=student_t(values).mean if done else None,
                    low=low,
                    high=high,
                    interval=interval,
                    fingerprint=metrics[0].fingerprint,
                    values=values,
                )
            )
        if not any(run.metrics for run in record.runs):  # a failure is never a missing row
            statuses = ", ".join(f"s{run.seed} {run.status}" for run in record.runs)
            rows.append(Score(**shared, seeds=Seeds(0, len(record.runs)), interval=statuses))
    rows.sort(key=lambda row: (*row.key, row.fingerprint))
    for one, other in pairwise(rows):
        if one.key == other.key:
            entry, variant, metric = one.key
            raise InputError(
                f"results/entries: {entry}: {metric} of {variant} was taken by two protocols; "
                "give the metrics two names, or name the difference in the variant"
            )
    return rows


def _grouped(record: EntryRecord) -> list[list[Metric]]:
    groups: dict[tuple[str, str, str], list[Metric]] = defaultdict(list)
    for run in record.runs:
        for metric in run.metrics:
            groups[describe(metric.variant), metric.name, metric.fingerprint].append(metric)
    return list(groups.values())


def _interval(metrics: Sequence[Metric], values: Sequence[float]) -> tuple[float | None, float | None, str]:
    lows = [metric.low for metric in metrics if metric.low is not None]
    highs = [metric.high for metric in metrics if metric.high is not None]
    if len(values) < 2:
        return (lows[0], highs[0], "95 % of the fit") if lows and highs else (None, None, "")
    over_seeds = student_t(values, LEVEL)
    if lows and highs:
        return min([over_seeds.low, *lows]), max([over_seeds.high, *highs]), "95 % Student t, widened by the fits"
    return over_seeds.low, over_seeds.high, "95 % Student t"


def summary(scored: Sequence[Score], verdicts: Sequence[Verdict]) -> dict[str, dict[str, dict[str, float]]]:
    """Entry -> variant -> metric -> mean of the metrics that a claim judges, for `dvc metrics show` and `diff`."""
    asked = {(verdict.task, verdict.claim.metric) for verdict in verdicts}
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in scored:
        if row.mean is not None and (row.task, row.metric) in asked:
            nested.setdefault(row.entry, {}).setdefault(describe(row.variant), {})[row.metric] = row.mean
    return nested


def files(scored: Sequence[Score], verdicts: Sequence[Verdict], stale: Collection[str]) -> dict[str, str]:
    """Every table of one profile, by file name; verdicts in the order of the claim files."""
    texts = (
        write(Score, scored),
        json.dumps(summary(scored, verdicts), indent=1, sort_keys=True) + "\n",
        write(Judged, (Judged.of(verdict, stale) for verdict in verdicts)),
    )
    return dict(zip(NAMES, texts, strict=True))


def are_ours(folder: Path) -> bool:
    """Whether a folder holds tables that `files` made, by the columns of its verdicts."""
    path = folder / "verdicts.csv"
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline().decode(errors="replace").strip() == ",".join(Judged.columns())
