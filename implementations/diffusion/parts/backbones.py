"""The networks that methods train, chosen by name, and the noise that their samplers begin with.

Any method may have any network: what a label and an output mean is for the parameterisation to say.
"""

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from implementations.common.errors import Unsupported
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.samplers import Streams
from implementations.networks.diffusion_mlp import diffusion_mlp
from implementations.networks.unet import ddpmpp, unet

Network = Literal["mlp", "unet_small", "unet_cifar10", "ddpmpp_cifar10"]


class Backbone(nn.Module):
    """A network with the shape of the examples it is for; images (height, width) enter it with one channel."""

    def __init__(self, network: nn.Module, shape: Sequence[int]):
        super().__init__()
        self.network = network
        self.shape = tuple(shape)

    def forward(self, x: Tensor, noise_label: Tensor, **labels: Any) -> Tensor:
        """(batch, *shape) and (batch,) to (batch, *shape); other labels are the network's own."""
        inside = x.unsqueeze(1) if len(self.shape) == 2 else x
        found: Tensor = self.network(inside, noise_label, **labels)
        return found.reshape(x.shape)


def backbone(
    name: Network,
    shape: Sequence[int],
    width: int,
    dropout: float,
    generator: torch.Generator | None,
    augmentations: int = 0,
) -> Backbone:
    """An untrained network that starts at exactly zero.

    Args:
        name: `mlp`, three blocks of `width` units; `unet_small`, one block a level, two levels, three for sides above
            16 (ours); `unet_cifar10`, DDPM's layout (arXiv 2006.11239, appendix B); `ddpmpp_cifar10`, DDPM++ as EDM has
            it (arXiv 2206.00364, appendix F).
        shape: (d,), which only `mlp` takes, (height, width) or (channels, height, width).
        width: hidden units of `mlp`, channels of the first level of the others (the papers have 128).
        dropout: rate in training; the method's loss hands in the generator of its masks.
        generator: draws the initial weights; None only on the meta device.
        augmentations: labels that it can be told beside the noise level, as `augment`.

    Raises:
        ValueError: no such network, or one of images for other shapes, or, in the layouts of papers, for images that
            have no level of height 16.
    """
    if name not in get_args(Network):
        raise ValueError(f"network is one of {', '.join(get_args(Network))}, not {name}")
    told: dict[str, Any] = {"dropout": dropout, "augmentations": augmentations, "generator": generator}
    if name == "mlp":
        return Backbone(diffusion_mlp(shape, width, **told), shape)
    if len(shape) not in (2, 3):
        raise Unsupported(f"{name} models images, (height, width) or (channels, height, width), not {tuple(shape)}")
    image = (1, *shape) if len(shape) == 2 else tuple(shape)
    if name == "unet_cifar10":
        return Backbone(unet(image, width, **told), shape)
    if name == "ddpmpp_cifar10":
        return Backbone(ddpmpp(image, width, **told), shape)
    multipliers = (1, 2) if max(image[1:]) <= 16 else (1, 2, 2)
    return Backbone(unet(image, width, multipliers, 1, (), **told), shape)


def starting_noise(model: Denoiser, streams: Streams) -> Tensor:
    """Standard normal (batch, *shape) for a model of a `Backbone`, float64, on the model's device."""
    device = next((value.device for value in model.parameters()), None)
    return streams.draw(cast(Backbone, model.network).shape).to(device)
