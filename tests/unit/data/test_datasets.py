"""The data set files, how they are found, and reading back what was fetched."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.parts.dataset import ARRAYS, SPLITS, Dataset, check, fetch, find, hash_array, load, names
from benchmarks.files.errors import InputError

ROOT = Path(__file__).parents[3]
# Those whose files could not be had yet; all others are strict.
UNPINNED = {"cifar10", "gsm8k", "hh", "imagenet32", "imdb", "svhn", "tfd", "tldr", "tldr_pairs"}


def silent(message: str) -> None:
    pass


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "digits"
    assert fetch(find("digits"), folder, silent) == "scikit-learn"
    return folder


@pytest.fixture
def digits(fetched, tmp_path):
    """A copy of the fetched digits to damage."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for path in fetched.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("name", names())
def test_data_set_file(name):
    dataset = find(name)
    assert dataset.name == name
    assert tuple(dataset.splits) == SPLITS
    if name in UNPINNED:
        assert dataset.sha256 is None
    else:
        assert set(dataset.sha256) == set(dataset.files)
        assert all(len(value) == 64 and set(value) <= set("0123456789abcdef") for value in dataset.sha256.values())
        assert len(set(dataset.sha256.values())) == len(dataset.files)
    assert dataset.licence
    assert dataset.citation
    assert len({source.name for source in dataset.sources}) == len(dataset.sources)
    if isinstance(dataset, Dataset):
        assert tuple(dataset.files) == ARRAYS
        assert 2 <= dataset.levels <= 256
    else:
        assert tuple(dataset.files) == SPLITS
        assert dataset.fields["text"] is str


def test_splits_are_those_of_the_nice_authors():
    assert find("mnist").splits == {"train": 50_000, "valid": 10_000, "test": 10_000}
    assert find("cifar10").splits == {"train": 40_000, "valid": 10_000, "test": 10_000}
    assert find("fashion_mnist").splits == find("mnist").splits


@pytest.mark.parametrize("name", ["cifar", "../data/mnist", "parts", "__init__", ""])
def test_unknown_name_lists_the_known(name):
    known = "cifar10, digits, fashion_mnist, gsm8k, hh, imagenet32, imdb, mnist, reviews, svhn, tfd, tldr, tldr_pairs"
    with pytest.raises(InputError, match=f"known are {known}"):
        find(name)


def test_found_by_place(tmp_path):
    given = "from benchmarks.data.digits import DATASET as digits\nfrom dataclasses import replace\n"
    (tmp_path / "mine.py").write_text(given + "DATASET = replace(digits, name='mine')\n")
    (tmp_path / "other.py").write_text(given + "DATASET = digits\n")
    (tmp_path / "empty.py").touch()
    assert names(tmp_path) == ["empty", "mine", "other"]
    assert find("mine", tmp_path).name == "mine"
    with pytest.raises(InputError, match=r"other\.py: DATASET: found name digits"):
        find("other", tmp_path)
    with pytest.raises(InputError, match=r"empty\.py: DATASET: found NoneType"):
        find("empty", tmp_path)


def test_finding_imports_no_heavy_library():
    heavy = ("torch", "torchvision", "sklearn", "scipy", "pandas", "tokenizers", "datasets", "transformers")
    program = (
        "import sys; from benchmarks.data.parts.dataset import find, names; [find(name) for name in names()]; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_hash_covers_type_shape_and_bytes():
    array = np.arange(6, dtype=np.uint8)
    others = [array.astype(np.int8), array.reshape(2, 3), array.reshape(3, 2), array[::-1]]
    assert len({hash_array(array), *map(hash_array, others)}) == 5
    assert hash_array(array.reshape(2, 3).T) == hash_array(np.ascontiguousarray(array.reshape(2, 3).T))


def test_digits_load(fetched):
    total = 0
    for split, count in find("digits").splits.items():
        images, labels = load(fetched, split)
        assert images.shape == (count, 8, 8)
        assert labels.shape == (count,)
        assert images.dtype == labels.dtype == np.uint8
        assert (images.min(), images.max()) == (0, 16)
        assert set(labels.tolist()) == set(range(10))
        total += count
    assert total == 1_797
    assert check(find("digits"), fetched) == []


def test_digits_rows_follow_the_stated_rule(fetched):
    from sklearn.datasets import load_digits

    published = load_digits()
    for split, first in (("test", 0), ("valid", 1)):
        images, labels = load(fetched, split)
        np.testing.assert_array_equal(images, published.images[first::6])
        np.testing.assert_array_equal(labels, published.target[first::6])


def test_check_names_a_flipped_byte(digits):
    path = digits / "valid_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (finding,) = check(find("digits"), digits)
    assert str(path) in finding
    assert "SHA-256" in finding
    assert "claimbench fetch digits" in finding


def test_check_names_missing_and_swapped(digits):
    (digits / "test_labels.npy").unlink()
    (digits / "test_images.npy").write_bytes((digits / "valid_labels.npy").read_bytes())
    findings = check(find("digits"), digits)
    assert len(findings) == 2
    assert "test_images.npy: found uint8 (300,), uint8 (300, 8, 8) is needed" in findings[0]
    assert "no such file" in findings[1]
    assert len(check(find("digits"), digits / "absent")) == len(ARRAYS)


def test_load_names_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"train_images\.npy: found no such file; run `claimbench fetch digits`"):
        load(tmp_path / "digits", "train")


def test_load_refuses_an_unknown_split(fetched):
    with pytest.raises(InputError, match="allowed are train, valid, test"):
        load(fetched, "all")


@pytest.mark.parametrize("keep", [0, 5, 40, 128, 1000])
def test_load_names_a_truncated_file(digits, keep):
    path = digits / "train_images.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"train_images\.npy: found .*claimbench fetch digits"):
        load(digits, "train")


def test_load_refuses_labels_of_another_split(digits):
    (digits / "train_labels.npy").write_bytes((digits / "valid_labels.npy").read_bytes())
    with pytest.raises(InputError, match=r"train_labels\.npy: shape: found labels \(300,\) for images \(1197, 8, 8\)"):
        load(digits, "train")


def test_load_refuses_another_type(digits):
    np.save(digits / "train_labels.npy", np.zeros(1_197))
    with pytest.raises(InputError, match="found float64; uint8 or uint16 is needed"):
        load(digits, "train")


def test_load_refuses_wider_images_but_takes_wider_labels(digits):
    images, labels = load(digits, "train")
    np.save(digits / "train_labels.npy", labels.astype(np.uint16))
    assert load(digits, "train")[1].dtype == np.uint16
    np.save(digits / "train_images.npy", images.astype(np.uint16))
    with pytest.raises(InputError, match="found uint16; uint8 is needed"):
        load(digits, "train")
