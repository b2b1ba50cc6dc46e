"""Small helpers of the judging tests: records and claims built in memory."""

from collections.abc import Sequence
from typing import Any

from benchmarks.files.typed_files import validate
from benchmarks.judging.claims import ClaimFile, Paper
from benchmarks.judging.verdicts import Verdict, judge
from benchmarks.record.evaluated import Measured
from benchmarks.record.measurement import Measurement
from benchmarks.record.records import EntryRecord, Metric, RunRecord, metric_of

PAPER = Paper(key="made_up", title="A paper", year=2014, venue="A journal")
PROTOCOL = {"split": "test", "samples": 100}


def number(
    value: Any,
    name: str = "score",
    variant: dict[str, Any] | None = None,
    protocol: dict[str, Any] | None = None,
    direction: Any = "lower",
    interval: tuple[float, float] | None = None,
    unit: str = "points",
) -> Metric:
    """A metric of the common protocol; lower is better and the unit is points, as for `claim`."""
    return metric(name, value, unit, direction, 10, Measurement(**(protocol or PROTOCOL)), variant, interval)


def metric(
    name: str,
    value: Any,
    unit: str,
    direction: Any,
    n: int,
    measurement: Measurement,
    variant: dict[str, Any] | None = None,
    interval: tuple[float, float] | None = None,
) -> Metric:
    """As a record holds it; None where there is no value."""
    stated = measurement.stated()
    made = metric_of(
        Measured(name, 0.0 if value is None else value, unit, direction, n, stated, variant or {}, interval)
    )
    return made.model_copy(update={"value": value})


def run(seed: int, *metrics: Metric, status: Any = "done") -> RunRecord:
    """A run; one that is not done says so."""
    return RunRecord(seed=seed, status=status, reason="" if status == "done" else "for a reason", metrics=list(metrics))


def record(runs: Sequence[RunRecord], entry: str = "entry_a", method: str = "method_a", **fields: Any) -> EntryRecord:
    """A record at tier paper unless told otherwise; its source is `code`."""
    told = {"profile": "cpu", "family": "flows", "task": "digits", "tier": "paper", "source": "code", **fields}
    return EntryRecord(**{"entry": entry, "method": method, "settings_hash": "settings", "runs": list(runs), **told})


def seeds(
    values: Sequence[Any],
    entry: str = "entry_a",
    method: str = "method_a",
    direction: str = "lower",
    unit: str = "points",
    **fields: Any,
) -> EntryRecord:
    """A record with one value a seed of the metric `score`."""
    runs = [run(seed, number(value, direction=direction, unit=unit)) for seed, value in enumerate(values)]
    return record(runs, entry, method, **fields)


def claim(kind: str, **fields: Any) -> Any:
    """A claim as a file gives it: unless told otherwise lower is better, verified, of scope paper about entry_a."""
    told = {"id": "it", "where": "Table 1", "statement": "So it is.", "kind": kind, "scope": "paper", "metric": "score"}
    told |= {"direction": "lower", "unit": "points", "evidence": "verified", **fields}
    if not {"better", "entry", "entries", "method"} & told.keys():
        told["entry"] = "entry_a"
    if kind == "value":
        told = {"value": 10.0, "tolerance": {"absolute": 1.0, "reason": "a test"}, **told}
    file = {"paper": PAPER.model_dump(), "claims": [told]}
    return validate("made_up.yaml", file, ClaimFile).claims[0]


def ordering(better: dict[str, Any], worse: dict[str, Any], **fields: Any) -> Any:
    """An ordering of scope method unless told otherwise."""
    return claim("ordering", **{"scope": "method", "better": better, "worse": worse, **fields})


def verdicts(told: Any, *records: EntryRecord, elsewhere: dict[str, list[str]] | None = None) -> list[Verdict]:
    return judge(PAPER, told, records, elsewhere or {})


def word(told: Any, *records: EntryRecord) -> str:
    """The word of the only verdict."""
    (only,) = verdicts(told, *records)
    return only.verdict
