"""Residual perceptron that is told a noise level, for vectors and small images; it knows no method.

    h = W x + b;   each block: h <- h + W_2 dropout(silu((1 + scale(e)) (W_1 silu(h) + b_1) + shift(e))) + b_2;
    y = W' silu(h) + b'

with the embedding e of `conditioning.py`. No layer normalises, so that y may be of any size. W_2, scale, shift, W' and
all biases start at zero, and with them y.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import silu

from implementations.networks.conditioning import Conditioning, ExplicitDropout, Random, dense


class ModulatedBlock(nn.Module):
    """(batch, h) and an embedding (batch, h) to (batch, h), by 4 h (h + 1) parameters."""

    def __init__(self, units: int, dropout: float, generator: Random):
        super().__init__()
        self.first = dense(units, units, generator)
        self.modulation = dense(units, 2 * units, generator, gain=0.0)
        self.dropout = ExplicitDropout(dropout)
        self.last = dense(units, units, generator, gain=0.0)

    def forward(self, h: Tensor, embedding: Tensor, generator: Random) -> Tensor:
        scale, shift = self.modulation(embedding).chunk(2, dim=1)
        branch = silu((1 + scale) * self.first(silu(h)) + shift)
        y: Tensor = h + self.last(self.dropout(branch, generator))
        return y


class DiffusionMLP(nn.Module):
    """Values of any shape, flattened inside; built by `diffusion_mlp`."""

    def __init__(
        self,
        values: int,
        units: int,
        blocks: int,
        conditioning: Conditioning,
        dropout: float,
        generator: Random,
    ):
        """`values` an example, and `units` as many as the embedding has."""
        super().__init__()
        self.conditioning = conditioning
        self.stem = dense(values, units, generator)
        self.blocks = nn.ModuleList(ModulatedBlock(units, dropout, generator) for _ in range(blocks))
        self.head = dense(units, values, generator, gain=0.0)

    def forward(
        self,
        x: Tensor,
        noise_label: Tensor,
        class_labels: Tensor | None = None,
        augment: Tensor | None = None,
        generator: Random = None,
    ) -> Tensor:
        """(batch, ...) and labels to the shape of x; labels, generator and errors as those of `UNet.forward`."""
        embedding = self.conditioning(noise_label, class_labels, augment)
        h = self.stem(x.flatten(1))
        for block in self.blocks:
            h = block(h, embedding, generator)
        y: Tensor = self.head(silu(h))
        return y.view_as(x)


def diffusion_mlp(
    shape: Sequence[int],
    hidden_units: int = 256,
    blocks: int = 3,
    channels: int = 64,
    dropout: float = 0.0,
    classes: int = 0,
    augmentations: int = 0,
    *,
    generator: Random,
) -> DiffusionMLP:
    """Untrained, for examples of `shape`, with d values each; the sizes are ours.

    Parameters, with h hidden units, B blocks, and without labels: (d + 1) h + 4 B h (h + 1) + (h + 1) d, and
    (channels + 1) h + (h + 1) h of the embedding, which begins with `channels` sinusoids; with d = 64 this is
    905,024 at the defaults. `generator` draws the initial weights; None only on the meta device.

    Raises:
        ValueError: for a rate of dropout outside [0, 1), or `channels` odd or below 4.
    """
    conditioning = Conditioning(channels, hidden_units, generator, classes, augmentations)
    return DiffusionMLP(math.prod(shape), hidden_units, blocks, conditioning, dropout, generator)
