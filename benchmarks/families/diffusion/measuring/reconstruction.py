"""How far examples lie from what their encodings decode to, for methods that walk from data to noise and back."""

import torch

from benchmarks.families.diffusion.measuring.trained import BATCH, Trained
from benchmarks.metrics.measured import Measured, Value


def reconstruction(trained: Trained) -> list[Measured]:
    """Of all of test, with each number of steps of the task, the same both ways."""
    if not hasattr(trained.method, "reconstruction_error"):
        return []
    error = trained.method.reconstruction_error
    x = trained.examples("test")
    rows = []
    for steps in trained.task.evaluations:
        found = torch.cat([error(trained.model, trained.settings, part, steps) for part in x.split(BATCH)])
        protocol: dict[str, Value] = {"split": "test", "samples": len(x), **trained.data_range("[0, 1]", "halved")}
        told = ("reconstruction_error", float(found.mean()), "square error a dimension", "lower", len(x), protocol)
        rows.append(trained.row(*told, steps=steps))
    return rows
