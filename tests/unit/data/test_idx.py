"""The IDX reader: what it reads, and what it says of a file that is not whole."""

import gzip

import numpy as np
import pytest

from benchmarks.data.parts import idx
from benchmarks.files.errors import InputError


@pytest.mark.parametrize("shape", [(4,), (4, 2, 3), (0, 2, 3)])
def test_reads_what_was_written(tmp_path, idx_bytes, shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "plain").write_bytes(idx_bytes(array))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(idx_bytes(array)))
    for name in ("plain", "packed.gz"):
        read = idx.read(tmp_path / name)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("length", range(16 + 24))
def test_every_truncation_is_named(tmp_path, idx_bytes, length):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.ones((4, 2, 3), np.uint8))[:length])
    with pytest.raises(InputError, match=r"images: (magic number|header|length)"):
        idx.read(path)


def test_too_long_is_an_error(tmp_path, idx_bytes):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.ones((4, 2, 3), np.uint8)) + b"x")
    with pytest.raises(InputError, match="found 41 bytes"):
        idx.read(path)


@pytest.mark.parametrize("start", [b"\x00\x00\x0d\x01", b"\x01\x00\x08\x01", b"\x00\x00\x08\x00", b"<htm"])
def test_wrong_magic_is_an_error(tmp_path, start):
    path = tmp_path / "images"
    path.write_bytes(start + b"\x00\x00\x00\x01" + b"\x07")
    with pytest.raises(InputError, match="images"):
        idx.read(path)


@pytest.mark.parametrize("damage", ["cut", "not gzip", "flipped"])
def test_broken_gzip_is_an_error(tmp_path, idx_bytes, damage):
    content = gzip.compress(idx_bytes(np.arange(24, dtype=np.uint8).reshape(4, 2, 3)))
    middle = len(content) // 2
    flipped = content[:middle] + bytes((content[middle] ^ 255,)) + content[middle + 1 :]
    path = tmp_path / "images.gz"
    path.write_bytes({"cut": content[:middle], "not gzip": b"<html>", "flipped": flipped}[damage])
    with pytest.raises(InputError, match=r"images\.gz: found broken gzip data"):
        idx.read(path)


def test_locate_needs_all_four(tmp_path, write_idx):
    assert idx.locate(tmp_path / "absent") is None
    write_idx(tmp_path)
    assert idx.locate(tmp_path) == {key: tmp_path / name for key, name in idx.FILES.items()}
    (tmp_path / idx.FILES["test_labels"]).unlink()
    assert idx.locate(tmp_path) is None
