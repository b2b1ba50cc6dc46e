"""A data set: its sources in order, the SHA-256 of its arrays, its splits; found by place, fetched, loaded, checked.

On disk it is one folder with `<split>_images.npy`, uint8 (n, *shape), and `<split>_labels.npy`, uint8 or uint16 (n,),
for the splits train, valid and test. A folder appears whole or not at all.

What is known of the content decides how far a fetch is checked:
- SHA-256 of the arrays pinned in the data set's file: any source must give just these arrays.
- none pinned, because whoever wrote the file could not get the data: the first fetch is taken on trust, as far as the
  MD5 sums of the published files (`published.Files`) do not vouch for it. Its hashes are said and written beside the
  arrays, in `sha256.json`, and are as strict as pinned ones from then on, for `check` and for fetching again. Whoever
  removes the folder starts anew; `dvc.lock` has the hash of the folder and shows a change.
"""

import errno
import fcntl
import hashlib
import importlib.util
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts.published import Arrays
from benchmarks.data.parts.sources import FOLDER_VARIABLE, LocalFolder, Source
from benchmarks.errors import InputError, input_error

SPLITS = ("train", "valid", "test")
ARRAYS = tuple(f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels"))
RECORD = "sha256.json"  # hashes of the arrays beside it, where the data set's file pins none
HERE = Path(__file__).resolve().parents[1]  # every file directly in this folder is a data set
FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, a used-up quota
LONGEST_REASON = 240  # characters; clients may answer with a page


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
            expected = _expected(dataset, destination)
            source, arrays = _first_good(dataset, expected, destination, staging / "work", report)
            _write(arrays, staging / "new")
            trusted = {} if expected else {key: hash_array(arrays[key]) for key in ARRAYS}
            if dataset.sha256 is None:
                _write_record(expected or trusted, staging / "new")
            _swap(staging, destination)
    except OSError as error:
        raise InputError(_disk_refused(dataset, destination, error)) from error
    if trusted:
        report(f"{dataset.name}: no SHA-256 is pinned, so this is taken on trust and from now on held to {RECORD}:")
        for key, value in trusted.items():
            report(f"{dataset.name}: {key} {value}")
    report(f"{dataset.name}: from {source}")
    return source


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
        raise input_error(_file(folder, f"{split}_labels"), "shape", found, _again(folder))
    return images, labels


def check(dataset: Dataset, folder: Path) -> list[str]:
    """What is wrong with the fetched files in `folder`, one sentence a file; empty when all checksums match."""
    findings = []
    try:
        expected = _expected(dataset, folder)
    except InputError as error:
        expected, findings = {}, [str(error)]
    if not expected and not findings:
        findings.append(str(input_error(folder / RECORD, "", "no such file", f"run `claimbench fetch {dataset.name}`")))
    for key in ARRAYS:
        try:
            array = _read(folder, key)
        except InputError as error:
            findings.append(str(error))
            continue
        fault = _fault(dataset, expected, key, array)
        if fault is not None:
            findings.append(f"{_file(folder, key)}: {fault}; run `claimbench fetch {dataset.name}`")
    return findings


def _expected(dataset: Dataset, folder: Path) -> Mapping[str, str]:
    """The hashes that the arrays must have: pinned, or else recorded in `folder` at the first fetch, or else none.

    Raises InputError when the record is damaged.
    """
    if dataset.sha256 is not None:
        return dataset.sha256
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise input_error(path, "", f"damaged ({error})", "remove it to take the next fetch on trust") from error
    if not isinstance(found, dict) or set(found) != set(ARRAYS) or not all(isinstance(v, str) for v in found.values()):
        raise input_error(
            path, "", "something else than a hash for each array", "remove it to take the next fetch on trust"
        )
    return found


def _first_good(
    dataset: Dataset, expected: Mapping[str, str], destination: Path, workdir: Path, report: Callable[[str], None]
) -> tuple[str, Arrays]:
    """The first source whose arrays are right, by name, and the arrays; `workdir` is gone afterwards."""
    reasons = []
    for source in dataset.sources:
        report(f"{dataset.name}: trying {source.name}")
        workdir.mkdir()
        try:
            arrays = _with_valid(dataset, source.read(workdir))
            faults = [
                f"{key}: {fault}"
                for key in ARRAYS
                if (fault := _fault(dataset, expected, key, arrays.get(key))) is not None
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
    fix = "".join(
        f"; set {FOLDER_VARIABLE} to a folder holding {source.wanted}, in it or in its {dataset.name}/"
        for source in dataset.sources
        if isinstance(source, LocalFolder)
    )
    if dataset.sha256 is None and expected:
        fix += f"; other data than at the first fetch are taken only after removing {destination / RECORD}"
    raise InputError(f"{dataset.name}: no source gave it ({'; '.join(reasons)}){fix}")


def _with_valid(dataset: Dataset, arrays: Arrays) -> Arrays:
    """The arrays with the last `splits["valid"]` images of train cut off as valid, when the source gave no valid."""
    if "valid_images" in arrays:
        return arrays
    cut = dict(arrays)
    for kind in ("images", "labels"):
        published = arrays[f"train_{kind}"]
        first = max(0, len(published) - (dataset.splits["valid"] or 0))
        cut[f"train_{kind}"], cut[f"valid_{kind}"] = published[:first], published[first:]
    return cut


def _fault(dataset: Dataset, expected: Mapping[str, str], key: str, array: npt.NDArray[Any] | None) -> str | None:
    """What is wrong with one decoded array, or None; nothing is `expected` of data that are taken on trust."""
    if array is None:
        return "missing"
    split, kind = key.split("_")
    count = dataset.splits[split]
    shape = (len(array) if count is None else count, *(dataset.shape if kind == "images" else ()))
    numbers = np.dtype(np.uint8 if kind == "images" else dataset.label_type)
    if array.dtype != numbers or array.shape != shape:
        return f"found {array.dtype} {array.shape}, {numbers} {shape} is needed"
    if not expected:
        return None
    found = hash_array(array)
    if found != expected[key]:
        return f"found SHA-256 {found[:12]}..., {expected[key][:12]}... is needed"
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
    own = {RECORD, *(f"{key}.npy" for key in ARRAYS)}
    strangers = sorted({path.name for path in destination.iterdir()} - own)
    if strangers:
        raise input_error(destination, "", strangers[0], "the folder is replaced as a whole and may hold nothing else")


def _write(arrays: Arrays, folder: Path) -> None:
    """One .npy file an array, on the disk and not only in its cache when this returns."""
    folder.mkdir()
    for key in ARRAYS:
        array = np.ascontiguousarray(arrays[key])
        with _file(folder, key).open("wb") as file:
            # np.save would say "disk full" without the error number; Python's own writing has it.
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(array.data)
            _flush(file)
    _flush_folder(folder)


def _write_record(hashes: Mapping[str, str], folder: Path) -> None:
    """RECORD, on the disk."""
    with (folder / RECORD).open("w") as file:
        file.write(json.dumps(dict(hashes), indent=2) + "\n")
        _flush(file)
    _flush_folder(folder)


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
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
    images = sum(count or 0 for count in dataset.splits.values())
    megabytes = images * (math.prod(dataset.shape) + np.dtype(dataset.label_type).itemsize) / 1e6
    return f"the arrays need {megabytes:.1f} MB there, and fetching them twice that for a while"


def _file(folder: Path, key: str) -> Path:
    return folder / f"{key}.npy"


def _again(folder: Path) -> str:
    return f"run `claimbench fetch {folder.name}`"


def _read(folder: Path, key: str) -> npt.NDArray[Any]:
    """One array from disk; InputError when it is missing or damaged."""
    path = _file(folder, key)
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise input_error(path, "", "no such file", _again(folder)) from error
    # A damaged header can make numpy fail in many ways; every one of them means the same to the caller.
    except Exception as error:
        raise input_error(path, "", f"damaged ({error})", _again(folder)) from error
    allowed = ("uint8",) if key.endswith("_images") else ("uint8", "uint16")
    if not isinstance(array, np.ndarray) or array.dtype not in allowed:
        found = getattr(array, "dtype", type(array).__name__)
        raise input_error(path, "", found, f"{' or '.join(allowed)} is needed; {_again(folder)}")
    return array
