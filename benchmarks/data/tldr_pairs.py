"""Reddit TL;DR: two summaries of a post, and which people preferred (Stiennon et al. 2020).

Source: `trl-lib/tldr-preference` of the Hugging Face hub, or the same saved to disk; `openai/summarize_from_feedback`,
which it is made of, is a program that the library no longer runs. Prompts as in `tldr`; some are news articles, in
what is test here. Licence: CC BY 4.0, that of Webis-TLDR-17, for the posts.
Split: there is no test; of the published validation pairs i is valid when i mod 10 is 0, the others are test. The
sizes are not checked; the recorded hashes hold them.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.data.parts.hub import Hub, Saved
from benchmarks.data.parts.sources import LocalFolder
from benchmarks.data.parts.texts import TextDataset


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """`text` is the prompt."""
    return {"text": row["prompt"], "chosen": row["chosen"], "rejected": row["rejected"]}


SAVED = Saved({"train": "train", "test": "validation"}, record, valid_of="test")

DATASET = TextDataset(
    name="tldr_pairs",
    sources=(LocalFolder("tldr_pairs", (SAVED,)), Hub("trl-lib/tldr-preference", SAVED, megabytes=42)),
    sha256=None,
    splits={"train": None, "valid": None, "test": None},
    fields={"text": str, "chosen": str, "rejected": str},
    megabytes=330,
    licence="CC BY 4.0",
    citation="N. Stiennon et al., Learning to summarize from human feedback, NeurIPS 2020",
)
