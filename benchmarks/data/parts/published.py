"""How a data set is published: which files lie together in a folder, their MD5 sums, how they become content."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts import idx
from benchmarks.files.errors import input_error

Arrays = dict[str, npt.NDArray[Any]]
Contents = dict[str, Any]  # arrays by `<split>_images` and `<split>_labels`, or lists of records by `<split>`


class Format(Protocol):
    """One published form of a data set."""

    @property
    def names(self) -> str:
        """The files in words, for messages."""

    def read(self, folder: Path) -> Contents | None:
        """The content in `folder` as published, or None when not all files are there.

        Raises InputError, naming the file, when one of them is damaged.
        """


@dataclass(frozen=True)
class Idx:
    """The four IDX files in which MNIST and Fashion-MNIST are published, plain or gzipped."""

    @property
    def names(self) -> str:
        return f"{', '.join(idx.FILES.values())} (plain or .gz)"

    def read(self, folder: Path) -> Arrays | None:
        paths = idx.locate(folder)
        return None if paths is None else {key: idx.read(path) for key, path in paths.items()}


IDX = Idx()


@dataclass(frozen=True)
class Files:
    """Files of any form, directly in a folder or in the `folder` below it that their archive unpacks to."""

    md5: Mapping[str, str | None]  # by file name, as the publisher or torchvision states it; None: nobody does
    decode: Callable[[Path], Contents]  # of the folder in which all of them lie
    folder: str = "."

    @property
    def names(self) -> str:
        return ", ".join(self.md5)

    def read(self, folder: Path) -> Contents | None:
        for place in (folder / self.folder, folder):
            if all((place / name).is_file() for name in self.md5):
                self._check(place)
                return self.decode(place)
        return None

    def _check(self, place: Path) -> None:
        """InputError for a file whose MD5 is not the stated one."""
        for name, stated in self.md5.items():
            if stated is None:
                continue
            with (place / name).open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != stated:
                raise input_error(place / name, "MD5", found, f"{stated} is the published one")


def image_array(path: Path, values: object, shape: tuple[int | None, ...]) -> npt.NDArray[np.uint8]:
    """The values as they are; InputError when they are not unsigned bytes of this shape, None standing for any size."""
    needed = " x ".join("n" if size is None else str(size) for size in shape)
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8:
        found = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise input_error(path, "images", found, f"an array of unsigned bytes, {needed}, is needed")
    if values.ndim != len(shape) or any(
        wanted not in (None, got) for wanted, got in zip(shape, values.shape, strict=True)
    ):
        raise input_error(path, "images", f"shape {values.shape}", f"{needed} is needed")
    return values


def label_array(path: Path, values: object, count: int, lowest: int, highest: int) -> npt.NDArray[np.int64]:
    """One whole number from `lowest` to `highest` for each of `count` images; InputError for anything else."""
    needed = f"{count} whole numbers from {lowest} to {highest} are needed"
    try:
        array = np.asarray(values).reshape(-1)
        labels = array.astype(np.int64)
    except (TypeError, ValueError) as error:
        raise input_error(path, "labels", type(values).__name__, needed) from error
    if len(labels) != count:
        raise input_error(path, "labels", f"{len(labels)} of them", needed)
    if count and (not (labels == array).all() or labels.min() < lowest or labels.max() > highest):
        raise input_error(path, "labels", f"values from {array.min()} to {array.max()}", needed)
    return labels
