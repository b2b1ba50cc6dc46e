"""Claim files `benchmarks/claims/<paper>.yaml`: what each paper says, typed and cited."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from benchmarks.files.errors import InputError, input_error
from benchmarks.files.listing import files_in
from benchmarks.files.typed_files import Typed, load
from benchmarks.plan import profiles
from benchmarks.plan.methods import all_methods
from benchmarks.plan.profiles import EntriesOfProfiles, Name
from benchmarks.record.measurement import Measurement, Variant, describe
from benchmarks.record.records import Direction, Numbers, flat

FOLDER = Path("benchmarks/claims")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Paper(Typed):
    """Whose claims a file holds; at least one of arxiv, doi, isbn, venue cites it."""

    key: Name
    title: Text
    year: int | None = Field(default=None, ge=1900, le=2100)  # None for a source without a date, such as a web page
    arxiv: Annotated[str, StringConstraints(pattern=r"^\d{4}\.\d{4,5}$")] | None = None
    doi: Text | None = None
    isbn: Text | None = None
    venue: Text | None = None

    @model_validator(mode="after")
    def _cited(self) -> "Paper":
        if not (self.arxiv or self.doi or self.isbn or self.venue):
            raise ValueError("a citation is needed: arxiv, doi, isbn or venue")
        return self

    def citation(self) -> str:
        """One line for tables."""
        where = f"arXiv {self.arxiv}" if self.arxiv else self.doi or self.isbn or self.venue
        return f"{self.title} ({self.year}), {where}" if self.year else f"{self.title}, {where}"


class Tolerance(Typed):
    """How far ours may lie from the paper's and still agree; fixed before the first run it judges."""

    absolute: float = Field(ge=0)
    reason: Text


class Side(Typed):
    """One side of a comparison: a method or an entry with part of a variant, or a literature value.

    A frontier may be of several `entries`, such as one a strength of the penalty.
    """

    method: Name | None = None
    entry: Name | None = None
    entries: list[Name] = []
    variant: Variant = {}
    literature: Text | None = None
    value: float | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> "Side":
        if sum(bool(subject) for subject in (self.method, self.entry, self.entries, self.literature)) != 1:
            raise ValueError("exactly one of method, entry, entries and literature names a side")
        if (self.literature is None) != (self.value is None):
            raise ValueError("literature and value come together")
        return self

    def name(self) -> str:
        """For reasons and tables."""
        return str(self.method or self.entry or self.literature or " and ".join(self.entries))

    def needed(self) -> "list[Side]":
        """Itself, or a side an entry where it has several: what must all have run."""
        return [Side(entry=entry) for entry in self.entries] or [self]

    def label(self) -> str:
        """The name with what else fixes the side, as tables show it."""
        if self.literature:
            return f"{self.literature} ({self.value:g})"
        return f"{self.name()} / {describe(self.variant)}" if self.variant else self.name()


class _Claim(Typed):
    id: Name
    where: Text
    statement: Text
    scope: Literal["paper", "method"]
    metric: Name
    direction: Direction
    unit: Text
    measurement: Measurement | None = None  # fields that ours must share
    evidence: Literal["verified", "from_memory"]


class _OnOneSubject(_Claim):
    entry: Name | None = None
    method: Name | None = None
    variant: Variant = {}

    def entry_names(self) -> list[str]:
        """Entries that the claim is about; none of scope method."""
        return [] if self.entry is None else [self.entry]

    @model_validator(mode="after")
    def _subject(self) -> "_OnOneSubject":
        if self.scope == "paper" and (not self.entry_names() or self.method is not None):
            raise ValueError("a claim of scope paper names its entry, and no method")
        if self.scope == "method" and (self.method is None or self.entry_names()):
            raise ValueError("a claim of scope method names its method, and no entry")
        return self


class ValueClaim(_OnOneSubject):
    """The number of the paper, which our mean must equal within the tolerance."""

    kind: Literal["value"]
    value: float
    tolerance: Tolerance


class ExactClaim(_OnOneSubject):
    """A closed form or a printed table, which every run must give; by default within the rounding of the digits."""

    kind: Literal["exact"]
    value: Numbers  # a number, or a table as nested lists, row by row
    decimals: int | None = Field(default=None, ge=0)  # digits printed after the point, where zeros end the number
    tolerance: Tolerance | None = None

    @field_validator("value")
    @classmethod
    def _has_numbers(cls, value: Numbers) -> Numbers:
        if _empty(value):
            raise ValueError("must be a number, or a table with a number in each row")
        return value

    def allowed(self) -> float:
        """The tolerance, or half a unit of the last digit printed."""
        if self.tolerance is not None:
            return self.tolerance.absolute
        decimals = self.decimals if self.decimals is not None else max(map(_decimals, flat(self.value)))
        return float(0.5 * 10.0**-decimals)


def _empty(value: Any) -> bool:
    """Whether a list, or one within it, holds nothing: no number of ours could be compared with it."""
    return isinstance(value, list) and (not value or any(map(_empty, value)))


def _decimals(number: float) -> int:
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


class _OnTwoSides(_Claim):
    better: Side
    worse: Side

    @model_validator(mode="after")
    def _sides_differ(self) -> "_OnTwoSides":
        if self.better == self.worse:
            raise ValueError("better and worse are the same; an ordering needs two sides")
        if self.better.literature and self.worse.literature:
            raise ValueError("one of the sides must be something we run")
        if self.scope == "paper" and (self.better.method or self.worse.method):
            raise ValueError("sides of a claim of scope paper name entries, not methods")
        return self


def _measured(varies: list[str]) -> None:
    """Raises ValueError for what is no measurement field."""
    for field in varies:
        if field not in Measurement.model_fields:
            raise ValueError(f"varies names {field}; measurement fields are {', '.join(Measurement.model_fields)}")


class OrderingClaim(_OnTwoSides):
    """One side is better than the other, wherever the fields of `equal` match.

    With a `margin` the claim is that it is not worse, by more; two such claims, one each way, say that both are equal.
    """

    kind: Literal["ordering"]
    equal: list[Name] = []  # variant fields that must match
    varies: list[Name] = []  # measurement fields allowed to differ
    below: dict[Name, float] = {}  # numbers of the variant: rows that reach one are not spoken of
    margin: Tolerance | None = None

    @model_validator(mode="after")
    def _one_entry_a_side(self) -> "OrderingClaim":
        if self.better.entries or self.worse.entries:
            raise ValueError("entries are those of a frontier, in a claim of kind dominance; name one entry")
        return self

    @model_validator(mode="after")
    def _known_fields(self) -> "OrderingClaim":
        _measured(self.varies)
        for field in self.equal:
            if field in self.better.variant or field in self.worse.variant:
                raise ValueError(f"equal names {field}, which a side already fixes; remove it from one")
        if self.margin is not None and (self.better.literature or self.worse.literature):
            raise ValueError("margin: a printed number has a tolerance of its own; name two sides that we run")
        return self


class TrendClaim(_OnOneSubject):
    """A metric rises, falls or saturates along one variant field, or changes shape at a point.

    Of scope paper it is about one `entry`, in whose rows the field takes several values, or about several `entries`,
    each trained with a value of its own.
    """

    kind: Literal["trend"]
    along: Name
    shape: Literal["rises", "falls", "saturates", "changes_at"]
    point: float | None = None
    entries: list[Name] = []
    varies: list[Name] = []  # measurement fields allowed to differ

    def entry_names(self) -> list[str]:
        """Entries that the claim is about; none of scope method."""
        return [*super().entry_names(), *self.entries]

    @model_validator(mode="after")
    def _entry_or_entries(self) -> "TrendClaim":
        if self.entries and (self.entry is not None or len(set(self.entries)) != len(self.entries)):
            raise ValueError("a trend is about one entry, or about several entries that differ")
        if self.along in self.variant:
            raise ValueError(f"along names {self.along}, which the variant already fixes; remove it from one")
        _measured(self.varies)
        return self

    @model_validator(mode="after")
    def _point_where_needed(self) -> "TrendClaim":
        if (self.shape == "changes_at") != (self.point is not None):
            raise ValueError("point is given with shape changes_at, and only with it")
        return self


class DominanceClaim(_OnTwoSides):
    """One frontier lies above another: a better metric at equal values of the metric `at`, which is a cost.

    Every frontier starts at the `origin`, where there is one: a policy that nothing was spent on yet. Its `at` is 0
    unless its rows say otherwise. With a `margin` the claim is that one frontier is not below the other, by more.
    """

    kind: Literal["dominance"]
    at: Name
    origin: Side | None = None
    margin: Tolerance | None = None

    @model_validator(mode="after")
    def _frontiers(self) -> "DominanceClaim":
        sides = [side for side in (self.better, self.worse, self.origin) if side is not None]
        if any(side.literature for side in sides):
            raise ValueError("a printed number is no frontier; better, worse and origin are what we run")
        if self.scope == "paper" and self.origin is not None and self.origin.method:
            raise ValueError("origin of a claim of scope paper names an entry, not a method")
        if self.at == self.metric:
            raise ValueError(f"at names {self.at}, which is the metric itself; name what it is bought with")
        return self


Claim = Annotated[ValueClaim | ExactClaim | OrderingClaim | TrendClaim | DominanceClaim, Field(discriminator="kind")]


class ClaimFile(Typed):
    """One file of `benchmarks/claims/`."""

    paper: Paper
    entries: EntriesOfProfiles = {}  # runs that these claims are about, where no profile's own file has them
    claims: list[Claim] = Field(min_length=1)


def read_all(root: Path = Path(), entries: Mapping[str, Sequence[str]] | None = None) -> list[tuple[Paper, Claim]]:
    """Every claim with its paper, by file and in the file's order (the paper's).

    `entries` are those of `entries_by_profile`, for callers that have read the profiles already.

    Raises:
        InputError: malformed files, two claims of one id, a method that does not exist, an entry that no profile has; a
            line for each.
    """
    known_methods = set(all_methods(root))
    entries = entries_by_profile(root) if entries is None else entries
    known_entries = {entry for names in entries.values() for entry in names}
    seen: dict[str, Path] = {}
    claims: list[tuple[Paper, Claim]] = []
    errors: list[InputError] = []
    for path in files_in(root / FOLDER, ".yaml"):
        where = path.relative_to(root)
        try:
            file = load(path, ClaimFile)
        except InputError as error:
            errors.append(error)
            continue
        if file.paper.key != path.stem:
            errors.append(input_error(where, "paper.key", file.paper.key, f"must be the file's name, {path.stem}"))
        for claim in file.claims:
            field = f"claims.{claim.id}"
            if claim.id in seen:
                used = f"already in {seen[claim.id]}; ids are unique"
                errors.append(input_error(where, f"{field}.id", claim.id, used))
            seen[claim.id] = where
            for subject, method, entry in _subjects(claim):
                if method is not None and method not in known_methods:
                    message = "no such method; see claimbench list"
                    errors.append(input_error(where, f"{field}.{subject}", method, message))
                if entry is not None and entry not in known_entries:
                    errors.append(input_error(where, f"{field}.{subject}", entry, "no profile has such an entry"))
            claims.append((file.paper, claim))
    if errors:
        raise InputError("\n".join(map(str, errors)))
    return claims


def find(claim: str, root: Path = Path(), entries: Mapping[str, Sequence[str]] | None = None) -> tuple[Paper, Claim]:
    """Raises InputError that points to `claimbench claims`, if there is no claim of that id."""
    for paper, found in read_all(root, entries):
        if found.id == claim:
            return paper, found
    raise InputError(f"claim {claim}: no file of {FOLDER}/ has it; `claimbench claims` lists all")


def entries_by_profile(root: Path = Path()) -> dict[str, list[str]]:
    """Entry names of every profile."""
    return {name: list(profiles.read(name, root).entries) for name in profiles.names(root)}


def _subjects(claim: Claim) -> Iterator[tuple[str, str | None, str | None]]:
    """Field, method and entry of everything a claim is about; one of the last two is None."""
    if isinstance(claim, _OnTwoSides):
        sides = {"better": claim.better, "worse": claim.worse}
        if isinstance(claim, DominanceClaim) and claim.origin is not None:
            sides["origin"] = claim.origin
        for name, side in sides.items():
            for entry in side.entries:
                yield f"{name}.entries", None, entry
            if not side.entries:
                yield f"{name}.{'method' if side.method else 'entry'}", side.method, side.entry
        return
    yield "method", claim.method, None
    for entry in claim.entry_names():
        yield "entry" if claim.entry else "entries", None, entry


def paper_value(claim: Claim) -> str:
    """What the paper says, as a table shows it."""
    if isinstance(claim, OrderingClaim) and claim.margin is not None:
        return f"{claim.better.label()} at most {claim.margin.absolute:g} worse than {claim.worse.label()}"
    match claim:
        case ValueClaim() | ExactClaim():
            if isinstance(claim.value, list):
                return f"table of {len(flat(claim.value))} numbers"
            decimals = claim.decimals if isinstance(claim, ExactClaim) else None
            return f"{claim.value:.{decimals}f}" if decimals is not None else f"{claim.value:.10g}"
        case OrderingClaim():
            return f"{claim.better.label()} better than {claim.worse.label()}"
        case DominanceClaim():
            better = "better" if claim.margin is None else f"at most {claim.margin.absolute:g} worse"
            return f"{claim.better.label()} {better} than {claim.worse.label()} at equal {claim.at}"
        case TrendClaim():
            at = f" {claim.point:g}" if claim.point is not None else ""
            return f"{claim.shape.replace('_', ' ')}{at} along {claim.along}"
