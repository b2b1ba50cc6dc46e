"""Batches of images as CIFAR-10 and the downsampled ImageNet publish them: a pickled dict of an array and labels.

A pickle can name any function of any installed library and have it called, so none is found here but what an array of
numbers needs (as the documentation of `pickle` advises, under "Restricting Globals").
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts.published import image_array, label_array
from benchmarks.files.errors import input_error

# `core` is the name until NumPy 2; `encode` is how Python 3 writes bytes that Python 2 can read.
ALLOWED = ("multiarray._reconstruct", "numpy.ndarray", "numpy.dtype", "_codecs.encode")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        whole = f"{module}.{name}".removeprefix("numpy.core.").removeprefix("numpy._core.")
        if whole not in ALLOWED:
            raise pickle.UnpicklingError(f"names {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_batch(
    path: Path, shape: tuple[int, ...], lowest: int, highest: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (n, *shape) of `data`, one flat row each, and `labels` (n,) from `lowest` to `highest`.

    Raises InputError, naming the file, when it is damaged or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
    # A damaged pickle can fail in as many ways as there are instructions in it.
    except Exception as error:
        raise input_error(
            path, "", f"no pickle of arrays ({error})", "only arrays of numbers and text are read"
        ) from error
    if not isinstance(content, dict) or not {"data", "labels"} <= set(content):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise input_error(path, "keys", found or "none", "must be a dict with data and labels")
    images = image_array(path, content["data"], (None, int(np.prod(shape))))
    return images.reshape(-1, *shape), label_array(path, content["labels"], len(images), lowest, highest)
