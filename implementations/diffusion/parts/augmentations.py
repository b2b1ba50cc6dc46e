"""Training images changed at random: mirrored, or moved, turned and stretched with the network told how.

What the network is told does not leak into its samples: with labels of 0 it draws images as they are (EDM, arXiv
2206.00364, appendix F.2; its author code has the same nine labels, in this order).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from implementations.diffusion.parts.paths import per_example

LABELS = 9  # mirrored, upside down; log2 of the scale; cos - 1 and sin of a turn; stretch along two axes; two moves
STRETCH = 0.2  # deviation of log2 of scale and stretch; author code, scale_std, aniso_std
MOVE = 0.125  # deviation of a move, in sides of the image; author code, translate_frac_std


def require_images(shape: Sequence[int], *shares: float) -> None:
    """Raises ValueError where a share of the examples is to be changed and these are vectors, not images."""
    if len(shape) == 1 and any(share > 0 for share in shares):
        raise ValueError("flips and augmentations are of images, not of vectors")


def mirrored(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Images (batch, ..., width), each with left and right exchanged with that probability."""
    drawn = torch.rand(len(x), generator=generator, device=generator.device)
    return torch.where(per_example(drawn, x) < share, x.flip(-1), x)


def augmented(x: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images changed, and how: (batch, ..., height, width) to that and (batch, 9), labels of 0 for what is as it was.

    Half are mirrored; each other change is made with probability `share` by itself. What lies beyond the border is the
    image reflected; values between pixels are linear in them.
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

    size, along = torch.exp2(STRETCH * grown), torch.exp2(STRETCH * stretch)
    turned = _turn(axis) @ _diagonal(along, 1 / along) @ _turn(-axis) @ _turn(angle)
    linear = turned @ _diagonal(size * (1 - 2 * sideways), size * (1 - 2 * over))
    moved = torch.stack([MOVE * right * x.shape[-1], MOVE * down * x.shape[-2]], dim=1)
    found = warped(x, linear, moved)
    labels = [sideways, over, grown, angle.cos() - 1, angle.sin(), stretch * axis.cos(), stretch * axis.sin(), right]
    return found, torch.stack([*labels, down], dim=1)


def warped(x: Tensor, linear: Tensor, move: Tensor) -> Tensor:
    """Images whose points p, in pixels (right, down) from the centre, have gone to `linear` p + `move`.

    (batch, ..., height, width), (batch, 2, 2), (batch, 2) to the shape of x.
    """
    height, width = x.shape[-2:]
    half = torch.tensor([width / 2, height / 2], device=linear.device)
    inverse = torch.linalg.inv(linear)  # asked for is where each pixel of the outcome comes from, in halves of a side
    theta = torch.cat([inverse * half / half[:, None], -(inverse @ move.unsqueeze(2)) / half[:, None]], dim=2).to(x)
    images = x.reshape(len(x), -1, height, width)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False).reshape(x.shape)


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
    """(batch,) to rotations (batch, 2, 2)."""
    c, s = angle.cos(), angle.sin()
    return torch.stack([torch.stack([c, -s], dim=1), torch.stack([s, c], dim=1)], dim=1)


def _diagonal(first: Tensor, second: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([first, second], dim=1))
