"""What both kinds of problem have in common: paths that were walked, their estimates, lines of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.record.evaluated import Line, rounded
from implementations.stochastic_approximation.parts.paths import Floats, Iterate

NAMES = {"last": "last iterate", "average": "average of iterates"}


def of(iterate: Iterate) -> dict[str, Floats]:
    """The estimates (paths, d) that a step offers, by the variant that names them."""
    return {"last": iterate.values} | ({} if iterate.averages is None else {"average": iterate.averages})


def refuse_if_lost(found: Sequence[Iterate]) -> None:
    """Raises ArithmeticError where no path is left to measure."""
    last = found[-1]
    if last.diverged.all():
        first = next(iterate.step for iterate in found if iterate.diverged.all())
        raise ArithmeticError(f"every path ({len(last.values)} of them) had diverged by step {first}")


def line(label: str, x: ArrayLike, y: ArrayLike, theory: bool = False, positive: bool = False) -> Line | None:
    """A line through the finite points (the positive ones, for logarithms); None of fewer than two."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    kept: NDArray[np.bool_] = np.isfinite(ys) & ((ys > 0) | (not positive))
    return Line(label, rounded(xs[kept]), rounded(ys[kept]), theory) if kept.sum() > 1 else None
