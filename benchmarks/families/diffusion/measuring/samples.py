"""Samples at several numbers of evaluations against the data: quality, copies of the training set, pictures."""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.diffusion.measuring.trained import (
    BATCH,
    NOISE_SEED,
    PROTOCOL,
    Drawn,
    Trained,
    cost_of,
    drawn,
    name_of,
)
from benchmarks.metrics.drawings import Drawing, Line, Lines, rounded
from benchmarks.metrics.extractors import kept
from benchmarks.metrics.extractors.extractor import Extractor, Features
from benchmarks.metrics.fidelity import Reference, copying, fid_at_counts, from_features, reference
from benchmarks.metrics.measured import Measured, Picture, Value
from implementations.diffusion.parts.protocol import Sampler

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


@dataclass(frozen=True)
class _Against:
    """What samples are held against."""

    extractor: Extractor
    training: Reference
    test: Reference


def judged(trained: Trained) -> Judged:
    """Every sampler of the method at every number of evaluations of the task, an adaptive one once.

    The last of each sampler are also held against the test split and searched for copies, and those of the first
    sampler, where they are enough, are taken apart by their number. Samples are drawn, measured and let go, one number
    of evaluations after the other.
    """
    extractor = kept.read(trained.inputs.extractor(), trained.device)
    whole = np.concatenate([trained.inputs.images(split) for split in trained.task.reference])
    compared = reference(whole, trained.task.reference_name, "train", extractor)
    if max(len(whole), trained.inputs.samples) > MOST_PAIRED:
        compared = replace(compared, features=None)
    test = reference(trained.inputs.images("test"), f"{trained.task.dataset} test", "test", extractor)
    against = _Against(extractor, compared, replace(test, features=None))  # so that of test no more than FID is taken
    rows: list[Measured] = []
    sampled: list[Sampled] = []
    seconds: dict[str, float] = {}
    for sampler in trained.method.SAMPLERS:
        name = f"sampling by {name_of(sampler)}"
        variants = _variants(trained, sampler)
        seconds[name] = 0.0
        for number, (steps, variant) in enumerate(variants):
            began = time.monotonic()
            found = drawn(trained, sampler, steps, trained.inputs.samples)
            seconds[name] += time.monotonic() - began
            last, first = number == len(variants) - 1, sampler is trained.method.SAMPLERS[0]
            taken = _measured(trained, found, variant, against, last, first)
            rows += taken
            fid = _value(taken, "fid")
            sampled.append(Sampled(name_of(sampler), variant, found.images[:SHOWN].copy(), found.evaluations, fid))
    return Judged([replace(each, measurement={**each.measurement, **PROTOCOL}) for each in rows], sampled, seconds)


def _variants(trained: Trained, sampler: Sampler) -> list[tuple[int, dict[str, Value]]]:
    """Steps that a sampler is asked for, with the name of the row that they make, by evaluations."""
    name, cost = name_of(sampler), cost_of(trained, sampler)
    if cost.adaptive:
        # Its steps depend on the whole batch, so the batch is part of the name.
        tolerance = {"tolerance": trained.settings.tolerance} if hasattr(trained.settings, "tolerance") else {}
        return [(max(trained.task.evaluations), trained.variant(sampler=name, batch=BATCH, **tolerance))]
    found: dict[int, tuple[int, dict[str, Value]]] = {}
    for steps in sorted({cost.steps(evaluations) for evaluations in trained.task.evaluations}):
        if steps >= 1:
            # Of steps that coincide a grid may keep one, so that evaluations are counted, on one image.
            nfe = int(drawn(trained, sampler, steps, 1).evaluations)
            found[nfe] = (steps, trained.variant(sampler=name, nfe=nfe))
    return list(found.values())


def _measured(
    trained: Trained, found: Drawn, variant: dict[str, Value], against: _Against, last: bool, first: bool
) -> list[Measured]:
    """Rows of samples; of a sampler's last ones more, and of those of the first sampler more still."""
    features = against.extractor(found.images)
    rows = from_features(features, against.training, NOISE_SEED, variant)
    if "nfe" not in variant:  # an adaptive sampler's number is a result, and not the same for every seed
        count = Measured("evaluations", found.evaluations, "evaluations", "lower", len(found.images), {})
        rows.append(replace(count, measurement={"samples": len(found.images)}, variant=variant))
    if last:
        rows += _by_reference(rows, features, variant, against.test)
        both = f"{trained.task.dataset} train beside test"
        train, held_out = trained.inputs.images("train"), trained.inputs.images("test")
        rows += copying(found.images[:MOST_PAIRED], train, held_out, both, trained.task.levels, variant)
        if first:
            rows += _at_counts(features, variant, against.training)
    return rows


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


def _at_counts(features: Features, variant: dict[str, Value], compared: Reference) -> list[Measured]:
    """How FID depends on the number of samples: under a name of its own, for `fid` is that of all of them."""
    counts = [len(features) // 4, len(features) // 2, len(features)]
    if counts[0] <= len(compared.statistics.mean):
        return []
    rows = fid_at_counts([features], compared, counts, NOISE_SEED, variant)
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
