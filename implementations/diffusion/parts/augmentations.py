"""Training images changed at random: mirrored, or moved, turned and stretched with the network told how.

What the network is told does not leak into its samples: with labels of 0 it draws images as they are (EDM, arXiv
2206.00364, appendix F.2; its author code, NVlabs/edm, training/augment.py, has the same nine labels, in this order).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from implementations.common.errors import Unsupported
from implementations.diffusion.parts.paths import per_example

LABELS = 9  # mirrored, upside down; log2 of the scale; cos - 1 and sin of a turn; stretch along two axes; two moves
STRETCH = 0.2  # deviation of log2 of scale and stretch; author code, scale_std, aniso_std
MOVE = 0.125  # deviation of a move, in sides of the image; author code, translate_frac_std

# Low-pass filter of the symlet with 6 vanishing moments; author code, wavelets["sym6"]. Orthonormal under even shifts.
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
OVERLAP = len(SYM6) - 2  # of the filters of neighbours, which are two steps apart at twice the size


def require_images(shape: Sequence[int], *shares: float) -> None:
    """Raises ValueError where a share of the examples is to be changed and these are vectors, not images."""
    if len(shape) == 1 and any(share > 0 for share in shares):
        raise Unsupported("flips and augmentations are of images, not of vectors")


def mirrored(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Images (batch, ..., width), each with left and right exchanged with that probability."""
    drawn = torch.rand(len(x), generator=generator, device=generator.device)
    return torch.where(per_example(drawn, x) < share, x.flip(-1), x)


def augmented(x: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images changed, and how: (batch, ..., height, width) to that and (batch, 9), labels of 0 for what is as it was.

    Half are mirrored; each other change is made with probability `share` by itself. Mirroring exchanges pixels; what
    the other changes come to is `warped`.
    """
    draws, device = len(x), generator.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(draws, generator=generator, device=device)

    def normal() -> Tensor:
        return torch.randn(draws, generator=generator, device=device)

    def sometimes(*values: Tensor) -> list[Tensor]:
        made = uniform(0.0, 1.0) < share
        return [torch.where(made, value, torch.zeros_like(value)) for value in values]

    sideways = (uniform(0.0, 1.0) < 0.5).to(torch.float32)
    (over,) = sometimes((uniform(0.0, 1.0) < 0.5).to(torch.float32))
    (grown,) = sometimes(normal())
    (angle,) = sometimes(uniform(-math.pi, math.pi))
    (stretch,), axis = sometimes(normal()), uniform(-math.pi, math.pi)
    axis = torch.where(uniform(0.0, 1.0) < 0.5, axis, torch.zeros_like(axis))  # half of them along the image's own
    right, down = sometimes(normal(), normal())

    # In float64, which neither autocast nor TF32 rounds: in bfloat16 some positions are off by 0.2 pixels.
    size, along = torch.exp2(STRETCH * grown.double()), torch.exp2(STRETCH * stretch.double())
    linear = _turn(axis) @ _diagonal(along, 1 / along) @ _turn(-axis) @ _turn(angle) @ _diagonal(size, size)
    moved = torch.stack([MOVE * right.double() * x.shape[-1], MOVE * down.double() * x.shape[-2]], dim=1)
    x = torch.where(per_example(sideways, x) > 0, x.flip(-1), x)
    x = torch.where(per_example(over, x) > 0, x.flip(-2), x)
    labels = [sideways, over, grown, angle.cos() - 1, angle.sin(), stretch * axis.cos(), stretch * axis.sin(), right]
    return warped(x, linear, moved), torch.stack([*labels, down], dim=1)


def warped(x: Tensor, linear: Tensor, move: Tensor) -> Tensor:
    """Images whose points p, in pixels (right, down) from the centre, have gone to `linear` p + `move`.

    (batch, ..., height, width), (batch, 2, 2), (batch, 2) to the shape of x. As in EDM's author code (appendix F.2),
    the image is reflected about its outermost pixels, doubled in size with the filter of a wavelet, sampled there with
    values linear between pixels, and halved with the same filter. Beyond one reflection all is 0.
    """
    height, width = x.shape[-2:]
    images = x.reshape(len(x), -1, height, width).to(torch.promote_types(x.dtype, torch.float32))
    # The author code reflects what a batch needs, at most this much. Here no image depends on the others of its batch.
    images = pad(images, [width - 1, width - 1, height - 1, height - 1], mode="reflect")
    images = _doubled(_doubled(images).mT).mT
    # Of the outcome at twice the size, what the filters of its pixels reach.
    wanted = [*images.shape[:2], 2 * height + OVERLAP, 2 * width + OVERLAP]
    grid = affine_grid(_sources(linear, move, images, wanted), wanted, align_corners=False).to(images)
    images = grid_sample(images, grid, padding_mode="zeros", align_corners=False)
    return _halved(_halved(images).mT).mT.reshape(x.shape).to(x.dtype)


def _sources(linear: Tensor, move: Tensor, doubled: Tensor, wanted: Sequence[int]) -> Tensor:
    """Where in the doubled image each point of the outcome comes from, (batch, 2, 3), float64, as affine_grid asks.

    That is, both positions in halves of the side of their image. A pixel whose place is p is at 2 p - 1/2 at twice the
    size, both from the centre: the weight of the filter lies about half a step before its middle.
    """
    inverse: Tensor = torch.linalg.inv(linear.double().to(doubled.device))
    half = inverse.new_tensor([wanted[-1] / 2, wanted[-2] / 2])
    theirs = inverse.new_tensor([doubled.shape[-1] / 2, doubled.shape[-2] / 2])[:, None]
    start = inverse @ (0.5 - 2 * move.to(inverse)).unsqueeze(2) - 0.5
    return torch.cat([inverse * half, start], dim=2) / theirs


def _doubled(x: Tensor) -> Tensor:
    """(..., n) to (..., 2 n): every second step each value adds the filter times itself; both ends are cut alike."""
    n = x.shape[-1]
    sums = x.new_zeros(*x.shape[:-1], 2 * n + OVERLAP)
    for k, weight in enumerate(SYM6):  # sums, not a convolution, which autocast and TF32 would round
        sums[..., k : k + 2 * n : 2].add_(x, alpha=weight)
    return sums[..., OVERLAP // 2 : -OVERLAP // 2]


def _halved(x: Tensor) -> Tensor:
    """(..., 2 n + 10) to (..., n): the inner products with the filter, at every second step where it lies within."""
    n = (x.shape[-1] - OVERLAP) // 2
    sums = x.new_zeros(*x.shape[:-1], n)
    for k, weight in enumerate(SYM6):
        sums.add_(x[..., k : k + 2 * n : 2], alpha=weight)
    return sums


def changed(
    x: Tensor, flips: float, augmentation: float, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """`mirrored` and, where its probability is above 0, `augmented`, with what the network is to be told."""
    x = mirrored(x, flips, generator)
    if augmentation == 0:
        return x, {}
    x, labels = augmented(x, augmentation, generator)
    return x, {"augment": labels}


def _turn(angle: Tensor) -> Tensor:
    """(batch,) to rotations (batch, 2, 2), float64."""
    c, s = angle.double().cos(), angle.double().sin()
    return torch.stack([torch.stack([c, -s], dim=1), torch.stack([s, c], dim=1)], dim=1)


def _diagonal(first: Tensor, second: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([first, second], dim=1))
