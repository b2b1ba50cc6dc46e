"""A small convolutional classifier as extractor, for images that an Inception network has never seen the like of.

Distances in its features rank models of one data set; they compare with no published FID.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu, silu

from benchmarks.metrics.extractors.extractor import Extractor, hash_weights
from implementations.common.errors import Unsupported
from implementations.networks.mlp import linear

WIDTHS = (16, 32)  # channels of the two convolutions


@dataclass(frozen=True)
class ClassifierSettings:
    """The choice is ours, no paper's; `DIGITS` and `MNIST` are what the tasks use."""

    levels: int  # grey levels 0 .. levels - 1
    shape: tuple[int, ...]  # of one image: (h, w) grey or (channels, h, w), sides of at least 4
    features: int
    epochs: int
    classes: int = 10
    batch: int = 64
    learning_rate: float = 1e-3


DIGITS = ClassifierSettings(levels=17, shape=(8, 8), features=64, epochs=30)
MNIST = ClassifierSettings(levels=256, shape=(28, 28), features=128, epochs=2)


class SmallClassifier(nn.Module):
    """Twice a 3 x 3 convolution, rectifier and 2 x 2 maximum, then a hidden layer: the features.

    That layer ends in x sigmoid(x): with a rectifier a quarter or more of its units were 0 on every digit.
    """

    def __init__(self, settings: ClassifierSettings, generator: torch.Generator):
        """`generator` draws the weights by torch's default law."""
        super().__init__()
        self.settings = settings
        channels, height, width = (1, *settings.shape)[-3:]
        self.first = _convolution(channels, WIDTHS[0], generator)
        self.second = _convolution(WIDTHS[0], WIDTHS[1], generator)
        self.hidden = linear(WIDTHS[1] * (height // 4) * (width // 4), settings.features, generator)
        self.output = linear(settings.features, settings.classes, generator)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Grey levels (n, *shape), any type, to features (n, features) and logits (n, classes).

        Raises ValueError on images of another shape.
        """
        if tuple(images.shape[1:]) != self.settings.shape:
            raise Unsupported(f"images: found shape {tuple(images.shape[1:])}; {self.settings.shape} is needed")
        height, width = self.settings.shape[-2:]
        x = images.reshape(len(images), -1, height, width).to(self.output.weight.dtype) / (self.settings.levels - 1)
        x = max_pool2d(relu(self.first(x)), 2)
        x = max_pool2d(relu(self.second(x)), 2)
        features = silu(self.hidden(x.flatten(1)))
        return features, self.output(features)


def extractor(model: SmallClassifier, device: torch.device | str = "cpu") -> Extractor:
    """With the hash of the weights in its name; moves the model to the device."""
    place = torch.device(device)
    name = f"small_classifier_{model.settings.features}_{hash_weights(model.state_dict())}"
    return Extractor(name, model.eval().to(place), place)


def _convolution(inputs: int, outputs: int, generator: torch.Generator) -> nn.Conv2d:
    """3 x 3, keeps height and width; torch's default law, as `mlp.linear`."""
    layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1)
    bound = 1.0 / math.sqrt(9 * inputs)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
