"""Gains a_1, a_2, ..., the sizes of the steps.

    harmonic a_k = c / (k + offset)        power a_k = c / k^exponent        constant a_k = c

Sum a_k = infinity and sum a_k^2 < infinity (Robbins and Monro 1951; Zhao 2024, theorem 6.1) hold for harmonic gains and
for powers with an exponent in (0.5, 1], not for constant ones.
"""

from typing import Literal, Protocol

import numpy as np

from implementations.stochastic_approximation.parts.paths import Floats

Rule = Literal["harmonic", "power", "constant"]


class GainSettings(Protocol):
    """The fields of a method's settings that decide its gains."""

    @property
    def gain(self) -> Rule: ...

    @property
    def scale(self) -> float: ...

    @property
    def offset(self) -> int: ...

    @property
    def exponent(self) -> float: ...


def check(settings: GainSettings) -> None:
    """Raises ValueError where the fields make no gains."""
    if not settings.scale > 0:
        raise ValueError(f"scale must be above 0, not {settings.scale}")
    if settings.offset < 0:
        raise ValueError(f"offset must be at least 0, not {settings.offset}")
    if not settings.exponent > 0:
        raise ValueError(f"exponent must be above 0, not {settings.exponent}")


def sequence(settings: GainSettings, steps: int) -> Floats:
    """(steps,) gains of the steps 1, 2, ..."""
    k = np.arange(1, steps + 1, dtype=np.float64)
    match settings.gain:
        case "harmonic":
            return settings.scale / (k + settings.offset)
        case "power":
            return settings.scale * k**-settings.exponent
        case "constant":
            return np.full(steps, settings.scale)
