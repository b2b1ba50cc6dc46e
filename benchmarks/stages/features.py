"""Stage features: what evaluations read of a data set besides the data -> features/<dataset>/pixels.json.

The reference that a density of images must beat: pixels independent of each other, each with its own histogram.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.parts import dataset
from benchmarks.typed_files import write_json

FOLDER = Path("features")


def independent_pixels_bits(train: NDArray[np.uint8], test: NDArray[np.uint8], levels: int) -> float:
    """Bits per dimension of `test` under one histogram a pixel, counted on `train` with one count added a level.

    Both of shape (n, *shape), values 0..levels-1.
    """
    flat, held_out = train.reshape(len(train), -1), test.reshape(len(test), -1)
    counts = np.stack([(flat == level).sum(0) for level in range(levels)]) + 1
    bits = -np.log2(counts / counts.sum(0))
    return float(np.take_along_axis(bits, held_out.astype(np.int64), axis=0).mean())


def run(name: str) -> None:
    """Raises InputError when the data are not at hand or damaged."""
    levels = dataset.find(name).levels
    train, test = (dataset.load(Path("data") / name, split)[0] for split in ("train", "test"))
    bits = independent_pixels_bits(train, test, levels)
    write_json(FOLDER / name / "pixels.json", {"levels": levels, "independent_pixels_bits_per_dim": bits})
    print(f"features/{name}/pixels.json: independent pixels need {bits:.3f} bits/dim on test")
