"""Whether the fields that claims name are there: a misspelt one matches every row, or none, without a word."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.files.errors import InputError, input_error
from benchmarks.judging.claims import FOLDER, Claim, DominanceClaim, OrderingClaim, Paper, Side, TrendClaim
from benchmarks.judging.rows import concerns, subjects
from benchmarks.record.records import EntryRecord, Metric

MEASURING = ("benchmarks/families", "benchmarks/metrics")  # code that names metrics


@dataclass(frozen=True)
class _Fields:
    """Of all rows of one metric in a record."""

    variant: frozenset[str]
    measurement: frozenset[str]


_Found = tuple[str, str, str]  # field of the claim, the name it gives, what is there instead


@dataclass(frozen=True)
class Measured:
    """What the records of all profiles have to be asked for."""

    records: Sequence[EntryRecord]
    entries: Mapping[str, Sequence[str]]  # of every profile, run or not
    root: Path = Path()

    def check(self, claims: Sequence[tuple[Paper, Claim]]) -> None:
        """Asks for every field and metric that a claim names in the rows of its sides, whatever profile they are of.

        Nothing is said of a side that has not run or gave no numbers. Of `below` and `varies`, which allow and do not
        ask, one side with the field is enough.

        Raises:
            InputError: a claim names what no row has; a line for each, with the fields that the rows have.
        """
        errors = [
            input_error(FOLDER / f"{paper.key}.yaml", f"claims.{claim.id}.{field}", name, message)
            for paper, claim in claims
            for field, name, message in self._unknown(claim)
        ]
        if errors:
            raise InputError("\n".join(map(str, errors)))

    @cached_property
    def _by_metric(self) -> list[tuple[EntryRecord, dict[str, _Fields]]]:
        """Of records with numbers."""
        found = []
        for record in self.records:
            rows: dict[str, list[Metric]] = {}
            for metric in (metric for run in record.runs for metric in run.metrics):
                rows.setdefault(metric.name, []).append(metric)
            if rows:
                found.append((record, {name: _fields(of_one) for name, of_one in rows.items()}))
        return found

    @cached_property
    def _recorded(self) -> set[str]:
        return {name for _, metrics in self._by_metric for name in metrics}

    @cached_property
    def _words(self) -> set[str]:
        paths = [path for folder in MEASURING for path in (self.root / folder).rglob("*.py") if path.is_file()]
        return {word for path in paths for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}

    def _unknown(self, claim: Claim) -> Iterator[_Found]:
        ran = [(side, self._of(side)) for side in subjects(claim)]
        for side, metrics in ran:
            asked = [("metric", claim.metric)]
            if isinstance(claim, DominanceClaim) and side != claim.origin:  # an origin has cost 0 unless it says so
                asked.append(("at", claim.at))
            for field, name in asked:
                if metrics and not any(name in each for each in metrics) and self._certain(side, name):
                    yield field, name, _instead(side.name(), "metrics are", {n for each in metrics for n in each})
        sides = [(side, rows) for side, each in ran if (rows := [m[claim.metric] for m in each if claim.metric in m])]
        for side, rows in sides:
            yield from _not_there(claim, side, rows)
        if len(sides) == len(ran):  # a side that has not run may have what the other has not
            yield from _on_no_side(claim, sides)

    def _of(self, side: Side) -> list[dict[str, _Fields]]:
        return [metrics for record, metrics in self._by_metric if concerns(side, record)]

    def _certain(self, side: Side, metric: str) -> bool:
        """Whether a metric that the side's records lack is none at all, and not one of a task or a profile not run.

        So it is where neither a record nor the code has such a name (in code it may be put together, as in
        f"train_{name}"), and where all entries of the side have run in every profile that has them.
        """
        joints = [place.start() for place in re.finditer("_", metric)]
        cuts = [(metric[:at], metric[at:]) for joint in joints for at in (joint, joint + 1)]
        words = self._words
        if metric not in self._recorded | words and not any(a in words and b in words for a, b in cuts):
            return True
        names = [name for name in (side.entry, *side.entries) if name is not None]
        wanted = {(profile, e) for profile, entries in self.entries.items() for e in entries if e in names}
        return bool(names) and wanted <= {(record.profile, record.entry) for record, _ in self._by_metric}


def _fields(rows: Sequence[Metric]) -> _Fields:
    return _Fields(
        frozenset(field for row in rows for field in row.variant),
        frozenset(field for row in rows for field in row.measurement.stated()),
    )


def _not_there(claim: Claim, side: Side, rows: Sequence[_Fields]) -> Iterator[_Found]:
    """Variant fields that the claim asks of each side."""
    there = {field for row in rows for field in row.variant}
    asked = [("variant", name) for name in side.variant]
    if isinstance(claim, OrderingClaim):
        asked += [("equal", name) for name in claim.equal]
    if isinstance(claim, TrendClaim):
        asked.append(("along", claim.along))
    for field, name in asked:
        if name not in there:
            yield field, name, _instead(side.name(), f"rows of {claim.metric} have", there)


def _on_no_side(claim: Claim, sides: Sequence[tuple[Side, Sequence[_Fields]]]) -> Iterator[_Found]:
    """Fields that the claim allows for; `sides` are all of them."""
    everyone = " and ".join(side.name() for side, _ in sides)
    fields = [row for _, rows in sides for row in rows]
    asked = [("below", name) for name in (claim.below if isinstance(claim, OrderingClaim) else ())]
    asked += [("varies", name) for name in (claim.varies if isinstance(claim, OrderingClaim | TrendClaim) else ())]
    for field, name in asked:
        there = {name for each in fields for name in (each.variant if field == "below" else each.measurement)}
        if name not in there:
            what = "rows" if field == "below" else "measurements"
            yield field, name, _instead(everyone, f"{what} of {claim.metric} have", there)


def _instead(who: str, what: str, names: set[str]) -> str:
    return f"no row of {who} has it; its {what} {', '.join(sorted(names)) or 'no field'}; correct the name"
