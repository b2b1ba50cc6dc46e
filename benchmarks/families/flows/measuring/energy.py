"""Fit of exp(-U) / Z on the plane: both Kullback-Leibler divergences against the known density."""

import numpy as np
import torch
from torch import Tensor

from benchmarks.families.flows import energies
from benchmarks.families.flows.measuring.trained import Subject, counts, exactness
from benchmarks.families.flows.problems import Energy
from benchmarks.record.evaluated import Evaluated, Picture, Value
from benchmarks.run.seeds import torch_generator

DRAWN = 10_000
EXACTNESS_POINTS = 1000
CELLS, REACH = 64, 4.0  # a side of the picture; the paper shows [-4, 4]^2


def measure(task: Energy, trained: Subject) -> Evaluated:
    """Rows in float64 and a picture of both densities."""
    number, seed = task.number, trained.job.seed
    protocol: dict[str, Value] = {
        "samples": DRAWN,
        "checkpoint": "best validation divergence",
        "arithmetic": "float64",
        "reference": "exp(-U) / Z, Z by quadrature",
    }
    true = energies.sample(number, DRAWN, torch_generator(0, f"draws of energy {number}"))
    forward = float((energies.log_density(number, true) - trained.log_prob(true)).mean())
    with torch.no_grad():
        drawn = trained.model.sample(DRAWN, torch_generator(seed, "samples"))  # type: ignore[operator]
    reverse = float((trained.log_prob(drawn) - energies.log_density(number, drawn)).mean())
    rows = [
        *counts(trained, protocol),
        trained.row("reverse_kl", reverse, "nats", "lower", DRAWN, protocol),
        trained.row("forward_kl", forward, "nats", "lower", DRAWN, protocol),
        *exactness(trained, true[:EXACTNESS_POINTS], protocol),
    ]
    centres = energies.cell_centres(REACH, CELLS)
    both = [energies.log_density(number, centres).exp(), trained.log_prob(centres).exp()]
    top = float(both[0].max())
    array = np.stack([_grey(density / top) for density in both])
    title = "density on [-4, 4]^2: left exp(-U) / Z, right the model"
    return Evaluated(rows, pictures=[Picture("density", title, array, 255, 2)])


def _grey(share: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    levels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = (
        (share.clamp(0, 1) * 255).round().to(torch.uint8).reshape(CELLS, CELLS).numpy()
    )
    return levels
