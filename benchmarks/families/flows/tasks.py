"""Tasks of the flows: densities of grey images, read as integers and dequantised."""

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


TASKS = (
    ImageDensity(name="digits", dataset="digits", shape=(8, 8), levels=17),
    ImageDensity(name="mnist", dataset="mnist", shape=(28, 28), levels=256),
)
