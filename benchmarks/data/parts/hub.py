"""A data set of texts in the form of the library `datasets`: from the Hugging Face hub, or saved to disk beforehand."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.parts.published import Contents
from benchmarks.data.parts.sources import DOWNLOAD_SECONDS, SILENCE_SECONDS, SourceUnavailable, read_as, run_client
from benchmarks.files.errors import input_error

MARK = "dataset_dict.json"  # what `DatasetDict.save_to_disk` writes into its folder
TENTH = 10


@dataclass(frozen=True)
class Saved:
    """A folder that `DatasetDict.save_to_disk` wrote; `record` is asked for each row, in order.

    Rows that are published sorted, by label or by part, are `shuffled`: numpy's generator of seed 0 draws the order of
    each split, so that the first of a split are of every kind.

    Of a data set that is published without one of our splits, `valid_of` names the split of ours whose row i becomes
    valid when i mod 10 is 0.
    """

    splits: Mapping[str, str]  # as published, by our split
    record: Callable[[Mapping[str, Any]], dict[str, Any] | None]  # None: a row that is left out
    valid_of: str = ""  # empty: valid is published
    shuffled: bool = False

    @property
    def names(self) -> str:
        return f"{MARK} with the splits {', '.join(self.splits.values())}, as the library datasets saves them"

    def read(self, folder: Path) -> Contents | None:
        """The records by split, or None when the folder is no saved data set.

        Raises InputError when it is damaged, or lacks a split or a column, SourceUnavailable without the library.
        """
        if not (folder / MARK).is_file():
            return None
        try:
            from datasets import load_from_disk
        except ImportError as error:
            raise SourceUnavailable(f"the library datasets cannot be imported ({error})") from error
        needed = f"the splits {', '.join(self.splits.values())} are needed"
        try:
            found = load_from_disk(str(folder))
        except Exception as error:  # of many kinds; every one of them means the same here
            raise input_error(folder, "", f"damaged ({' '.join(str(error).split())})", needed) from error
        contents: Contents = {}
        for split, name in self.splits.items():
            if name not in found:
                raise input_error(folder, "splits", ", ".join(map(str, found)), needed)
            try:
                rows = [self.record(row) for row in found[name]]
                order = np.random.default_rng(0).permutation(len(rows)) if self.shuffled else range(len(rows))
                contents[split] = [rows[place] for place in order]
            except KeyError as error:
                found_columns = ", ".join(found[name].column_names)
                raise input_error(folder, f"split {name}", found_columns, f"column {error} is needed") from error
        if self.valid_of:
            whole = contents[self.valid_of]
            contents["valid"] = whole[::TENTH]
            contents[self.valid_of] = [record for place, record in enumerate(whole) if place % TENTH]
        return {split: [record for record in records if record is not None] for split, records in contents.items()}


@dataclass(frozen=True)
class Hub:
    """The data set `path` of the hub by `datasets.load_dataset`, in a process of its own that can be stopped."""

    path: str
    form: Saved
    config: str = ""  # empty: the only one
    megabytes: float = 31.0  # of the download

    _SCRIPT = (
        "import os, sys; os.environ.update(HF_HUB_CACHE='hub', HF_HUB_DISABLE_PROGRESS_BARS='1', "
        "HF_HUB_DOWNLOAD_TIMEOUT=sys.argv[3], HF_HUB_ETAG_TIMEOUT=sys.argv[3]); import datasets; "
        "datasets.disable_progress_bars(); "
        "datasets.load_dataset(sys.argv[1], sys.argv[2] or None, cache_dir='cache').save_to_disk('saved')"
    )

    @property
    def name(self) -> str:
        return f"hub {self.path}"

    def read(self, workdir: Path) -> Contents:
        command = [sys.executable, "-c", self._SCRIPT, self.path, self.config, f"{SILENCE_SECONDS:.0f}"]
        run_client(command, workdir, DOWNLOAD_SECONDS * max(1.0, self.megabytes / 31.0))
        return read_as(self.form, workdir / "saved")
