"""How far examples lie from what their encodings decode to, for methods that walk from data to noise and back."""

import torch

from benchmarks.families.diffusion.measuring.trained import BATCH, Subject
from benchmarks.record.evaluated import Measured, Value


def reconstruction(trained: Subject) -> list[Measured]:
    """Of all of test, with each number of steps of the task, the same both ways."""
    if (error := trained.method.reconstruction_error) is None:
        return []
    x = trained.examples("test")
    rows = []
    for steps in trained.task.evaluations:
        found = torch.cat([error(trained.model, trained.settings, part, steps) for part in x.split(BATCH)])
        protocol: dict[str, Value] = {"split": "test", "samples": len(x), **trained.data_range("[0, 1]", "halved")}
        told = ("reconstruction_error", float(found.mean()), "square error a dimension", "lower", len(x), protocol)
        rows.append(trained.row(*told, steps=steps))
    return rows
