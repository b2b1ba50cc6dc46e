"""A text data set as training and evaluation are given it. Plain data: code that is hashed imports it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Corpus:
    """What there is not raises InputError when it is asked for."""

    records: Callable[[str], list[dict[str, Any]]]  # of a split, in the data set's order; each has a `text`
    tokenizer: Callable[[], str]  # what the features stage made of the train split: a JSON text

    def __call__(self, split: str) -> list[str]:
        """The texts of a split."""
        return [record["text"] for record in self.records(split)]
