"""Batches of images as CIFAR-10 and the downsampled ImageNet publish them: a pickled dict of an array and labels.

A pickle can name any function of any installed library and have it called. So nothing is unpickled here but plain
containers, numbers, text and numpy arrays of numbers, and the arrays are rebuilt by this file and not by numpy: of the
names that a pickled array needs, each stands for a class or function below.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts.published import image_array, label_array
from benchmarks.errors import input_error


class _Type:
    """What a pickle calls numpy.dtype: a kind of number and its size, then the byte order as state."""

    def __init__(self, name: str, *flags: object):
        self.numbers = np.dtype(name)
        if self.numbers.kind not in "biuf":
            raise pickle.UnpicklingError(f"holds an array of {name}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.numbers = self.numbers.newbyteorder(state[1])


class _Array:
    """What a pickle has numpy reconstruct: empty at first, then its content as state."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self.shape, self.type, self.by_columns, content = state
        # Bytes written by Python 2 are read as Latin-1 text.
        self.content: bytes = content.encode("latin1") if isinstance(content, str) else content

    def array(self) -> npt.NDArray[Any]:
        numbers = np.frombuffer(self.content, dtype=self.type.numbers)
        return numbers.reshape(self.shape, order="F" if self.by_columns else "C")


def _empty_array(*arguments: object) -> _Array:
    return _Array()


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into a pickle that Python 2 can read."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encodes text as {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray._reconstruct": _empty_array,  # its name since numpy 2
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "_codecs.encode": _latin1,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise pickle.UnpicklingError(f"names {module}.{name}")
        return _ALLOWED[f"{module}.{name}"]


def read(path: Path) -> dict[str, Any]:
    """A pickled dict of arrays, numbers, text and lists of these.

    Raises InputError, naming the file, when it holds anything else or is damaged.
    """
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
        if isinstance(content, dict):
            return {key: value.array() if isinstance(value, _Array) else value for key, value in content.items()}
    # A damaged pickle can fail in as many ways as there are instructions in it.
    except Exception as error:
        raise input_error(
            path, "", f"no pickle of arrays ({error})", "only numbers, text and arrays of numbers are read"
        ) from error
    raise input_error(path, "", type(content).__name__, "a pickled dict is needed")


def read_batch(
    path: Path, shape: tuple[int, ...], lowest: int, highest: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (n, *shape) of `data`, one flat row each, and `labels` (n,) from `lowest` to `highest`.

    Raises InputError, naming the file, when it is damaged or holds something else.
    """
    content = read(path)
    for key in ("data", "labels"):
        if key not in content:
            raise input_error(path, "keys", ", ".join(map(str, content)) or "none", "data and labels are needed")
    images = image_array(path, content["data"], (None, int(np.prod(shape))))
    return images.reshape(-1, *shape), label_array(path, content["labels"], len(images), lowest, highest)
