"""The IDX format, in which MNIST and Fashion-MNIST are published.

A file is two zero bytes, a type byte (8: unsigned byte), the number of dimensions, each dimension as a big-endian
uint32, then the values in C order. It may be compressed with gzip.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.files.errors import input_error

UNSIGNED_BYTE = 8

# The four published files, by the array that each holds.
FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def read(path: Path) -> npt.NDArray[np.uint8]:
    """The array of one IDX file of unsigned bytes, decompressed first when the name ends in .gz.

    Raises InputError, naming the file, when it is not such a file or has too few or too many bytes.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise input_error(path, "", f"broken gzip data ({error})", "a whole gzip file is needed") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise input_error(
            path, "magic number", content[:4].hex() or "nothing", "000008 and a dimension count is needed"
        )
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < start:
        raise input_error(
            path, "header", f"{len(content)} bytes for {dimensions} dimensions", "a whole header is needed"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) != start + math.prod(shape):
        allowed = f"shape {shape} needs {start + math.prod(shape)}; the file is cut short or damaged"
        raise input_error(path, "length", f"{len(content)} bytes", allowed)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def locate(folder: Path) -> dict[str, Path] | None:
    """Where the four published files lie in `folder`, plain or with .gz; None when one of them is not there."""
    found = {}
    for key, name in FILES.items():
        present = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
        if not present:
            return None
        found[key] = present[0]
    return found
