"""Samples at several numbers of evaluations against the data: quality, copies of the training set, pictures."""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.diffusion.measuring.trained import (
    NOISE_SEED,
    PROTOCOL,
    Drawn,
    Trained,
    counted_evaluations,
    drawn,
    name_of,
    variants,
)
from benchmarks.families.diffusion.problems import ImageGeneration
from benchmarks.metrics.drawings import Drawing, Line, Lines, rounded
from benchmarks.metrics.extractors import kept
from benchmarks.metrics.extractors.extractor import Extractor, Features
from benchmarks.metrics.fidelity import Reference, copying, fid_at_counts, from_features, reference
from benchmarks.metrics.measured import Measured, Picture, Value
from implementations.diffusion.parts.protocol import Sampler

MOST_POOLED = 200_000  # evaluations for a pool of samples at the task's most; beyond, FID at counts is of one pool
POOLS = 4  # of samples with noises of their own, for the interval of FID at counts
MOST_PAIRED = 10_000  # of either set; beyond, what needs the distance of every pair is left out
SHOWN, COLUMNS = 100, 10  # images of the picture of samples; of a row of that along evaluations


@dataclass(frozen=True)
class Sampled:
    """What one sampler gave with one number of steps, of which only what pictures show is kept."""

    sampler: str
    variant: dict[str, Value]
    images: NDArray[np.uint8]  # the first of them
    evaluations: float
    fid: float


@dataclass(frozen=True)
class Judged:
    """Rows, what is shown of the samples that they are of, and the seconds that each sampler took to draw them."""

    rows: list[Measured]
    sampled: list[Sampled]
    seconds: dict[str, float]


def judged(trained: Trained, task: ImageGeneration) -> Judged:
    """Every sampler of the method at every number of evaluations of the task, an adaptive one once.

    The last of each sampler are also held against the test split and searched for copies, and those of the first
    sampler, where they are enough, are taken apart by their number. Samples are drawn, measured and let go, one number
    of evaluations after the other.
    """
    extractor = kept.read(trained.inputs.extractor(), trained.device)
    whole = np.concatenate([trained.inputs.images(split) for split in task.reference])
    compared = reference(whole, task.reference_name, "train", extractor)
    if max(len(whole), trained.inputs.samples) > MOST_PAIRED:
        compared = replace(compared, features=None)
    test = reference(trained.inputs.images("test"), f"{task.dataset} test", "test", extractor)
    test = replace(test, features=None)  # so that no more than FID is taken
    rows: list[Measured] = []
    sampled: list[Sampled] = []
    seconds: dict[str, float] = {}
    for sampler in trained.method.SAMPLERS:
        name = f"sampling by {name_of(sampler)}"
        asked = variants(trained, sampler)
        seconds[name] = 0.0
        for number, (steps, variant) in enumerate(asked):
            began = time.monotonic()
            found = drawn(trained, sampler, steps, trained.inputs.samples)
            seconds[name] += time.monotonic() - began
            features = extractor(found.examples)
            taken = from_features(features, compared, NOISE_SEED, variant)
            rows += taken + counted_evaluations(found, variant)
            fid = _value(taken, "fid")
            sampled.append(Sampled(name_of(sampler), variant, found.examples[:SHOWN].copy(), found.evaluations, fid))
            if number == len(asked) - 1:
                rows += _by_reference(taken, features, variant, test)
                rows += _copying(trained, task, found, variant)
                counts = [len(features) // 4, len(features) // 2, len(features)]
                if sampler is trained.method.SAMPLERS[0] and counts[0] > len(compared.statistics.mean):
                    pools = [features, *_further_pools(trained, task, sampler, steps, extractor)]
                    rows += _at_counts(pools, counts, variant, compared)
    return Judged([replace(each, measurement={**each.measurement, **PROTOCOL}) for each in rows], sampled, seconds)


def _copying(trained: Trained, task: ImageGeneration, found: Drawn, variant: dict[str, Value]) -> list[Measured]:
    both = f"{task.dataset} train beside test"
    train, held_out = trained.inputs.images("train"), trained.inputs.images("test")
    return copying(found.examples[:MOST_PAIRED], train, held_out, both, task.levels, variant)


def _by_reference(
    rows: list[Measured], features: Features, variant: dict[str, Value], test: Reference
) -> list[Measured]:
    """FID against the training set and against the test set, under a name of its own, for `fid` is the first."""
    of_test = from_features(features, test, NOISE_SEED, variant)
    return [
        replace(each, name="fid_by_reference", variant={**variant, "against": against})
        for against, taken in (("training set", rows), ("test set", of_test))
        for each in taken
        if each.name == "fid"
    ]


def _further_pools(
    trained: Trained, task: ImageGeneration, sampler: Sampler, steps: int, extractor: Extractor
) -> list[Features]:
    """As many samples, drawn in the same way from other noises; none where a task's methods would pay too much."""
    count = trained.inputs.samples
    further = POOLS if count * max(task.evaluations) <= MOST_POOLED else 1
    return [extractor(drawn(trained, sampler, steps, count, pool).examples) for pool in range(1, further)]


def _at_counts(
    pools: list[Features], counts: list[int], variant: dict[str, Value], compared: Reference
) -> list[Measured]:
    """How FID depends on the number of samples: under a name of its own, for `fid` is that of all of the first pool."""
    rows = fid_at_counts(pools, compared, counts, NOISE_SEED, variant)
    return [replace(each, name="fid_at_count") if each.name == "fid" else each for each in rows]


def drawings(judged_samples: Judged) -> list[Drawing]:
    """FID against evaluations, a line a sampler; an adaptive one is a point."""
    lines = [
        Line(name, rounded([each.evaluations for each in found]), rounded([each.fid for each in found]))
        for name, found in _by_sampler(judged_samples).items()
    ]
    title = "FID against evaluations of the network, by sampler"
    return [Lines("fid", title, "evaluations of the network for each image", "FID", lines, "xy")]


def pictures(task: ImageGeneration, judged_samples: Judged) -> list[Picture]:
    """Samples of the sampler that has the lowest FID, and images that it makes of the same noises with fewer steps."""
    best = min(judged_samples.sampled, key=lambda each: each.fid)
    along = _by_sampler(judged_samples)[best.sampler]
    counts = ", ".join(f"{each.evaluations:g}" for each in along)
    top = task.levels - 1
    of_best = f"samples by {best.sampler} with {best.evaluations:g} evaluations"
    rows = np.concatenate([each.images[:COLUMNS] for each in along])
    columns = min(COLUMNS, len(best.images))
    return [
        Picture("samples", of_best, best.images[:SHOWN], top),
        Picture("by_evaluations", f"the same noises by {best.sampler}, a row each: {counts}", rows, top, columns),
    ]


def _by_sampler(judged_samples: Judged) -> dict[str, list[Sampled]]:
    found: dict[str, list[Sampled]] = {}
    for each in judged_samples.sampled:
        found.setdefault(each.sampler, []).append(each)
    return found


def _value(rows: list[Measured], name: str) -> float:
    (value,) = (each.value for each in rows if each.name == name)
    assert isinstance(value, float)
    return value
