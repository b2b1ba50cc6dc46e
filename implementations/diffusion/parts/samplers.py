"""Samplers: a denoiser, noise, and a grid of pairs (a, n) to data, step by step; nothing but the last state is kept.

They know nothing of networks, schedules or times: only D(x, a, n) and the steps of the grid (`grids.py`). With
e = (x - a D) / n, the noise that D implies, each is a rule for one step from (a, n) to (a', n'), two rows of the grid.

Every draw is an example's own (`Streams`), so that a sample depends on its seed and not on its batch. A state together
with the streams can be kept after any step, and the rest of the grid walked later, with the same outcome.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from implementations.common.ode import Solver, solve
from implementations.diffusion.parts.parameterisations import Denoise, noise_of, score_of, velocity_of
from implementations.diffusion.parts.paths import Path, mixed, per_example

Noise = Callable[[Tensor], Tensor]
"""Standard normal values, drawn anew at each call, of the shape, dtype and device of what it is given."""


class Streams:
    """One generator an example: image i sees the same noise in whatever batch it is made, on whatever device."""

    def __init__(self, seeds: Sequence[int]):
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(self, shape: Sequence[int]) -> Tensor:
        """(examples, *shape), float64 on the CPU."""
        return torch.stack([torch.randn(*shape, dtype=torch.float64, generator=each) for each in self.generators])

    def __call__(self, x: Tensor) -> Tensor:
        """As `Noise`; ValueError unless x has as many examples as there are streams."""
        if len(x) != len(self.generators):
            raise ValueError(f"{len(self.generators)} streams cannot serve {len(x)} examples")
        return self.draw(x.shape[1:]).to(x)


def _moved(d: Tensor, x: Tensor, a: Tensor, n: Tensor, a_end: Tensor, n_end: Tensor) -> Tensor:
    """a' D + n' e, taken as (n' / n) x + (a' - a n' / n) D: two passes, and nothing that cancels is divided by n."""
    kept = n_end / n
    return mixed(x, d, kept, a_end - a * kept)


@torch.no_grad()
def first_order(denoise: Denoise, x: Tensor, grid: Tensor) -> Tensor:
    """x' = a' D + n' e. N evaluations.

    DDIM with eta 0 (arXiv 2010.02502, equation 12), Euler on EDM's ODE in sigma (arXiv 2206.00364) and Euler on the
    flow-matching ODE (arXiv 2210.02747): they differ in the grid alone.
    """
    for (a, n), (a_end, n_end) in pairwise(grid):
        x = _moved(denoise(x, a, n), x, a, n, a_end, n_end)
    return x


def _heun_step(denoise: Denoise, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """x' = x + (a' - a) (D + D') / 2 + (n' - n) (e + e') / 2, where D' and e' are those of a first-order step."""
    (a, n), (a_end, n_end) = start, end
    d = denoise(x, a, n)
    guess = _moved(d, x, a, n, a_end, n_end)
    if n_end == 0:
        return guess
    d_end = denoise(guess, a_end, n_end)
    da, dn = (a_end - a) / 2, (n_end - n) / 2
    return x + velocity_of(d, x, a, n, da, dn) + velocity_of(d_end, guess, a_end, n_end, da, dn)


@torch.no_grad()
def heun(denoise: Denoise, x: Tensor, grid: Tensor) -> Tensor:
    """The trapezoidal rule, and Euler on the step to n = 0. 2 N - 1 evaluations (EDM, arXiv 2206.00364, algorithm 1).

    Along the straight line between pairs, which is Heun in sigma where a = 1 and Heun in t where a = 1 - t, n = t.
    """
    for start, end in pairwise(grid):
        x = _heun_step(denoise, x, start, end)
    return x


@dataclass(frozen=True)
class Churn:
    """EDM's S_churn, S_min, S_max and S_noise (arXiv 2206.00364, algorithm 2)."""

    amount: float
    low: float = 0.0
    high: float = math.inf
    inflation: float = 1.0


@torch.no_grad()
def churned(denoise: Denoise, x: Tensor, grid: Tensor, noise: Noise, churn: Churn) -> Tensor:
    """Heun after raising n to (1 + gamma) n by fresh noise, where sigma is in range. 2 N - 1 evaluations."""
    gamma = min(churn.amount / (len(grid) - 1), math.sqrt(2) - 1)
    for (a, n), end in pairwise(grid):
        raised = n
        if churn.low <= n / a <= churn.high:
            raised = n * (1 + gamma)
            x = x + per_example((raised.square() - n.square()).sqrt() * churn.inflation, x) * noise(x)
        x = _heun_step(denoise, x, torch.stack([a, raised]), end)
    return x


def chain_variances(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Of the chain that noises x' at (a', n') into x at (a, n): the variance it adds, and that of x' given x and x_0.

    n^2 - (a / a')^2 n'^2, and n'^2 / n^2 times that: with neighbouring levels DDPM's beta and beta tilde.
    Pairs are of shape (2,) or (batch, 2).
    """
    (a, n), (a_end, n_end) = start.unbind(-1), end.unbind(-1)
    added = (n.square() - (a / a_end * n_end).square()).clamp(min=0.0)  # which rounding may put below
    return added, added * (n_end / n).square()


def _chain(
    denoise: Denoise,
    x: Tensor,
    grid: Tensor,
    noise: Noise,
    variances: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> Tensor:
    """x' = a' D + sqrt(n'^2 - s^2) e + u z, with s^2 and u^2 of each step; without z at the data."""
    for start, end in pairwise(grid):
        (a, n), (a_end, n_end) = start, end
        left_out, added = variances(start, end)
        x = _moved(denoise(x, a, n), x, a, n, a_end, (n_end.square() - left_out).clamp(min=0.0).sqrt())
        if n_end > 0:
            x = x + per_example(added.sqrt(), x) * noise(x)
    return x


@torch.no_grad()
def ancestral(denoise: Denoise, x: Tensor, grid: Tensor, noise: Noise, eta: float = 1.0) -> Tensor:
    """x' = a' D + sqrt(n'^2 - s^2) e + s z, where s is eta times the deviation of x' given x and x_0. N evaluations.

    DDIM's family (arXiv 2010.02502, equations 12, 16): eta 1 is DDPM with the smaller variance (arXiv 2006.11239,
    equation 7), eta 0 is `first_order`.
    """

    def variances(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        variance = eta**2 * chain_variances(start, end)[1]
        return variance, variance

    return _chain(denoise, x, grid, noise, variances)


@torch.no_grad()
def ancestral_large(denoise: Denoise, x: Tensor, grid: Tensor, noise: Noise) -> Tensor:
    """DDPM with the larger variance: the mean of eta 1, and noise of the variance that the chain adds. N evaluations.

    Its `fixedlarge`, beta_t, and DDIM's sigma-hat on fewer steps (arXiv 2010.02502, section 5).
    """
    return _chain(denoise, x, grid, noise, lambda start, end: chain_variances(start, end)[::-1])


@torch.no_grad()
def euler_maruyama(denoise: Denoise, x: Tensor, path: Path, times: Tensor, noise: Noise) -> Tensor:
    """The reverse SDE dx = (f x - g^2 score) dt + g dw in the path's time, without noise at the data. N evaluations.

    Score SDE, arXiv 2011.13456, equation 6. `times` of shape (N + 1,) fall; a and n are above 0 at all but the last.
    A path whose n ends above 0, as VE's, ends in noisy samples; a step of `first_order` to (1, 0) takes the noise away.
    """
    for t, t_end in pairwise(times):
        a, n = path.at(t)
        f, g, dt = path.drift(t), path.diffusion(t), t - t_end
        score = score_of(denoise(x, a, n), x, a, n)
        x = x - per_example(f * dt, x) * x + per_example(g.square() * dt, x) * score
        if path.noise(t_end) > 0:
            x = x + per_example(g * dt.sqrt(), x) * noise(x)
    return x


@torch.no_grad()
def predictor_corrector(
    denoise: Denoise, x: Tensor, grid: Tensor, noise: Noise, snr: float = 0.16, corrections: int = 1
) -> Tensor:
    """Langevin corrections at each level, then a reverse-diffusion step. N (1 + corrections) evaluations.

    Score SDE, arXiv 2011.13456, algorithms 2-5 and appendix E. With r = a / a' and v the variance that the chain adds,
    the step is x' = (2 - r) x + v score + sqrt(v) z, without z at the data. A correction's size is 0 where the score
    is, else 2 r^2 (snr |z| / |score|)^2, of each example's norms where the author code takes means over the batch.
    """
    for start, end in pairwise(grid):
        (a, n), (a_end, n_end) = start, end
        ratio, added = a / a_end, chain_variances(start, end)[0]
        for _ in range(corrections):
            score, z = score_of(denoise(x, a, n), x, a, n), noise(x)
            sizes = [value.flatten(1).norm(dim=1).to(torch.float64) for value in (z, score)]
            size = 2 * ratio.square() * (snr * sizes[0] / sizes[1]).square()
            size = torch.where(sizes[1] > 0, size, torch.zeros_like(size))
            x = x + per_example(size, x) * score + per_example((2 * size).sqrt(), x) * z
        score = score_of(denoise(x, a, n), x, a, n)
        x = per_example(2 - ratio, x) * x + per_example(added, x) * score
        if n_end > 0:
            x = x + per_example(added.sqrt(), x) * noise(x)
    return x


@torch.no_grad()
def inverted(denoise: Denoise, x: Tensor, grid: Tensor) -> Tensor:
    """Data to the noise it comes from: `first_order` along the grid backwards (DDIM, section 5.4). N evaluations.

    At n = 0, where D is x and leaves e open, e is that of the first level above, at the data scaled to it.
    """
    for (a, n), (a_end, n_end) in pairwise(grid.flip(0)):
        if n == 0:
            scaled = per_example(a_end / a, x) * x
            e = noise_of(denoise(scaled, a_end, n_end), scaled, a_end, n_end)
            x = mixed(scaled, e, torch.ones_like(a), n_end)
        else:
            x = _moved(denoise(x, a, n), x, a, n, a_end, n_end)
    return x


def probability_flow(denoise: Denoise, path: Path) -> Callable[[Tensor, Tensor], Tensor]:
    """The field (t, x) -> dx/dt = a' D + n' e; t of shape (), where n is above 0."""

    def field(t: Tensor, x: Tensor) -> Tensor:
        t = t.double()
        a, n = path.at(t)
        return velocity_of(denoise(x, a, n), x, a, n, path.scale_rate(t), path.noise_rate(t))

    return field


@torch.no_grad()
def solved(
    denoise: Denoise, x: Tensor, path: Path, solver: Solver, start: float = 1.0, end: float = 1e-5
) -> tuple[Tensor, int]:
    """The probability flow from time `start` to `end` by any solver of `common/ode.py`, and its evaluations.

    `end` is above 0 where n(0) is 0. One step of `first_order` from there, to (1, 0), ends at the data.
    """
    return solve(probability_flow(denoise, path), x, start, end, solver)


@torch.no_grad()
def straightness(denoise: Denoise, x: Tensor, grid: Tensor) -> Tensor:
    """int |dx/dt - (x_1 - x_0)|^2 dt of each path of `first_order`, (batch,); a grid of the linear path, where n is t.

    Rectified flow, arXiv 2209.03003, section 2: 0 where paths are straight lines walked at constant speed.
    """
    first, total = x, torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for start, end in pairwise(grid):
        before, x = x, first_order(denoise, x, torch.stack([start, end]))
        # dt |v|^2 with v = moved / dt; less |x_1 - x_0|^2 at the end, which is the cross term too.
        total = total + (x - before).flatten(1).square().sum(1).double() / (start[1] - end[1])
    return total - (x - first).flatten(1).square().sum(1).double()
