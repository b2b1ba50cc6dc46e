"""Continuous flows, whose bijections are as exact as an ODE is solved, not as arithmetic."""

import torch
from torch import nn

from implementations.common.ode import Solver
from implementations.flows import cnf
from implementations.flows.parts.trace import Integration, Transport, fixed
from implementations.networks.field import VectorField, conv_field, mlp_field
from tests.exact.bijection_cases import Case, generator, moved
from tests.exact.cases_nice import Encoder

EXACT = fixed("exact", 0)
TIGHT = Solver("dopri5", tolerance=1e-8)
# Some ten steps of errors up to 1e-8, amplified along the path, and once more in the log-determinant; the steps that a
# row gets depend on the rows beside it. Seen: up to 4e-8.
ADAPTIVE = 1e-6
# The error of 20 steps of order four. Seen: up to 4e-10.
FIXED = 1e-8


def transport(field: VectorField, solver: Solver, **end_time) -> nn.Module:
    return moved(Transport(field, Integration(solver, EXACT), **end_time), 60, scale=0.2)


def whole(shape: tuple[int, ...], **settings) -> Case:
    small = cnf.Settings(**{"hidden_layers": 1, "hidden_units": 6, "tolerance": TIGHT.tolerance} | settings)
    dimensions = torch.Size(shape).numel()
    return Case(
        lambda: Encoder(moved(cnf.build(small, shape, generator(61)), 62, scale=0.1)),
        (dimensions,),
        tolerance=ADAPTIVE,
        unit_interval=True,
    )


CASES: dict[str, Case] = {
    "transport": Case(lambda: transport(mlp_field(4, 8, 2, nn.Tanh(), generator(1)), TIGHT), (4,), ADAPTIVE),
    "transport for longer": Case(
        lambda: transport(mlp_field(3, 8, 1, nn.Softplus(), generator(2)), TIGHT, end_time=2.0, learned=True),
        (3,),
        ADAPTIVE,
    ),
    "transport in fixed steps": Case(
        lambda: transport(mlp_field(4, 8, 2, nn.Tanh(), generator(3)), Solver("rk4", steps=20)), (4,), FIXED
    ),
    "transport of images": Case(
        lambda: transport(conv_field(2, 3, 1, nn.Softplus(), generator(4)), TIGHT), (2, 1, 3), ADAPTIVE
    ),
    "whole, of points": whole((3,), flows=2),
    "whole, of images": whole((2, 3)),
    "whole, of images on two levels": whole((2, 4), network="conv", levels=2, hidden_units=3),
}
