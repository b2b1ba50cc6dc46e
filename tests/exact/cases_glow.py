"""The bijections of Glow, and the whole of it."""

import torch
from torch import nn

from implementations.flows import glow
from implementations.flows.parts.actnorm import ActNorm
from implementations.flows.parts.bijections import AdditiveCoupling, Chain
from implementations.flows.parts.edge_convolution import coupling_network
from implementations.flows.parts.flow import Flow
from implementations.flows.parts.mixing import InvertibleLinear, InvertibleLinearLU, reversal, shuffle
from implementations.flows.parts.multiscale import Multiscale
from implementations.flows.parts.split_coupling import SplitAffineCoupling, SplitPrior, TopPrior
from implementations.networks.mlp import mlp
from tests.exact.bijection_cases import Case, generator, moved
from tests.exact.cases_nice import Encoder

IMAGE = (4, 2, 3)  # channels, height, width
POINT = (5,)


def measured(bijection: nn.Module, shape: tuple[int, ...], seed: int) -> nn.Module:
    """With initial values taken from data, then moved."""
    bijection = bijection.double()
    Flow(bijection, torch.Size(shape).numel()).initialise(
        3.0 * torch.randn(32, *shape, dtype=torch.float64, generator=generator(seed)) + 1.0
    )
    return moved(bijection, seed + 1)


def of_images(outputs: int) -> nn.Module:
    """The network of a coupling that keeps 2 of 4 channels."""
    return coupling_network(2, outputs, 8, generator(1))


def of_points(outputs: int) -> nn.Module:
    """The network of a coupling that keeps 2 of 5 coordinates."""
    return mlp(2, outputs, 8, 2, generator(1), zero_output=True)


def split_prior() -> nn.Module:
    """As `Multiscale` uses it: 2 of 4 channels leave, given the others."""
    return Multiscale([Chain(), Chain()], [IMAGE, (2, 2, 3)], [SplitPrior(2, 2)])


def whole(shape: tuple[int, ...], **settings) -> Case:
    """A small model that has been shown data like those of the test, then moved."""
    small = glow.Settings(**{"levels": 2, "depth": 2, "width": 6, "hidden_units": 8, "hidden_layers": 1} | settings)
    dimensions = torch.Size(shape).numel()

    def make() -> nn.Module:
        model = glow.build(small, shape, generator(2)).double()
        model.initialise(torch.rand(32, dimensions, dtype=torch.float64, generator=generator(3)))
        # Filters start with a deviation of 0.05; moved much further, activations in a row of networks would explode.
        return Encoder(moved(model, 4, scale=0.03))

    return Case(make, (dimensions,), unit_interval=True)


CASES: dict[str, Case] = {
    "actnorm of images": Case(lambda: measured(ActNorm(4), IMAGE, 10), IMAGE),
    "actnorm of points": Case(lambda: measured(ActNorm(5), POINT, 12), POINT),
    "actnorm before it has seen any": Case(lambda: ActNorm(4).double(), IMAGE),
    "1x1 convolution": Case(lambda: moved(InvertibleLinear(4, generator(14)), 15), IMAGE),
    "1x1 convolution of one channel": Case(lambda: moved(InvertibleLinear(1, generator(16)), 17), (1, 3, 2)),
    "linear map": Case(lambda: moved(InvertibleLinear(5, generator(18)), 19), POINT),
    "1x1 convolution, LU": Case(lambda: moved(InvertibleLinearLU(4, generator(20)), 21), IMAGE),
    "linear map, LU": Case(lambda: moved(InvertibleLinearLU(5, generator(22)), 23), POINT),
    "reversal of channels": Case(lambda: reversal(4), IMAGE),
    "reversal of points": Case(lambda: reversal(5), POINT),
    "shuffle of channels": Case(lambda: shuffle(4, generator(24)), IMAGE),
    "shuffle of points": Case(lambda: shuffle(5, generator(25)), POINT),
    "affine coupling of images": Case(lambda: moved(SplitAffineCoupling(of_images(4), 2), 26), IMAGE),
    "affine coupling of points": Case(lambda: moved(SplitAffineCoupling(of_points(6), 2), 27), POINT),
    "additive coupling of images": Case(lambda: moved(AdditiveCoupling(of_images(2), 2, "second"), 28), IMAGE),
    "split prior": Case(lambda: moved(split_prior(), 29), IMAGE),
    "split prior at first": Case(lambda: split_prior().double(), IMAGE),
    "top prior": Case(lambda: moved(TopPrior(4), 30), IMAGE),
    "top prior of one position": Case(lambda: moved(TopPrior(4), 31), (4, 1, 1)),
    "whole, of grey images": whole((4, 4)),
    "whole, of colour images": whole((3, 4, 8), width=4),
    "whole, additive": whole((4, 4), coupling="additive"),
    "whole, LU": whole((4, 4), permutation="conv1x1_lu"),
    "whole, shuffled": whole((4, 4), permutation="shuffle"),
    "whole, reversed": whole((4, 4), permutation="reverse"),
    "whole, of one level": whole((2, 6), levels=1),
    "whole, of a standard normal top": whole((4, 4), learned_top=False),
    "whole, of points": whole((6,)),
    "whole, of points, additive": whole((6,), coupling="additive"),
    "whole, of an odd number, LU": whole(POINT, permutation="conv1x1_lu"),
    "whole, of two numbers": whole((2,), permutation="reverse"),
}
