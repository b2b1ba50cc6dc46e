"""How a number is taken, and whether two numbers were taken the same way."""

from collections.abc import Mapping

from pydantic import model_serializer, model_validator

from benchmarks.files.typed_files import Typed, digest

Value = str | int | float | bool
Variant = dict[str, Value]


class Measurement(Typed):
    """The protocol of one number; absent fields do not apply to it. Its hash is the fingerprint."""

    split: str | None = None  # train, valid or test part of the data
    reference: str | None = None  # data that samples are compared with
    extractor: str | None = None  # feature extractor, with the hash of its weights
    samples: int | None = None  # how many items the number is an average over
    draws: int | None = None  # how many random draws each item's value is a mean over
    quantisation: str | None = None  # how samples become grey levels
    dequantisation: str | None = None  # how grey levels become a continuous scale
    data_range: str | None = None  # the continuous scale, as [low, high]
    checkpoint: str | None = None  # which state of the run was measured
    arithmetic: str | None = None  # float32, float64
    judge: str | None = None  # who decides a win
    order_seed: int | None = None  # order in which candidates are shown
    noise_seed: int | None = None  # seed of what is drawn while measuring
    instances: str | None = None  # law of the problem instances drawn
    solver: str | None = None  # numerical solver, with tolerances and batch

    @model_validator(mode="after")
    def _not_empty(self) -> "Measurement":
        if not self.stated():
            raise ValueError("a measurement states at least one field")
        return self

    @model_serializer
    def stated(self) -> dict[str, Value]:
        """The fields that apply; files hold these only."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}

    def fingerprint(self) -> str:
        """Hash of the stated fields: equal protocols, equal fingerprints."""
        return digest(self.stated())


def first_difference(asked: Mapping[str, Value], taken: Mapping[str, Value]) -> str | None:
    """The first asked field that was taken otherwise, or None; fields not asked for do not matter."""
    for field, value in asked.items():
        if taken.get(field) != value:
            return field
    return None


def describe(variant: Mapping[str, Value]) -> str:
    """A variant as the name of a row: `heun, nfe 35`; an empty one is `default`.

    A field called algorithm or sampler speaks for itself; of the others, field and value are written.
    """
    parts = [
        str(value) if field in ("algorithm", "sampler") else f"{field} {value}" for field, value in variant.items()
    ]
    return ", ".join(parts) or "default"
