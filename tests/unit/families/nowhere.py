"""No checkpoint, for training that a test never interrupts."""

from typing import Any


class Nowhere:
    """A checkpoint for runs that are never interrupted."""

    def load(self) -> None:
        return None

    def due(self, step: int) -> bool:
        return False

    def save(self, state: dict[str, Any]) -> None:
        raise AssertionError
