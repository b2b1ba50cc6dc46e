"""Texts that a model wrote, for the report: those of several records stand side by side, prompt by prompt.

Apart from `drawings.py` so that what draws does not become stale with what writes.
"""

from dataclasses import dataclass, field
from typing import Literal

from benchmarks.metrics.drawings import Drawn


@dataclass(frozen=True)
class Passages:
    """One text a prompt. Those of one task that share their name and prompts become one table, a column each."""

    name: str  # [a-z0-9_]+
    title: str  # what the texts are, in a line
    label: str  # whose they are: the column's heading
    prompts: list[str]
    texts: list[str]  # one a prompt, in their order
    kind: Literal["passages"] = "passages"
    place: int = 0  # of the column, from the left; equal places in the order of entries


@dataclass(frozen=True)
class Written(Drawn):
    """What a family's `evaluate` returns where its models write; of several seeds, the first one's texts are kept."""

    passages: list[Passages] = field(default_factory=list)  # each name once, or with another label
