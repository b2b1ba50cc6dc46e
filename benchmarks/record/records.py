"""Result files: what a run measured (deterministic) and how it went (not).

`results/entries/<profile>/<entry>.json` is an `EntryRecord`: same machine, lock and commit, same bytes.
`results/receipts/<profile>/<entry>.json` is an `EntryReceipt`.
"""

import base64
import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from benchmarks.files.errors import InputError, input_error
from benchmarks.files.listing import files_below, files_in
from benchmarks.files.typed_files import Typed, load
from benchmarks.plan.profiles import Name, Seed, Tier
from benchmarks.record.evaluated import Measured, Passages
from benchmarks.record.measurement import Measurement, Variant, describe
from benchmarks.record.strict_drawings import KeptDrawing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.record import evaluated

ENTRIES = Path("results/entries")
RECEIPTS = Path("results/receipts")
TABLES = Path("results/tables")
MOST_LOOSE = (
    25  # images kept of a picture that does not lay them out in columns; pictures are half of what records add to git
)

Status = Literal["done", "diverged", "skipped", "failed", "timeout"]
Direction = Literal["higher", "lower"]


Numbers = float | list[float] | list[list[float]] | list[list[list[float]]]


def flat(numbers: float | Sequence[Any]) -> list[float]:
    """A number or a nested list of numbers, row by row."""
    return [x for item in numbers for x in flat(item)] if isinstance(numbers, Sequence) else [float(numbers)]


class Metric(Typed):
    """One number; `low` and `high` are its own interval where one run gives one (a fitted slope)."""

    name: Name
    value: Numbers | None  # nested lists for a table of numbers, such as the values of a grid
    unit: str = Field(min_length=1)
    direction: Direction
    n: int = Field(ge=1)  # items the number is taken over
    variant: Variant = {}
    measurement: Measurement
    fingerprint: str
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _own_fingerprint(self) -> "Metric":
        if self.fingerprint != self.measurement.fingerprint():
            own = self.measurement.fingerprint()
            raise ValueError(f"fingerprint {self.fingerprint} must be that of its measurement, {own}")
        return self


def metric_of(row: Measured) -> Metric:
    """What a family measured, as a record holds it."""
    measurement = Measurement.model_validate(row.measurement)
    low, high = row.interval or (None, None)
    return Metric(
        name=row.name,
        value=recorded(row.value),
        unit=row.unit,
        direction=row.direction,
        n=row.n,
        variant=row.variant,
        measurement=measurement,
        fingerprint=measurement.fingerprint(),
        low=low,
        high=high,
    )


def recorded(value: Any) -> Any:
    """A number or nested numbers; None where some are not finite."""
    return value if all(map(math.isfinite, flat(value))) else None


class CurvePoint(Typed):
    """A row of a learning curve: mean training loss since the row before, validation loss at this step.

    `noted` holds other quantities along training, such as how often a solver evaluated its vector field.
    """

    step: int
    images: int
    train: float
    valid: float
    noted: dict[Name, float] = {}

    def numbers(self) -> dict[str, float]:
        """All that the row holds, by name."""
        return {"step": self.step, "images": self.images, "train": self.train, "valid": self.valid, **self.noted}


class Trained(Typed):
    """What the training stage leaves beside the weights."""

    status: Status
    reason: str
    step: int
    best_step: int
    curve: list[CurvePoint]

    @model_validator(mode="before")
    @classmethod
    def _without_source(cls, data: Any) -> Any:
        """Models that were trained before stages checked their code name it here."""
        return {name: value for name, value in data.items() if name != "source"} if isinstance(data, dict) else data


class RunRecord(Typed):
    """One seed of an entry."""

    seed: Seed
    status: Status
    reason: str = ""
    metrics: list[Metric] = []
    curve: list[CurvePoint] = []

    @model_validator(mode="after")
    def _reason_where_not_done(self) -> "RunRecord":
        if self.status != "done" and not self.reason:
            raise ValueError("a run that is not done states its reason")
        return self

    @model_validator(mode="after")
    def _each_number_once(self) -> "RunRecord":
        """A metric that stands twice would count as two seeds; variants that read alike are one row of the tables."""
        seen: set[tuple[str, str, frozenset[Any] | str]] = set()
        for one in self.metrics:
            keys = {(one.name, one.fingerprint, v) for v in (frozenset(one.variant.items()), describe(one.variant))}
            if keys & seen:
                where = f"{one.name} of variant {describe(one.variant)} by measurement {one.fingerprint}"
                raise ValueError(f"seed {self.seed} has {where} twice; each number stands once, so remove one")
            seen |= keys
        return self


class Picture(Typed):
    """Images for the report, small enough for git: deflated bytes of a uint8 array in base 64."""

    name: Name
    title: str = Field(min_length=1)
    shape: list[Annotated[int, Field(ge=1)]]
    top: int = Field(ge=1, le=255)  # the level that is drawn white
    columns: int = Field(ge=0)  # images across; 0: about as many as down
    data: str

    @model_validator(mode="after")
    def _grey_or_colour(self) -> "Picture":
        if len(self.shape) != 3 and not (len(self.shape) == 4 and self.shape[1] == 3):
            raise ValueError(f"shape {self.shape}: grey images are (n, h, w), colour images (n, 3, h, w)")
        return self

    @staticmethod
    def of(taken: "evaluated.Picture") -> "Picture":
        """Raises ValueError when the array is neither grey nor colour images of bytes, or its name is none."""
        if taken.array.dtype != "uint8":
            raise ValueError(f"picture {taken.name}: found {taken.array.dtype}; levels are uint8")
        shown = taken.array if taken.columns else taken.array[:MOST_LOOSE]
        packed = base64.b64encode(zlib.compress(shown.tobytes(), 9)).decode()
        shape = list(shown.shape)
        return Picture(
            name=taken.name, title=taken.title, shape=shape, top=taken.top, columns=taken.columns, data=packed
        )

    def array(self) -> "NDArray[np.uint8]":
        """Raises InputError when the bytes are not those of the shape."""
        import numpy as np

        try:
            return np.frombuffer(zlib.decompress(base64.b64decode(self.data)), np.uint8).reshape(self.shape)
        except (ValueError, zlib.error) as error:
            raise InputError(f"picture {self.name}: cannot be unpacked ({error}); run: dvc repro") from None


class EntryRecord(Typed):
    """All seeds and variants of an entry."""

    schema_version: Literal[2] = 2
    profile: Name
    entry: Name
    method: Name
    family: Name
    task: Name
    tier: Tier
    source: str  # hash of method, training and evaluation code
    settings_hash: str
    modified: bool = False  # made with parameters that are not the profile's
    off_profile: bool = False  # made on hardware that the profile does not allow
    runs: list[RunRecord] = Field(min_length=1)
    pictures: list[Picture] = []  # of the first seed that is done
    drawings: list[KeptDrawing] = []  # of that seed too

    @model_validator(mode="after")
    def _each_once(self) -> "EntryRecord":
        if len({run.seed for run in self.runs}) != len(self.runs):
            raise ValueError("each seed has one run")
        shown = [*self.pictures, *self.drawings]
        # Texts of several writers share a name, which brings them into one table.
        if len({(each.name, each.label if isinstance(each, Passages) else "") for each in shown}) != len(shown):
            raise ValueError("each picture has a name of its own, and each drawing")
        return self

    @field_validator("schema_version", mode="before")
    @classmethod
    def _of_today(cls, version: Any) -> Any:
        if version != 2:
            raise ValueError("records of this version have form 2; make the entry anew: dvc repro")
        return version

    @model_validator(mode="before")
    @classmethod
    def _with_protocols(cls, data: Any) -> Any:
        """Gives each metric of a file the measurement that its fingerprint stands for, where there is one."""
        if not isinstance(data, dict) or "protocols" not in data:
            return data
        protocols = data["protocols"] if isinstance(data["protocols"], dict) else {}

        def whole(metric: Any) -> Any:
            known = isinstance(metric, dict) and str(metric.get("fingerprint")) in protocols
            return {"measurement": protocols[str(metric["fingerprint"])], **metric} if known else metric

        runs = [
            {**run, "metrics": [whole(metric) for metric in run["metrics"]]}
            if isinstance(run, dict) and isinstance(run.get("metrics"), list)
            else run
            for run in (data["runs"] if isinstance(data.get("runs"), list) else [])
        ]
        rest = {name: value for name, value in data.items() if name != "protocols"}
        return {**rest, "runs": runs} if runs else rest

    @model_serializer(mode="wrap")
    def _protocols_once(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A file holds each measurement once, by its fingerprint, and no default of a metric."""
        whole: dict[str, Any] = serialise(self)
        protocols = {}
        for one in (one for run in whole["runs"] for one in run["metrics"]):
            protocols[one["fingerprint"]] = one.pop("measurement")
            for name in ("low", "high", "variant"):
                if not one[name] and one[name] != 0:
                    del one[name]
        return {**whole, "protocols": protocols}


class StageReceipt(Typed):
    """How one stage of one run went."""

    stage: Literal["train", "evaluate"]
    seed: Seed | None  # None: all seeds in one stage
    commit: str
    dirty: bool
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mib: float
    per_second: float | None  # images a second while training
    hardware: dict[str, Any]
    versions: dict[str, str]
    lock_hash: str
    determinism_asked: bool
    determinism_achieved: bool | None  # None: not probed
    artefacts: dict[str, str]  # path to SHA-256
    resumed: bool = False
    off_profile: bool = False
    timings: dict[str, float] = {}  # seconds of named parts, such as one algorithm's share


class EntryReceipt(Typed):
    """Receipts of every stage of an entry."""

    schema_version: Literal[1] = 1
    profile: Name
    entry: Name
    stages: list[StageReceipt]


def read_record(path: Path) -> EntryRecord:
    """Raises InputError with one sentence when the file is not a record."""
    return load(path, EntryRecord)


def read_receipt(path: Path) -> EntryReceipt:
    """Raises InputError with one sentence when the file is not a receipt."""
    return load(path, EntryReceipt)


def profiles_with_records(root: Path = Path()) -> list[str]:
    """Profiles that have committed records, sorted."""
    return sorted({path.parent.name for path in files_below(root / ENTRIES, ".json")})


def records_of(
    profile: str, root: Path = Path(), selected: Callable[[str], bool] = lambda entry: True
) -> list[EntryRecord]:
    """Committed records of a profile, by entry name; only of entries that are `selected`.

    Raises:
        InputError: a file is not a record, or is the record of another profile or entry than its place says.
    """
    records = []
    for path in files_in(root / ENTRIES / profile, ".json"):
        if not selected(path.stem):
            continue
        record = read_record(path)
        for field, told, wanted in (("profile", record.profile, profile), ("entry", record.entry, path.stem)):
            if told != wanted:
                raise input_error(path.relative_to(root), field, told, f"its place says {wanted}; move or remove it")
        records.append(record)
    return records
