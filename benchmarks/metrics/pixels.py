"""The reference that a density of images must beat: independent pixels, each with its own histogram."""

import numpy as np
from numpy.typing import NDArray

REFERENCE = "a histogram a pixel, counted on train with one added a level"


def independent_pixels_bits(train: NDArray[np.uint8], test: NDArray[np.uint8], levels: int) -> float:
    """Bits per dimension of `test` under one histogram a pixel, counted on `train` with one count added a level.

    Both of shape (n, *shape), values 0..levels-1.
    """
    flat, held_out = train.reshape(len(train), -1), test.reshape(len(test), -1)
    counts = np.stack([(flat == level).sum(0) for level in range(levels)]) + 1
    bits = -np.log2(counts / counts.sum(0))
    return float(np.take_along_axis(bits, held_out.astype(np.int64), axis=0).mean())
