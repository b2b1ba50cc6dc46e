"""A metric of a record, made in memory."""

from typing import Any

from benchmarks.record.measurement import Measurement
from benchmarks.record.records import Metric


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
    """With its fingerprint filled in."""
    low, high = interval or (None, None)
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
