"""What a flow learns: a density of grey images, read as integers and dequantised."""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class ImageDensity:
    """Density of images with `levels` grey levels, on [0, 1)^d after dequantisation."""

    name: str
    dataset: str
    shape: tuple[int, ...]
    levels: int

    @property
    def dimensions(self) -> int:
        return prod(self.shape)

    @property
    def dequantisation(self) -> str:
        """As a measurement states it."""
        return f"(level + u) / {self.levels}, u uniform on [0, 1)"

    def settings(self) -> dict[str, object]:
        """What of the task decides a number; part of an entry's parameters."""
        return {"dataset": self.dataset, "shape": list(self.shape), "levels": self.levels}
