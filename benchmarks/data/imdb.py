"""IMDb: 50,000 film reviews in English of some 230 words, half of them positive; the DPO paper's controlled study.

Source: `stanfordnlp/imdb` of the Hugging Face hub, or the same saved to disk. Licence: none is stated; the authors ask
for a citation. Text as published, HTML's `<br />` included; label 1 is positive, 0 negative. The 50,000 reviews without
a label are left out.
Split: the published reviews come sorted by label, and are taken in an order drawn with seed 0; of the 25,000 training
reviews, i is then valid when i mod 10 is 0.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.data.parts.hub import Hub, Saved
from benchmarks.data.parts.sources import LocalFolder
from benchmarks.data.parts.texts import TextDataset


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """As published."""
    return {"text": row["text"], "label": row["label"]}


SAVED = Saved({"train": "train", "test": "test"}, record, valid_of="train", shuffled=True)

DATASET = TextDataset(
    name="imdb",
    sources=(LocalFolder("imdb", (SAVED,)), Hub("stanfordnlp/imdb", SAVED, megabytes=84)),
    sha256=None,
    splits={"train": 22_500, "valid": 2_500, "test": 25_000},
    fields={"text": str, "label": int},
    megabytes=66,
    licence="none stated",
    citation="A.L. Maas et al., Learning word vectors for sentiment analysis, ACL 2011",
)
