"""The bijections of RealNVP, those of images that it shares with others, and the whole of it."""

import math
from typing import Literal

import torch
from torch import nn

from implementations.flows import realnvp
from implementations.flows.parts.bijections import Chain
from implementations.flows.parts.couplings import (
    AffineCoupling,
    BatchNormalisation,
    VectorCoupling,
    channel_halves,
    checkerboard,
)
from implementations.flows.parts.logit import Logit
from implementations.flows.parts.multiscale import Multiscale, Reshape, Squeeze
from implementations.networks.mlp import mlp
from implementations.networks.resnet import ResidualNetwork
from tests.exact.bijection_cases import Case, generator, moved
from tests.exact.cases_nice import Encoder

IMAGE = (3, 2, 3)  # channels, height, width
ODD = (5,)  # a vector whose two halves differ


def of_images(mask: torch.Tensor, batch_norm: bool = False) -> AffineCoupling:
    return AffineCoupling(ResidualNetwork(len(mask), 2 * len(mask), 4, 1, batch_norm, generator(0)), mask)


def of_vectors(first: int, second: int, moves: Literal["first", "second"]) -> VectorCoupling:
    kept, moved = (second, first) if moves == "first" else (first, second)
    return VectorCoupling(mlp(kept, 2 * moved, 8, 2, generator(1)), first, moved, moves)


def settled(module: nn.Module, shape: tuple[int, ...], seed: int, scale: float = 0.3) -> nn.Module:
    """Moved, with running statistics that come from three batches on [0, 1), not 0 and 1."""
    module = moved(module, seed, scale).train()
    draws = generator(seed)
    with torch.no_grad():
        for _ in range(3):
            module(torch.rand(16, *shape, dtype=torch.float64, generator=draws))
    return module.eval()


def two_levels() -> Multiscale:
    """A coupling a level; after the first, 2 of 4 channels leave."""
    first = Chain(of_images(checkerboard((1, 4, 4), 0)), Squeeze(), of_images(channel_halves((4, 2, 2), 1)))
    return Multiscale([first, of_images(checkerboard((2, 2, 2), 0))], [(4, 2, 2), (2, 2, 2)])


def whole(shape: tuple[int, ...], **settings: int | bool) -> Case:
    sizes = {"residual_blocks": 1, "feature_maps": 4, "hidden_units": 8, "hidden_layers": 1}
    small = realnvp.Settings(**{**sizes, **settings})
    flat = (math.prod(shape),)

    def make() -> nn.Module:
        return settled(Encoder(realnvp.build(small, shape, generator(2))), flat, 3, scale=0.1)

    return Case(make, flat, unit_interval=len(shape) > 1)


def coupling(mask: torch.Tensor) -> Case:
    return Case(lambda: moved(of_images(mask), 4), tuple(mask.shape))


CASES: dict[str, Case] = {
    **{f"coupling, checkerboard {parity}": coupling(checkerboard(IMAGE, parity)) for parity in (0, 1)},
    **{f"coupling, halves {parity}": coupling(channel_halves(IMAGE, parity)) for parity in (0, 1)},
    "coupling of vectors, first": Case(lambda: moved(of_vectors(3, 2, "first"), 4), ODD),
    "coupling of vectors, second": Case(lambda: moved(of_vectors(3, 2, "second"), 4), ODD),
    "coupling, batch-normalised network": Case(
        lambda: settled(of_images(checkerboard(IMAGE, 0), True), IMAGE, 5), IMAGE
    ),
    "batch normalisation": Case(lambda: settled(BatchNormalisation(3), IMAGE, 6), IMAGE),
    "squeeze": Case(Squeeze, (2, 4, 6)),
    "reshape": Case(lambda: Reshape((2, 3)), (6,)),
    "logit": Case(lambda: Logit(0.05), IMAGE, unit_interval=True),
    "two levels": Case(lambda: moved(two_levels(), 7), (1, 4, 4)),
    "whole, of grey images": whole((4, 4)),
    "whole, of colour images": whole((3, 2, 4)),
    "whole, of three levels": whole((4, 8), levels=3),
    "whole, of one level": whole((2, 3), levels=1),
    "whole, of images without batch normalisation": whole((4, 4), batch_norm=False),
    "whole, of vectors": whole((6,)),
    "whole, of an odd number": whole(ODD, couplings=3),
    "whole, of two numbers": whole((2,)),
}
