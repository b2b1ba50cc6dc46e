"""Fetching and checking any kind of data set: the sources in order, SHA-256 pinned or recorded, all of it or nothing.

What is known of the content decides how far a fetch is checked:
- SHA-256 of the content pinned in the data set's file: any source must give just this content.
- none pinned, because whoever wrote the file could not get the data: the first fetch is taken on trust, as far as the
  MD5 sums of the published files (`published.Files`) do not vouch for it. Its hashes are said and written beside the
  data, in `sha256.json`, and are as strict as pinned ones from then on, for `check` and for fetching again. Whoever
  removes the folder starts anew; `dvc.lock` has the hash of the folder and shows a change.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from benchmarks.data.parts.placing import FULL, staging, swap
from benchmarks.data.parts.published import Contents
from benchmarks.data.parts.sources import FOLDER_VARIABLE, LocalFolder, Source, SourceUnavailable
from benchmarks.files.errors import InputError, input_error

SPLITS = ("train", "valid", "test")
RECORD = "sha256.json"  # hashes of the content beside it, where the data set's file pins none
LONGEST_REASON = 240  # characters; clients may answer with a page


class AnyDataset(Protocol):
    """What images and texts have in common."""

    @property
    def name(self) -> str: ...
    @property
    def sources(self) -> tuple[Source, ...]: ...
    @property
    def sha256(self) -> Mapping[str, str] | None: ...
    @property
    def files(self) -> Mapping[str, str]: ...
    def completed(self, contents: Contents) -> Contents: ...
    def fault(self, key: str, content: Any) -> str | None: ...
    def digest(self, content: Any) -> str: ...
    def needed(self) -> str: ...
    def read(self, folder: Path, key: str) -> Any: ...
    def write(self, content: Any, file: IO[bytes]) -> None: ...


def fetch(dataset: AnyDataset, destination: Path, report: Callable[[str], None]) -> str:
    """Puts the data set into the folder `destination` and returns the name of the source that gave it.

    Tries the sources in order, says each attempt through `report`, and takes the first whose splits and checksums are
    right. `destination` changes in one step at the end; until then, and whenever this fails, it stays as it was.
    Raises InputError when every source fails, with the reason of each, or when the disk refuses.
    """
    destination = destination.resolve()
    try:
        with staging(destination, {RECORD, *dataset.files.values()}) as folder:
            expected = _expected(dataset, destination)
            source, contents = _first_good(dataset, expected, destination, folder / "work", report)
            _write(dataset, contents, folder / "new")
            trusted = {} if expected else {key: dataset.digest(contents[key]) for key in dataset.files}
            if dataset.sha256 is None:
                (folder / "new" / RECORD).write_text(json.dumps(dict(expected or trusted), indent=2) + "\n")
            swap(folder, destination)
    except OSError as error:
        raise InputError(_disk_refused(dataset, destination, error)) from error
    if trusted:
        report(f"{dataset.name}: no SHA-256 is pinned, so this is taken on trust and from now on held to {RECORD}:")
        for key, value in trusted.items():
            report(f"{dataset.name}: {key} {value}")
    report(f"{dataset.name}: from {source}")
    return source


def check(dataset: AnyDataset, folder: Path) -> list[str]:
    """What is wrong with the fetched files in `folder`, one sentence a file; empty when all checksums match."""
    findings = []
    try:
        expected = _expected(dataset, folder)
    except InputError as error:
        expected, findings = {}, [str(error)]
    if not expected and not findings:
        findings.append(str(input_error(folder / RECORD, "", "no such file", f"run `claimbench fetch {dataset.name}`")))
    for key, file in dataset.files.items():
        try:
            content = dataset.read(folder, key)
        except InputError as error:
            findings.append(str(error))
            continue
        fault = _fault(dataset, expected, key, content)
        if fault is not None:
            findings.append(f"{folder / file}: {fault}; run `claimbench fetch {dataset.name}`")
    return findings


def again(folder: Path) -> str:
    """What to do about a missing or damaged file in `folder`."""
    return f"run `claimbench fetch {folder.name}`"


def _expected(dataset: AnyDataset, folder: Path) -> Mapping[str, str]:
    """The hashes that the content must have: pinned, or else recorded in `folder` at the first fetch, or else none.

    Raises InputError when the record is damaged.
    """
    if dataset.sha256 is not None:
        return dataset.sha256
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise input_error(path, "", f"damaged ({error})", "remove it to take the next fetch on trust") from error
    keys = set(dataset.files)
    if not isinstance(found, dict) or set(found) != keys or not all(isinstance(v, str) for v in found.values()):
        raise input_error(
            path, "", "something else than a hash for each file", "remove it to take the next fetch on trust"
        )
    return found


def _first_good(
    dataset: AnyDataset, expected: Mapping[str, str], destination: Path, workdir: Path, report: Callable[[str], None]
) -> tuple[str, Contents]:
    """The first source whose content is right, by name, and the content; `workdir` is gone afterwards."""
    reasons = []
    for source in dataset.sources:
        report(f"{dataset.name}: trying {source.name}")
        workdir.mkdir()
        try:
            contents = dataset.completed(source.read(workdir))
            faults = [
                f"{key}: {fault}"
                for key in dataset.files
                if (fault := _fault(dataset, expected, key, contents.get(key))) is not None
            ]
            reason = faults[0] if faults else None
        except (SourceUnavailable, InputError, OSError) as error:  # all else is a bug and ends the fetch
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, OSError) and error.errno in FULL:
                reason = f"{reason}; {dataset.needed()}"
        finally:
            shutil.rmtree(workdir)
        if reason is None:
            return source.name, contents
        reason = reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + "..."
        reasons.append(f"{source.name}: {reason}")
        report(f"{dataset.name}: {reasons[-1]}")
    fix = "".join(
        f"; set {FOLDER_VARIABLE} to a folder holding {source.wanted}, in it or in its {dataset.name}/"
        for source in dataset.sources
        if isinstance(source, LocalFolder)
    )
    if dataset.sha256 is None and expected:
        fix += f"; other data than at the first fetch are taken only after removing {destination / RECORD}"
    raise InputError(f"{dataset.name}: no source gave it ({'; '.join(reasons)}){fix}")


def _fault(dataset: AnyDataset, expected: Mapping[str, str], key: str, content: Any) -> str | None:
    """What is wrong with one key's content, or None; nothing is `expected` of data that are taken on trust."""
    if content is None:
        return "missing"
    fault = dataset.fault(key, content)
    if fault is not None or not expected:
        return fault
    found = dataset.digest(content)
    if found != expected[key]:
        return f"found SHA-256 {found[:12]}..., {expected[key][:12]}... is needed"
    return None


def _write(dataset: AnyDataset, contents: Contents, folder: Path) -> None:
    """One file a key."""
    folder.mkdir()
    for key, name in dataset.files.items():
        with (folder / name).open("wb") as file:
            dataset.write(contents[key], file)


def _disk_refused(dataset: AnyDataset, destination: Path, error: OSError) -> str:
    """The sentence for a full disk, which says how much is needed, or for any other refusal of the disk."""
    if error.errno not in FULL:
        return f"{dataset.name}: cannot write {destination} ({error})"
    return f"{dataset.name}: no space left on the disk of {destination}; {dataset.needed()}"
