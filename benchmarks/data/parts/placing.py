"""A data set's folder on the disk: made beside its place and renamed into it, so it appears whole or not at all."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from benchmarks.files.errors import input_error

FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, a used-up quota


@contextmanager
def staging(destination: Path, own: Set[str]) -> Iterator[Path]:
    """A folder beside `destination`, on the same disk so that a rename is one step, that is gone afterwards.

    One fetch at a time works in a parent folder (the others wait), so what lies in the staging folder at the start is
    from a fetch that was killed. If that was between the two renames of `swap`, the old data goes back first.
    Raises InputError when `destination` holds anything but files named in `own`, those of an earlier fetch.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    folder = destination.parent / f".{destination.name}.fetch"
    parent = os.open(destination.parent, os.O_RDONLY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        _clear(folder, destination)
        if destination.exists() and not destination.is_dir():
            raise input_error(destination, "", "a file", "must be a folder")
        for path in sorted(destination.iterdir()) if destination.exists() else ():
            if path.name not in own and not path.name.startswith("."):
                raise input_error(destination, "", path.name, "the folder is replaced whole and may hold nothing else")
        folder.mkdir()
        try:
            yield folder
        finally:
            _clear(folder, destination)
    finally:
        os.close(parent)


def swap(folder: Path, destination: Path) -> None:
    """Renames `new` in the staging folder into place; what is there, which a rename cannot replace, steps aside."""
    if destination.exists():
        destination.rename(folder / "old")
    (folder / "new").rename(destination)


def _clear(folder: Path, destination: Path) -> None:
    """Removes the staging folder; the old data goes back first where `swap` stopped between its two renames."""
    if (folder / "old").exists() and not destination.exists():
        (folder / "old").rename(destination)
    shutil.rmtree(folder, ignore_errors=True)
