"""What a diffusion model can be asked to learn. Plain values: `claimbench list` reads them without importing torch."""

from dataclasses import dataclass
from math import prod
from typing import Literal


@dataclass(frozen=True)
class ImageGeneration:
    """Samples like the images of a data set; its `levels` grey levels a channel lie evenly on [-1, 1], ends included.

    A model that was trained on one task can be judged on another of the same data, by an entry that needs its entry.
    """

    name: str
    dataset: str
    shape: tuple[int, ...]  # (height, width) or (channels, height, width)
    levels: int
    extractor: str  # folder of extractors/ with the network whose features samples are compared in
    evaluations: tuple[
        int, ...
    ]  # of the network for a sample; each sampler takes the most steps that do not exceed them
    reference: tuple[str, ...] = ("train",)  # splits that samples are compared with, as one set
    likelihood_images: int = 0  # test images, and as many of train, over which a likelihood or a bound is taken
    dequantised: bool = False  # levels are spread over their bins, so that the data has a density

    @property
    def dimensions(self) -> int:
        return prod(self.shape)

    @property
    def bin_width(self) -> float:
        """On the scale of the data."""
        return 2.0 / (self.levels - 1)

    @property
    def dequantisation(self) -> str:
        """As a measurement states it."""
        return f"level + u - 1/2, u uniform on [0, 1), on the scale where levels 0 and {self.levels - 1} are -1 and 1"

    @property
    def reference_name(self) -> str:
        """As a measurement states it."""
        return f"{self.dataset} {' and '.join(self.reference)}"


@dataclass(frozen=True)
class MixtureGeneration:
    """Samples like points of the plane that are drawn from a known mixture of Gaussians, all round and equally wide.

    Its density and its score are known at every level of noise, so that a model is held against the truth itself. Each
    coordinate has mean 0 and standard deviation 1/2, which is EDM's `sigma_data`. Points may lie beyond 1, so that a
    `denoised_limit` should be null.
    """

    name: str
    arrangement: Literal["ring", "grid"]  # of the means; those of a ring have equal weights, of a grid 1, 2, 3, ...
    components: int  # of a grid a square number
    deviation: float  # of each component along each axis, below 1/2
    seed: int  # of the points
    train: int  # points
    valid: int
    test: int
    evaluations: tuple[int, ...]  # as of images
    dataset: None = None  # nothing is fetched

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an example."""
        return (2,)

    @property
    def dimensions(self) -> int:
        return 2


Task = ImageGeneration | MixtureGeneration
