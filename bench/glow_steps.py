"""Steps of Glow against normflows: 64 images of 3 x 32 x 32, squeezed to 12 x 16 x 16, 4 steps of width 32.

In both a step is an activation normalisation, a 1x1 convolution and an affine coupling with sigmoid(h + 2), whose
network has three convolutions. Ours normalises after the first two and marks the image's border, as the authors' code
does; normflows can normalise there too (`net_actnorm`) and is timed with and, as it is by default, without.
"""

from typing import Any, Literal

import torch
from torch import Tensor

from bench.timing import Comparison, compare
from implementations.flows import glow

IMAGES, SHAPE, DEPTH, WIDTH = 64, (3, 32, 32), 4, 32


def against_normflows() -> list[Comparison]:
    return [
        *comparisons("conv1x1", normalised=True),
        *comparisons("conv1x1_lu", normalised=True),
        *comparisons("conv1x1_lu", normalised=False),
    ]


def comparisons(permutation: Literal["conv1x1", "conv1x1_lu"], normalised: bool) -> list[Comparison]:
    """log_prob, its gradients, sample."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, *SHAPE, generator=generator)
    rows = images.flatten(1)
    settings = glow.Settings(levels=1, depth=DEPTH, width=WIDTH, permutation=permutation, learned_top=False)
    ours = glow.build(settings, SHAPE, generator).eval()
    theirs = their_steps(permutation == "conv1x1_lu", normalised)
    with torch.no_grad():
        ours.initialise(rows)
        theirs.log_prob(images)  # its normalisations take their values from the first batch they see

    def gradients(model: Any, x: Tensor) -> None:
        model.zero_grad(set_to_none=True)
        model.log_prob(x).mean().backward()

    name = f"Glow, 4 steps, {permutation}, normflows" + ("" if normalised else " without net_actnorm")
    with torch.no_grad():
        density = compare(f"{name}: log_prob", lambda: ours.log_prob(rows), lambda: theirs.log_prob(images))
        draws = compare(f"{name}: sample", lambda: ours.sample(IMAGES, generator), lambda: theirs.sample(IMAGES))
    training = compare(f"{name}: gradients", lambda: gradients(ours, rows), lambda: gradients(theirs, images))
    return [density, draws, training]


def their_steps(lu: bool, normalised: bool) -> Any:
    from normflows import NormalizingFlow
    from normflows.distributions import DiagGaussian
    from normflows.flows import GlowBlock, Squeeze

    flows = [GlowBlock(12, WIDTH, use_lu=lu, net_actnorm=normalised) for _ in range(DEPTH)]
    return NormalizingFlow(DiagGaussian((12, 16, 16), trainable=False), [*flows, Squeeze()]).eval()
