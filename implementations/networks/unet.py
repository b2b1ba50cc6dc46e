"""U-Net with residual blocks and attention, told a noise level; it knows no method.

Two layouts: `unet`, that of DDPM (arXiv 2006.11239, appendix B), with 35,746,307 parameters for CIFAR-10, and `ddpmpp`,
the DDPM++ of score SDE (arXiv 2011.13456) as EDM has it (arXiv 2206.00364, appendix F), with 55,732,739. Both are

    h = conv3(x); the encoder, level by level, keeps every state; two blocks, the first with attention; the decoder,
    level by level backwards, takes the kept states in again, last first; y = conv3(silu(norm(h)))

with the blocks of `residual_blocks.py`. The network starts at exactly zero.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from implementations.common.errors import Unsupported
from implementations.networks.conditioning import Conditioning, Random
from implementations.networks.residual_blocks import (
    Attention,
    DoublingConvolution,
    ResidualBlock,
    StridedConvolution,
    convolution,
    doubled,
    group_norm,
    halved,
)


@dataclass(frozen=True)
class _Layout:
    """The parts by which layouts differ."""

    block: Callable[[int, int, bool], nn.Module]  # channels in, channels out, attention?
    down: Callable[[int], nn.Module]  # channels
    up: Callable[[int], nn.Module]
    attends: Callable[[int], bool]  # the decoder's i-th block at a resolution with attention?


class UNet(nn.Module):
    """Images (batch, c, height, width), of any height and width, to the same shape; built by `unet` or `ddpmpp`."""

    def __init__(
        self,
        shape: Sequence[int],
        widths: Sequence[int],
        blocks: int,
        attention: Sequence[int],
        conditioning: Conditioning,
        layout: _Layout,
        generator: Random,
    ):
        """`widths` are the channels of each level, `blocks` the encoder's a level; the decoder has one more."""
        super().__init__()
        sizes = [math.ceil(shape[1] / 2**level) for level in range(len(widths))]
        if missing := sorted(set(attention) - set(sizes)):
            raise Unsupported(f"no level for attention at {missing}: their heights are {sizes}")
        self.conditioning = conditioning
        width = conditioning.channels
        self.stem = convolution(shape[0], width, 3, generator, padding=1)
        encoder: list[nn.Module] = []
        kept = [width]
        for level, (size, target) in enumerate(zip(sizes, widths, strict=True)):
            if level > 0:
                encoder.append(layout.down(width))
                kept.append(width)
            for _ in range(blocks):
                encoder.append(layout.block(width, target, size in attention))
                kept.append(target)
                width = target
        self.encoder = nn.ModuleList(encoder)
        self.middle = nn.ModuleList([layout.block(width, width, True), layout.block(width, width, False)])
        decoder: list[list[nn.Module]] = []
        ups: list[nn.Module] = []
        for size, target in zip(sizes[::-1], widths[::-1], strict=True):
            if decoder:
                ups.append(layout.up(width))
            decoder.append([])
            for i in range(blocks + 1):
                decoder[-1].append(layout.block(width + kept.pop(), target, size in attention and layout.attends(i)))
                width = target
        self.decoder, self.ups = nn.ModuleList(map(nn.ModuleList, decoder)), nn.ModuleList(ups)
        self.norm = group_norm(width)
        self.head = convolution(width, shape[0], 3, generator, gain=0.0, padding=1)

    def forward(
        self,
        x: Tensor,
        noise_label: Tensor,
        class_labels: Tensor | None = None,
        augment: Tensor | None = None,
        generator: Random = None,
    ) -> Tensor:
        """(batch, c, height, width) and labels (batch,), (batch,) int64, (batch, augmentations) to the shape of x.

        `generator` draws the masks of dropout. ValueError where that is missing, in training with a rate above 0, and
        for labels that the network was not built for.
        """
        embedding = self.conditioning(noise_label, class_labels, augment)
        kept = [self.stem(x)]
        for stage in self.encoder:
            kept.append(stage(kept[-1], embedding, generator))
        h = kept[-1]
        for block in self.middle:
            h = block(h, embedding, generator)
        for number, level in enumerate(self.decoder):
            if number > 0:
                height, width = kept[-1].shape[2:]
                h = self.ups[number - 1](h, embedding, generator)[:, :, :height, :width]  # 7 pixels went to 4, now to 8
            for block in cast(nn.ModuleList, level):
                h = block(torch.cat([h, kept.pop()], dim=1), embedding, generator)
        y: Tensor = self.head(silu(self.norm(h)))
        return y


def _blocks(
    embedding: int, dropout: float, scale: float, gain: float, generator: Random
) -> Callable[[int, int, bool], ResidualBlock]:
    def block(inputs: int, outputs: int, attends: bool) -> ResidualBlock:
        attention = Attention(outputs, scale, gain, generator) if attends else None
        return ResidualBlock(inputs, outputs, embedding, dropout, scale, generator, attention=attention)

    return block


def unet(
    shape: Sequence[int],
    channels: int = 128,
    multipliers: Sequence[int] = (1, 2, 2, 2),
    blocks: int = 2,
    attention: Sequence[int] = (16,),
    dropout: float = 0.1,
    classes: int = 0,
    augmentations: int = 0,
    *,
    generator: Random,
) -> UNet:
    """DDPM's layout; the defaults are its network for CIFAR-10 (author code, scripts/run_cifar.py).

    Sums are not rescaled, resolutions change by one convolution, and every decoder block at a resolution with attention
    has it.

    Args:
        shape: of an image, (c, height, width).
        channels: of the first level; the embedding has four times as many. Best a multiple of 32.
        multipliers: channels of each level, in units of `channels`; each level has half the height of the one before.
        blocks: of each level, in the encoder; the decoder has one more.
        attention: heights of the levels with attention.
        dropout: rate, before the last convolution of each block; `forward` draws it from a generator of its own.
        generator: draws the initial weights; None only on the meta device.

    Raises:
        ValueError: for a height that no level has, or a rate outside [0, 1).
    """
    conditioning = Conditioning(channels, 4 * channels, generator, classes, augmentations)
    layout = _Layout(
        # The author code draws q, k and v apart: sqrt(2) is what makes the law of one c to 3c layer theirs.
        block=_blocks(4 * channels, dropout, scale=1.0, gain=math.sqrt(2.0), generator=generator),
        down=lambda width: StridedConvolution(width, generator),
        up=lambda width: DoublingConvolution(width, generator),
        attends=lambda i: True,
    )
    return UNet(shape, [channels * m for m in multipliers], blocks, attention, conditioning, layout, generator)


def ddpmpp(
    shape: Sequence[int],
    channels: int = 128,
    multipliers: Sequence[int] = (2, 2, 2),
    blocks: int = 4,
    attention: Sequence[int] = (16,),
    dropout: float = 0.13,
    classes: int = 0,
    augmentations: int = 0,
    *,
    generator: Random,
) -> UNet:
    """DDPM++ as EDM has it; the defaults are its network for CIFAR-10 without classes. Arguments are those of `unet`.

    Every sum is divided by sqrt(2), resolutions change inside residual blocks, by means and by repetition, and of the
    decoder's blocks only the last at a resolution has attention.
    """
    conditioning = Conditioning(channels, 4 * channels, generator, classes, augmentations)
    half = math.sqrt(0.5)

    def resampling(resample: Callable[[Tensor], Tensor]) -> Callable[[int], ResidualBlock]:
        return lambda width: ResidualBlock(width, width, 4 * channels, dropout, half, generator, resample)

    layout = _Layout(
        block=_blocks(4 * channels, dropout, scale=half, gain=math.sqrt(0.2), generator=generator),
        down=resampling(halved),
        up=resampling(doubled),
        attends=lambda i: i == blocks,
    )
    return UNet(shape, [channels * m for m in multipliers], blocks, attention, conditioning, layout, generator)
