"""Densities and draws of coupling flows against normflows and nflows: 4,096 vectors of 64 dimensions.

Both sides have as many couplings, whose networks have as many layers of as many units. The affine couplings differ in
the scale: exp(c tanh(raw)) in ours, as the paper has it, exp(raw) in normflows, sigmoid(raw + 2) + 0.001 in nflows. A
tanh costs about as much as a layer, so that normflows is also timed with our scale, where both compute the same map.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.timing import Comparison, compare
from implementations.flows import nice, realnvp
from implementations.flows.parts.flow import Flow
from implementations.networks.mlp import mlp

BATCH, DIMENSIONS = 4096, 64
HALF = DIMENSIONS // 2
NICE = nice.Settings(hidden_units=128, hidden_layers=3, prior="gaussian")
REALNVP = realnvp.Settings()


def against_normflows() -> list[Comparison]:
    """Its couplings of halves, which a permutation swaps after each of them."""
    from normflows import NormalizingFlow
    from normflows.distributions import DiagGaussian
    from normflows.flows import AffineConstFlow, AffineCouplingBlock, Permute

    generator = torch.Generator().manual_seed(0)

    def both(name: str, ours: Flow, couplings: list[nn.Module], *first: nn.Module) -> list[Comparison]:
        flows = [*first]
        for coupling in couplings:
            flows += [coupling, Permute(DIMENSIONS, mode="swap")]
        theirs = NormalizingFlow(DiagGaussian(DIMENSIONS, trainable=False), flows).eval()
        return densities_and_draws(name, ours, theirs.log_prob, theirs.sample)

    def affine() -> nn.Module:
        return mlp(HALF, 2 * HALF, REALNVP.hidden_units, REALNVP.hidden_layers, generator)

    shifts = [mlp(HALF, HALF, NICE.hidden_units, NICE.hidden_layers, generator) for _ in range(NICE.couplings)]
    additive = [AffineCouplingBlock(shift, scale=False) for shift in shifts]
    plain = [AffineCouplingBlock(affine()) for _ in range(REALNVP.couplings)]
    bounded = [AffineCouplingBlock(Bounded(affine())) for _ in range(REALNVP.couplings)]
    return [
        *both("NICE, 4 couplings, normflows", our_nice(), additive, AffineConstFlow((DIMENSIONS,), shift=False)),
        *both("RealNVP, 8 couplings, normflows", our_realnvp(), plain),
        *both("RealNVP, 8 couplings, normflows with tanh", our_realnvp(), bounded),
    ]


class Bounded(nn.Module):
    """A network whose odd outputs, the log-scales of normflows, become c tanh(raw)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.scale = nn.Parameter(torch.ones(HALF))

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.network(x)
        h[:, 1::2] = self.scale * h[:, 1::2].tanh()
        return h


def against_nflows() -> list[Comparison]:
    """Its couplings of even and odd features, as its SimpleRealNVP has them, with its perceptron."""
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow as TheirFlow
    from nflows.nn.nets import MLP
    from nflows.transforms import (
        AdditiveCouplingTransform,
        AffineCouplingTransform,
        CompositeTransform,
        PointwiseAffineTransform,
    )

    class Network(MLP):  # type: ignore[misc]
        """A coupling passes a context too, here None."""

        def forward(self, inputs: Tensor, context: None) -> Tensor:
            return super().forward(inputs)  # type: ignore[no-any-return]

    def couplings(kind: Callable[..., nn.Module], settings: nice.Settings | realnvp.Settings) -> list[nn.Module]:
        def network(inputs: int, outputs: int) -> nn.Module:
            return Network([inputs], [outputs], [settings.hidden_units] * settings.hidden_layers)

        return [kind((torch.arange(DIMENSIONS) + number) % 2, network) for number in range(settings.couplings)]

    def both(name: str, ours: Flow, transforms: list[nn.Module]) -> list[Comparison]:
        theirs = TheirFlow(CompositeTransform(transforms), StandardNormal([DIMENSIONS])).eval()
        return densities_and_draws(name, ours, theirs.log_prob, theirs.sample)

    additive = [*couplings(AdditiveCouplingTransform, NICE), PointwiseAffineTransform(scale=torch.ones(DIMENSIONS))]
    return [
        *both("NICE, 4 couplings, nflows", our_nice(), additive),
        *both("RealNVP, 8 couplings, nflows", our_realnvp(), couplings(AffineCouplingTransform, REALNVP)),
    ]


def our_nice() -> Flow:
    return nice.build(NICE, (DIMENSIONS,), torch.Generator().manual_seed(0)).eval()


def our_realnvp() -> Flow:
    return realnvp.build(REALNVP, (DIMENSIONS,), torch.Generator().manual_seed(0)).eval()


def densities_and_draws(
    name: str, ours: Flow, log_prob: Callable[[Tensor], object], sample: Callable[[int], object]
) -> list[Comparison]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, DIMENSIONS, generator=generator)
    with torch.no_grad():
        return [
            compare(f"{name}: log_prob", lambda: ours.log_prob(x), lambda: log_prob(x)),
            compare(f"{name}: sample", lambda: ours.sample(BATCH, generator), lambda: sample(BATCH)),
        ]
