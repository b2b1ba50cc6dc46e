"""Averages of parameters along training, counted in images so that batch sizes can be compared."""

import torch
from torch import Tensor, nn


class ExponentialMovingAverage:
    """average <- d average + (1 - d) parameters, with d = 0.5 ** (images / half_life) (EDM, arXiv 2206.00364, table 7).

    Parameters only: averaging a registered buffer would average schedule tables with them.
    """

    def __init__(self, model: nn.Module, half_life: int):
        """`half_life` in images.

        Raises:
            ValueError: if `half_life` is not positive.
        """
        if half_life <= 0:
            raise ValueError(f"half_life must be a positive number of images, not {half_life}")
        self.half_life = half_life
        self.average = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, images: int) -> None:
        """Takes in the parameters after a step over `images` images."""
        weight = 1.0 - 0.5 ** (images / self.half_life)
        for name, value in model.named_parameters():
            self.average[name].lerp_(value, weight)

    def restore(self, average: dict[str, Tensor]) -> None:
        """Takes over a saved average, onto the device where the model is."""
        for name, value in average.items():
            self.average[name].copy_(value)

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """A state dict: the averaged parameters, with the model's own buffers."""
        return {**model.state_dict(), **self.average}
