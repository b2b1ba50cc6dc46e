"""Unpacking the archives of others, by any Python 3.11: tarfile's own filters came with 3.11.4."""

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path

# What tarfile raises on damage besides its own errors, and on a file where a folder is needed or the other way round;
# other kinds of OSError, such as a full disk, are no fault of the archive.
DAMAGE = (
    EOFError,
    ValueError,
    gzip.BadGzipFile,
    zlib.error,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)


def unpack(path: Path, folder: Path) -> None:
    """Writes the regular files of a .tar.gz below `folder`; links, devices and empty folders in it are left out.

    Raises tarfile.TarError where the archive is seen to be damaged or one of its paths leads out of the folder. Damage
    that still reads as an archive is left to the hashes of the content.
    """
    root = folder.resolve()
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                target = (root / member.name).resolve()
                if not target.is_relative_to(root):
                    raise tarfile.TarError(f"{member.name!r} leads out of it")
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        shutil.copyfileobj(content, file)
    except DAMAGE as error:
        raise tarfile.TarError(f"{type(error).__name__}: {error}") from error
