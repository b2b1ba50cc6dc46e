"""Flow matching: Flow Matching for Generative Modeling. Lipman et al. 2022, arXiv 2210.02747.

A field v that carries noise to data, learned without solving an ODE. Here t = 0 is the data x_0 and t = 1 the noise
eps ~ N(0, I); the paper counts time the other way. A path draws the line of each pair, and v regresses its velocity:

    x_t = a(t) x_0 + n(t) eps,    loss = E |v(x_t, t) - u_t|^2,    u_t = a'(t) x_0 + n'(t) eps,    t uniform

    optimal transport      a = 1 - t, n = t, so that u_t = eps - x_0                      (section 4.1 with sigma_min 0)
    variance preserving    a = exp(-L / 2), n = sqrt(1 - exp(-L)), L = int_0^t beta                        (section 4.1)

At the minimum v is E[u_t | x_t] = a' D + n' (x_t - a D) / n, with D = E[x_0 | x_t], and dx/dt = v has the marginals of
x_t: samples solve it from t = 1 to 0, likelihoods from 0 to 1. Pairs may also be those of
optimal transport within a batch (arXiv 2302.00482).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.ode import Solver
from implementations.common.recipes import Recipe, adam
from implementations.common.settings import require_positive
from implementations.diffusion.parts import likelihood, samplers
from implementations.diffusion.parts.backbones import Network, backbone, starting_noise
from implementations.diffusion.parts.couplings import independent, minibatch_optimal_transport
from implementations.diffusion.parts.parameterisations import Denoiser, Parameterisation, time_label
from implementations.diffusion.parts.paths import Path, linear, mixed, variance_preserving
from implementations.diffusion.parts.protocol import DiffusionMethod

PathName = Literal["optimal_transport", "variance_preserving"]
CouplingName = Literal["independent", "minibatch_optimal_transport"]


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's CIFAR-10 model."""

    path: PathName = "optimal_transport"  # section 4.1
    coupling: CouplingName = "independent"  # equation 14
    network: Network = "unet_cifar10"  # table 3: depth 2, multipliers 1, 2, 2, 2, attention at 16
    width: int = 256  # table 3, channels; for `mlp` hidden units
    dropout: float = 0.0  # table 3
    batch: int = 256  # table 3
    learning_rate: float = 5e-4  # table 3
    warmup: int = 11_520_000  # images; table 3: 45,000 updates
    decay_end: int | None = 100_096_000  # images; table 3: 391,000 updates, "linear decay"; None: no decay
    gradient_clip: float | None = None  # the paper names none
    ema_half_life: int | None = None  # images; the paper names none
    beta_min: float = 0.1  # of the variance-preserving path; arXiv 2011.13456, appendix C
    beta_max: float = 20.0  # likewise
    first_time: float = 1e-5  # nearest to the data where n(t) divides (paper, from memory)
    tolerance: float = 1e-5  # of dopri5; table 1
    exact_trace_dimensions: int = 64  # ours: with more, likelihoods take the Rademacher estimator

    def __post_init__(self) -> None:
        require_positive(self, "width", "batch", "learning_rate", "gradient_clip", "ema_half_life", "tolerance")
        if self.path not in get_args(PathName) or self.coupling not in get_args(CouplingName):
            raise ValueError(f"no path {self.path} with coupling {self.coupling}")
        falls = self.decay_end is None or self.decay_end > self.warmup
        if not (0 < self.first_time < 1 and self.warmup >= 0 and falls):
            raise ValueError("first_time lies in (0, 1), warmup is at least 0, decay_end above it")


def path_of(settings: Settings) -> tuple[Path, float]:
    """The path, and the time from which u_t is finite."""
    vp = variance_preserving(settings.beta_min, settings.beta_max)
    return (linear(), 0.0) if settings.path == "optimal_transport" else (vp, settings.first_time)


def velocity(path: Path) -> Parameterisation:
    """F predicts u_t; D solves v = a' D + n' e with x_t = a D + n e. Pairs off the path are a multiple of one on it."""

    def rates(a: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
        t = path.time_of(n / a)
        return path.scale_rate(t), path.noise_rate(t)

    def determinant(a: Tensor, n: Tensor) -> Tensor:
        da, dn = rates(a, n)
        return a * dn - da * n  # neither of which is below 0

    return Parameterisation(
        label=time_label(path, 999.0),
        scale_in=lambda a, n: torch.hypot(*path.at(path.time_of(n / a))) / torch.hypot(a, n),
        skip=lambda a, n: rates(a, n)[1] / determinant(a, n),
        out=lambda a, n: -n / determinant(a, n),
        of_data=lambda a, n: rates(a, n)[0],
        of_noise=lambda a, n: rates(a, n)[1],
    )


def build(settings: Settings, shape: tuple[int, ...], generator: torch.Generator) -> Denoiser:
    """Untrained; ValueError as `backbone` has it."""
    network = backbone(settings.network, shape, settings.width, settings.dropout, generator)
    return Denoiser(network, velocity(path_of(settings)[0]))


def learning_rate_factor(settings: Settings, images: int) -> float:
    """Rises linearly from 0 to 1 over `warmup` images and falls linearly to 0 at `decay_end`."""
    end, warmup = settings.decay_end, settings.warmup
    if images < warmup:
        return images / warmup
    return 1.0 if end is None else max(0.0, (end - images) / (end - warmup))


RECIPE = Recipe(adam, learning_rate_factor)  # Adam with its defaults, which are the paper's


def loss(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """E |v(x_t, t) - u_t|^2 of x_0 = x, the mean over the batch and the dimensions."""
    path, first = path_of(settings)
    coupled = independent if settings.coupling == "independent" else minibatch_optimal_transport
    t = first + (1 - first) * torch.rand(len(x), dtype=torch.float64, generator=generator, device=generator.device)
    x0, eps = coupled(x, torch.randn(x.shape, generator=generator, device=generator.device).to(x))
    a, n = path.at(t)
    v = model.output(mixed(x0, eps, a, n), a, n, generator=generator)
    return (v - mixed(x0, eps, path.scale_rate(t), path.noise_rate(t))).square().mean()


def euler(model: Denoiser, settings: Settings, steps: int, streams: samplers.Streams) -> Tensor:
    """N equal steps of t. N evaluations."""
    path, end = path_of(settings)
    return samplers.solved(model, starting_noise(model, streams), path, Solver("euler", steps=steps), 1.0, end)[0]


def midpoint(model: Denoiser, settings: Settings, steps: int, streams: samplers.Streams) -> Tensor:
    """N equal steps of t. 2 N evaluations."""
    path, end = path_of(settings)
    return samplers.solved(model, starting_noise(model, streams), path, Solver("midpoint", steps=steps), 1.0, end)[0]


def dopri5(model: Denoiser, settings: Settings, steps: int, streams: samplers.Streams) -> Tensor:
    """Adaptive, to `first_time`: it chooses its steps, for the batch as a whole, and does not read `steps`."""
    (path, _), solver, end = path_of(settings), Solver("dopri5", tolerance=settings.tolerance), settings.first_time
    return samplers.solved(model, starting_noise(model, streams), path, solver, 1.0, end)[0]


def log_likelihood(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
    """log p(x) of (batch, *shape), nats, (batch,), by dopri5 from `first_time` to N(0, I) (appendix C).

    Beyond `exact_trace_dimensions` it draws the trace's probes.
    """
    (path, _), solver = path_of(settings), Solver("dopri5", tolerance=settings.tolerance)
    probes, prior = likelihood.trace_probes(x, settings.exact_trace_dimensions, generator), likelihood.standard_normal
    return likelihood.log_likelihood(model, x.double(), path, prior, solver, probes, settings.first_time)[0]


METHOD = DiffusionMethod(
    settings=Settings, build=build, loss=loss, recipe=RECIPE, samplers=(euler, midpoint, dopri5),
    log_likelihood=log_likelihood, varies=("path", "coupling"),
)  # fmt: skip
