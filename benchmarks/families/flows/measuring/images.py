"""Density of images: exact likelihood, bits per dimension, samples, interpolation between test images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.families.flows.measuring.trained import NOISE_SEED, Subject, counts, exactness
from benchmarks.families.flows.problems import ImageDensity
from benchmarks.metrics.pixels import REFERENCE
from benchmarks.record.evaluated import Evaluated, Measured, Picture, Value
from benchmarks.run import inputs
from benchmarks.run.seeds import torch_generator
from implementations.flows.parts.dequantisation import bits_per_dimension, dequantise, quantise
from implementations.flows.parts.protocol import FlowModel

MOST_TRAINING_IMAGES = 10_000
STRIPS, STRIP = 4, 9  # pairs of test images that are joined, and images from one to the other


def measure(task: ImageDensity, trained: Subject) -> Evaluated:
    """Rows in float64 and pictures."""
    job = trained.job
    independent_pixels_bits = float(inputs.features(job)["independent_pixels_bits_per_dim"])
    protocol: dict[str, Value] = {
        "dequantisation": task.dequantisation,
        "data_range": "[0, 1]",
        "checkpoint": "best validation likelihood",
        "arithmetic": "float64",
        "noise_seed": NOISE_SEED,
    }
    rows: list[Measured] = counts(trained, protocol)
    x = {"test": _dequantised(inputs.images(job, "test"), task)}
    x["train"] = _dequantised(inputs.images(job, "train")[:MOST_TRAINING_IMAGES], task)
    for split, prefix in (("test", ""), ("train", "train_")):
        n = len(x[split])
        nats = float(trained.log_prob(x[split]).mean())
        taken: dict[str, Value] = {"split": split, "samples": n, **protocol}
        bits = bits_per_dimension(nats, task.dimensions, task.levels)
        rows.append(trained.row(f"{prefix}log_likelihood", nats, "nats", "higher", n, taken))
        rows.append(trained.row(f"{prefix}bits_per_dim", bits, "bits/dim", "lower", n, taken))
        if split == "test":
            gain, compared = independent_pixels_bits - bits, {**taken, "reference": REFERENCE}
            rows.append(trained.row("bits_below_independent_pixels", gain, "bits/dim", "higher", n, compared))
    rows += exactness(trained, x["test"], {"split": "test", **protocol})
    return Evaluated(rows, pictures=_pictures(task, trained, x["test"]))


def _dequantised(images: NDArray[np.uint8], task: ImageDensity) -> Tensor:
    levels = torch.from_numpy(images.reshape(len(images), -1))
    return dequantise(levels, task.levels, torch_generator(NOISE_SEED, "evaluation noise"), torch.float64)


def _pictures(task: ImageDensity, trained: Subject, test: Tensor) -> list[Picture]:
    """Draws of the model, and for a flow the straight lines between the latents of test images, decoded."""
    model, job = trained.model, trained.job
    with torch.no_grad():
        drawn = model.sample(job.samples, torch_generator(job.seed, "samples"))  # type: ignore[operator]
    pictures = [_picture("samples", "draws of the trained model", task, drawn, 0)]
    if isinstance(model, FlowModel):
        with torch.no_grad():
            ends, _ = model.encode(test[: 2 * STRIPS])
            share = torch.linspace(0, 1, STRIP, dtype=ends.dtype)[None, :, None]
            between = ends[:STRIPS, None] * (1 - share) + ends[STRIPS:, None] * share
            joined, _ = model.decode(between.reshape(STRIPS * STRIP, -1))
        title = "between test images: straight lines in the latent, decoded; the ends are the images themselves"
        pictures.append(_picture("interpolation", title, task, joined, STRIP))
    return pictures


def _picture(name: str, title: str, task: ImageDensity, x: Tensor, columns: int) -> Picture:
    levels = quantise(x, task.levels).numpy().reshape(len(x), *task.shape)
    return Picture(name, title, levels, task.levels - 1, columns)
