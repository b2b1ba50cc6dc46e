"""Frechet distance between Gaussians, and the two moments it is taken from.

d^2 = |m1 - m2|^2 + tr C1 + tr C2 - 2 tr sqrt(C1 C2) (Dowson and Landau, J. Multivariate Analysis 12, 1982). The last
trace is the sum of the square roots of the eigenvalues of C1 C2, which are real and at least 0 although C1 C2 is not
symmetric: with C1 = L L^T they are those of the symmetric L^T C2 L. So no square root of a matrix is needed.
For any factors with Fi^T Fi = Ci it is also the sum of the singular values of F1 F2^T. Centred rows are such factors
and have lost nothing, so that is how covariances of few rows are compared: an eigenvalue that ought to be 0 comes out
as rounding of size e, and its square root, sqrt(e), is no longer small.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from implementations.common.errors import Unsupported

Array = NDArray[np.float64]
CHUNK = 4096  # rows at a time in float64
ASYMMETRY = 1e-8  # of the largest entry: more than rounding


@dataclass(frozen=True, eq=False)
class Statistics:
    """Moments of n rows of d features, in float64."""

    mean: Array  # (d,)
    covariance: Array  # (d, d), symmetric, divisor n - 1
    count: int  # n
    factor: Array | None = None  # (n, d), factor^T factor = covariance; kept while n <= d, where covariance is singular


def statistics(features: NDArray[np.floating]) -> Statistics:
    """Of rows (n, d). Raises ValueError as `streamed` does."""
    return streamed(features[at : at + CHUNK] for at in range(0, len(features), CHUNK))


def streamed(chunks: Iterable[NDArray[np.floating]]) -> Statistics:
    """Of rows that come in pieces (ni, d); one piece and d x d numbers are held at a time.

    Pieces are joined by their means and scatters (Chan, Golub and LeVeque 1979), which loses nothing where the mean is
    far from 0. Raises ValueError on fewer than 2 rows, on pieces of unequal width and on values that are not finite.
    """
    count = 0
    mean = scatter = np.empty(0)
    kept: list[Array] = []
    for chunk in chunks:
        rows = np.asarray(chunk, dtype=np.float64)
        if rows.ndim != 2 or (count and rows.shape[1] != len(mean)):
            raise ValueError(f"features: found an array of shape {rows.shape}; rows of one width are needed")
        if not np.isfinite(rows).all():
            raise ValueError("features: found a value that is not finite")
        if not len(rows):
            continue
        centre = rows.mean(0)
        centred = rows - centre
        if not count:
            count, mean, scatter = len(rows), centre, centred.T @ centred
        else:
            total, step = count + len(rows), centre - mean
            scatter = scatter + centred.T @ centred + np.outer(step, step) * (count * len(rows) / total)
            mean = mean + step * (len(rows) / total)
            count = total
        kept = [*kept, rows] if count <= len(mean) else []
    if count < 2:
        raise Unsupported(f"features: found {count} rows; a covariance needs at least 2")
    factor = (np.concatenate(kept) - mean) / np.sqrt(count - 1) if kept else None
    return Statistics(mean, scatter / (count - 1), count, factor)


def frechet(one: Statistics, two: Statistics) -> float:
    """Squared Frechet distance, in squared units of the features; from centred rows where either side has kept them.

    Rounding may leave equal statistics a little below 0. Raises ValueError as `frechet_distance` does.
    """
    _check(one.mean, one.covariance, two.mean, two.covariance)
    if one.factor is None and two.factor is None:
        return frechet_distance(one.mean, one.covariance, two.mean, two.covariance)
    first, second = (_factor(side.covariance) if side.factor is None else side.factor for side in (one, two))
    return _distance(one.mean, one.covariance, two.mean, two.covariance, _nuclear(first, second))


def frechet_distance(mean1: Array, covariance1: Array, mean2: Array, covariance2: Array) -> float:
    """Squared Frechet distance of N(mean1, covariance1) and N(mean2, covariance2): (d,), (d, d), (d,), (d, d).

    Raises ValueError on shapes that do not fit, on values that are not finite and on covariances that are not
    symmetric.
    """
    _check(mean1, covariance1, mean2, covariance2)
    try:
        root = _root_trace(covariance1, covariance2)
    except np.linalg.LinAlgError:  # the second is singular; C1 C2 and C2 C1 have the same eigenvalues
        try:
            root = _root_trace(covariance2, covariance1)
        except np.linalg.LinAlgError:
            root = _nuclear(_factor(covariance1), _factor(covariance2))
    return _distance(mean1, covariance1, mean2, covariance2, root)


def _root_trace(covariance: Array, definite: Array) -> float:
    """tr sqrt(C1 C2) by Cholesky and eigenvalues of L^T C1 L, with `definite` = L L^T; LinAlgError where it is not."""
    eigenvalues = scipy.linalg.eigh(covariance, definite, type=3, eigvals_only=True, driver="gv", check_finite=False)
    return float(np.sqrt(np.clip(eigenvalues, 0.0, None)).sum())


def _nuclear(factor1: Array, factor2: Array) -> float:
    """tr sqrt(C1 C2) by the singular values of F1 F2^T."""
    return float(scipy.linalg.svdvals(factor1 @ factor2.T, check_finite=False).sum())


def _factor(covariance: Array) -> Array:
    """F (d, d) with F^T F the covariance, which may be singular."""
    try:
        factor: Array = scipy.linalg.cholesky(covariance, check_finite=False)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        factor = (vectors * np.sqrt(np.clip(values, 0.0, None))).T
    return factor


def _distance(mean1: Array, covariance1: Array, mean2: Array, covariance2: Array, root: float) -> float:
    apart = np.square(mean1 - mean2).sum()
    return float(apart + np.trace(covariance1) + np.trace(covariance2) - 2.0 * root)


def _check(mean1: Array, covariance1: Array, mean2: Array, covariance2: Array) -> None:
    d = len(mean1)
    shapes = [array.shape for array in (mean1, covariance1, mean2, covariance2)]
    if shapes != [(d,), (d, d)] * 2:
        raise ValueError(f"statistics: found shapes {shapes}; (d,), (d, d), (d,), (d, d) with one d are needed")
    for mean, covariance in ((mean1, covariance1), (mean2, covariance2)):
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ValueError("statistics: found a value that is not finite")
        if np.abs(covariance - covariance.T).max() > ASYMMETRY * np.abs(covariance).max():
            raise ValueError("statistics: found a covariance that is not symmetric")
