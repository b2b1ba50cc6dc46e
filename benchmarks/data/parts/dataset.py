"""A data set: its sources in order, the SHA-256 of its arrays, its splits; found by place, fetched, loaded, checked.

On disk it is one folder with `<split>_images.npy`, uint8 (n, *shape), and `<split>_labels.npy`, uint8 (n,), for the
splits train, valid and test. A folder appears whole or not at all.
"""

import errno
import fcntl
import hashlib
import importlib.util
import io
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts import idx
from benchmarks.data.parts.sources import FOLDER_VARIABLE, Arrays, LocalFolder, Source
from benchmarks.errors import InputError, input_error

SPLITS = ("train", "valid", "test")
ARRAYS = tuple(f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels"))
HERE = Path(__file__).resolve().parents[1]  # every file directly in this folder is a data set
FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, a used-up quota
LONGEST_REASON = 240  # characters; clients may answer with a page


@dataclass(frozen=True)
class Dataset:
    """One data set of small images with class labels."""

    name: str
    sources: tuple[Source, ...]  # tried in this order
    sha256: Mapping[str, str]  # `hash_array` of each array, by its name as in ARRAYS
    splits: Mapping[str, int]  # images in train, valid and test
    shape: tuple[int, ...]  # of one image
    levels: int  # pixel values are the whole numbers 0 .. levels - 1
    licence: str
    citation: str


def names(folder: Path | None = None) -> list[str]:
    """The names of all data sets, sorted; `folder` is where to look, by default here."""
    return sorted(path.stem for path in (folder or HERE).glob("*.py") if not path.stem.startswith("_"))


def find(name: str, folder: Path | None = None) -> Dataset:
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
    if not isinstance(dataset, Dataset) or dataset.name != name:
        found = f"name {dataset.name}" if isinstance(dataset, Dataset) else type(dataset).__name__
        raise input_error(path, "DATASET", found, f"a Dataset named {name} is needed")
    return dataset


def hash_array(array: npt.NDArray[Any]) -> str:
    """SHA-256, in hex, over the line "<dtype> <n> <rows> ...", then the bytes in C order."""
    header = " ".join([array.dtype.str, *map(str, array.shape)]) + "\n"
    digest = hashlib.sha256(header.encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def fetch(dataset: Dataset, destination: Path, report: Callable[[str], None]) -> str:
    """Puts the data set into the folder `destination` and returns the name of the source that gave it.

    Tries the sources in order, says each attempt through `report`, and takes the first whose splits and checksums are
    right. `destination` changes in one step at the end; until then, and whenever this fails, it stays as it was.
    Raises InputError when every source fails, with the reason of each, or when the disk refuses.
    """
    destination = destination.resolve()
    try:
        with _staging(destination) as staging:
            source, arrays = _first_good(dataset, staging / "work", report)
            _write(arrays, staging / "new")
            _swap(staging, destination)
    except OSError as error:
        raise InputError(_disk_refused(dataset, destination, error)) from error
    report(f"{dataset.name}: from {source}")
    return source


def load(folder: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Images (n, *shape) and labels (n,) of one split, both uint8.

    Raises InputError, naming the file, when it is missing or damaged. Checksums are `check`'s task.
    """
    if split not in SPLITS:
        raise input_error(folder, "split", split, f"allowed are {', '.join(SPLITS)}")
    images = _read(folder, f"{split}_images")
    labels = _read(folder, f"{split}_labels")
    if images.ndim < 2 or labels.shape != images.shape[:1]:
        found = f"labels {labels.shape} for images {images.shape}"
        raise input_error(_file(folder, f"{split}_labels"), "shape", found, _again(folder))
    return images, labels


def check(dataset: Dataset, folder: Path) -> list[str]:
    """What is wrong with the fetched files in `folder`, one sentence a file; empty when all checksums match."""
    findings = []
    for key in ARRAYS:
        try:
            array = _read(folder, key)
        except InputError as error:
            findings.append(str(error))
            continue
        fault = _fault(dataset, key, array)
        if fault is not None:
            findings.append(f"{_file(folder, key)}: {fault}; run `claimbench fetch {dataset.name}`")
    return findings


def _first_good(dataset: Dataset, workdir: Path, report: Callable[[str], None]) -> tuple[str, Arrays]:
    """The first source whose arrays are right, by name, and the arrays; `workdir` is gone afterwards."""
    reasons = []
    for source in dataset.sources:
        report(f"{dataset.name}: trying {source.name}")
        workdir.mkdir()
        try:
            arrays = _with_valid(dataset, source.read(workdir))
            faults = [
                f"{key}: {fault}" for key in ARRAYS if (fault := _fault(dataset, key, arrays.get(key))) is not None
            ]
            reason = faults[0] if faults else None
        # Whatever goes wrong in one source, a client's odd failure included, the next one may still give the data.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, OSError) and error.errno in FULL:
                reason = f"{reason}; {_needed(dataset)}"
        finally:
            shutil.rmtree(workdir)
        if reason is None:
            return source.name, arrays
        reason = reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + "..."
        reasons.append(f"{source.name}: {reason}")
        report(f"{dataset.name}: {reasons[-1]}")
    fix = ""
    if any(isinstance(source, LocalFolder) for source in dataset.sources):
        files = ", ".join(idx.FILES.values())
        fix = f"; set {FOLDER_VARIABLE} to a folder holding {files} (plain or .gz), in it or in its {dataset.name}/"
    raise InputError(f"{dataset.name}: no source gave it ({'; '.join(reasons)}){fix}")


def _with_valid(dataset: Dataset, arrays: Arrays) -> Arrays:
    """The arrays with the last `splits["valid"]` images of train cut off as valid, when the source gave no valid."""
    if "valid_images" in arrays:
        return arrays
    cut = dict(arrays)
    for kind in ("images", "labels"):
        published = arrays[f"train_{kind}"]
        first = max(0, len(published) - dataset.splits["valid"])
        cut[f"train_{kind}"], cut[f"valid_{kind}"] = published[:first], published[first:]
    return cut


def _fault(dataset: Dataset, key: str, array: npt.NDArray[Any] | None) -> str | None:
    """What is wrong with one decoded array, or None."""
    if array is None:
        return "missing"
    split, kind = key.split("_")
    shape = (dataset.splits[split], *(dataset.shape if kind == "images" else ()))
    if array.dtype != np.uint8 or array.shape != shape:
        return f"found {array.dtype} {array.shape}, uint8 {shape} is needed"
    found = hash_array(array)
    if found != dataset.sha256[key]:
        return f"found SHA-256 {found[:12]}..., {dataset.sha256[key][:12]}... is needed"
    return None


@contextmanager
def _staging(destination: Path) -> Iterator[Path]:
    """A folder beside `destination`, on the same disk so that a rename is one step, that is gone afterwards.

    One fetch at a time works in a parent folder (the others wait), so what lies in the staging folder at the start is
    from a fetch that was killed. If that was between the two renames of `_swap`, the old data goes back first.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    parent = os.open(destination.parent, os.O_RDONLY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        staging = destination.parent / f".{destination.name}.fetch"
        if staging.exists():
            _restore(staging, destination)
            shutil.rmtree(staging)
        _refuse_strangers(destination)
        staging.mkdir()
        try:
            yield staging
        finally:
            _restore(staging, destination)
            shutil.rmtree(staging, ignore_errors=True)
        os.fsync(parent)
    finally:
        os.close(parent)


def _refuse_strangers(destination: Path) -> None:
    """The folder is replaced as a whole, so it may hold nothing but what an earlier fetch wrote."""
    if not destination.exists():
        return
    if not destination.is_dir():
        raise input_error(destination, "", "a file", "a folder is needed")
    strangers = sorted(path.name for path in destination.iterdir() if path.stem not in ARRAYS or path.suffix != ".npy")
    if strangers:
        raise input_error(destination, "", strangers[0], "the folder is replaced as a whole and may hold nothing else")


def _write(arrays: Arrays, folder: Path) -> None:
    """One .npy file an array, on the disk and not only in its cache when this returns."""
    folder.mkdir()
    for key in ARRAYS:
        content = io.BytesIO()
        # numpy's own writing to a file says "disk full" without the error number; Python's has it.
        np.save(content, np.ascontiguousarray(arrays[key]), allow_pickle=False)
        with _file(folder, key).open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(staging: Path, destination: Path) -> None:
    """Renames the new folder into place; an existing one, which a rename cannot replace, steps aside first."""
    if destination.exists():
        destination.rename(staging / "old")
    (staging / "new").rename(destination)


def _restore(staging: Path, destination: Path) -> None:
    """Puts back the old folder when `_swap` stopped between its two renames."""
    if (staging / "old").exists() and not destination.exists():
        (staging / "old").rename(destination)


def _disk_refused(dataset: Dataset, destination: Path, error: OSError) -> str:
    """The sentence for a full disk, which says how much is needed, or for any other refusal of the disk."""
    if error.errno not in FULL:
        return f"{dataset.name}: cannot write {destination} ({error})"
    return f"{dataset.name}: no space left on the disk of {destination}; {_needed(dataset)}"


def _needed(dataset: Dataset) -> str:
    """The disk space that a fetch takes: the arrays, and for a while as much again for what was downloaded."""
    megabytes = sum(dataset.splits.values()) * (math.prod(dataset.shape) + 1) / 1e6
    return f"the arrays need {megabytes:.1f} MB there, and fetching them twice that for a while"


def _file(folder: Path, key: str) -> Path:
    return folder / f"{key}.npy"


def _again(folder: Path) -> str:
    return f"run `claimbench fetch {folder.name}`"


def _read(folder: Path, key: str) -> npt.NDArray[np.uint8]:
    """One array from disk; InputError when it is missing or damaged."""
    path = _file(folder, key)
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise input_error(path, "", "no such file", _again(folder)) from error
    # A damaged header can make numpy fail in many ways; every one of them means the same to the caller.
    except Exception as error:
        raise input_error(path, "", f"damaged ({error})", _again(folder)) from error
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise input_error(path, "", getattr(array, "dtype", type(array).__name__), f"uint8 is needed; {_again(folder)}")
    return array
