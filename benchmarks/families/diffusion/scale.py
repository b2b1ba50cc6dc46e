"""Grey levels as a model sees them. Apart from the metrics, which may change without training anything anew."""

import torch
from torch import Tensor

from benchmarks.families.diffusion.problems import ImageGeneration


def data(levels: Tensor, task: ImageGeneration, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """uint8 (n, ...) to the scale from -1 to 1; drawn from all of their bins where the task dequantises.

    Nothing is drawn where it does not. `generator` is of the levels' device.
    """
    x = levels.to(dtype)
    if task.dequantised:
        x = x + torch.rand(x.shape, generator=generator, device=x.device, dtype=dtype) - 0.5
    return x * task.bin_width - 1.0
