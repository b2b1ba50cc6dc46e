"""The long, plain tables of `results/tables/<profile>/`: pure functions from records and claims to text."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from benchmarks.errors import InputError
from benchmarks.judging.claims import Claim, DominanceClaim, Paper
from benchmarks.judging.dominance import Point, points
from benchmarks.judging.protocols import describe, first_difference
from benchmarks.judging.rows import interval, rows_of
from benchmarks.judging.verdicts import Verdict, judge
from benchmarks.records import EntryRecord, Metric
from benchmarks.statistics.intervals import student_t
from benchmarks.statistics.ranks import rank_intervals

LEVEL = 0.95

# fmt: off
SCORES = ["entry", "variant", "method", "task", "metric", "unit", "direction", "seeds", "mean", "low", "high",
          "interval", "tier", "fingerprint", "source", "stale"]
LEADERBOARD = ["task", "metric", "rank_low", "rank_high", "entry", "variant", "mean", "low", "high", "stale"]
VERDICTS = ["claim", "paper", "where", "kind", "scope", "task", "metric", "paper_value", "ours", "low", "high", "seeds",
            "verdict", "reason", "evidence", "stale"]
FRONTIERS = ["claim", "task", "metric", "unit", "direction", "at", "at_unit", "side", "role", "entry", "variant",
             "seeds", "at_mean", "at_low", "at_high", "mean", "low", "high", "stale"]
# fmt: on

ROLES = ("better", "worse", "origin")  # of the sides of a frontier

Row = dict[str, Any]


def marks(record: EntryRecord, stale: Collection[str]) -> list[str]:
    """Why a record must not be taken at face value; `stale` names the entries that today's code did not make."""
    found = []
    if record.entry in stale:
        found.append("stale")
    if record.modified:
        found.append("modified")
    if record.off_profile:
        found.append("off-profile")
    return found


def scores(records: Iterable[EntryRecord], stale: Collection[str]) -> list[Row]:
    """A row for each entry, variant and metric: mean over the seeds that are done, with its interval."""
    rows = []
    for record in records:
        for (variant, name, fingerprint), metrics in _grouped(record).items():
            values = [float(metric.value) for metric in metrics if isinstance(metric.value, float | int)]
            done = len(values) == len(metrics) and len(values) > 0
            low, high, interval = _interval(metrics, values) if done else (None, None, "")
            rows.append(
                {
                    "entry": record.entry,
                    "variant": variant,
                    "method": record.method,
                    "task": record.task,
                    "metric": name,
                    "unit": metrics[0].unit,
                    "direction": metrics[0].direction,
                    "seeds": f"{len(metrics)} of {len(record.runs)}",
                    "mean": student_t(values).mean if done else None,
                    "low": low,
                    "high": high,
                    "interval": interval,
                    "tier": record.tier,
                    "fingerprint": fingerprint,
                    "source": record.source,
                    "stale": "+".join(marks(record, stale)),
                }
            )
        if not any(run.metrics for run in record.runs):
            rows.append(_without_metrics(record, stale))
    rows.sort(key=lambda row: [str(row[key]) for key in ("entry", "variant", "metric", "fingerprint")])
    for one, other in pairwise(rows):
        if all(one[key] == other[key] for key in ("entry", "variant", "metric")):
            raise InputError(
                f"results/entries: {one['entry']}: {one['metric']} of {one['variant']} was taken by two protocols; "
                "give the metrics two names, or name the difference in the variant"
            )
    return rows


def _without_metrics(record: EntryRecord, stale: Collection[str]) -> Row:
    """An entry none of whose runs gave a number is a row too: a failure is never a missing row."""
    statuses = ", ".join(f"s{run.seed} {run.status}" for run in record.runs)
    told = {"entry": record.entry, "variant": "default", "method": record.method, "task": record.task}
    told |= {"seeds": f"0 of {len(record.runs)}", "interval": statuses, "tier": record.tier, "source": record.source}
    return {**dict.fromkeys(SCORES, ""), **told, "stale": "+".join(marks(record, stale))}


def _grouped(record: EntryRecord) -> dict[tuple[str, str, str], list[Metric]]:
    groups: dict[tuple[str, str, str], list[Metric]] = defaultdict(list)
    for run in record.runs:
        for metric in run.metrics:
            groups[describe(metric.variant), metric.name, metric.fingerprint].append(metric)
    return groups


def _interval(metrics: Sequence[Metric], values: Sequence[float]) -> tuple[float | None, float | None, str]:
    lows = [metric.low for metric in metrics if metric.low is not None]
    highs = [metric.high for metric in metrics if metric.high is not None]
    if len(values) < 2:
        return (lows[0], highs[0], "95 % of the fit") if lows and highs else (None, None, "")
    over_seeds = student_t(values, LEVEL)
    if lows and highs:
        return min([over_seeds.low, *lows]), max([over_seeds.high, *highs]), "95 % Student t, widened by the fits"
    return over_seeds.low, over_seeds.high, "95 % Student t"


def leaderboard(records: Sequence[EntryRecord], scored: Sequence[Row]) -> list[Row]:
    """Ranks within each task, metric, protocol and tier; methods that cannot be told apart share their ranks."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in scored:
        if row["mean"] is not None and row["metric"]:
            groups[row["task"], row["metric"], row["fingerprint"], row["tier"]].append(row)
    values = {
        (record.entry, *key): [float(m.value) for m in metrics if isinstance(m.value, float | int)]
        for record in records
        for key, metrics in _grouped(record).items()
    }
    ranked = []
    for (task, metric, fingerprint, _), rows in sorted(groups.items()):
        named = {f"{row['entry']}\n{row['variant']}": row for row in rows}
        samples = {name: values[row["entry"], row["variant"], metric, fingerprint] for name, row in named.items()}
        ranks = rank_intervals(samples, rows[0]["direction"] == "higher")
        for name, row in named.items():
            # Survivors of a run that did not finish everywhere are no fair sample: their place stays open.
            low, high = ranks[name] if _complete(row) else (1, len(named))
            kept = {key: row[key] for key in ("entry", "variant", "mean", "low", "high", "stale")}
            ranked.append({"task": task, "metric": metric, "rank_low": low, "rank_high": high, **kept})
    return sorted(ranked, key=lambda row: (row["task"], row["metric"], row["rank_low"], row["entry"], row["variant"]))


def _complete(row: Row) -> bool:
    done, _, all_seeds = str(row["seeds"]).partition(" of ")
    return done == all_seeds


def summary(scored: Sequence[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Entry -> variant -> metric -> mean, for `dvc metrics show` and `dvc metrics diff`."""
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in scored:
        if row["mean"] not in (None, ""):
            nested.setdefault(row["entry"], {}).setdefault(row["variant"], {})[row["metric"]] = float(row["mean"])
    return nested


def verdict_rows(verdicts: Iterable[Verdict], stale: Collection[str]) -> list[Row]:
    """Rows of verdicts.csv, in the order of the claim files."""
    rows = []
    for verdict in verdicts:
        claim = verdict.claim
        found = sorted({mark for record in verdict.records for mark in marks(record, stale)})
        rows.append(
            {
                "claim": claim.id,
                "paper": verdict.paper.citation(),
                "where": claim.where,
                "kind": claim.kind,
                "scope": claim.scope,
                "task": verdict.task,
                "metric": claim.metric,
                "paper_value": verdict.paper_value,
                "ours": verdict.ours,
                "low": verdict.low,
                "high": verdict.high,
                "seeds": verdict.seeds,
                "verdict": verdict.verdict,
                "reason": verdict.reason,
                "evidence": claim.evidence,
                "stale": "+".join(found),
            }
        )
    return rows


def frontier_rows(claims: Iterable[Claim], records: Sequence[EntryRecord], stale: Collection[str]) -> list[Row]:
    """Rows of frontiers.csv: a row for each point of each side of a dominance claim, on each task."""
    rows = []
    for claim in (claim for claim in claims if isinstance(claim, DominanceClaim)):
        asked = claim.measurement.stated() if claim.measurement else {}
        for role in ROLES:
            side = getattr(claim, role)
            taken = rows_of(side, claim, records) if side else []
            fitting = [row for row in taken if first_difference(asked, row.protocol) is None]
            for point in points(claim.at, fitting, role == "origin"):
                if point.values:
                    told = {"claim": claim.id, "metric": claim.metric, "at": claim.at, "side": side.label()}
                    rows.append({**told, "role": role, **_frontier_point(point, stale)})
    drawn = {(row["claim"], row["task"]) for row in rows if row["role"] != "origin"}
    rows = [row for row in rows if (row["claim"], row["task"]) in drawn]
    named = ("at_mean", "entry", "variant")
    rows.sort(key=lambda row: (row["claim"], row["task"], ROLES.index(row["role"]), *(row[name] for name in named)))
    return rows


def _frontier_point(point: Point, stale: Collection[str]) -> Row:
    record, first = point.row.record, next(iter(point.row.by_seed.values()))
    found: Row = {
        "task": record.task,
        "unit": first.unit,
        "direction": first.direction,
        "at_unit": next(iter(point.cost.by_seed.values())).unit if point.cost else "",
        "entry": record.entry,
        "variant": describe(point.row.variant),
        "seeds": f"{len(point.values)} of {len(record.runs)}",
        "stale": "+".join(marks(record, stale)),
    }
    for name, values in (("", point.values), ("at_", point.costs)):
        over_seeds = student_t(list(values.values()), LEVEL)
        shown = interval(over_seeds.mean, over_seeds.low, over_seeds.high)
        found |= dict(zip((f"{name}mean", f"{name}low", f"{name}high"), shown, strict=True))
    return found


def csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as CSV with the given columns; numbers with ten significant digits, nothing where there is none."""
    frame = pd.DataFrame([[_cell(row[column]) for column in columns] for row in rows], columns=list(columns))
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def files(
    records: Sequence[EntryRecord],
    claims: Sequence[tuple[Paper, Claim]],
    elsewhere: Mapping[str, Sequence[str]],
    stale: Collection[str],
) -> dict[str, str]:
    """Every table of one profile, by file name; frontiers where there is a point of one.

    Args:
        records: the profile's records.
        claims: all claims with their papers.
        elsewhere: profiles that have each entry, for the reason of `not run`.
        stale: entries whose record is not of today's code, settings and seeds.
    """
    scored = scores(records, stale)
    verdicts = [verdict for paper, claim in claims for verdict in judge(paper, claim, records, elsewhere)]
    frontiers = frontier_rows([claim for _, claim in claims], records, stale)
    return {
        **({"frontiers.csv": csv(FRONTIERS, frontiers)} if frontiers else {}),
        "scores.csv": csv(SCORES, scored),
        "leaderboard.csv": csv(LEADERBOARD, leaderboard(records, scored)),
        "summary.json": json.dumps(summary(scored), indent=1, sort_keys=True) + "\n",
        "verdicts.csv": csv(VERDICTS, verdict_rows(verdicts, stale)),
    }
