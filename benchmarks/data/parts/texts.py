"""A data set of texts: the SHA-256 of its records, its splits and fields; reading back what was fetched.

On disk it is one folder with `<split>.jsonl` for the splits train, valid and test: one record a line, a JSON object in
UTF-8 with its names sorted. A folder appears whole or not at all (`placing.py`); how a fetch is checked: `fetching.py`.
Every record has a `text`; what else it has (a rating, an answer, a pair of responses) its data set says in `fields`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.data.parts.fetching import SPLITS, again
from benchmarks.data.parts.published import Contents
from benchmarks.data.parts.sources import Source
from benchmarks.files.errors import input_error

Record = dict[str, Any]


@dataclass(frozen=True)
class TextDataset:
    """One data set of texts."""

    name: str
    sources: tuple[Source, ...]  # tried in this order
    sha256: Mapping[str, str] | None  # `hash_records` of each split; None: trust on first use
    splits: Mapping[str, int | None]  # records in train, valid and test; None: not known, held by the hash
    fields: Mapping[str, type]  # what each record has, and of which type; `text`, a str, among them
    megabytes: float  # of all splits, about
    licence: str
    citation: str

    @property
    def files(self) -> Mapping[str, str]:
        """The name of each split's file."""
        return {split: f"{split}.jsonl" for split in SPLITS}

    def completed(self, contents: Contents) -> Contents:
        """The records with the last `splits["valid"]` of train cut off as valid, when the source gave none."""
        if "valid" in contents:
            return contents
        first = max(0, len(contents["train"]) - (self.splits["valid"] or 0))
        return contents | {"train": contents["train"][:first], "valid": contents["train"][first:]}

    def fault(self, key: str, content: Sequence[Record]) -> str | None:
        """What is wrong with the number of records or with one of them, or None."""
        count = self.splits[key]
        if count is not None and len(content) != count:
            return f"found {len(content)} records, {count} are needed"
        needed = ", ".join(f"{name} ({kind.__name__})" for name, kind in self.fields.items())
        for number, record in enumerate(content, 1):
            found = {name: type(value) for name, value in record.items()}
            if found != dict(self.fields):
                told = ", ".join(f"{name} ({kind.__name__})" for name, kind in found.items())
                return f"found a record ({number}) of {told or 'nothing'}, {needed} is needed"
        try:
            hash_records(content)
        except ValueError as error:
            return f"found what JSON in UTF-8 cannot hold ({error})"
        return None

    def digest(self, content: Sequence[Record]) -> str:
        """`hash_records`."""
        return hash_records(content)

    def write(self, content: Sequence[Record], file: IO[bytes]) -> None:
        """The records, a line each."""
        for record in content:
            file.write(_line(record))

    def read(self, folder: Path, key: str) -> list[Record]:
        """One split's records from disk; InputError when the file is missing or damaged."""
        return records(folder, key)

    def needed(self) -> str:
        """The disk space that a fetch takes: the records, and for a while what was downloaded."""
        return f"the texts need {self.megabytes:.1f} MB there, and fetching them some three times that for a while"


def hash_records(content: Sequence[Record]) -> str:
    """SHA-256, in hex, over the lines of `<split>.jsonl`."""
    digest = hashlib.sha256()
    for record in content:
        digest.update(_line(record))
    return digest.hexdigest()


def load(folder: Path, split: str) -> list[str]:
    """The texts of one split, in order.

    Raises InputError, naming the file, when it is missing or damaged. Checksums are `check`'s task.
    """
    return [record["text"] for record in records(folder, split)]


def records(folder: Path, split: str) -> list[Record]:
    """The records of one split, in order; each has at least a `text`.

    Raises InputError, naming the file and the line, when it is missing or damaged.
    """
    if split not in SPLITS:
        raise input_error(folder, "split", split, f"allowed are {', '.join(SPLITS)}")
    path = folder / f"{split}.jsonl"
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise input_error(path, "", "no such file", again(folder)) from error
    except OSError as error:
        raise input_error(path, "", f"a file that cannot be read ({error})", again(folder)) from error
    if content and not content.endswith(b"\n"):
        raise input_error(path, "", "a last line that is cut short", again(folder))
    found = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            record = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise input_error(path, f"line {number}", f"damaged ({error})", again(folder)) from error
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise input_error(path, f"line {number}", "something else than a record with a text", again(folder))
        found.append(record)
    return found


def _line(record: Record) -> bytes:
    """One record as a line: names sorted, so that a record has one form only.

    Raises ValueError for what JSON in UTF-8 cannot hold: a number that is not finite, half a surrogate pair.
    """
    return (json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n").encode()
