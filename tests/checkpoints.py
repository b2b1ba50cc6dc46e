"""A checkpoint that needs no disk, for trainings that a test stops or kills in its own process."""

import io
from dataclasses import dataclass
from typing import Any

import torch


class Killed(Exception):
    """Stands for a kill: nothing in a training may catch it."""


@dataclass
class MemoryCheckpoint:
    """Keeps bytes, as a file would."""

    every: int = 0  # saves at its multiples; 0: when told to
    content: bytes | None = None

    def load(self) -> dict[str, Any] | None:
        return None if self.content is None else torch.load(io.BytesIO(self.content), weights_only=True)

    def due(self, step: int) -> bool:
        return self.every > 0 and step % self.every == 0

    def save(self, state: dict[str, Any]) -> None:
        stream = io.BytesIO()
        torch.save(state, stream)
        self.content = stream.getvalue()
