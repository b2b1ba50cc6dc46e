"""Anthropic's HH: dialogues with an assistant, and which of two last answers people found more helpful or harmless.

Source: `Anthropic/hh-rlhf` of the Hugging Face hub, all four parts, or the same saved to disk. Licence: MIT.
A row is published as two whole dialogues. As the DPO authors' code, the prompt is the preferred one up to its last
"Assistant:"; a row whose other dialogue does not begin with it, or that has no such line, is left out, where that code
cuts the other at the same length. `turns` counts the human's lines: 1 is the paper's single turn.
Split: the parts come one after the other, so rows are taken in an order drawn with seed 0; of the training rows, i is
then valid when i mod 10 is 0. The sizes after leaving out are not known here and not checked; the recorded hashes hold
them.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.data.parts.hub import Hub, Saved
from benchmarks.data.parts.sources import LocalFolder
from benchmarks.data.parts.texts import TextDataset

HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"


def record(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """`text` is the prompt, its last line "Assistant:"."""
    chosen, rejected = row["chosen"], row["rejected"]
    last = chosen.rfind(ASSISTANT)
    prompt = chosen[: last + len(ASSISTANT)]
    if last < 0 or not rejected.startswith(prompt):
        return None
    answers = {"chosen": chosen[len(prompt) :], "rejected": rejected[len(prompt) :]}
    return {"text": prompt, **answers, "turns": prompt.count(HUMAN)}


SAVED = Saved({"train": "train", "test": "test"}, record, valid_of="train", shuffled=True)

DATASET = TextDataset(
    name="hh",
    sources=(LocalFolder("hh", (SAVED,)), Hub("Anthropic/hh-rlhf", SAVED, megabytes=91)),
    sha256=None,
    splits={"train": None, "valid": None, "test": None},
    fields={"text": str, "chosen": str, "rejected": str, "turns": int},
    megabytes=220,
    licence="MIT",
    citation="Y. Bai et al., Training a helpful and harmless assistant with reinforcement learning from human "
    "feedback, arXiv:2204.05862, 2022",
)
