"""The Frechet distance of 1,024 features from their moments, which is where the time goes once features are taken."""

import warnings
from collections.abc import Callable

import numpy as np

from bench.timing import Comparison, compare
from benchmarks.metrics.frechet import Statistics, frechet, statistics

FEATURES, ROWS = 1024, 3072  # rows enough for a full rank, so that all have the same problem


def against_torch_fidelity() -> list[Comparison]:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    def theirs(one: Statistics, two: Statistics) -> float:
        both = ({"mu": side.mean, "sigma": side.covariance} for side in (one, two))
        return float(fid_statistics_to_metric(*both, verbose=False)["frechet_inception_distance"])

    return comparison("torch-fidelity", theirs)


def against_pytorch_fid() -> list[Comparison]:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return comparison("pytorch-fid", by_moments(calculate_frechet_distance))


def against_clean_fid() -> list[Comparison]:
    from cleanfid.fid import frechet_distance

    return comparison("clean-fid", by_moments(frechet_distance))


def by_moments(distance: Callable[..., float]) -> Callable[[Statistics, Statistics], float]:
    def of(one: Statistics, two: Statistics) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # scipy.linalg.sqrtm(disp=...)
            return float(distance(one.mean, one.covariance, two.mean, two.covariance))

    return of


def comparison(peer: str, theirs: Callable[[Statistics, Statistics], float]) -> list[Comparison]:
    """Of correlated features; both must come to the same distance."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    one, two = (statistics(random.normal(size=(ROWS, FEATURES)) @ mixing * size) for size in (1.0, 1.1))
    ours = frechet(one, two)
    if abs(theirs(one, two) - ours) > 1e-6:
        raise ValueError(f"{peer}: found {theirs(one, two)}, ours is {ours}")
    what = f"Frechet distance, {FEATURES:,} features, {peer}"
    return [compare(what, lambda: frechet(one, two), lambda: theirs(one, two))]
