"""Text data sets of the hub, read from small ones saved to disk in the same form."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.parts import hub
from benchmarks.data.parts.dataset import RECORD, SPLITS, check, fetch, find
from benchmarks.data.parts.sources import SourceUnavailable
from benchmarks.data.parts.texts import records
from benchmarks.files.errors import InputError

datasets = pytest.importorskip("datasets")
HUMAN = "\n\nHuman: how?\n\nAssistant:"
# As published: the rows of each split, and what the first test row becomes.
PUBLISHED = {
    "imdb": (
        {
            "train": [{"text": f"film {i}<br />", "label": int(i > 9)} for i in range(20)],
            "test": [{"text": "fine", "label": 1}],
            "unsupervised": [{"text": "?", "label": -1}],
        },
        {"text": "fine", "label": 1},
    ),
    "tldr": (
        {
            split: [{"prompt": f"POST: {split}\n\nTL;DR:", "completion": " short"}] * 2
            for split in ("train", "validation", "test")
        },
        {"text": "POST: test\n\nTL;DR:", "response": " short"},
    ),
    "tldr_pairs": (
        {
            split: [{"prompt": f"{split} {i}", "chosen": " good", "rejected": " bad"} for i in range(12)]
            for split in ("train", "validation")
        },
        {"text": "validation 1", "chosen": " good", "rejected": " bad"},
    ),
    "hh": (
        {
            "train": [{"chosen": f"{HUMAN} {i}", "rejected": f"{HUMAN} no"} for i in range(20)],
            "test": [
                {"chosen": "\n\nHuman: alone", "rejected": "\n\nHuman: alone"},
                {"chosen": f"{HUMAN} a", "rejected": "\n\nHuman: what?\n\nAssistant: b"},
                {"chosen": f"{HUMAN} so.{HUMAN} a", "rejected": f"{HUMAN} so.{HUMAN} b"},
            ],
        },
        {"text": f"{HUMAN} so.{HUMAN}", "chosen": " a", "rejected": " b", "turns": 2},
    ),
    "gsm8k": (
        {
            split: [{"question": "how many?", "answer": "half of <<2600/2=1300>>1300\n#### 1,300"}] * 11
            for split in ("train", "test")
        },
        {"text": "how many?", "solution": "half of <<2600/2=1300>>1300", "answer": "1300"},
    ),
}
SIZES = {"imdb": (18, 2, 1), "tldr": (2, 2, 2), "tldr_pairs": (12, 2, 10), "hh": (18, 2, 1), "gsm8k": (9, 2, 11)}


def silent(message: str) -> None:
    pass


def saved(name: str, folder: Path) -> Path:
    rows = PUBLISHED[name][0]
    datasets.DatasetDict({split: datasets.Dataset.from_list(each) for split, each in rows.items()}).save_to_disk(folder)
    return folder


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The data set of a name with its sizes unknown, its published rows saved where CLAIMBENCH_DATA says."""
    monkeypatch.setenv("CLAIMBENCH_DATA", str(tmp_path / "own"))

    def make(name: str):
        saved(name, tmp_path / "own" / name)
        found = find(name)
        return replace(found, sources=found.sources[:1], splits=dict.fromkeys(SPLITS))

    return make


@pytest.mark.parametrize("name", PUBLISHED)
def test_records_of_each_data_set(tmp_path, small, name):
    dataset, folder = small(name), tmp_path / "data" / name
    assert fetch(dataset, folder, silent) == "local folder"
    assert tuple(len(records(folder, split)) for split in SPLITS) == SIZES[name]
    assert records(folder, "test")[0] == PUBLISHED[name][1]
    assert set(json.loads((folder / RECORD).read_text())) == set(SPLITS)
    assert check(dataset, folder) == []


def test_every_tenth_is_valid_of_rows_that_were_shuffled(tmp_path, small):
    """Published sorted by label: the first of a split are of both, and nobody's run orders them otherwise."""
    fetch(small("imdb"), tmp_path / "data/imdb", silent)
    order = np.random.default_rng(0).permutation(20).tolist()
    for split, places in (("valid", order[::10]), ("train", [place for i, place in enumerate(order) if i % 10])):
        texts = [row["text"] for row in records(tmp_path / "data/imdb", split)]
        assert texts == [f"film {place}<br />" for place in places], split
    assert {row["label"] for row in records(tmp_path / "data/imdb", "train")[:6]} == {0, 1}


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_those_of_the_published_rows(name):
    dataset = find(name)
    published = {"imdb": 50_000, "tldr": 129_722, "gsm8k": 8_792}
    if name in published:
        assert sum(dataset.splits.values()) == published[name]
    assert dataset.sha256 is None
    assert dataset.sources[0].wanted.startswith("dataset_dict.json with the splits train, ")
    assert dataset.sources[1].name.startswith("hub ")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "train/dataset_info.json").unlink(), "damaged"),
        (lambda folder: next((folder / "test").glob("*.arrow")).write_bytes(b"x" * 100), "damaged|Arrow|arrow"),
        (lambda folder: (folder / "dataset_dict.json").write_text('{"splits": ["test"]}'), "found test; the splits"),
        (lambda folder: (folder / "dataset_dict.json").unlink(), "holds the published files"),
    ],
)
def test_a_damaged_folder_is_one_sentence(tmp_path, small, spoil, told):
    dataset = small("gsm8k")
    spoil(tmp_path / "own/gsm8k")
    with pytest.raises(InputError, match=told) as caught:
        fetch(dataset, tmp_path / "data/gsm8k", silent)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data/gsm8k").exists()


def test_other_columns_are_told(tmp_path, small):
    dataset = small("gsm8k")
    rows = {split: datasets.Dataset.from_list([{"question": "?"}]) for split in ("train", "test")}
    datasets.DatasetDict(rows).save_to_disk(tmp_path / "own/gsm8k")
    with pytest.raises(InputError, match="split train: found question; column 'answer' is needed"):
        fetch(dataset, tmp_path / "data/gsm8k", silent)


def test_an_answer_without_its_mark_is_told(tmp_path, small):
    dataset = small("gsm8k")
    rows = {split: datasets.Dataset.from_list([{"question": "?", "answer": "42"}]) for split in ("train", "test")}
    datasets.DatasetDict(rows).save_to_disk(tmp_path / "own/gsm8k")
    with pytest.raises(InputError, match="an answer without ####: '42'"):
        fetch(dataset, tmp_path / "data/gsm8k", silent)


def test_the_hub_loads_and_saves_in_a_process_of_its_own(tmp_path):
    """`load_dataset` also takes a folder of files, which stands for the hub here."""
    work, files = tmp_path / "work", tmp_path / "files"
    work.mkdir()
    files.mkdir()
    for split, rows in PUBLISHED["imdb"][0].items():
        (files / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    contents = hub.Hub(str(files), find("imdb").sources[1].form).read(work)
    assert [len(contents[split]) for split in SPLITS] == [18, 2, 1]
    assert contents["test"] == [{"text": "fine", "label": 1}]


def test_a_hub_that_cannot_be_had_is_one_sentence(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"python\S* failed \(.+\)$"):
        hub.Hub(str(tmp_path / "absent/of/all"), find("imdb").sources[1].form).read(tmp_path)
