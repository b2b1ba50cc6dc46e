"""Samplers where the denoiser is known: closed forms, printed constants, orders, and what an example depends on."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from implementations.common.ode import Solver
from implementations.diffusion.parts import grids, paths, samplers
from implementations.diffusion.parts.parameterisations import noise_of, score_of, velocity_of
from tests.exact.denoising_cases import (
    Counted,
    close,
    gaussian_denoiser,
    mixture_denoiser,
    normal,
    number,
    slope,
)

BETAS = paths.linear_betas()
VP, VE, LINE = paths.variance_preserving(), paths.variance_exploding(), paths.linear()
ABAR = torch.cat([torch.ones(1).double(), (1 - BETAS).cumprod(0)])
WHOLE_TABLE = grids.ddpm_subset(BETAS, range(1000))
VP_TIMES = grids.falling_times(30, 1e-3)

STOCHASTIC = {
    "ancestral": lambda d, x, noise: samplers.ancestral(d, x, grids.ddpm_subset(BETAS, range(0, 1000, 100)), noise),
    "ancestral_half": lambda d, x, noise: samplers.ancestral(
        d, x, grids.ddpm_subset(BETAS, range(0, 1000, 100)), noise, eta=0.5
    ),
    "ancestral_large": lambda d, x, noise: samplers.ancestral_large(
        d, x, grids.ddpm_subset(BETAS, range(0, 1000, 100)), noise
    ),
    "churned": lambda d, x, noise: samplers.churned(d, x, grids.karras(10), noise, samplers.Churn(5.0)),
    "euler_maruyama": lambda d, x, noise: samplers.euler_maruyama(d, x, VP, VP_TIMES, noise),
    "predictor_corrector": lambda d, x, noise: samplers.predictor_corrector(d, x, grids.karras(10, 0.01, 50.0), noise),
}
every_stochastic = pytest.mark.parametrize("sample", STOCHASTIC.values(), ids=STOCHASTIC)


def shrinking(x: Tensor, a: Tensor, n: Tensor) -> Tensor:
    """A denoiser of elementwise operations alone, so that the size of a batch cannot change its rounding."""
    return torch.tanh(x) * paths.per_example(a / (a.square() + n.square()), x)


def variance_after(sample, denoise, grid: Tensor, variance: float) -> float:
    """Var(x) at the end for x of mean 0, where each step is linear: x' = gain x + spread z, found by two probes."""
    probe = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    for rows in range(len(grid) - 1):
        gain, spread = sample(denoise, probe, grid[rows : rows + 2], lambda x: 1 - probe)[:, 0].tolist()
        variance = gain**2 * variance + spread**2
    return variance


# --- the one line

FM = grids.uniform_time(LINE, 20)


def test_first_order_is_euler_on_the_flow_matching_ode():
    denoise, x = mixture_denoiser(), normal(20, 2, seed=1)
    expected = x
    for (a, t), (_, t_end) in pairwise(FM):
        d = denoise(expected, a, t)
        expected = expected + (t_end - t) * (expected - d) / t
    close(samplers.first_order(denoise, x, FM), expected, 1e-12)


def test_first_order_is_euler_on_edms_ode():
    """dy/dsigma = (y - D) / sigma at the sigmas of the flow-matching grid, past its infinite one; y = x / (1 - t)."""
    denoise, x, grid = mixture_denoiser(), normal(20, 2, seed=2), FM[1:]
    sigmas = grid[:, 1] / grid[:, 0]
    y = x / grid[0, 0]
    for sigma, sigma_end in pairwise(sigmas):
        y = y + (sigma_end - sigma) * (y - denoise(y, number(1.0), sigma)) / sigma
    close(samplers.first_order(denoise, x, grid), y, 1e-12)


@pytest.mark.parametrize("n", [10, 50, 1000])
def test_first_order_is_ddim_and_so_is_edms_euler(n):
    timesteps = grids.uniform_steps(1000, n)
    grid = grids.ddpm_subset(BETAS, timesteps)
    denoise, x = mixture_denoiser(), normal(10, 2, seed=3)
    ddim, y = x, x / grid[0, 0]
    levels = [step + 1 for step in reversed(timesteps)] + [0]
    for level, level_end in pairwise(levels):
        a, n_ = ABAR[level].sqrt(), (1 - ABAR[level]).sqrt()
        eps = noise_of(denoise(ddim, a, n_), ddim, a, n_)
        x0 = (ddim - (1 - ABAR[level]).sqrt() * eps) / ABAR[level].sqrt()
        ddim = ABAR[level_end].sqrt() * x0 + (1 - ABAR[level_end]).sqrt() * eps
    for sigma, sigma_end in pairwise(grid[:, 1] / grid[:, 0]):
        y = y + (sigma_end - sigma) * (y - denoise(y, number(1.0), sigma)) / sigma
    found = samplers.first_order(denoise, x, grid)
    close(found, ddim, 1e-12)
    close(found, y, 1e-11)  # y begins at 1e2


def test_heun_at_unit_scale_is_edms_algorithm():
    denoise, x, grid = mixture_denoiser(), 80 * normal(10, 2, seed=4), grids.karras(12)
    expected = x
    for sigma, sigma_end in pairwise(grid[:, 1]):
        slope_ = (expected - denoise(expected, number(1.0), sigma)) / sigma
        guess = expected + (sigma_end - sigma) * slope_
        if sigma_end > 0:
            slope_end = (guess - denoise(guess, number(1.0), sigma_end)) / sigma_end
            guess = expected + (sigma_end - sigma) * (slope_ + slope_end) / 2
        expected = guess
    close(samplers.heun(denoise, x, grid), expected, 1e-11)  # states begin at 1e2


def test_heun_on_the_linear_path_is_heun_in_time():
    denoise, x, grid = mixture_denoiser(), normal(10, 2, seed=5), grids.uniform_time(LINE, 9)[:-1]
    expected = x
    for (a, t), (a_end, t_end) in pairwise(grid):
        v = (expected - denoise(expected, a, t)) / t
        guess = expected + (t_end - t) * v
        expected = expected + (t_end - t) * (v + (guess - denoise(guess, a_end, t_end)) / t_end) / 2
    close(samplers.heun(denoise, x, grid), expected, 1e-13)


# --- constants and orders


@pytest.mark.parametrize(
    ("sampler", "gain"), [(samplers.heun, 0.527624637001047), (samplers.first_order, 0.4230314364079772)]
)
def test_gain_of_18_steps(sampler, gain):
    """On N(0, 0.5^2) a sampler multiplies its noise; two public implementations give these from sigma_max."""
    x = torch.full((1, 1), 80.0, dtype=torch.float64)
    assert float(sampler(gaussian_denoiser(0.5), x, grids.karras(18))) == pytest.approx(gain, abs=1e-12)


@pytest.mark.parametrize(("n", "percent"), [(9, 27.8), (18, 5.53), (35, 1.30), (50, 0.61), (100, 0.146), (200, 0.035)])
def test_scale_error_of_perfect_denoising(n, percent):
    x, grid = torch.full((1, 1), 80.0, dtype=torch.float64), grids.karras(n)
    exact = gaussian_denoiser(0.5).flow_map(x, grid[0], grid[-1])
    assert float(exact) == pytest.approx(0.49999023, abs=5e-9)
    error = float(samplers.heun(gaussian_denoiser(0.5), x, grid) / exact) - 1
    assert 100 * error == pytest.approx(percent, abs=0.05 if n == 9 else 0.005)  # the digits printed


@pytest.mark.parametrize(("sampler", "order"), [(samplers.first_order, 1), (samplers.heun, 2)])
def test_order_on_a_gaussian(sampler, order):
    """From sigma 80 to 0.002 on the rho-7 grid, against the exact flow."""
    denoise, errors = gaussian_denoiser(0.5, 1.0), []
    x = 1.0 + 80 * normal(4, 1, seed=6)
    for n in (256, 512):
        grid = grids.karras(n)[:-1]
        found = sampler(denoise, x, grid)
        errors.append(float((found - denoise.flow_map(x, grid[0], grid[-1])).abs().max()))
    assert slope(errors) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(("sampler", "order"), [(samplers.first_order, 1), (samplers.heun, 2)])
def test_order_on_a_mixture(sampler, order):
    denoise, x = mixture_denoiser(), 80 * normal(10, 2, seed=7)
    path, solver = paths.edm(80.0), Solver("dopri8", tolerance=1e-12)
    exact, _ = samplers.solved(denoise, x, path, solver, 1.0, 0.05 / 80)
    errors = []
    for n in (512, 1024):
        found = sampler(denoise, x, grids.karras(n, sigma_min=0.05)[:-1])
        errors.append(float((found - exact).square().mean().sqrt()))
    assert slope(errors) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun3", 3), ("rk4", 4)])
@pytest.mark.parametrize("path", [LINE, VP], ids=["straight", "vp"])
def test_order_of_solvers_on_a_path(path, method, order):
    """Through `solved`, from noise towards the data."""
    denoise, x, errors = mixture_denoiser(), normal(10, 2, seed=9), []
    exact, _ = samplers.solved(denoise, x, path, Solver("dopri8", tolerance=1e-12), 0.9, 0.2)
    for n in (100, 200):
        found, evaluations = samplers.solved(denoise, x, path, Solver(method, steps=n), 0.9, 0.2)
        errors.append(float((found - exact).square().mean().sqrt()))
        assert evaluations == n * order
    assert slope(errors) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("corrections", [0, 1, 2])
def test_predictor_corrector_is_finite_where_the_score_is_0(corrections):
    """As that of a network that has learned nothing yet may be: a correction has no size there, and is none."""

    def still(x, a, n):
        return x / paths.per_example(a, x)

    x, grid = normal(3, 2, seed=10), grids.karras(5, 0.01, 50.0)
    found = samplers.predictor_corrector(still, x, grid, torch.ones_like, corrections=corrections)
    added = sum(float(samplers.chain_variances(start, end)[0].sqrt()) for start, end in pairwise(grid[:-1]))
    close(found, x + added, 1e-12)


def test_heun_has_order_2_on_curved_paths():
    """Between pairs on the circle it walks chords."""
    denoise = gaussian_denoiser(0.5, 1.0)
    x, errors = normal(4, 1, seed=8), []
    for n in (256, 512):
        grid = grids.uniform_time(VP, n, end=0.01)
        exact = denoise.flow_map(x, grid[0], grid[-1])
        errors.append(float((samplers.heun(denoise, x, grid) - exact).abs().max()))
    assert slope(errors) == pytest.approx(2, abs=0.05)


def test_one_ode_in_different_clocks():
    """From sigma 80 to 1e-3, on the linear, the EDM and the VP path, by an adaptive solver."""
    denoise, y, ends = mixture_denoiser(), 80 * normal(10, 2, seed=9), []
    for path in (LINE, paths.edm(80.0), VP):
        start, end = (float(path.time_of(number(sigma))) for sigma in (80.0, 1e-3))
        scale, scale_end = path.scale(number(start)), path.scale(number(end))
        x, evaluations = samplers.solved(denoise, scale * y, path, Solver("dopri5", tolerance=1e-9), start, end)
        assert evaluations > 20
        ends.append(x / scale_end)
    for other in ends[1:]:
        close(other, ends[0], 1e-6)


def test_the_flow_reaches_the_data_by_one_more_step():
    """From pure noise on the linear path, where a is 0 at the start and n at the end."""
    denoise, x = gaussian_denoiser(0.4, 1.5), normal(6, 1, seed=10)
    near, _ = samplers.solved(denoise, x, LINE, Solver("dopri5", tolerance=1e-10), 1.0, 1e-5)
    last = torch.stack([torch.stack(LINE.at(number(1e-5))), torch.tensor([1.0, 0.0], dtype=torch.float64)])
    close(samplers.first_order(denoise, near, last), 1.5 + 0.4 * x, 1e-8)  # the solver's tolerance


# --- evaluations


@pytest.mark.parametrize("n", [1, 2, 18])
def test_evaluations(n):
    grid, x, noise = grids.karras(n) if n > 1 else grids.karras(2)[1:], normal(3, 2, seed=11), torch.zeros_like
    expected = {
        samplers.first_order: n,
        samplers.heun: 2 * n - 1,
        samplers.inverted: n,
        samplers.straightness: n,
        partial(samplers.ancestral, noise=noise): n,
        partial(samplers.ancestral_large, noise=noise): n,
        partial(samplers.churned, noise=noise, churn=samplers.Churn(40.0)): 2 * n - 1,
        partial(samplers.predictor_corrector, noise=torch.ones_like): 2 * n,
        partial(samplers.predictor_corrector, noise=torch.ones_like, corrections=3): 4 * n,
    }
    for sampler, evaluations in expected.items():
        denoise = Counted(mixture_denoiser())
        sampler(denoise, x, grid)
        assert denoise.evaluations == evaluations
    denoise = Counted(mixture_denoiser())
    samplers.euler_maruyama(denoise, x, VP, grids.falling_times(n, 1e-3), noise)
    assert denoise.evaluations == n


def test_a_solvers_evaluations_are_those_of_the_denoiser():
    denoise = Counted(mixture_denoiser())
    _, evaluations = samplers.solved(denoise, normal(3, 2, seed=12), LINE, Solver("rk4", steps=7), 1.0, 0.1)
    assert evaluations == denoise.evaluations == 28


# --- chains


@pytest.mark.parametrize("k", [2, 300, 1000])
def test_chain_variances_are_ddpms(k):
    added, posterior = samplers.chain_variances(WHOLE_TABLE[1000 - k], WHOLE_TABLE[1001 - k])
    beta = float(BETAS[k - 1])
    assert float(added) == pytest.approx(beta, rel=1e-11)  # a difference of numbers up to 1
    assert float(posterior) == pytest.approx(float((1 - ABAR[k - 1]) / (1 - ABAR[k])) * beta, rel=1e-10)
    if k == 2:
        assert float(posterior) == pytest.approx(5.4531877e-5, rel=1e-8)  # the digits printed


@pytest.mark.parametrize(
    ("sampler", "variance"), [(samplers.ancestral_large, 0.9999), (samplers.ancestral, 0.9910673763528218)]
)
def test_variance_of_the_reverse_chain_on_a_normal_law(sampler, variance):
    denoise = gaussian_denoiser(1.0)
    assert variance_after(sampler, denoise, WHOLE_TABLE, 1.0) == pytest.approx(variance, abs=1e-12)


def test_large_variance_keeps_a_normal_law_at_every_step():
    for rows in range(0, 999, 37):
        pair = WHOLE_TABLE[rows : rows + 2]
        assert variance_after(samplers.ancestral_large, gaussian_denoiser(1.0), pair, 1.0) == pytest.approx(
            1, abs=1e-12
        )


def test_small_variance_is_exact_on_a_point():
    """At each level the variance is that of the noise, and at the end 0."""

    def point(x, a, n):
        return torch.zeros_like(x)

    variance = 1 - float(ABAR[-1])
    for stop in (500, 900, 1000):
        found = variance_after(samplers.ancestral, point, WHOLE_TABLE[: stop + 1], variance)
        assert found == pytest.approx(float(WHOLE_TABLE[stop, 1]) ** 2, abs=1e-12)
    assert variance_after(samplers.ancestral_large, point, WHOLE_TABLE, variance) == 0.0


def test_eta_0_is_first_order_and_eta_1_ddpms_mean():
    denoise, x = mixture_denoiser(), normal(10, 2, seed=13)
    grid = grids.ddpm_subset(BETAS, grids.uniform_steps(1000, 50))
    nothing = samplers.ancestral(denoise, x, grid, torch.ones_like, eta=0.0)
    close(nothing, samplers.first_order(denoise, x, grid), 1e-13)
    k = 400
    pair = WHOLE_TABLE[1000 - k : 1002 - k]
    d = denoise(x, *pair[0])
    beta = BETAS[k - 1]
    mean = (ABAR[k - 1].sqrt() * beta * d + (1 - beta).sqrt() * (1 - ABAR[k - 1]) * x) / (1 - ABAR[k])  # equation 7
    close(samplers.ancestral(denoise, x, pair, torch.zeros_like), mean, 1e-12)
    close(samplers.ancestral_large(denoise, x, pair, torch.ones_like), mean + beta.sqrt(), 1e-12)


@pytest.mark.parametrize("eta", [0.2, 0.5, 1.0])
def test_marginals_of_a_point_are_kept_at_every_eta(eta):
    """DDIM's family shares its marginals, on any subset of levels."""

    def point(x, a, n):
        return torch.zeros_like(x)

    grid = grids.ddpm_subset(BETAS, grids.quadratic_steps(1000, 20))[:-1]
    found = variance_after(partial(samplers.ancestral, eta=eta), point, grid, float(grid[0, 1]) ** 2)
    assert found == pytest.approx(float(grid[-1, 1]) ** 2, rel=1e-10)  # rounding


@pytest.mark.parametrize(("n", "variance"), [(18, 0.31610), (64, 0.26028), (256, 0.25096), (1024, 0.25006)])
def test_variance_of_churned_samples(n, variance):
    """On N(0, 0.5^2) with S_churn 40, from N(0, 80^2)."""
    churn = partial(_churned_step, churn=samplers.Churn(40.0), count=n)
    found = variance_after(churn, gaussian_denoiser(0.5), grids.karras(n), 80.0**2)
    assert found == pytest.approx(variance, abs=5e-6)  # half of the last digit printed


def test_inflated_churn_is_biased():
    churn = partial(_churned_step, churn=samplers.Churn(40.0, inflation=1.007), count=1024)
    assert variance_after(churn, gaussian_denoiser(0.5), grids.karras(1024), 80.0**2) == pytest.approx(0.2536, abs=1e-4)


def _churned_step(denoise, x, pair, noise, churn, count):
    """One step of a run of `count`: the share of the amount that falls to it."""
    gamma = min(churn.amount / count, math.sqrt(2) - 1)
    return samplers.churned(denoise, x, pair, noise, samplers.Churn(gamma, inflation=churn.inflation))


def test_churn_shares_its_amount_among_the_steps():
    """A whole run is its steps, each with gamma = amount / N, or with sqrt(2) - 1 where that is less."""
    denoise, grid = mixture_denoiser(), grids.karras(10)
    for amount in (2.0, 40.0):
        x, churn = 80 * normal(3, 2, seed=14), samplers.Churn(amount)
        whole = samplers.churned(denoise, x, grid, samplers.Streams([1, 2, 3]), churn)
        streams = samplers.Streams([1, 2, 3])
        for row in range(10):
            x = _churned_step(denoise, x, grid[row : row + 2], streams, churn, 10)
        assert torch.equal(whole, x)


def test_churn_stays_within_its_range():
    denoise, grid, x = mixture_denoiser(), grids.karras(10), 80 * normal(3, 2, seed=15)
    churn = samplers.Churn(40.0, low=0.05, high=50.0)
    draws = []
    samplers.churned(denoise, x, grid, lambda z: draws.append(1) or torch.zeros_like(z), churn)
    assert len(draws) == int(((grid[:-1, 1] >= 0.05) & (grid[:-1, 1] <= 50)).sum())
    heun = samplers.heun(denoise, x, grid)
    close(samplers.churned(denoise, x, grid, torch.ones_like, samplers.Churn(0.0)), heun, 0.0)
    close(samplers.churned(denoise, x, grid, torch.ones_like, samplers.Churn(40.0, low=100.0)), heun, 0.0)


def test_euler_maruyama_reaches_the_data_law_with_order_1():
    """Variances on N(0, 0.5^2) by the step's recursion, from the exact one at time 1 to that at the end."""
    denoise, errors = gaussian_denoiser(0.5), []
    for n in (1000, 2000):
        times, end = grids.falling_times(n, 1e-2), number(1e-2)

        def step(denoise, x, pair, noise):
            return samplers.euler_maruyama(denoise, x, VP, pair, noise)

        start = 0.25 * float(VP.scale(number(1.0))) ** 2 + float(VP.noise(number(1.0))) ** 2
        found = variance_after(step, denoise, times, start)
        errors.append(abs(found - 0.25 * float(VP.scale(end)) ** 2 - float(VP.noise(end)) ** 2))
    assert slope(errors) == pytest.approx(1, abs=0.05)
    assert errors[-1] < 1e-3


def test_euler_maruyama_is_the_sde_written_out():
    denoise, x, times = mixture_denoiser(), normal(4, 2, seed=16), torch.tensor([0.8, 0.7], dtype=torch.float64)
    beta, (a, n) = 0.1 + 19.9 * 0.8, VP.at(number(0.8))
    mean = x + (0.5 * beta * x + beta * score_of(denoise(x, a, n), x, a, n)) * 0.1
    expected = mean + math.sqrt(0.1 * beta)
    close(samplers.euler_maruyama(denoise, x, VP, times, torch.ones_like), expected, 1e-12)
    times = torch.tensor([0.8, 0.0], dtype=torch.float64)  # to the data: no noise
    mean = x + (0.5 * beta * x + beta * score_of(denoise(x, a, n), x, a, n)) * 0.8
    close(samplers.euler_maruyama(denoise, x, VP, times, torch.ones_like), mean, 1e-12)


def test_predictor_is_the_papers_at_neighbouring_levels():
    """VE: x + (s^2 - s'^2) score + sqrt(s^2 - s'^2) z;  VP: (2 - sqrt(1 - beta)) x + beta score + sqrt(beta) z."""
    denoise, x = mixture_denoiser(), normal(4, 2, seed=17)
    predicted = partial(samplers.predictor_corrector, denoise, x, noise=torch.ones_like, corrections=0)
    ve = torch.tensor([[1.0, 3.0], [1.0, 2.0]], dtype=torch.float64)
    close(predicted(ve), x + 5 * score_of(denoise(x, *ve[0]), x, *ve[0]) + math.sqrt(5), 1e-13)
    vp, beta = WHOLE_TABLE[400:402], BETAS[599]
    expected = (2 - (1 - beta).sqrt()) * x + beta * score_of(denoise(x, *vp[0]), x, *vp[0]) + beta.sqrt()
    close(predicted(vp), expected, 1e-12)


def test_predictor_ends_at_the_denoiser():
    denoise, x = mixture_denoiser(), normal(4, 2, seed=18)
    last = torch.tensor([[1.0, 0.3], [1.0, 0.0]], dtype=torch.float64)
    close(samplers.predictor_corrector(denoise, x, last, torch.ones_like, corrections=0), denoise(x, *last[0]), 1e-13)


@pytest.mark.parametrize("a", [1.0, 0.9])
def test_corrector_has_the_asked_ratio_of_signal_to_noise(a):
    """A move of h score + sqrt(2 h) z has |h score| / |sqrt(2 h) z| = snr a / a', for each example by itself."""
    denoise, x, z = mixture_denoiser(), normal(5, 2, seed=19), normal(5, 2, seed=20)
    seen = []

    def keeping(value, a, n):
        seen.append(value)
        return denoise(value, a, n)

    pair = torch.tensor([[a, 0.8], [1.0, 0.5]], dtype=torch.float64)
    samplers.predictor_corrector(keeping, x, pair, lambda _: z, snr=0.16)
    score = score_of(denoise(x, *pair[0]), x, *pair[0])
    size = 2 * a**2 * (0.16 * z.norm(dim=1) / score.norm(dim=1)).square()[:, None]
    close(seen[1], x + size * score + (2 * size).sqrt() * z, 1e-13)
    ratio = (size * score).norm(dim=1) / ((2 * size).sqrt() * z).norm(dim=1)
    close(ratio, torch.full((5,), 0.16 * a, dtype=torch.float64), 1e-14)


def test_correction_brings_samples_of_the_wrong_spread_back():
    """In many dimensions, on N(0, I): ten corrections at one level, from half of the right deviation."""
    denoise, d = gaussian_denoiser(1.0), 4096

    def by_coordinate(x, a, n):
        return denoise(x.reshape(-1, 1), a, n).reshape(x.shape)

    pair = torch.tensor([[1.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    right = math.sqrt(2)
    x = 0.5 * right * normal(2, d, seed=21)
    spreads = []
    for corrections in (0, 10, 100):
        noise = samplers.Streams([5, 6])
        # The last step is x -> D(x) = x / 2: twice the result is what was corrected.
        y = 2 * samplers.predictor_corrector(by_coordinate, x, pair, noise, corrections=corrections)
        spreads.append(float(y.std()))
    assert spreads[0] < spreads[1] < spreads[2]
    # Langevin steps of size h on N(0, 2) end at variance 2 / (1 - h / 4); h = 4 snr^2 where |score| = |z| / sqrt(2).
    assert spreads[2] == pytest.approx(
        right / math.sqrt(1 - 0.16**2), rel=0.02
    )  # 8192 values: 0.8 % is a standard error


# --- encoding


def test_encoding_and_decoding_leads_back_with_order_1():
    denoise, x, errors = (
        mixture_denoiser(),
        mixture_denoiser().mixture.sample(20, torch.Generator().manual_seed(22)),
        [],
    )
    for n in (500, 1000):
        grid = grids.uniform_time(VP, n)
        back = samplers.first_order(denoise, samplers.inverted(denoise, x, grid), grid)
        errors.append(float((back - x).square().mean().sqrt()))
    assert slope(errors) == pytest.approx(1, abs=0.1)
    assert errors[-1] < 0.05


def test_encoding_is_the_exact_flow_backwards():
    denoise, x, errors = gaussian_denoiser(0.5, 1.0), 1 + 0.5 * normal(10, 1, seed=23), []
    for n in (500, 1000):
        grid = grids.uniform_time(LINE, n)
        exact = denoise.flow_map(x, grid[-1], grid[0])
        errors.append(float((samplers.inverted(denoise, x, grid) - exact).abs().max()))
    assert slope(errors) == pytest.approx(1, abs=0.1)


def test_encoding_begins_with_the_first_levels_noise():
    denoise, x = mixture_denoiser(), normal(5, 2, seed=24)
    grid = torch.tensor([[0.8, 0.6], [1.0, 0.0]], dtype=torch.float64)
    eps = noise_of(denoise(0.8 * x, *grid[0]), 0.8 * x, *grid[0])
    close(samplers.inverted(denoise, x, grid), 0.8 * x + 0.6 * eps, 1e-14)


# --- straightness


def test_straightness_of_gaussian_ends():
    """The integral of (d/dt sd_t - (1 - s))^2, on the flow x = m_t + z sd_t: 0.17168147 for s = 0.4."""
    s, count = 0.4, 200_000
    t = (torch.arange(count).double() + 0.5) / count
    rate = (t - (1 - t) * s**2) / ((1 - t).square() * s**2 + t.square()).sqrt()
    constant = float((rate - (1 - s)).square().mean())
    assert constant == pytest.approx(0.17168147, abs=1e-8)
    one = torch.ones(1, 1).double()
    coarse, middle, fine = (
        float(samplers.straightness(gaussian_denoiser(s), one, grids.uniform_time(LINE, n))) for n in (500, 1000, 2000)
    )
    extrapolated = (8 * fine - 6 * middle + coarse) / 3  # to no step at all, from errors of orders 1 and 2
    assert extrapolated == pytest.approx(constant, abs=1e-6)
    shifted = samplers.straightness(gaussian_denoiser(s, 1.5), one, grids.uniform_time(LINE, 2000))
    assert float(shifted) == pytest.approx(fine, abs=1e-9)


def test_after_a_reflow_paths_are_straight_and_one_step_is_exact():
    """Pairs x_0 = m + s eps determine x_0 by x_t, so that D = (m t + s x) / ((1 - t) s + t) and v = eps - x_0."""
    s, m, eps = 0.4, 1.5, normal(50, 1, seed=25)

    def reflowed(x, a, n):
        return m + s * (x - a * m) / (a * s + n)

    close(samplers.first_order(reflowed, eps, grids.uniform_time(LINE, 1)), m + s * eps, 1e-15)
    close(samplers.straightness(reflowed, eps, grids.uniform_time(LINE, 50)), torch.zeros(50).double(), 1e-12)
    v = velocity_of(reflowed(eps, number(0.3), number(0.7)), eps, number(0.3), number(0.7), number(-1.0), number(1.0))
    z = (eps - 0.3 * m) / (0.3 * s + 0.7)
    close(v, z - (m + s * z), 1e-14)


# --- streams, purity, dtypes


def test_streams_are_those_of_their_seeds():
    draws = samplers.Streams([3, 4]).draw((2, 5))
    for row, seed in enumerate((3, 4)):
        expected = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(draws[row], expected)
    streams = samplers.Streams([3, 4])
    assert streams(torch.zeros(2, 5)).dtype == torch.float32
    assert not torch.equal(streams.draw((5,)), streams.draw((5,)))
    with pytest.raises(ValueError, match="2 streams cannot serve 3"):
        streams(torch.zeros(3, 5))


@every_stochastic
def test_a_sample_does_not_depend_on_its_batch(sample):
    def made(seeds):
        streams = samplers.Streams(seeds)
        return sample(shrinking, streams.draw((3, 3)), streams)

    together = made(range(8))
    for seed in range(8):
        assert torch.equal(made([seed])[0], together[seed])
    assert torch.equal(made(range(8)), together)  # and the same seeds give the same bits
    assert not torch.equal(made(range(1, 9))[0], together[0])


@pytest.mark.parametrize(
    "sampler",
    [
        samplers.ancestral,
        samplers.ancestral_large,
        samplers.predictor_corrector,
        partial(samplers.churned, churn=samplers.Churn(100.0)),  # gamma at its limit, which no number of steps changes
        lambda denoise, x, grid, noise: samplers.heun(denoise, x, grid),
        lambda denoise, x, grid, noise: samplers.euler_maruyama(denoise, x, paths.edm(), grid[:, 1] / 80, noise),
    ],
    ids=["ancestral", "ancestral_large", "predictor_corrector", "churned", "heun", "euler_maruyama"],
)
def test_a_run_can_stop_and_go_on(sampler):
    """The state and the streams after some steps are all there is."""
    grid = grids.karras(10)
    whole, halves = samplers.Streams([1, 2]), samplers.Streams([1, 2])
    at_once = sampler(shrinking, 80 * whole.draw((3,)), grid, noise=whole)
    half = sampler(shrinking, 80 * halves.draw((3,)), grid[:5], noise=halves)
    assert torch.equal(sampler(shrinking, half, grid[4:], noise=halves), at_once)


@every_stochastic
def test_arguments_stay_as_they_are(sample):
    x = normal(4, 3, seed=26)
    before = x.clone()
    sample(shrinking, x, torch.ones_like)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_keep_their_dtype(dtype):
    x, grid = normal(4, 3, seed=27).to(dtype), grids.karras(5)
    outcomes = [sample(shrinking, x, torch.ones_like) for sample in STOCHASTIC.values()]
    outcomes += [samplers.first_order(shrinking, x, grid), samplers.heun(shrinking, x, grid)]
    outcomes += [
        samplers.inverted(shrinking, x, grid),
        samplers.solved(shrinking, x, LINE, Solver("euler", steps=3))[0],
    ]
    assert {outcome.dtype for outcome in outcomes} == {dtype}


def test_states_stay_on_their_device():
    """Grids and levels are on the CPU; the meta device, like any other, refuses what is left behind there."""
    x, grid = torch.empty(4, 3, device="meta"), grids.karras(5)
    outcomes = [sample(shrinking, x, torch.ones_like) for sample in STOCHASTIC.values()]
    outcomes += [samplers.first_order(shrinking, x, grid), samplers.heun(shrinking, x, grid)]
    outcomes += [samplers.inverted(shrinking, x, grid), samplers.straightness(shrinking, x, FM)]
    assert {outcome.device.type for outcome in outcomes} == {"meta"}


def test_samplers_keep_no_graph():
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    x = samplers.heun(lambda x, a, n: weight * shrinking(x, a, n), normal(2, 3, seed=28), grids.karras(5))
    assert not x.requires_grad
