"""Images inside a flow: reshaping, squeezing, and factoring out half of the channels after each level."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from implementations.common.errors import Unsupported

Shape = tuple[int, int, int]  # channels, height, width


def image_shape(shape: Sequence[int]) -> Shape:
    """(channels, height, width) of a task's image shape, which is (height, width) for grey images.

    Raises:
        ValueError: for anything but an image.
    """
    if len(shape) not in (2, 3):
        raise Unsupported(f"an image has the shape (height, width) or (channels, height, width), not {tuple(shape)}")
    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    return channels, height, width


def squeezed(shape: Shape) -> Shape:
    """The shape after `Squeeze`.

    Raises:
        ValueError: height or width is odd.
    """
    channels, height, width = shape
    if height % 2 or width % 2:
        raise Unsupported(
            f"squeezing halves height and width, which {height} x {width} does not allow; use fewer levels"
        )
    return 4 * channels, height // 2, width // 2


class Reshape(nn.Module):
    """(batch, d) to (batch, *shape) and back; keeps volume."""

    def __init__(self, shape: Sequence[int]):
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.reshape(len(x), *self.shape), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y.reshape(len(y), -1), y.new_zeros(len(y))


class Squeeze(nn.Module):
    """Each 2 x 2 block of pixels becomes four channels (RealNVP, arXiv 1605.08803, section 3.6); keeps volume."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return pixel_shuffle(y, 2), y.new_zeros(len(y))


class Multiscale(nn.Module):
    """Levels of bijections; after each but the last, the second half of the channels leaves for the latent.

    RealNVP, arXiv 1605.08803, section 3.6, equations 13 to 16. Maps (batch, c, h, w) to a flat latent (batch, d), in
    the order of leaving. `leaving`, where given, has a module a level but the last that maps what leaves, conditioned
    on what stays: forward(out, stays) and inverse(out, stays), each to (out, logdet) (Glow's learned prior of a split).
    """

    def __init__(self, levels: Sequence[nn.Module], shapes: Sequence[Shape], leaving: Sequence[nn.Module] = ()):
        """`shapes` are those after each level, before its half leaves.

        Raises:
            ValueError: a level that is to be halved has an odd number of channels.
        """
        super().__init__()
        if odd := [shape for shape in shapes[:-1] if shape[0] % 2]:
            raise Unsupported(f"half of {odd[0][0]} channels cannot leave; squeeze first, or use fewer levels")
        self.levels = nn.ModuleList(levels)
        self.shapes = tuple(shapes)
        self.leaving = nn.ModuleList(leaving)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total, left = x.new_zeros(len(x)), []
        for number, level in enumerate(self.levels):
            x, logdet = level(x)
            total = total + logdet
            if number < len(self.levels) - 1:
                x, out = x.chunk(2, dim=1)
                if self.leaving:
                    out, logdet = self.leaving[number](out, x)
                    total = total + logdet
                left.append(out.flatten(1))
        return torch.cat([*left, x.flatten(1)], dim=1), total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        total = y.new_zeros(len(y))
        halves = [(shape[0] // 2, *shape[1:]) for shape in self.shapes[:-1]]
        *left, last = y.split([*map(prod, halves), prod(self.shapes[-1])], dim=1)
        x = last.reshape(len(y), *self.shapes[-1])
        for number in reversed(range(len(self.levels))):
            if number < len(self.levels) - 1:
                out = left[number].reshape(len(y), *halves[number])
                if self.leaving:
                    out, logdet = self.leaving[number].inverse(out, x)  # type: ignore[operator]
                    total = total + logdet
                x = torch.cat([x, out], dim=1)
            x, logdet = self.levels[number].inverse(x)  # type: ignore[operator]
            total = total + logdet
        return x, total
