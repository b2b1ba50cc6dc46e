"""Reddit TL;DR: posts with the summaries that their authors wrote, as filtered by Stiennon et al. (2020).

Source: `trl-lib/tldr` of the Hugging Face hub, or the same saved to disk: the prompt has the subreddit, the title and
the post and ends with "TL;DR:", the summary begins with a blank. Licence: CC BY 4.0, that of Webis-TLDR-17.
Split: as published. Pairs of summaries with what people preferred: `tldr_pairs`.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.data.parts.hub import Hub, Saved
from benchmarks.data.parts.sources import LocalFolder
from benchmarks.data.parts.texts import TextDataset


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """`text` is the prompt."""
    return {"text": row["prompt"], "response": row["completion"]}


SAVED = Saved({"train": "train", "valid": "validation", "test": "test"}, record)

DATASET = TextDataset(
    name="tldr",
    sources=(LocalFolder("tldr", (SAVED,)), Hub("trl-lib/tldr", SAVED, megabytes=130)),
    sha256=None,
    splits={"train": 116_722, "valid": 6_447, "test": 6_553},
    fields={"text": str, "response": str},
    megabytes=210,
    licence="CC BY 4.0",
    citation="N. Stiennon et al., Learning to summarize from human feedback, NeurIPS 2020; posts from M. Völske et "
    "al., TL;DR: Mining Reddit to learn automatic summarization, 2017",
)
