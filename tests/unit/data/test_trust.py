"""A data set without pinned hashes: trusted at the first fetch, held to what was recorded ever after."""

import io
import json
import os
from dataclasses import dataclass, replace

import numpy as np
import pytest

from benchmarks.data.parts.dataset import ARRAYS, RECORD, check, fetch, hash_array
from benchmarks.files.errors import InputError


@dataclass(frozen=True)
class Given:
    """A source that gives these arrays."""

    name: str
    arrays: dict

    def read(self, workdir):
        return self.arrays


def silent(message: str) -> None:
    pass


@pytest.fixture
def other(published):
    return {**published, "test_labels": published["test_labels"][::-1].copy()}


@pytest.fixture
def unpinned(make_dataset, published):
    return replace(make_dataset(Given("first", published)), sha256=None)


@pytest.fixture
def fetched(unpinned, tmp_path):
    fetch(unpinned, tmp_path / "tiny", silent)
    return tmp_path / "tiny"


def test_first_fetch_says_and_records_the_hashes(unpinned, decoded, tmp_path):
    said = []
    fetch(unpinned, tmp_path / "tiny", said.append)
    expected = {key: hash_array(decoded[key]) for key in ARRAYS}
    assert json.loads((tmp_path / "tiny" / RECORD).read_text()) == expected
    assert any("no SHA-256 is pinned" in line for line in said)
    assert all(any(line.endswith(f"{key} {value}") for line in said) for key, value in expected.items())
    assert sorted(os.listdir(tmp_path / "tiny")) == sorted([RECORD, *(f"{key}.npy" for key in ARRAYS)])
    assert check(unpinned, tmp_path / "tiny") == []


def test_a_pinned_data_set_reads_no_record(make_dataset, published, other, fetched):
    (fetched / RECORD).write_text("damaged")
    dataset = make_dataset(Given("first", published))
    assert check(dataset, fetched) == []
    with pytest.raises(InputError, match="found SHA-256"):
        fetch(make_dataset(Given("first", other)), fetched, silent)


def test_changed_arrays_are_found(unpinned, fetched):
    labels = np.load(fetched / "valid_labels.npy")
    np.save(fetched / "valid_labels.npy", labels[::-1])
    (finding,) = check(unpinned, fetched)
    assert "valid_labels.npy: found SHA-256" in finding
    assert "claimbench fetch tiny" in finding


def test_the_same_data_again_are_taken_in_silence(unpinned, fetched):
    (fetched / "train_images.npy").write_bytes(b"damaged")
    said = []
    fetch(unpinned, fetched, said.append)
    assert said == ["tiny: trying first", "tiny: from first"]
    assert check(unpinned, fetched) == []


def test_other_data_are_refused_until_the_record_is_removed(unpinned, fetched, other):
    changed = replace(unpinned, sources=(Given("second", other),))
    before = (fetched / RECORD).read_text()
    with pytest.raises(InputError, match=rf"test_labels: found SHA-256 .* only after removing {fetched / RECORD}"):
        fetch(changed, fetched, silent)
    assert (fetched / RECORD).read_text() == before
    assert check(unpinned, fetched) == []
    (fetched / RECORD).unlink()
    fetch(changed, fetched, silent)
    assert check(changed, fetched) == []
    assert (fetched / RECORD).read_text() != before


def test_a_missing_record_is_a_finding(unpinned, fetched):
    (fetched / RECORD).unlink()
    (finding,) = check(unpinned, fetched)
    assert f"{RECORD}: found no such file; run `claimbench fetch tiny`" in finding


@pytest.mark.parametrize("content", [b"{", b'{"train_images": "a"}', b"\xff\xfe"])
def test_a_damaged_record_is_one_sentence(unpinned, fetched, content):
    (fetched / RECORD).write_bytes(content)
    (finding,) = check(unpinned, fetched)
    assert f"{RECORD}: found" in finding
    assert "\n" not in finding
    with pytest.raises(InputError, match="remove it to take the next fetch on trust"):
        fetch(unpinned, fetched, silent)


def test_sizes_that_are_not_known_are_held_by_the_record(unpinned, fetched, published, tmp_path):
    loose = replace(unpinned, splits={"train": 5, "valid": 3, "test": None})
    fetch(loose, tmp_path / "loose", silent)
    assert check(loose, tmp_path / "loose") == []
    for kind in ("images", "labels"):
        path = tmp_path / "loose" / f"test_{kind}.npy"
        np.save(path, np.load(path)[:-1])
    assert len(check(loose, tmp_path / "loose")) == 2


def test_labels_of_many_classes(unpinned, published, tmp_path):
    wide = {key: array.astype(np.uint16) if "labels" in key else array for key, array in published.items()}
    dataset = replace(unpinned, sources=(Given("first", wide),), label_type=np.uint16)
    fetch(dataset, tmp_path / "wide", silent)
    assert check(dataset, tmp_path / "wide") == []
    with pytest.raises(InputError, match=r"train_labels: found uint8 \(5,\), uint16 \(5,\) is needed"):
        fetch(replace(unpinned, label_type=np.uint16), tmp_path / "narrow", silent)


def test_files_are_those_that_numpy_writes(fetched, decoded):
    for key in ARRAYS:
        content = io.BytesIO()
        np.save(content, decoded[key])
        assert (fetched / f"{key}.npy").read_bytes() == content.getvalue()
