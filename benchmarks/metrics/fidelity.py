"""How far a set of samples is from a set of images: FID, KID, Inception score, precision and recall, copying.

The Frechet and the kernel distance are ours, the other formulas are torch-fidelity's, on our features. Every number of
a protocol that is not in the measurement is a constant here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.extractors.extractor import Extractor, Features
from benchmarks.metrics.frechet import Statistics, frechet, statistics
from benchmarks.record.evaluated import Measured, Value
from benchmarks.statistics.intervals import student_t
from implementations.common.errors import Unsupported

QUANTISATION = "rounded to the nearest level"
SPLITS = 10  # of the Inception score
SMALLEST_LOGIT = -700.0  # below the largest; exp of it is still above 0 in float64
NEIGHBOURS = 3  # radius of precision's and recall's balls
COPY_SHARE = 0.05  # of held-out images that pass for copies
ROWS = 1000  # of a table of distances at a time

Images = NDArray[np.uint8]
Scale = tuple[float, float]


# Between grey levels and the continuous scale of a model


def scaled(levels: Images, count: int, scale: Scale = (-1.0, 1.0)) -> NDArray[np.float64]:
    """Level 0 .. count - 1 of any shape to even steps from `scale[0]` to `scale[1]`, ends included."""
    low, high = scale
    return low + (high - low) * (levels.astype(np.float64) / (count - 1))


def quantise(images: NDArray[np.floating], count: int, scale: Scale = (-1.0, 1.0)) -> Images:
    """The nearest level; beyond the scale the first or last. The inverse of `scaled`, on float32 and float64 alike.

    Not that of `dequantise`, whose levels are bins and which rounds down. Raises ValueError on NaN, and on more than
    256 levels.
    """
    if not 2 <= count <= 256:
        raise ValueError(f"levels: found {count}; 2 to 256 fit in uint8")
    low, high = scale
    level = np.rint((images.astype(np.float64) - low) / (high - low) * (count - 1))
    if np.isnan(level).any():
        raise ValueError("images: found NaN")
    return np.clip(level, 0, count - 1).astype(np.uint8)


# Against a reference


@dataclass(frozen=True, eq=False)
class Reference:
    """What samples are compared with, in the features of one extractor."""

    name: str  # such as "digits train"
    split: str
    extractor: str  # its name
    statistics: Statistics
    features: Features | None  # None where only moments are at hand: no KID, precision and recall then


def reference(images: Images, name: str, split: str, extractor: Extractor) -> Reference:
    """Of images (n, *shape), n at least 2."""
    features = extractor(images)
    return Reference(name, split, extractor.name, statistics(features.pool), features)


def from_features(
    samples: Features, compared: Reference, seed: int, variant: Mapping[str, Value] | None = None
) -> list[Measured]:
    """Rows fid, inception_score and, where the reference has its features, kid, precision, recall.

    `seed` is that of the Inception score's splits.

    Raises ValueError when the reference has other features, and on fewer samples than the Inception score has splits.
    """
    n, taken = len(samples), _protocol(samples, compared)
    alone = {field: value for field, value in taken.items() if field not in ("reference", "split")}
    name = dict(variant or {})
    score, protocol = inception_score(samples.logits, seed), alone | {"noise_seed": seed}
    rows = [
        Measured("fid", frechet(statistics(samples.pool), compared.statistics), "FID", "lower", n, taken, name),
        Measured("inception_score", score, "classes", "higher", n, protocol, name),
    ]
    if compared.features is not None:
        distance = kid(samples.pool, compared.features.pool)
        precision, recall = precision_recall(samples.pool, compared.features.pool)
        rows += [
            Measured("kid", distance, "squared MMD", "lower", n, taken, name),
            Measured("precision", precision, "share", "higher", n, taken, name),
            Measured("recall", recall, "share", "higher", n, taken, name),
        ]
    return rows


def kid(samples: NDArray[np.floating], compared: NDArray[np.floating]) -> float:
    """Kernel distance of features (n, d) and (m, d): squared MMD under (x y / d + 1)^3 (arXiv 1801.01401).

    The unbiased estimate over all pairs, so at times below 0. It is what the customary mean over 100 random subsets of
    1,000 tends to as subsets grow in number, without their noise and their seed. Raises ValueError on sets of one.
    """
    x, y = samples.astype(np.float64), compared.astype(np.float64)
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise Unsupported(f"samples: found {n} and {m}; pairs need at least 2")
    within = [(_kernel_sum(a, a) - _cubed(np.square(a).sum(1), a).sum()) / (len(a) * (len(a) - 1)) for a in (x, y)]
    return float(sum(within) - 2.0 * _kernel_sum(x, y) / (n * m))


def _kernel_sum(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Over all pairs, some rows at a time."""
    return float(sum(_cubed(x[at : at + ROWS] @ y.T, x).sum() for at in range(0, len(x), ROWS)))


def _cubed(products: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    k = products / features.shape[1] + 1.0
    cubed: NDArray[np.float64] = k * k * k  # much faster than k**3
    return cubed


def inception_score(logits: NDArray[np.floating], seed: int, splits: int = SPLITS) -> float:
    """exp of the mean of KL(p(y|x) | p(y)), a mean over splits shuffled by `seed`; (n, classes) logits.

    Between 1 and the number of classes (Salimans et al. 2016, arXiv 1606.03498, section 4). Raises ValueError on fewer
    samples than splits, where a split would be empty.
    """
    if len(logits) < splits:
        raise Unsupported(f"samples: found {len(logits)}; at least one for each of {splits} splits is needed")
    import torch
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    # A class of probability 0 in a whole split would give 0 times infinity there.
    kept = np.maximum(logits.astype(np.float64), logits.max(1, keepdims=True) + SMALLEST_LOGIT)
    found = isc_features_to_metric(torch.from_numpy(kept), splits=splits, shuffle=True, rng_seed=seed)
    return float(found[KEY_METRIC_ISC_MEAN])


def precision_recall(samples: NDArray[np.floating], compared: NDArray[np.floating]) -> tuple[float, float]:
    """The share of samples in the reference's balls, and of reference images in the samples' (n, d) and (m, d).

    A ball reaches to the third neighbour (Kynkaanniemi et al. 2019, arXiv 1904.06991). Raises ValueError on sets too
    small to have one.
    """
    if min(len(samples), len(compared)) <= NEIGHBOURS:
        raise Unsupported(f"samples: found {len(samples)} and {len(compared)}; more than {NEIGHBOURS} are needed")
    import torch
    from torch_fidelity.metric_prc import calculate_precision_recall_part

    generated, real = (torch.from_numpy(features.astype(np.float64)) for features in (samples, compared))
    precision, recall = calculate_precision_recall_part(generated, real, neighborhood=NEIGHBOURS, batch_size=ROWS)
    return float(precision), float(recall)


def fid_at_counts(
    pools: Sequence[Features],
    compared: Reference,
    counts: Sequence[int],
    seed: int,
    variant: Mapping[str, Value] | None = None,
) -> list[Measured]:
    """FID at several numbers of samples, and where it leads: `fid` with `images` in its variant, and `fid_infinity`.

    The bias of FID is nearly linear in 1/N and depends on the model, so that equal N does not remove it; a line through
    FID against 1/N is followed to 0 (arXiv 1911.07023). What the reference's own finite number adds stays.

    Args:
        pools: samples drawn from one model with unrelated seeds, one set a seed, none smaller than the largest count.
        counts: at least two different ones, above the number of features: below, the bias is not linear.
        seed: of the order in which a pool is cut into pieces of so many, drawn anew for each count; a pool's value is
            the mean over its pieces, for one piece of a few hundred may be far off.

    Values are means over the pools, with Student's 95 % interval where there are two or more. Raises ValueError on
    other counts and on another extractor than the reference's.
    """
    smallest, d = min(len(pool) for pool in pools), len(compared.statistics.mean)
    if len(set(counts)) < 2 or min(counts) <= d or max(counts) > smallest:
        raise ValueError(f"counts: found {list(counts)}; two or more from {d + 1} to {smallest} are needed")
    generator = np.random.default_rng(seed)
    found = np.empty((len(pools), len(counts)))
    for row, pool in enumerate(pools):
        for column, count in enumerate(counts):
            pieces = generator.permutation(len(pool))[: len(pool) // count * count].reshape(-1, count)
            each = [frechet(statistics(pool.pool[piece]), compared.statistics) for piece in pieces]
            found[row, column] = np.mean(each)
    limits = np.polynomial.polynomial.polyfit(1.0 / np.array(counts), found.T, 1)[0]
    name = dict(variant or {})
    taken = _protocol(pools[0], compared) | {"noise_seed": seed, "draws": len(pools)}
    rows = [
        _averaged("fid", found[:, column], taken | {"samples": count}, name | {"images": count})
        for column, count in enumerate(counts)
    ]
    return [*rows, _averaged("fid_infinity", limits, taken | {"samples": max(counts)}, name)]


def _averaged(metric: str, values: NDArray[np.float64], taken: dict[str, Value], variant: dict[str, Value]) -> Measured:
    mean = student_t(values.tolist())
    interval = (mean.low, mean.high) if len(values) > 1 else None
    return Measured(metric, mean.mean, "FID", "lower", int(taken["samples"]), taken, variant, interval)


def _protocol(samples: Features, compared: Reference) -> dict[str, Value]:
    """Raises ValueError when both sides have not gone through the same extractor."""
    if samples.extractor != compared.extractor:
        raise ValueError(
            f"extractor: found {samples.extractor}; the reference {compared.name} has {compared.extractor}"
        )
    return {
        "reference": compared.name,
        "split": compared.split,
        "extractor": samples.extractor,
        "samples": len(samples),
        "quantisation": QUANTISATION,
    }


# Copies of the training set


def copying(
    samples: Images,
    train: Images,
    held_out: Images,
    reference: str,
    levels: int,
    variant: Mapping[str, Value] | None = None,
) -> list[Measured]:
    """Whether samples lie nearer to the training set than images that it lacks; a small FID alone does not tell.

    Distances are Euclidean between grey levels on [0, 1]. `nearest_distance_ratio`: the median distance to the nearest
    training image, over that of held-out images; about 1 for new images, 0 for copies. `copies`: the share of samples
    nearer than all but the nearest twentieth of held-out images; about 0.05 for new images. Blurred samples too lie
    near, so read them beside precision and recall. `reference` names both sets, such as "digits train beside test".
    """
    drawn, apart = (nearest_distances(images, train) / (levels - 1) for images in (samples, held_out))
    median = float(np.median(apart))
    if median == 0.0:
        raise Unsupported("held-out images: half of them are in the training set; their distances say nothing")
    protocol: dict[str, Value] = {"reference": reference, "samples": len(samples), "quantisation": QUANTISATION}
    name = dict(variant or {})
    ratio, copies = float(np.median(drawn)) / median, float((drawn < np.quantile(apart, COPY_SHARE)).mean())
    return [
        Measured("nearest_distance_ratio", ratio, "ratio", "higher", len(samples), protocol, name),
        Measured("copies", copies, "share", "lower", len(samples), protocol, name),
    ]


def nearest_distances(images: Images, train: Images) -> NDArray[np.float64]:
    """From each of (n, *shape) to the nearest of (m, *shape), Euclidean, in grey levels; exact, 0 for a copy."""
    # Whole numbers: sums of squares of uint8 are exact in float64, so |a|^2 - 2 a b + |b|^2 loses nothing.
    wanted, known = (x.reshape(len(x), -1).astype(np.float64) for x in (images, train))
    lengths = np.square(known).sum(1)
    nearest = [
        (lengths - 2.0 * part @ known.T).min(1) + np.square(part).sum(1)
        for part in (wanted[at : at + ROWS] for at in range(0, len(wanted), ROWS))
    ]
    distances: NDArray[np.float64] = np.sqrt(np.concatenate(nearest))
    return distances
