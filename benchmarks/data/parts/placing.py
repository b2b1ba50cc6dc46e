"""A data set's folder on the disk: made beside its place and renamed into it, so it appears whole or not at all."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.errors import input_error

FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, a used-up quota


@contextmanager
def staging(destination: Path, own: Set[str]) -> Iterator[Path]:
    """A folder beside `destination`, on the same disk so that a rename is one step, that is gone afterwards.

    One fetch at a time works in a parent folder (the others wait), so what lies in the staging folder at the start is
    from a fetch that was killed. If that was between the two renames of `swap`, the old data goes back first.
    Raises InputError when `destination` holds anything but files named in `own`, those of an earlier fetch.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    parent = os.open(destination.parent, os.O_RDONLY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        folder = destination.parent / f".{destination.name}.fetch"
        if folder.exists():
            _restore(folder, destination)
            shutil.rmtree(folder)
        _refuse_strangers(destination, own)
        folder.mkdir()
        try:
            yield folder
        finally:
            _restore(folder, destination)
            shutil.rmtree(folder, ignore_errors=True)
        os.fsync(parent)
    finally:
        os.close(parent)


def swap(folder: Path, destination: Path) -> None:
    """Renames `new` in the staging folder into place; what is there, which a rename cannot replace, steps aside."""
    if destination.exists():
        destination.rename(folder / "old")
    (folder / "new").rename(destination)


def flush(file: IO[Any]) -> None:
    """The file is on the disk, and not only in its cache, when this returns."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """The names in the folder are on the disk when this returns."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_strangers(destination: Path, own: Set[str]) -> None:
    """The folder is replaced as a whole, so it may hold nothing but what an earlier fetch wrote."""
    if not destination.exists():
        return
    if not destination.is_dir():
        raise input_error(destination, "", "a file", "a folder is needed")
    strangers = sorted({path.name for path in destination.iterdir()} - own)
    if strangers:
        raise input_error(destination, "", strangers[0], "the folder is replaced as a whole and may hold nothing else")


def _restore(folder: Path, destination: Path) -> None:
    """Puts back the old folder when `swap` stopped between its two renames."""
    if (folder / "old").exists() and not destination.exists():
        (folder / "old").rename(destination)
