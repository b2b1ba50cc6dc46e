"""A data set of images: the SHA-256 of its arrays, its splits; any data set found by place, fetched and checked.

On disk it is one folder with `<split>_images.npy`, uint8 (n, *shape), and `<split>_labels.npy`, uint8 or uint16 (n,),
for the splits train, valid and test. A folder appears whole or not at all. How a fetch is checked: `fetching.py`; data
sets of texts: `texts.py`.
"""

import hashlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts.fetching import RECORD, SPLITS, again, check, fetch
from benchmarks.data.parts.published import Contents
from benchmarks.data.parts.sources import Source
from benchmarks.data.parts.texts import TextDataset
from benchmarks.files.errors import input_error
from benchmarks.files.listing import files_in

__all__ = ["ARRAYS", "RECORD", "SPLITS", "Dataset", "check", "fetch", "find", "hash_array", "load", "names"]

ARRAYS = tuple(f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels"))
HERE = Path(__file__).resolve().parents[1]  # every file directly in this folder is a data set


@dataclass(frozen=True)
class Dataset:
    """One data set of small images with class labels."""

    name: str
    sources: tuple[Source, ...]  # tried in this order
    sha256: Mapping[str, str] | None  # `hash_array` of each array, by its name as in ARRAYS; None: trust on first use
    splits: Mapping[str, int | None]  # images in train, valid and test; None: not known, held by the hash
    shape: tuple[int, ...]  # of one image
    levels: int  # pixel values are the whole numbers 0 .. levels - 1
    licence: str
    citation: str
    label_type: type[np.unsignedinteger[Any]] = np.uint8  # uint16 where there are more than 256 classes

    @property
    def files(self) -> Mapping[str, str]:
        """The name of each array's file."""
        return {key: f"{key}.npy" for key in ARRAYS}

    def completed(self, contents: Contents) -> Contents:
        """The arrays with the last `splits["valid"]` images of train cut off as valid, when the source gave none."""
        if "valid_images" in contents:
            return contents
        cut = dict(contents)
        for kind in ("images", "labels"):
            published = contents[f"train_{kind}"]
            first = max(0, len(published) - (self.splits["valid"] or 0))
            cut[f"train_{kind}"], cut[f"valid_{kind}"] = published[:first], published[first:]
        return cut

    def fault(self, key: str, content: npt.NDArray[Any]) -> str | None:
        """What is wrong with the type or shape of one decoded array, or None."""
        split, kind = key.split("_")
        count = self.splits[split]
        shape = (len(content) if count is None else count, *(self.shape if kind == "images" else ()))
        numbers = np.dtype(np.uint8 if kind == "images" else self.label_type)
        if content.dtype != numbers or content.shape != shape:
            return f"found {content.dtype} {content.shape}, {numbers} {shape} is needed"
        return None

    def digest(self, content: npt.NDArray[Any]) -> str:
        """`hash_array`."""
        return hash_array(content)

    def write(self, content: npt.NDArray[Any], file: IO[bytes]) -> None:
        """The array as a .npy file."""
        array = np.ascontiguousarray(content)
        # np.save would say "disk full" without the error number; Python's own writing has it.
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)

    def read(self, folder: Path, key: str) -> npt.NDArray[Any]:
        """One array from disk; InputError when it is missing or damaged."""
        return _read(folder, key)

    def needed(self) -> str:
        """The disk space that a fetch takes: the arrays, and for a while as much again for what was downloaded."""
        images = sum(count or 0 for count in self.splits.values())
        megabytes = images * (math.prod(self.shape) + np.dtype(self.label_type).itemsize) / 1e6
        return f"the arrays need {megabytes:.1f} MB there, and fetching them twice that for a while"


def names(folder: Path | None = None) -> list[str]:
    """The names of all data sets, sorted; `folder` is where to look, by default here."""
    return [path.stem for path in files_in(folder or HERE, ".py") if not path.stem.startswith("_")]


def find(name: str, folder: Path | None = None) -> Dataset | TextDataset:
    """The data set that `<folder>/<name>.py` defines as DATASET; `folder` is by default here.

    Raises InputError when there is no such file, listing the known names, or when it defines something else.
    """
    if name not in names(folder):
        raise input_error("data set", "name", name, f"known are {', '.join(names(folder)) or 'none'}")
    path = (folder or HERE) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmarks.data.{name}", path)
    assert spec is not None
    assert spec.loader is not None  # a .py file always has a loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dataset = getattr(module, "DATASET", None)
    if not isinstance(dataset, Dataset | TextDataset) or dataset.name != name:
        found = f"name {dataset.name}" if isinstance(dataset, Dataset | TextDataset) else type(dataset).__name__
        raise input_error(path, "DATASET", found, f"a Dataset or TextDataset named {name} is needed")
    return dataset


def hash_array(array: npt.NDArray[Any]) -> str:
    """SHA-256, in hex, over the line "<dtype> <n> <rows> ...", then the bytes in C order."""
    header = " ".join([array.dtype.str, *map(str, array.shape)]) + "\n"
    digest = hashlib.sha256(header.encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def load(folder: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.unsignedinteger[Any]]]:
    """Images (n, *shape), uint8, and labels (n,), uint8 or uint16, of one split.

    Raises InputError, naming the file, when it is missing or damaged. Checksums are `check`'s task.
    """
    if split not in SPLITS:
        raise input_error(folder, "split", split, f"allowed are {', '.join(SPLITS)}")
    images = _read(folder, f"{split}_images")
    labels = _read(folder, f"{split}_labels")
    if images.ndim < 2 or labels.shape != images.shape[:1]:
        found = f"labels {labels.shape} for images {images.shape}"
        raise input_error(folder / f"{split}_labels.npy", "shape", found, again(folder))
    return images, labels


def _read(folder: Path, key: str) -> npt.NDArray[Any]:
    """One array from disk; InputError when it is missing or damaged."""
    path = folder / f"{key}.npy"
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise input_error(path, "", "no such file", again(folder)) from error
    # A damaged header can make numpy fail in many ways; every one of them means the same to the caller.
    except Exception as error:
        raise input_error(path, "", f"damaged ({error})", again(folder)) from error
    allowed = ("uint8",) if key.endswith("_images") else ("uint8", "uint16")
    if not isinstance(array, np.ndarray) or array.dtype not in allowed:
        found = getattr(array, "dtype", type(array).__name__)
        raise input_error(path, "", found, f"{' or '.join(allowed)} is needed; {again(folder)}")
    return array
