"""A small data set of made-up 2x3 images in the published IDX form, with its right checksums."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.parts import idx
from benchmarks.data.parts.dataset import ARRAYS, Dataset, hash_array


@pytest.fixture
def published() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (8, 2, 3), dtype=np.uint8),
        "train_labels": np.arange(8, dtype=np.uint8),
        "test_images": random.integers(0, 256, (4, 2, 3), dtype=np.uint8),
        "test_labels": np.arange(4, dtype=np.uint8),
    }


@pytest.fixture
def idx_bytes() -> Callable[[np.ndarray], bytes]:
    def encode(array: np.ndarray) -> bytes:
        return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

    return encode


@pytest.fixture
def write_idx(published, idx_bytes) -> Callable[..., Path]:
    """Writes the four files into a folder, which is made."""

    def write(folder: Path, compressed: bool = False) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for key, name in idx.FILES.items():
            content = idx_bytes(published[key])
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def decoded(published) -> dict[str, np.ndarray]:
    """The published arrays with the last 3 of train cut off as valid."""
    arrays = dict(published)
    for kind in ("images", "labels"):
        whole = published[f"train_{kind}"]
        arrays[f"train_{kind}"], arrays[f"valid_{kind}"] = whole[:5], whole[5:]
    return arrays


@pytest.fixture
def make_dataset(decoded) -> Callable[..., Dataset]:
    def make(*sources) -> Dataset:
        return Dataset(
            name="tiny",
            sources=sources,
            sha256={key: hash_array(decoded[key]) for key in ARRAYS},
            splits={"train": 5, "valid": 3, "test": 4},
            shape=(2, 3),
            levels=256,
            licence="none",
            citation="made up",
        )

    return make
