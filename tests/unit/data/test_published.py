"""The published forms of the data sets of the paper tier, on files of the same form made small."""

import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from benchmarks.data import cifar10, imagenet32, svhn, tfd
from benchmarks.data.parts import matlab
from benchmarks.data.parts.dataset import Dataset, check, fetch, load
from benchmarks.data.parts.published import Files
from benchmarks.data.parts.sources import LocalFolder, Torchvision
from benchmarks.files.errors import InputError

RANDOM = np.random.default_rng(0)


def silent(message: str) -> None:
    pass


def images(count: int, *shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, *shape), dtype=np.uint8)


def mat(path: Path, **variables: np.ndarray) -> None:
    content = io.BytesIO()
    savemat(content, variables, do_compression=True)
    path.write_bytes(content.getvalue())


@dataclass(frozen=True)
class Small:
    """A data set made small: how its files are written, what they then give, and one of its files."""

    dataset: Dataset
    files: Files
    write: Callable[[Path], None]
    expected: dict[str, np.ndarray]
    file: str


def batches(prefix: str, count: int, first: int, numbers: type) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    """`count` pickled batches of two images each and one of three; labels from `first` upwards."""
    files, expected = {}, {}
    for split, names, each in (("train", [f"{prefix}{n}" for n in range(1, count + 1)], 2), ("test", ["test"], 3)):
        pixels, labels = images(each * len(names), 3, 32, 32), np.arange(each * len(names)) % 7
        for number, name in enumerate(names):
            part = slice(each * number, each * (number + 1))
            rows = pixels[part].reshape(each, -1)
            files[name] = pickle.dumps({"data": rows, "labels": (labels[part] + first).tolist()}, 2)
        expected[f"{split}_images"], expected[f"{split}_labels"] = pixels, labels.astype(numbers)
    return files, expected


def small_cifar10(binary: bool) -> Small:
    files, expected = batches("data_batch_", 5, 0, np.uint8)
    files["test_batch"] = files.pop("test")
    if binary:
        contents = {name: pickle.loads(content) for name, content in files.items()}
        files = {
            f"{name}.bin": np.column_stack([np.uint8(content["labels"]), content["data"]]).tobytes()
            for name, content in contents.items()
        }
    form = cifar10.BINARY if binary else cifar10.PYTHON

    def write(folder: Path) -> None:
        (folder / form.folder).mkdir(parents=True)
        for name, content in files.items():
            (folder / form.folder / name).write_bytes(content)

    dataset = replace(cifar10.DATASET, splits={"train": 7, "valid": 3, "test": 3})
    return Small(dataset, form, write, expected, f"{form.folder}/{'data_batch_3.bin' if binary else 'data_batch_3'}")


def small_imagenet32() -> Small:
    files, expected = batches("train_data_batch_", 10, 994, np.uint16)
    files["val_data"] = files.pop("test")
    for split in ("train", "test"):
        expected[f"{split}_labels"] += 993

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)

    dataset = replace(imagenet32.DATASET, splits={"train": 17, "valid": 3, "test": 3})
    return Small(dataset, dataset.sources[0].formats[0], write, expected, "val_data")


def small_svhn() -> Small:
    expected: dict[str, np.ndarray] = {}
    for split, count in (("train", 11), ("test", 4)):
        expected[f"{split}_images"] = images(count, 3, 32, 32)
        expected[f"{split}_labels"] = (np.arange(count) % 10).astype(np.uint8)

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        for split in ("train", "test"):
            digits = expected[f"{split}_labels"]
            y = np.where(digits == 0, 10, digits)[:, None].astype(np.uint8)
            mat(folder / f"{split}_32x32.mat", X=expected[f"{split}_images"].transpose(2, 3, 1, 0), y=y)

    dataset = replace(svhn.DATASET, splits={"train": 8, "valid": 3, "test": 4})
    return Small(dataset, svhn.FILES, write, expected, "train_32x32.mat")


def small_tfd() -> Small:
    pixels = images(9, 48, 48)
    first = np.array([0, 3, 0, 1, 2, 0, 3, 0, 1])
    expressions = np.array([-1, 5, -1, 2, 7, -1, 1, -1, 3])
    expected: dict[str, np.ndarray] = {}
    for split, rows in (("train", [0, 2, 5, 7]), ("valid", [4]), ("test", [1, 6])):
        expected[f"{split}_images"] = pixels[rows]
        expected[f"{split}_labels"] = np.maximum(expressions[rows], 0).astype(np.uint8)

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        folds = np.column_stack([first, *[np.roll(first, n) for n in range(1, 5)]]).astype(np.float64)
        content = {"images": pixels, "folds": folds, "labs_ex": expressions[:, None].astype(np.int16)}
        mat(folder / "TFD_48x48.mat", **content, labs_id=np.zeros((9, 1)))

    dataset = replace(tfd.DATASET, splits={"train": 4, "valid": None, "test": None})
    return Small(dataset, dataset.sources[0].formats[0], write, expected, "TFD_48x48.mat")


SMALL = {
    "cifar10": lambda: small_cifar10(binary=False),
    "cifar10 binary": lambda: small_cifar10(binary=True),
    "imagenet32": small_imagenet32,
    "svhn": small_svhn,
    "tfd": small_tfd,
}


@pytest.fixture(params=SMALL)
def small(request, tmp_path, monkeypatch) -> Small:
    """Its files are in the folder that CLAIMBENCH_DATA names; their MD5 is not asked for."""
    made = SMALL[request.param]()
    made.write(tmp_path / "own" / made.dataset.name)
    monkeypatch.setenv("CLAIMBENCH_DATA", str(tmp_path / "own"))
    form = replace(made.files, md5=dict.fromkeys(made.files.md5))
    dataset = replace(made.dataset, sources=(LocalFolder(made.dataset.name, (form,)),))
    return replace(made, dataset=dataset, files=form)


def test_decoded_as_published(small, tmp_path):
    arrays = small.files.read(tmp_path / "own" / small.dataset.name)
    assert set(arrays) == set(small.expected)
    for key, expected in small.expected.items():
        assert arrays[key].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[key], expected)


def test_fetched_into_three_splits(small, tmp_path):
    folder = tmp_path / "data" / small.dataset.name
    assert fetch(small.dataset, folder, silent) == "local folder"
    assert check(small.dataset, folder) == []
    joined = {}
    for kind, place in (("images", 0), ("labels", 1)):
        parts = {split: load(folder, split)[place] for split in ("train", "valid", "test")}
        joined[f"test_{kind}"] = parts["test"]
        if "valid_images" in small.expected:
            joined |= {f"train_{kind}": parts["train"], f"valid_{kind}": parts["valid"]}
        else:
            joined[f"train_{kind}"] = np.concatenate([parts["train"], parts["valid"]])
            assert len(parts["valid"]) == 3
    for key, expected in small.expected.items():
        np.testing.assert_array_equal(joined[key], expected)


def test_damaged_file_is_one_sentence(small, tmp_path):
    path = tmp_path / "own" / small.dataset.name / small.file
    whole = path.read_bytes()
    for content in (b"", b"<html>", whole[: len(whole) // 2 + 1], whole[::-1][1:]):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            fetch(small.dataset, tmp_path / "data" / small.dataset.name, silent)
        assert "\n" not in str(caught.value)
        assert f"{small.dataset.name}: no source gave it" in str(caught.value)
    assert not (tmp_path / "data" / small.dataset.name).exists()


def test_absent_files_are_named(small, tmp_path):
    (tmp_path / "own" / small.dataset.name / small.file).unlink()
    with pytest.raises(InputError, match=f"CLAIMBENCH_DATA to a folder holding .*{Path(small.file).name}"):
        fetch(small.dataset, tmp_path / "data" / small.dataset.name, silent)


def test_a_file_with_another_md5_is_refused(small, tmp_path):
    folder = tmp_path / "own" / small.dataset.name
    right = hashlib.md5((folder / small.file).read_bytes()).hexdigest()
    name = Path(small.file).name
    assert replace(small.files, md5={**small.files.md5, name: right}).read(folder) is not None
    with pytest.raises(InputError, match=f"{name}: MD5: found {right}; {'0' * 32} is the published one"):
        replace(small.files, md5={**small.files.md5, name: "0" * 32}).read(folder)


def test_md5_sums_are_those_that_torchvision_states():
    from torchvision.datasets import CIFAR10, SVHN

    assert cifar10.PYTHON.md5 == dict(CIFAR10.train_list + CIFAR10.test_list)
    assert cifar10.PYTHON.folder == CIFAR10.base_folder
    assert svhn.FILES.md5 == {name: md5 for split, (_, name, md5) in SVHN.split_list.items() if split != "extra"}


def test_binary_and_python_version_of_cifar10_give_the_same(tmp_path):
    made = small_cifar10(binary=False)
    made.write(tmp_path)
    (tmp_path / cifar10.BINARY.folder).mkdir()
    for path in (tmp_path / cifar10.PYTHON.folder).iterdir():
        content = pickle.loads(path.read_bytes())
        records = np.column_stack([np.uint8(content["labels"]), content["data"]])
        (tmp_path / cifar10.BINARY.folder / f"{path.name}.bin").write_bytes(records.tobytes())
    one, other = cifar10.python_version(tmp_path / cifar10.PYTHON.folder), cifar10.BINARY.read(tmp_path)
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_cifar10_records_of_another_length_are_refused(tmp_path):
    made = small_cifar10(binary=True)
    made.write(tmp_path)
    path = tmp_path / made.file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        InputError, match=r"data_batch_3\.bin: length: found 6145 bytes; records of 3073 bytes are needed"
    ):
        made.files.read(tmp_path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"X": None}, r"variables: found y; X, y are needed"),
        ({"X": np.zeros((32, 32, 3, 2))}, "images: found float64"),
        ({"X": np.zeros((32, 32, 2), np.uint8)}, r"images: found shape \(32, 32, 2\); 32 x 32 x 3 x n is needed"),
        ({"y": np.array([[1], [0]])}, "labels: found values from 0 to 1; 2 whole numbers from 1 to 10 are needed"),
        ({"y": np.array([[1]])}, "labels: found 1 of them"),
        ({"y": np.array([[1.5], [2.0]])}, "labels: found values from 1.5 to 2.0"),
    ],
)
def test_other_content_of_a_matlab_file_is_one_sentence(tmp_path, changed, said):
    good = {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[1], [10]])}
    for split in ("train", "test"):
        kept = {key: value for key, value in {**good, **changed}.items() if value is not None}
        mat(tmp_path / f"{split}_32x32.mat", **kept)
    with pytest.raises(InputError, match=rf"train_32x32\.mat: {said}"):
        svhn.decode(tmp_path)


@pytest.mark.parametrize("keep", [0, 127, 140])
def test_truncated_matlab_file_is_one_sentence(tmp_path, keep):
    path = tmp_path / "a.mat"
    mat(path, X=images(4, 8, 8))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"a\.mat: (found no MATLAB file|variables: found none of them)") as caught:
        matlab.read(path, "X")
    assert "\n" not in str(caught.value)


def test_torchvision_of_a_data_set_with_splits(tmp_path, monkeypatch):
    """A stand-in for torchvision that copies the files where the real one puts them."""
    made = small_svhn()
    made.write(tmp_path / "files")
    form = replace(made.files, md5=dict.fromkeys(made.files.md5))
    fake = tmp_path / "path" / "torchvision"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "datasets.py").write_text(
        "import shutil\n"
        f"FILES = {str(tmp_path / 'files')!r}\n"
        "def SVHN(root, split, download): shutil.copy(f'{FILES}/{split}_32x32.mat', root)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    source = next(source for source in made.dataset.sources if isinstance(source, Torchvision))
    dataset = replace(made.dataset, sources=(replace(source, form=form),))
    assert fetch(dataset, tmp_path / "out" / "small", silent) == f"torchvision {source.dataset}"
    assert check(dataset, tmp_path / "out" / "small") == []
