"""Continuous normalising flow, FFJORD. Grathwohl et al. 2018, arXiv 1810.01367; Chen et al. 2018, arXiv 1806.07366.

A point moves along a field f(x, t), an unrestricted network; an ODE solver finds its path, and beside it the integral
of the field's divergence, by which the log-density changes (1810.01367, equations 2 to 4):

    dx/dt = f(x, t),   d log p(x(t))/dt = -tr(df/dx)
    log p(x) = log N(z; 0, I) + int_0^T tr(df/dx) dt,   x(0) = x,  z = x(T)

    exact trace     sum_i e_i^T (df/dx) e_i,  e_i the unit vectors             (d vector-Jacobian products)
    Hutchinson      e^T (df/dx) e,  e drawn once a solve with E[e e^T] = I     (one product, unbiased; equation 8)

Training takes the estimator, evaluation the exact trace where there are few enough dimensions. Time runs from data to
latent as in the authors' code; in the paper it runs the other way.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from implementations.common.ode import ADAPTIVE, Solver
from implementations.common.recipes import Recipe
from implementations.common.settings import require_positive
from implementations.flows.parts.bijections import Chain
from implementations.flows.parts.flow import Flow
from implementations.flows.parts.logit import Logit
from implementations.flows.parts.multiscale import Multiscale, Reshape, Squeeze, image_shape, squeezed
from implementations.flows.parts.protocol import FlowMethod
from implementations.flows.parts.trace import Integration, Trace, Transport, drawn, fixed, integrating, no_probes
from implementations.networks.field import conv_field, mlp_field


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's MINIBOONE model (table 4); comments name those of its image models."""

    network: Literal["mlp", "conv"] = "mlp"  # section 4.2; conv: the multiscale image model of appendix B.1
    levels: int = 4  # conv only; appendix B.1: 4 on CIFAR-10, 3 on MNIST
    flows: int = 1  # table 4; images: 2, before and again after each squeeze (appendix B.1)
    hidden_layers: int = 2  # table 4; images: 2, or 3 by the author command (docs/cnf.md)
    hidden_units: int = 860  # table 4, 20 x the dimensions; images: 64 filters (appendix B.1)
    activation: Literal["softplus", "tanh"] = "softplus"  # table 4; appendix B.1
    end_time: float = 1.0  # author code
    learned_end_time: bool = False  # not in the paper; the author code can learn one a flow
    method: str = "dopri5"  # section 4, Runge-Kutta 4(5); author code
    training_tolerance: float = 1e-5  # appendix C; absolute and relative, for adaptive methods
    tolerance: float = 1e-5  # appendix C; the same, for evaluation
    solver_steps: int = 20  # ours; for methods with fixed steps
    adjoint: bool = True  # in training; section 2.2.1
    trace: Trace = "hutchinson_rademacher"  # in training; author command for images
    exact_trace_dimensions: int = 64  # ours: with more, evaluation too takes the Rademacher estimator
    trace_seed: int = 0  # ours: of that estimator's noise
    alpha: float = 1e-6  # of the logit before images; author code
    batch: int = 1000  # table 4; images: 900 (section 4.2)
    learning_rate: float = 1e-3  # appendix B.1
    slower_after: int | None = None  # examples seen; then a tenth of the rate; images: 250 epochs (appendix B.1)
    gradient_clip: float | None = None  # ours: the paper clips nothing
    ema_half_life: int | None = None  # images; ours: the paper averages nothing

    def __post_init__(self) -> None:
        require_positive(self, "levels", "flows", "hidden_layers", "hidden_units", "end_time", "training_tolerance")
        require_positive(self, "tolerance", "solver_steps", "batch", "learning_rate", "slower_after")
        require_positive(self, "gradient_clip", "ema_half_life")
        self.solver(self.tolerance)  # a name that is no method is told here

    def solver(self, tolerance: float) -> Solver:
        """The method, with this tolerance where it is adaptive."""
        adaptive = self.method in ADAPTIVE
        return Solver(self.method, tolerance if adaptive else None, None if adaptive else self.solver_steps)

    def evaluation_trace(self, dimensions: int) -> Trace:
        """Exact where there are few enough dimensions."""
        return "exact" if dimensions <= self.exact_trace_dimensions else "hutchinson_rademacher"


class Cnf(Flow):
    """Transports, with what images need around them, under a standard normal prior."""

    def __init__(self, bijection: nn.Module, dimensions: int, settings: Settings):
        super().__init__(bijection, dimensions)
        self.settings = settings

    @property
    def evaluations(self) -> int:
        """How often the last pass, either way, evaluated its fields, all of them together."""
        return sum(part.evaluations for part in self.modules() if isinstance(part, Transport))

    @property
    def solver(self) -> dict[str, str | int | float]:
        """What of the solution decides a likelihood: method, tolerance or steps, and the trace with its noise."""
        settings, trace = self.settings, self.settings.evaluation_trace(self.dimensions)
        noise = {} if trace == "exact" else {"trace_seed": settings.trace_seed}
        return {**settings.solver(settings.tolerance).variant, "trace": trace, **noise}

    def estimate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """log p(x) of shape (batch,), nats, as training takes it: with the trace's noise from `generator`."""
        solver, probes = self.settings.solver(self.settings.training_tolerance), drawn(self.settings.trace, generator)
        with integrating(self, Integration(solver, probes, self.settings.adjoint)):
            return self.log_prob(x)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) draws: the prior, decoded; their density is not computed."""
        with integrating(self, Integration(self.settings.solver(self.settings.tolerance), no_probes)):
            return super().sample(count, generator)


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Cnf:
    """An untrained model; with the settings of the authors' CIFAR-10 command it has 1,358,868 parameters."""
    dimensions, seeds = prod(shape), itertools.count(settings.trace_seed)
    solver, field = settings.solver(settings.tolerance), {"mlp": mlp_field, "conv": conv_field}[settings.network]
    activation = {"softplus": nn.Softplus, "tanh": nn.Tanh}[settings.activation]

    def transport(features: int) -> Transport:
        integration = Integration(solver, fixed(settings.evaluation_trace(dimensions), next(seeds)))
        network = field(features, settings.hidden_units, settings.hidden_layers, activation(), generator)
        return Transport(network, integration, settings.end_time, settings.learned_end_time)

    def flows(features: int) -> Chain:
        return Chain(*(transport(features) for _ in range(settings.flows)))

    if settings.network == "mlp":
        before = [Logit(settings.alpha)] if len(shape) > 1 else []
        return Cnf(Chain(*before, flows(dimensions)), dimensions, settings)
    size = image_shape(shape)
    levels, shapes = [], []
    for _ in range(settings.levels - 1):
        after = squeezed(size)
        levels.append(Chain(flows(size[0]), Squeeze(), flows(after[0])))
        shapes.append(after)
        size = (after[0] // 2, *after[1:])
    multiscale = Multiscale([*levels, flows(size[0])], [*shapes, size])
    return Cnf(Chain(Reshape(image_shape(shape)), Logit(settings.alpha), multiscale), dimensions, settings)


def optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Adam (appendix B.1)."""
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.Adam(learned, lr=settings.learning_rate, fused=True)


def learning_rate_factor(settings: Settings, images: int) -> float:
    """A tenth of the rate from `slower_after` examples on (appendix B.1)."""
    return 0.1 if settings.slower_after is not None and images >= settings.slower_after else 1.0


def loss(model: Cnf, x: Tensor, generator: torch.Generator) -> Tensor:
    """-mean log p(x) over the batch, nats; `x` is (batch, d), and the noise of the trace is drawn from `generator`."""
    return -model.estimate(x, generator).mean()


RECIPE = Recipe(optimiser, learning_rate_factor)

METHOD = FlowMethod(settings=Settings, build=build, loss=loss, recipe=RECIPE)
