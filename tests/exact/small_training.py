"""A short NICE training on made-up 8x8 images, as a function and as a process that waits to be killed.

    python -m tests.exact.small_training FOLDER WHERE STEP

`WHERE` is `update` (after the optimiser's step, before it is saved) or `save` (the new state is written and not yet in
place). There the process prints "waiting" and goes on only when its standard input is closed.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.families.flows.problems import ImageDensity
from benchmarks.families.flows.train import train
from benchmarks.run.checkpoints import DiskCheckpoint
from implementations.common.fit import Checkpoint, Fitted
from implementations.flows import nice
from tests.unit.families.jobs import in_memory, training_job

IDENTITY = {"run": "small"}
STEPS = 40
SETTINGS = nice.Settings(hidden_units=16, hidden_layers=2, batch=32, gradient_clip=100.0, ema_half_life=200)
TASK = ImageDensity(name="made_up", dataset="made_up", shape=(8, 8), levels=17)


def trained(
    checkpoint: Checkpoint,
    report: Callable[[int, float, float], None] = lambda step, loss, norm: None,
    stop: Callable[[], bool] = bool,
) -> tuple[nn.Module, Fitted]:
    random = np.random.default_rng(0)
    images = {
        split: random.integers(0, 17, (count, 8, 8), dtype=np.uint8) for split, count in (("train", 100), ("valid", 20))
    }
    job = training_job(nice.METHOD, SETTINGS, TASK, STEPS, 7, checkpoint=checkpoint, report=report, stop=stop)
    with in_memory(images=images.__getitem__):
        return train(job)


def wait() -> None:
    print("waiting", flush=True)
    sys.stdin.read()


def main(folder: str, where: str, number: str) -> None:
    at, now = int(number), 0
    replace = os.replace

    def report(step: int, loss: float, norm: float) -> None:
        nonlocal now
        now = step
        if where == "update" and step == at:
            wait()

    def replace_later(source: str | Path, target: str | Path) -> None:
        if where == "save" and now == at:
            wait()
        replace(source, target)

    os.replace = replace_later
    trained(DiskCheckpoint(IDENTITY, seconds=0.0, root=Path(folder)), report)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
