"""Pairs of a noise and what a trained flow makes of it: made once, kept as arrays, learned from by the next flow."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.files.errors import InputError
from benchmarks.run import inputs
from benchmarks.run.job import PairsJob
from benchmarks.run.seeds import derive, torch_generator
from benchmarks.run.torch_flags import TorchFlags
from implementations.diffusion.parts.samplers import Streams

BATCH = 1000  # an adaptive solver chooses its steps for a batch, so this decides the last digits
HELD_OUT, MOST_HELD_OUT = 10, 10_000  # every tenth pair is for validation, of many the last so many
PARTS = ("data", "noise")


@dataclass(frozen=True)
class Pairs:
    """Float32 arrays (count, *shape), read from the disk where they are asked for."""

    data: NDArray[np.float32]
    noise: NDArray[np.float32]


def make(job: PairsJob) -> None:
    """Writes pairs of the method's `recorded`.

    Pair i begins with a noise of its own, which depends on the seed and on i alone. Raises FloatingPointError on pairs
    that are not finite.
    """
    TorchFlags(**job.arithmetic).apply()
    method, settings, shape = job.method, job.settings, job.task.shape
    model = method.build(settings, shape, torch_generator(job.seed, "initial weights"))
    model.load_state_dict(inputs.weights(job, "model"))
    model = model.to(job.device).eval().requires_grad_(False)
    files = [
        np.lib.format.open_memmap(job.folder / f"{part}.npy", "w+", np.float32, (job.count, *shape)) for part in PARTS
    ]
    for first in range(0, job.count, BATCH):
        places = range(first, min(first + BATCH, job.count))
        found = method.recorded(model, settings, Streams([derive(job.seed, f"pair {place}") for place in places]))
        for file, part in zip(files, (found.x0, found.noise), strict=True):
            file[first : places.stop] = part.cpu().numpy()
            if not np.isfinite(file[first : places.stop]).all():
                raise FloatingPointError(f"pairs {first} to {places.stop - 1} are not finite")
        job.report(places.stop)
    for file in files:
        file.flush()


def read(folder: Path, count: int, split: str) -> Pairs:
    """The pairs of a split; raises InputError unless the folder holds `count` pairs."""
    held = min(count // HELD_OUT, MOST_HELD_OUT)
    rows = slice(count - held) if split == "train" else slice(count - held, None)
    parts = []
    for part in PARTS:
        file = folder / f"{part}.npy"
        if not file.is_file():
            raise InputError(f"{file}: no such file; run: dvc repro")
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        if len(array) != count:
            raise InputError(f"{file}: {len(array)} pairs, settings.pairs has {count}; compose the profile again")
        parts.append(array[rows])
    return Pairs(*parts)
