"""What every test here needs of a list of numbers: checked values, their mean and their spread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LARGEST = 1e300  # beyond this, sums and differences of finite values may overflow


@dataclass(frozen=True)
class Sample:
    """Summary of one sample: `spread` is the standard deviation (n - 1 in the divisor), NaN when n == 1."""

    n: int
    mean: float
    spread: float

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, in the unit of the values; NaN when n == 1."""
        return self.spread / math.sqrt(self.n)


def checked(values: Sequence[float], name: str = "values") -> list[float]:
    """The values as floats, in their order. Raises ValueError when empty, non-finite or beyond 1e300."""
    numbers = [float(value) for value in values]
    if not numbers:
        raise ValueError(f"{name}: found no value; at least one is needed")
    for number in numbers:
        if not abs(number) <= LARGEST:  # also true of NaN
            raise ValueError(f"{name}: found {number}; every value must be finite and at most {LARGEST:g} in size")
    return numbers


def check_share(share: float, name: str, below: float = 1.0) -> None:
    """Raises ValueError unless 0 < share < below (NaN fails too)."""
    if not 0.0 < share < below:
        raise ValueError(f"{name}: found {share}; it must lie strictly between 0 and {below:g}")


def summarise(values: Sequence[float], name: str = "values") -> Sample:
    """Mean and spread of a sample; the same bits whatever the order of the values.

    Equal values give exactly their value and a spread of exactly 0. Otherwise the two-pass formula: an exactly rounded
    sum, then deviations from the mean (Chan, Golub and LeVeque, The American Statistician 37, 1983).
    Raises ValueError when empty, non-finite or beyond 1e300.
    """
    numbers = checked(values, name)
    n = len(numbers)
    if min(numbers) == max(numbers):
        return Sample(n, numbers[0], 0.0 if n > 1 else math.nan)
    mean = math.fsum(numbers) / n
    deviations = sorted(abs(number - mean) for number in numbers)  # hypot does not promise to ignore the order
    return Sample(n, mean, math.hypot(*deviations) / math.sqrt(n - 1))


def rounding_guard(*sizes: float) -> float:
    """Four units in the last place of the largest size: what a few float64 roundings can shift a comparison by.

    Decimals such as 1.97 + 0.05 are rounded when read and again when added; without the guard, a value that sits on a
    bound in decimal would fall on either side of it by chance.
    """
    return 4.0 * float(np.finfo(np.float64).eps) * max(abs(size) for size in sizes)
