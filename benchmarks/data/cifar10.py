"""CIFAR-10: 60,000 colour photographs of 10 kinds of animals and vehicles, 32x32.

Licence: none is stated; the authors ask for a citation (below).
Levels: red, green and blue 0 .. 255, 256 levels, as (3, 32, 32).
Split: the first 40,000 images of the five published training files are train, the last 10,000 are valid, the published
test file of 10,000 is test. This is the split of the NICE authors' code (laurent-dinh/nice, exp/nice_cifar.yaml).
RealNVP and Glow train on all 50,000: their numbers were had with a quarter more training images.
The MD5 of each file of the Python version is the one that torchvision states. Of the files of the binary version nobody
states one (only of their archive, which is not what is read): those are taken on trust, see `parts/dataset.py`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts import pickles
from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.published import Arrays, Files, label_array
from benchmarks.data.parts.sources import LocalFolder, Torchvision
from benchmarks.files.errors import input_error

SHAPE = (3, 32, 32)
TRAIN, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch"


def python_version(folder: Path) -> Arrays:
    """Five pickled batches for training, one for testing."""
    images, labels = zip(*(pickles.read_batch(folder / name, SHAPE, 0, 9) for name in (*TRAIN, TEST)), strict=True)
    return _arrays(images, labels)


def binary_version(folder: Path) -> Arrays:
    """The same images as records of a label and 3,072 values, one byte each."""
    size, images, labels = 1 + int(np.prod(SHAPE)), [], []
    for name in (*TRAIN, TEST):
        path = folder / f"{name}.bin"
        content = np.fromfile(path, dtype=np.uint8)
        if len(content) % size:
            raise input_error(path, "length", f"{len(content)} bytes", f"records of {size} bytes are needed")
        records = content.reshape(-1, size)
        labels.append(label_array(path, records[:, 0], len(records), 0, 9))
        images.append(records[:, 1:].reshape(-1, *SHAPE))
    return _arrays(images, labels)


def _arrays(images: Sequence[npt.NDArray[Any]], labels: Sequence[npt.NDArray[Any]]) -> Arrays:
    """The last batch is test, the others are train."""
    return {
        "train_images": np.concatenate(images[:-1]),
        "train_labels": np.concatenate(labels[:-1]).astype(np.uint8),
        "test_images": images[-1],
        "test_labels": labels[-1].astype(np.uint8),
    }


PYTHON = Files(
    md5={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    decode=python_version,
    folder="cifar-10-batches-py",
)
BINARY = Files(
    md5=dict.fromkeys([f"{name}.bin" for name in (*TRAIN, TEST)]),
    decode=binary_version,
    folder="cifar-10-batches-bin",
)

DATASET = Dataset(
    name="cifar10",
    sources=(LocalFolder("cifar10", (PYTHON, BINARY)), Torchvision("CIFAR10", PYTHON, megabytes=171)),
    sha256=None,
    splits={"train": 40_000, "valid": 10_000, "test": 10_000},
    shape=SHAPE,
    levels=256,
    licence="none stated",
    citation="A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, University of "
    "Toronto, 2009",
)
