"""Evaluation of a flow: exact likelihood, checks of invertibility and of the log-determinant, samples."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.families.flows.density import ImageDensity
from benchmarks.metrics.measured import Evaluated, Inputs, Measured, Value
from benchmarks.metrics.pixels import REFERENCE
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.flows.parts.dequantisation import bits_per_dimension, dequantise, quantise
from implementations.flows.parts.protocol import FlowMethod

BATCH = 1000
MOST_IMAGES = 10_000  # of a split; the test set of MNIST
JACOBIAN_IMAGES = 4  # a Jacobian costs as many backward passes as there are dimensions
NOISE_SEED = 0  # the same noise for every model, so that differences are the models'


def evaluate(method: FlowMethod, settings: Any, task: ImageDensity, inputs: Inputs) -> Evaluated:
    """Metrics of a trained model, in float64, and images drawn from it."""
    TorchFlags(**inputs.arithmetic).apply()
    model = method.build(settings, task.dimensions, torch_generator(inputs.seed, "initial weights"))
    model.load_state_dict(inputs.weights())
    model = model.double().eval()
    independent_pixels_bits = float(inputs.features()["independent_pixels_bits_per_dim"])
    protocol: dict[str, Value] = {
        "dequantisation": task.dequantisation,
        "data_range": "[0, 1]",
        "checkpoint": "best validation likelihood",
        "arithmetic": "float64",
        "noise_seed": NOISE_SEED,
    }
    rows: list[Measured] = []
    for split, prefix in (("test", ""), ("train", "train_")):
        x = _dequantised(inputs.images(split)[:MOST_IMAGES], task)
        with torch.no_grad():
            nats = float(torch.cat([model.log_prob(batch) for batch in torch.split(x, BATCH)]).mean())  # type: ignore[operator]
        taken: dict[str, Value] = {"split": split, "samples": len(x), **protocol}
        bits = bits_per_dimension(nats, task.dimensions, task.levels)
        rows.append(Measured(f"{prefix}log_likelihood", nats, "nats/image", "higher", len(x), taken))
        rows.append(Measured(f"{prefix}bits_per_dim", bits, "bits/dim", "lower", len(x), taken))
        if split == "test":
            gain = independent_pixels_bits - bits
            compared = {**taken, "reference": REFERENCE}
            rows.append(Measured("bits_below_independent_pixels", gain, "bits/dim", "higher", len(x), compared))
            rows += _exactness(model, x, taken)
    with torch.no_grad():
        drawn = model.sample(inputs.samples, torch_generator(inputs.seed, "samples"))  # type: ignore[operator]
    pictures = quantise(drawn, task.levels).numpy().reshape(inputs.samples, *task.shape)
    return Evaluated(rows, pictures=pictures, top=task.levels - 1)


def _dequantised(images: NDArray[np.uint8], task: ImageDensity) -> Tensor:
    levels = torch.from_numpy(images.reshape(len(images), -1))
    return dequantise(levels, task.levels, torch_generator(NOISE_SEED, "evaluation noise"), torch.float64)


def _exactness(model: nn.Module, x: Tensor, taken: Mapping[str, Value]) -> list[Measured]:
    """Largest round-trip error; the log-determinant against that of the autograd Jacobian, and its spread."""
    with torch.no_grad():
        latent, _ = model.encode(x)  # type: ignore[operator]
        back, _ = model.decode(latent)  # type: ignore[operator]
        error = float((back - x).abs().max())
    few = x[:JACOBIAN_IMAGES]
    with torch.no_grad():
        told = model.encode(few)[1]  # type: ignore[operator]
    seen = torch.stack([_log_determinant(model, image) for image in few])
    largest, spread = float((told - seen).abs().max()), float(seen.max() - seen.min())
    at_few = {**taken, "samples": len(few)}
    return [
        Measured("round_trip_error", error, "scaled pixel value", "lower", len(x), dict(taken)),
        Measured("log_determinant_error", largest, "nats", "lower", len(few), at_few),
        Measured("log_determinant_spread", spread, "nats", "lower", len(few), at_few),
    ]


def _log_determinant(model: nn.Module, image: Tensor) -> Tensor:
    """log |det dz/dx| at one image (d,), from the Jacobian that autograd gives."""
    jacobian = torch.autograd.functional.jacobian(lambda x: model.encode(x[None])[0][0], image, vectorize=True)  # type: ignore[operator]
    sign, logarithm = torch.linalg.slogdet(jacobian)
    return logarithm if float(sign) != 0 else torch.tensor(-math.inf)
