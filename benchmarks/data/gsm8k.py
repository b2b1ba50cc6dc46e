"""GSM8K: 8,792 sums in words from primary school, with worked solutions and a whole number as answer.

Source: `openai/gsm8k`, part main, of the Hugging Face hub, or the same saved to disk. Licence: MIT.
A published answer is a solution, its steps annotated as in <<48/2=24>>, then a line "#### 72". `solution` is what
stands before that line, `answer` the number after it without the commas that part thousands.
Split: of the published 7,473 training questions i is valid when i mod 10 is 0; test as published.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.data.parts.hub import Hub, Saved
from benchmarks.data.parts.sources import LocalFolder
from benchmarks.data.parts.texts import TextDataset
from benchmarks.files.errors import InputError


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """`text` is the question; raises InputError for an answer without its last line."""
    solution, mark, answer = row["answer"].rpartition("####")
    if not mark:
        raise InputError(f"gsm8k: an answer without ####: {row['answer'][:40]!r}; the published rows are needed")
    return {"text": row["question"], "solution": solution.strip(), "answer": answer.strip().replace(",", "")}


SAVED = Saved({"train": "train", "test": "test"}, record, valid_of="train")

DATASET = TextDataset(
    name="gsm8k",
    sources=(LocalFolder("gsm8k", (SAVED,)), Hub("openai/gsm8k", SAVED, config="main", megabytes=3)),
    sha256=None,
    splits={"train": 6_725, "valid": 748, "test": 1_319},
    fields={"text": str, "solution": str, "answer": str},
    megabytes=5,
    licence="MIT",
    citation="K. Cobbe et al., Training verifiers to solve math word problems, arXiv:2110.14168, 2021",
)
