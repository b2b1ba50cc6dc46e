"""What networks that are told a noise level share: its embedding, dropout without hidden draws, initial weights."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, silu

from implementations.common.errors import Unsupported

Affine = TypeVar("Affine", nn.Linear, nn.Conv2d)
Random = torch.Generator | None  # none where nothing is drawn: on the meta device, without dropout


def xavier(layer: Affine, generator: Random, gain: float = 1.0) -> Affine:
    """Weights uniform up to gain * sqrt(6 / (fan in + fan out)), drawn from `generator`, and biases 0; returns `layer`.

    `gain` is 0 for a layer that starts at zero. On the meta device nothing is drawn; ValueError elsewhere without a
    generator.
    """
    if not layer.weight.is_meta:
        if generator is None:
            raise ValueError("initial weights need a generator, except on the meta device")
        nn.init.xavier_uniform_(layer.weight, gain, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer


def dense(inputs: int, outputs: int, generator: Random, gain: float = 1.0, bias: bool = True) -> nn.Linear:
    """Affine layer with initial weights of `xavier`."""
    device = torch.get_default_device()
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias, device=device)
    return xavier(layer, generator, gain)


def sinusoidal(label: Tensor, channels: int) -> Tensor:
    """[sin(w_0 l), ..., sin(w_(h-1) l), cos(w_0 l), ..., cos(w_(h-1) l)], w_i = 10000^(-i / (h - 1)), h = channels / 2.

    As DDPM has it (arXiv 2006.11239, author code nn.py); (batch, channels) in float64.

    Args:
        label: (batch,), any real numbers: of order 1 or larger, since the fastest wave has frequency 1.
        channels: even and at least 4.
    """
    exponent = torch.linspace(0.0, 1.0, channels // 2, dtype=torch.float64, device=label.device)
    phase = label.double()[:, None] * torch.exp(-math.log(10000.0) * exponent)
    return torch.cat([phase.sin(), phase.cos()], dim=1)


class ExplicitDropout(nn.Module):
    """Zeroes each value with probability `rate` and divides the others by 1 - rate: in training, and only there.

    The mask comes from the generator that each call hands in, best one on the values' device; at rate 0 or in
    evaluation nothing is drawn.
    """

    def __init__(self, rate: float):
        """ValueError unless 0 <= rate < 1."""
        super().__init__()
        if not 0 <= rate < 1:
            raise Unsupported(f"a dropout rate lies in [0, 1), not {rate}")
        self.rate = rate

    def forward(self, h: Tensor, generator: Random) -> Tensor:
        if not self.training or self.rate == 0:
            return h
        if generator is None:
            raise ValueError("in training, dropout needs a generator to draw its masks from")
        # float32 whatever the dtype of h, so that a network in float64 drops the same values.
        kept = torch.rand(h.shape, generator=generator, device=generator.device) >= self.rate
        return h * kept.to(h.device) / (1 - self.rate)


class Conditioning(nn.Module):
    """Noise label, and class and augmentation labels where there are any, to one vector of `outputs` values an example.

        e = silu(W_1 silu(W_0 (sinusoidal(label) + sqrt(K) C onehot(class) + c + A augment) + b_0) + b_1)

    with K classes (EDM, arXiv 2206.00364, author code). DDPM's blocks each take silu of their own, which is the same.
    Parameters, for o outputs: (channels + 1) o + (o + 1) o; (K + 1) channels for K classes; a * channels for a
    augmentation labels.
    """

    def __init__(self, channels: int, outputs: int, generator: Random, classes: int = 0, augmentations: int = 0):
        """`channels` sinusoidal features; ValueError unless these are even and at least 4."""
        super().__init__()
        if channels < 4 or channels % 2:
            raise Unsupported(f"a sinusoidal embedding has an even number of channels, at least 4, not {channels}")
        self.channels, self.classes = channels, classes
        self.of_class = dense(classes, channels, generator) if classes else None
        self.of_augmentation = dense(augmentations, channels, generator, bias=False) if augmentations else None
        self.first = dense(channels, outputs, generator)
        self.second = dense(outputs, outputs, generator)

    def forward(self, noise_label: Tensor, class_labels: Tensor | None = None, augment: Tensor | None = None) -> Tensor:
        """(batch,), (batch,) int64 and (batch, augmentations) to (batch, outputs).

        Without class labels a network of classes sees none of them, without `augment` no augmentation. ValueError for
        labels that the network was not built for.
        """
        h = sinusoidal(noise_label, self.channels).to(self.first.weight.dtype)
        if self.of_class is not None:
            seen = torch.zeros(len(h), self.classes, dtype=h.dtype, device=h.device)
            if class_labels is not None:
                seen = one_hot(class_labels, self.classes).to(h.dtype)
            h = h + self.of_class(math.sqrt(self.classes) * seen)
        elif class_labels is not None:
            raise ValueError("class labels for a network built without classes")
        if augment is not None:
            if self.of_augmentation is None:
                raise ValueError("augmentation labels for a network built without them")
            h = h + self.of_augmentation(augment.to(h.dtype))
        return silu(self.second(silu(self.first(h))))
