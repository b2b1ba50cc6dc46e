"""A number as a family's evaluation hands it over, before it becomes part of a record.

Plain data on purpose: evaluation code is hashed with everything it imports, and results must not become stale because
a sentence in the file checker changed.
"""

from dataclasses import dataclass, field
from typing import Literal

Value = str | int | float | bool


@dataclass(frozen=True)
class Measured:
    """One number with its protocol."""

    name: str
    value: float
    unit: str
    direction: Literal["higher", "lower"]
    n: int  # items the number is taken over
    measurement: dict[str, Value]  # fields of `judging.protocols.Measurement`
    variant: dict[str, Value] = field(default_factory=dict)
    interval: tuple[float, float] | None = None  # where one run gives one
