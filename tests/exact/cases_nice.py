"""The bijections of NICE, and the whole of it."""

import torch
from torch import nn

from implementations.flows.nice import Settings, build
from implementations.flows.parts.bijections import AdditiveCoupling, Chain, Diagonal, EvenFirst, Rescale
from implementations.flows.parts.flow import Flow
from implementations.flows.parts.whitening import ZcaWhitening
from implementations.networks.mlp import mlp
from tests.exact.bijection_cases import Case, generator, moved

DIMENSIONS = 6


def coupling(moves: str, first: int = 3, dimensions: int = DIMENSIONS) -> AdditiveCoupling:
    kept, shifted = (first, dimensions - first) if moves == "second" else (dimensions - first, first)
    return AdditiveCoupling(mlp(kept, shifted, 16, 2, generator(0)), first, moves)


def whitening(dimensions: int, examples: int, ridge: float) -> nn.Module:
    """Measured on correlated examples of very different variances."""
    spread = torch.randn(dimensions, dimensions, dtype=torch.float64, generator=generator(1))
    x = torch.randn(examples, dimensions, dtype=torch.float64, generator=generator(2)) @ spread + 1.0
    bijection = ZcaWhitening(dimensions, ridge).double()
    Flow(bijection, dimensions).initialise(x)
    return bijection


class Encoder(nn.Module):
    """A whole flow, seen as one bijection."""

    def __init__(self, model: Flow):
        super().__init__()
        self.model = model
        self.inverse = model.decode

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.model.encode(x)


def nice(shape: tuple[int, ...], **settings) -> nn.Module:
    model = build(Settings(hidden_units=16, hidden_layers=2, **settings), shape, generator(4)).double()
    model.initialise(torch.rand(32, model.dimensions, dtype=torch.float64, generator=generator(5)))
    return Encoder(moved(model, 6))


SHAPE = (DIMENSIONS,)
CASES: dict[str, Case] = {
    "even first": Case(EvenFirst, SHAPE),
    "even first, odd number": Case(EvenFirst, (7,)),
    "coupling moving odd": Case(lambda: moved(Chain(EvenFirst(), coupling("second")), 7), SHAPE),
    "coupling moving even": Case(lambda: moved(Chain(EvenFirst(), coupling("first")), 8), SHAPE),
    "coupling with uneven parts": Case(lambda: moved(coupling("second", first=1), 9), SHAPE),
    "coupling with uneven parts, first moved": Case(lambda: moved(coupling("first", first=4), 10), SHAPE),
    "diagonal": Case(lambda: moved(Diagonal(DIMENSIONS), 11), SHAPE),
    "rescaling": Case(lambda: Rescale(2.0, -1.0), SHAPE),
    "rescaling of images": Case(lambda: Rescale(-0.5, 3.0), (3, 2, 2)),
    "whitening": Case(lambda: whitening(DIMENSIONS, 50, 1e-8), SHAPE),
    # Scales of up to 1e3 along the directions that the examples do not have.
    "whitening of few examples": Case(lambda: whitening(DIMENSIONS, 4, 1e-6), SHAPE, tolerance=1e-9, float32=False),
    "whitening before it has seen any": Case(lambda: ZcaWhitening(DIMENSIONS, 1e-8).double(), SHAPE),
    "chain": Case(
        lambda: moved(Chain(coupling("second"), Diagonal(DIMENSIONS), coupling("first"), Diagonal(DIMENSIONS)), 12),
        SHAPE,
    ),
    "empty chain": Case(Chain, SHAPE),
    "whole, of points": Case(lambda: nice((DIMENSIONS,)), SHAPE),
    "whole, of an odd number": Case(lambda: nice((5,)), (5,)),
    "whole, of TFD": Case(
        lambda: nice((2, 3), prior="gaussian", whitening="zca", whitening_ridge=1e-3, initial_examples=32), SHAPE
    ),
    "whole, of CIFAR-10": Case(
        lambda: nice((3, 1, 2), data_range="[-1, 1]", whitening="zca", initial_examples=32), SHAPE
    ),
}
