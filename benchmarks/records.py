"""Result files: what a run measured (deterministic) and how it went (not).

`results/entries/<profile>/<entry>.json` is an `EntryRecord`: same machine, lock and commit, same bytes.
`results/receipts/<profile>/<entry>.json` is an `EntryReceipt`.
"""

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from benchmarks.errors import InputError, input_error
from benchmarks.judging.protocols import Measurement, Variant
from benchmarks.metrics.kept_drawings import KeptDrawing
from benchmarks.metrics.passages import Passages
from benchmarks.profiles import Name, Seed, Tier
from benchmarks.typed_files import Typed, load

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.metrics import measured

ENTRIES = Path("results/entries")
RECEIPTS = Path("results/receipts")

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


def metric(
    name: str,
    value: Numbers | None,
    unit: str,
    direction: Direction,
    n: int,
    measurement: Measurement,
    variant: Variant | None = None,
    interval: tuple[float, float] | None = None,
) -> Metric:
    """A metric with its fingerprint filled in."""
    low, high = interval if interval else (None, None)
    return Metric(
        name=name,
        value=value,
        unit=unit,
        direction=direction,
        n=n,
        variant=variant or {},
        measurement=measurement,
        fingerprint=measurement.fingerprint(),
        low=low,
        high=high,
    )


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
    source: str  # hash of method and training code when training began


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
    def of(taken: "measured.Picture") -> "Picture":
        """Raises ValueError when the array is neither grey nor colour images of bytes, or its name is none."""
        if taken.array.dtype != "uint8":
            raise ValueError(f"picture {taken.name}: found {taken.array.dtype}; levels are uint8")
        packed = base64.b64encode(zlib.compress(taken.array.tobytes(), 9)).decode()
        shape = list(taken.array.shape)
        return Picture(
            name=taken.name, title=taken.title, shape=shape, top=taken.top, columns=taken.columns, data=packed
        )

    def array(self) -> "NDArray[np.uint8]":
        """Raises InputError when the bytes are not those of the shape."""
        import numpy as np

        try:
            return np.frombuffer(zlib.decompress(base64.b64decode(self.data)), np.uint8).reshape(self.shape)
        except (ValueError, zlib.error) as error:
            raise InputError(f"picture {self.name}: cannot be unpacked ({error}); collect its entry anew") from None


class EntryRecord(Typed):
    """All seeds and variants of an entry."""

    schema_version: Literal[1] = 1
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

    @model_serializer(mode="wrap")
    def _without_no_drawings(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Records of families that draw nothing stay the bytes that they were before there were drawings."""
        told: dict[str, Any] = serialise(self)
        return told if self.drawings else {name: value for name, value in told.items() if name != "drawings"}


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
    return sorted({path.parent.name for path in (root / ENTRIES).glob("*/*.json")})


def records_of(profile: str, root: Path = Path()) -> list[EntryRecord]:
    """Committed records of a profile, by entry name.

    Raises:
        InputError: a file is not a record, or is the record of another profile or entry than its place says.
    """
    records = []
    for path in sorted((root / ENTRIES / profile).glob("*.json")):
        record = read_record(path)
        for field, told, wanted in (("profile", record.profile, profile), ("entry", record.entry, path.stem)):
            if told != wanted:
                raise input_error(path.relative_to(root), field, told, f"its place says {wanted}; move or remove it")
        records.append(record)
    return records
