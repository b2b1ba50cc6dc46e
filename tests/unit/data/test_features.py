"""What the stage features makes: of images the bits of independent pixels, of texts a tokeniser."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.data.parts import tokenizer
from benchmarks.data.parts.dataset import SPLITS, fetch, find, load
from benchmarks.data.parts.texts import TextDataset
from benchmarks.families.preferences.vocabulary import bpe
from benchmarks.files.errors import InputError
from benchmarks.metrics.pixels import independent_pixels_bits
from benchmarks.provenance.definitions import Code, Unit
from benchmarks.stages import features
from benchmarks.stages.sources import STAGES

pytest.importorskip("tokenizers")
ROOT = Path(__file__).parents[3]
WORDS = ["a", "film", "of", "its", "own,", "slow;", "the", "Plot", "is", "good", "and", "the", "end", "is", "not.", ""]
TEXTS = [" ".join(WORDS[(place * step) % len(WORDS)] for step in range(1, 12)) for place in range(40)]


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    """`features/tiny/tokenizer.json` of a data set whose other splits have words of their own."""
    content = {"train": TEXTS, "valid": ["zebra zebra zebra"] * 50, "test": ["quartz quartz quartz"] * 50}
    (tmp_path / "data/tiny").mkdir(parents=True)
    for split in SPLITS:
        lines = [json.dumps({"text": text}) + "\n" for text in content[split]]
        (tmp_path / f"data/tiny/{split}.jsonl").write_text("".join(lines))
    dataset = TextDataset("tiny", (), None, dict.fromkeys(SPLITS), {"text": str}, 0.1, "none", "made up")
    monkeypatch.setattr(features.dataset, "find", lambda name: dataset)
    monkeypatch.chdir(tmp_path)
    features.run("tiny")
    return tmp_path / "features/tiny/tokenizer.json"


def test_tokenizer_is_of_train_alone(made):
    pieces = json.loads(made.read_text())["model"]["vocab"]
    assert pieces["<end>"] == 0
    assert sorted(pieces.values()) == list(range(len(pieces)))
    assert 257 < len(pieces) <= features.PIECES
    assert "Ġfilm" in pieces
    assert not {"zebra", "Ġzebra", "quartz", "Ġquartz"} & set(pieces)


def test_every_text_comes_back_in_lower_case(made):
    vocabulary = bpe(made.read_text())
    for text in [*TEXTS, "", " ", "\n\t x", "naïve café – ½", "日本 💘", "ends. <end> goes on", "e\u0301"]:
        tokens = vocabulary.encode(text)
        assert vocabulary.end not in tokens
        expected = text.replace("e\u0301", "é").lower()
        assert vocabulary.decode(tokens) == expected
        assert vocabulary.decode([*tokens, vocabulary.end]) == expected
        assert vocabulary.encode(expected) == tokens
    assert vocabulary.encode("FILM") == vocabulary.encode("film")
    assert vocabulary.size <= features.PIECES
    assert "\ufffd" in vocabulary.decode(vocabulary.encode("💘")[:1])


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"model": 1}'])
def test_no_tokenizer_is_one_sentence(content):
    with pytest.raises(ValueError, match="not a tokeniser"):
        bpe(content)


def test_a_tokenizer_without_an_end_is_refused(made):
    with pytest.raises(ValueError, match="without the token <end>"):
        bpe(made.read_text().replace("<end>", "<stop>"))


def test_two_runs_give_the_same_bytes(made):
    program = (
        "import hashlib, json, sys; from benchmarks.data.parts.tokenizer import trained; "
        "print(hashlib.sha256(trained(json.loads(sys.argv[1]), 1000).encode()).hexdigest())"
    )
    expected = hashlib.sha256(made.read_bytes()).hexdigest()
    # Threads and hash seeds are what could make a difference.
    for threads, seed in (("false", "0"), ("true", "1"), ("true", "2")):
        result = subprocess.run(
            [sys.executable, "-c", program, json.dumps(TEXTS)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"TOKENIZERS_PARALLELISM": threads, "PYTHONHASHSEED": seed},
        )
        assert result.stdout.strip() == expected


def test_pieces_are_as_many_as_asked_for():
    assert [bpe(tokenizer.trained(TEXTS, pieces)).size for pieces in (257, 270)] == [257, 270]


def as_dvc_hashes(folder: Path) -> str:
    files = [
        {"md5": hashlib.md5(path.read_bytes()).hexdigest(), "relpath": path.name} for path in sorted(folder.iterdir())
    ]
    return hashlib.md5(json.dumps(files, sort_keys=True).encode()).hexdigest() + ".dir"


def test_a_fresh_clone_makes_of_digits_what_is_committed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fetch(find("digits"), tmp_path / "data/digits", lambda message: None)
    features.run("digits")
    train, test = (load(tmp_path / "data/digits", split)[0] for split in ("train", "test"))
    bits = independent_pixels_bits(train, test, 17)
    assert json.loads(Path("features/digits/pixels.json").read_text()) == {
        "independent_pixels_bits_per_dim": bits, "levels": 17
    }  # fmt: skip
    # Else each model on digits would be trained anew in every fresh clone.
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    for stage, folder in (("fetch@digits", "data/digits"), ("features@digits", "features/digits")):
        assert as_dvc_hashes(Path(folder)) == locked[stage]["outs"][0]["md5"]


def test_missing_texts_are_told(made):
    Path("data/tiny/train.jsonl").unlink()
    with pytest.raises(InputError, match="claimbench fetch tiny"):
        features.run("tiny")


def test_a_changed_tokeniser_is_a_changed_stage():
    code = Code(ROOT)
    reached = code.reach([code.find(*STAGES["features"])])
    assert Unit("benchmarks.data.parts.tokenizer", "trained") in reached
