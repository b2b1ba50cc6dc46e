"""What a flow can be asked to learn. Plain values: `claimbench list` reads them without importing torch."""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class ImageDensity:
    """Density of images with `levels` grey levels a channel, on [0, 1)^d after dequantisation."""

    name: str
    dataset: str
    shape: tuple[int, ...]  # (height, width) or (channels, height, width)
    levels: int

    @property
    def dimensions(self) -> int:
        return prod(self.shape)

    @property
    def dequantisation(self) -> str:
        """As a measurement states it."""
        return f"(level + u) / {self.levels}, u uniform on [0, 1)"


@dataclass(frozen=True)
class MixtureDensity:
    """Density of points drawn from a known mixture of Gaussians, so that the distance to the truth is known too.

    Weights, means and covariances are drawn from `seed`, as are the points of each split.
    """

    name: str
    dimensions: int
    components: int
    seed: int
    train: int  # points
    valid: int
    test: int
    dataset: None = None  # nothing is fetched


@dataclass(frozen=True)
class Energy:
    """The density exp(-U) / Z on the plane, one of the four of Rezende and Mohamed 2015 (arXiv 1505.05770, table 1).

    U is given and no data are: a flow learns by the reverse KL divergence on points of its own.
    """

    name: str
    number: int  # 1 to 4
    dataset: None = None


@dataclass(frozen=True)
class BinaryAutoencoding:
    """A variational autoencoder of binarised images whose posterior is bent by the flow.

    A pixel is 1 where its grey level is at least `threshold`.
    """

    name: str
    dataset: str
    shape: tuple[int, ...]
    threshold: int
    latent: int  # dimensions of the latent, on which the flow acts
    hidden_units: int  # of encoder and decoder

    @property
    def dimensions(self) -> int:
        return prod(self.shape)


Task = ImageDensity | MixtureDensity | Energy | BinaryAutoencoding
