"""Pairs of a noise and what a trained flow makes of it: made once, kept as arrays, learned from by the next flow.

Training imports this file, so that its hash covers how pairs are made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import InputError
from benchmarks.families.diffusion.problems import Problem
from benchmarks.seeds import derive, torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.diffusion.parts.samplers import Streams

BATCH = 1000  # an adaptive solver chooses its steps for a batch, so this decides the last digits
HELD_OUT, MOST_HELD_OUT = 10, 10_000  # every tenth pair is for validation, of many the last so many
PARTS = ("data", "noise")


@dataclass(frozen=True)
class Pairs:
    """Float32 arrays (count, *shape), read from the disk where they are asked for."""

    data: NDArray[np.float32]
    noise: NDArray[np.float32]


@dataclass(frozen=True)
class Origin:
    """What an entry starts from that another entry left."""

    weights: Callable[[], dict[str, Any]]
    pairs: Callable[[str], Pairs]  # of a split, train or valid


def make(
    method: Any,
    settings: Any,
    task: Problem,
    weights: dict[str, Any],
    seed: int,
    count: int,
    flags: TorchFlags,
    folder: Path,
    report: Callable[[int], None],
) -> None:
    """Writes `count` pairs of the method's `recorded` into an empty folder; `report` is told how many there are.

    Pair i begins with a noise of its own, which depends on the seed and on i alone. Raises FloatingPointError on pairs
    that are not finite.
    """
    flags.apply()
    model = method.build(settings, task.shape, torch_generator(seed, "initial weights"))
    model.load_state_dict(weights)
    model = model.to(flags.device).eval().requires_grad_(False)
    shape = (count, *task.shape)
    files = [np.lib.format.open_memmap(folder / f"{part}.npy", "w+", np.float32, shape) for part in PARTS]
    for first in range(0, count, BATCH):
        places = range(first, min(first + BATCH, count))
        found = method.recorded(model, settings, Streams([derive(seed, f"pair {place}") for place in places]))
        for file, part in zip(files, (found.x0, found.noise), strict=True):
            file[first : places.stop] = part.cpu().numpy()
            if not np.isfinite(file[first : places.stop]).all():
                raise FloatingPointError(f"pairs {first} to {places.stop - 1} are not finite")
        report(places.stop)
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
