"""Samples at several numbers of evaluations against the data: quality, copies of the training set, pictures."""

from dataclasses import replace

import numpy as np

from benchmarks.families.diffusion.measuring.sampling import Sampled, Sampling, draws
from benchmarks.families.diffusion.measuring.trained import (
    NOISE_SEED,
    PROTOCOL,
    Drawn,
    Subject,
    counted_evaluations,
    drawn,
    name_of,
)
from benchmarks.families.diffusion.problems import ImageGeneration
from benchmarks.metrics.extractors import kept
from benchmarks.metrics.extractors.extractor import Extractor, Features
from benchmarks.metrics.fidelity import Reference, copying, fid_at_counts, from_features, reference
from benchmarks.record.evaluated import Drawing, Line, Lines, Measured, Picture, Value, rounded
from benchmarks.run import inputs
from implementations.diffusion.parts.protocol import Sampler

MOST_POOLED = 200_000  # evaluations for a pool of samples at the task's most; beyond, FID at counts is of one pool
POOLS = 4  # of samples with noises of their own, for the interval of FID at counts
MOST_PAIRED = 10_000  # of either set; beyond, what needs the distance of every pair is left out
SHOWN, COLUMNS = 100, 10  # images of the picture of samples; of a row of that along evaluations


def judged(trained: Subject, task: ImageGeneration) -> Sampling:
    """Every sampler of the method at every number of evaluations of the task, an adaptive one once.

    The last of each sampler are also held against the test split and searched for copies, and those of the first
    sampler, where they are enough, are taken apart by their number. Samples are drawn, measured and let go, one number
    of evaluations after the other.
    """
    extractor = kept.read(inputs.path(trained.job, "extractor"), trained.device)
    whole = np.concatenate([inputs.images(trained.job, split) for split in task.reference])
    compared = reference(whole, task.reference_name, "train", extractor)
    if max(len(whole), trained.job.samples) > MOST_PAIRED:
        compared = replace(compared, features=None)
    test = reference(inputs.images(trained.job, "test"), f"{task.dataset} test", "test", extractor)
    test = replace(test, features=None)  # so that no more than FID is taken
    found = Sampling()
    rows: list[Measured] = []
    for draw in draws(trained, found.seconds):
        samples, variant = draw.samples, draw.variant
        features = extractor(samples.examples)
        taken = from_features(features, compared, NOISE_SEED, variant)
        rows += taken + counted_evaluations(samples, variant)
        shown, fid = samples.examples[:SHOWN].copy(), _fid(taken)
        found.sampled.append(Sampled(name_of(draw.sampler), shown, samples.evaluations, fid))
        if draw.last:
            rows += _by_reference(taken, features, variant, test)
            rows += _copying(trained, task, samples, variant)
            counts = [len(features) // 4, len(features) // 2, len(features)]
            if draw.sampler is trained.method.samplers[0] and counts[0] > len(compared.statistics.mean):
                pools = [features, *_further_pools(trained, task, draw.sampler, draw.steps, extractor)]
                rows += _at_counts(pools, counts, variant, compared)
    found.rows.extend(replace(each, measurement={**each.measurement, **PROTOCOL}) for each in rows)
    return found


def _copying(trained: Subject, task: ImageGeneration, found: Drawn, variant: dict[str, Value]) -> list[Measured]:
    both = f"{task.dataset} train beside test"
    train, held_out = inputs.images(trained.job, "train"), inputs.images(trained.job, "test")
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
    trained: Subject, task: ImageGeneration, sampler: Sampler, steps: int, extractor: Extractor
) -> list[Features]:
    """As many samples, drawn in the same way from other noises; none where a task's methods would pay too much."""
    count = trained.job.samples
    further = POOLS if count * max(task.evaluations) <= MOST_POOLED else 1
    return [extractor(drawn(trained, sampler, steps, count, pool).examples) for pool in range(1, further)]


def _at_counts(
    pools: list[Features], counts: list[int], variant: dict[str, Value], compared: Reference
) -> list[Measured]:
    """How FID depends on the number of samples: under a name of its own, for `fid` is that of all of the first pool."""
    rows = fid_at_counts(pools, compared, counts, NOISE_SEED, variant)
    return [replace(each, name="fid_at_count") if each.name == "fid" else each for each in rows]


def drawings(judged_samples: Sampling) -> list[Drawing]:
    """FID against evaluations, a line a sampler; an adaptive one is a point."""
    lines = [
        Line(name, rounded([each.evaluations for each in found]), rounded([each.distance for each in found]))
        for name, found in judged_samples.by_sampler().items()
    ]
    title = "FID against evaluations of the network, by sampler"
    return [Lines("fid", title, "evaluations of the network for each image", "FID", lines, "xy")]


def pictures(task: ImageGeneration, judged_samples: Sampling) -> list[Picture]:
    """Samples of the sampler that has the lowest FID, and images that it makes of the same noises with fewer steps."""
    best = judged_samples.best()
    along = judged_samples.by_sampler()[best.sampler]
    counts = ", ".join(f"{each.evaluations:g}" for each in along)
    top = task.levels - 1
    of_best = f"samples by {best.sampler} with {best.evaluations:g} evaluations"
    rows = np.concatenate([each.examples[:COLUMNS] for each in along])
    columns = min(COLUMNS, len(best.examples))
    return [
        Picture("samples", of_best, best.examples[:SHOWN], top),
        Picture("by_evaluations", f"the same noises by {best.sampler}, a row each: {counts}", rows, top, columns),
    ]


def _fid(rows: list[Measured]) -> float:
    (value,) = (each.value for each in rows if each.name == "fid")
    assert isinstance(value, float)
    return value
