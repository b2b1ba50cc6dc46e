"""Samples at several numbers of evaluations against the data: quality, copies of the training set, pictures."""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.diffusion.measuring.trained import (
    BATCH,
    NOISE_SEED,
    PROTOCOL,
    Trained,
    cost_of,
    drawn,
    name_of,
)
from benchmarks.metrics.drawings import Drawing, Line, Lines, rounded
from benchmarks.metrics.extractors import kept
from benchmarks.metrics.extractors.extractor import Features
from benchmarks.metrics.fidelity import Reference, copying, fid_at_counts, from_features, reference
from benchmarks.metrics.measured import Measured, Picture, Value
from implementations.diffusion.parts.protocol import Sampler

MOST_PAIRED = 10_000  # of either set; beyond, what needs the distance of every pair is left out
SHOWN, COLUMNS = 100, 10  # images of the picture of samples; of a row of that along evaluations


@dataclass(frozen=True)
class Sampled:
    """What one sampler gave with one number of steps."""

    sampler: str
    variant: dict[str, Value]
    images: NDArray[np.uint8]
    evaluations: float
    fid: float


@dataclass(frozen=True)
class Judged:
    """Rows, the samples that they are of, and the seconds that each sampler took to draw them."""

    rows: list[Measured]
    sampled: list[Sampled]
    seconds: dict[str, float]


def judged(trained: Trained) -> Judged:
    """Every sampler of the method at every number of evaluations of the task, an adaptive one once.

    The last of each sampler are also held against the test split and searched for copies, and those of the first
    sampler, where they are enough, are taken apart by their number.
    """
    extractor = kept.read(trained.inputs.extractor(), trained.device)
    whole = np.concatenate([trained.inputs.images(split) for split in trained.task.reference])
    compared = reference(whole, trained.task.reference_name, "train", extractor)
    if max(len(whole), trained.inputs.samples) > MOST_PAIRED:
        compared = replace(compared, features=None)
    test = reference(trained.inputs.images("test"), f"{trained.task.dataset} test", "test", extractor)
    test = replace(test, features=None)  # so that no more than its FID is taken
    rows: list[Measured] = []
    sampled: list[Sampled] = []
    seconds: dict[str, float] = {}
    for sampler in trained.method.SAMPLERS:
        began = time.monotonic()
        found = _all_of(trained, sampler)
        seconds[f"sampling by {name_of(sampler)}"] = time.monotonic() - began
        for each in found:
            features = extractor(each.images)
            taken = from_features(features, compared, NOISE_SEED, each.variant)
            rows += taken
            sampled.append(replace(each, fid=_value(taken, "fid")))
            if "nfe" not in each.variant:  # an adaptive sampler's number is a result, and not the same for every seed
                count = Measured("evaluations", each.evaluations, "evaluations", "lower", len(each.images), {})
                rows.append(replace(count, measurement={"samples": len(each.images)}, variant=each.variant))
        if found:
            rows += _at_the_end(trained, found[-1], features, test)
        if found and sampler is trained.method.SAMPLERS[0]:
            rows += _at_counts(found[-1], features, compared)
    return Judged([replace(each, measurement={**each.measurement, **PROTOCOL}) for each in rows], sampled, seconds)


def _all_of(trained: Trained, sampler: Sampler) -> list[Sampled]:
    name, cost, images = name_of(sampler), cost_of(trained, sampler), trained.inputs.samples
    if cost.adaptive:
        # Its steps depend on the whole batch, so the batch is part of the name.
        tolerance = {"tolerance": trained.settings.tolerance} if hasattr(trained.settings, "tolerance") else {}
        found = drawn(trained, sampler, max(trained.task.evaluations), images)
        variant = trained.variant(sampler=name, batch=BATCH, **tolerance)
        return [Sampled(name, variant, found.images, found.evaluations, np.nan)]
    all_of = {}
    for steps in sorted({cost.steps(evaluations) for evaluations in trained.task.evaluations}):
        if steps >= 1:
            found = drawn(trained, sampler, steps, images)
            nfe = int(found.evaluations)
            all_of[nfe] = Sampled(name, trained.variant(sampler=name, nfe=nfe), found.images, nfe, np.nan)
    return list(all_of.values())


def _at_the_end(trained: Trained, last: Sampled, features: Features, test: Reference) -> list[Measured]:
    """Rows of a sampler's last samples alone."""
    (against,) = (each for each in from_features(features, test, NOISE_SEED, last.variant) if each.name == "fid")
    both = f"{trained.task.dataset} train beside test"
    train, held_out = trained.inputs.images("train"), trained.inputs.images("test")
    copies = copying(last.images[:MOST_PAIRED], train, held_out, both, trained.task.levels, last.variant)
    return [replace(against, name="fid_against_test"), *copies]


def _at_counts(last: Sampled, features: Features, compared: Reference) -> list[Measured]:
    """How FID depends on the number of samples: under a name of its own, for `fid` is that of all of them."""
    counts = [len(features) // 4, len(features) // 2, len(features)]
    if counts[0] <= len(compared.statistics.mean):
        return []
    rows = fid_at_counts([features], compared, counts, NOISE_SEED, last.variant)
    return [replace(each, name="fid_at_count") if each.name == "fid" else each for each in rows]


def drawings(judged_samples: Judged) -> list[Drawing]:
    """FID against evaluations, a line a sampler; an adaptive one is a point."""
    lines = [
        Line(name, rounded([each.evaluations for each in found]), rounded([each.fid for each in found]))
        for name, found in _by_sampler(judged_samples).items()
    ]
    title = "FID against evaluations of the network, by sampler"
    return [Lines("fid", title, "evaluations of the network for each image", "FID", lines, "xy")]


def pictures(trained: Trained, judged_samples: Judged) -> list[Picture]:
    """Samples of the sampler that has the lowest FID, and images that it makes of the same noises with fewer steps."""
    best = min(judged_samples.sampled, key=lambda each: each.fid)
    along = _by_sampler(judged_samples)[best.sampler]
    counts = ", ".join(f"{each.evaluations:g}" for each in along)
    top = trained.task.levels - 1
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
