"""Paths: against printed values, automatic differentiation, their SDEs; and the grids made of them."""

import math

import numpy as np
import pytest
import torch

from implementations.diffusion.parts import grids, paths
from tests.exact.denoising_cases import close, normal, number

BETAS = paths.linear_betas()
PATHS = {
    "linear": paths.linear(),
    "vp": paths.variance_preserving(),
    "sub_vp": paths.sub_variance_preserving(),
    "ve": paths.variance_exploding(),
    "edm": paths.edm(80.0),
    "ddpm": paths.ddpm(BETAS),
}
# Within pieces of the table, whose derivative jumps at each level.
TIMES = torch.tensor([0.0104, 0.1004, 0.3337, 0.5006, 0.7771, 0.9996], dtype=torch.float64)

every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


@every_path
def test_rates_are_the_derivatives(path):
    for function, rate in ((path.scale, path.scale_rate), (path.noise, path.noise_rate)):
        t = TIMES.clone().requires_grad_()
        values = function(t)
        expected = torch.zeros_like(t)
        if values.requires_grad:
            (expected,) = torch.autograd.grad(values.sum(), t)
        torch.testing.assert_close(rate(TIMES), expected, rtol=1e-12, atol=1e-14)  # rounding


@every_path
def test_time_of_a_ratio_is_the_inverse(path):
    a, n = path.at(TIMES)
    close(path.time_of(n / a), TIMES, 1e-12)  # rounding; sigma has flat pieces nowhere


@every_path
def test_noise_rises_relative_to_the_scale(path):
    a, n = path.at(torch.linspace(0.0, 0.999, 500, dtype=torch.float64))
    assert ((n / a).diff() > 0).all()
    assert (a > 0).all()


@every_path
def test_float64_stays(path):
    assert {value.dtype for value in (*path.at(TIMES), path.scale_rate(TIMES), path.noise_rate(TIMES))} == {
        torch.float64
    }


@pytest.mark.parametrize("name", ["vp", "ddpm"])
def test_variance_is_preserved(name):
    a, n = PATHS[name].at(torch.linspace(0.0, 1.0, 101, dtype=torch.float64))
    close(a.square() + n.square(), torch.ones_like(a), 1e-15)


@pytest.mark.parametrize("name", ["linear", "vp", "sub_vp", "edm", "ddpm"])
def test_time_0_is_the_data(name):
    a, n = PATHS[name].at(number(0.0))
    assert (float(a), float(n)) == (1.0, 0.0)
    assert float(PATHS[name].time_of(number(0.0))) == 0.0


def test_linear_path_ends_in_pure_noise():
    path = PATHS["linear"]
    assert [float(value) for value in path.at(number(1.0))] == [0.0, 1.0]
    assert float(path.time_of(number(math.inf))) == 1.0


def test_vp_keeps_its_digits_near_the_data():
    """At t = 1e-5 sigma is sqrt(expm1(L)), L = 0.1 t + 9.95 t^2 = 1.000995e-6; exp(L) - 1 in float32 gives 9.8e-4."""
    a, n = PATHS["vp"].at(number(1e-5))
    total = 0.1e-5 + 9.95e-10
    assert float(n / a) == pytest.approx(
        math.sqrt(total * (1 + total / 2)), rel=1e-12
    )  # the series' next term is 1e-13


def test_ve_runs_between_its_levels():
    _, n = PATHS["ve"].at(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    torch.testing.assert_close(n, torch.tensor([0.01, math.sqrt(0.5), 50.0], dtype=torch.float64), rtol=1e-13, atol=0.0)


def test_ddpm_table_has_the_printed_values():
    path = PATHS["ddpm"]
    a, n = path.at(torch.arange(1, 1001, dtype=torch.float64) / 1000)
    products = (1 - BETAS).cumprod(0)
    torch.testing.assert_close(a.square(), products, rtol=1e-13, atol=0.0)  # rounding of a thousand factors
    assert float(products[-1]) == pytest.approx(4.035829765e-5, rel=1e-9)  # as many digits as are given
    assert float(n[0] / a[0]) == pytest.approx(0.0100005000, abs=1e-10)
    assert float(n[-1] / a[-1]) == pytest.approx(157.407281, abs=1e-6)


def test_ddpm_levels_are_found_again():
    path = PATHS["ddpm"]
    times = torch.arange(1, 1001, dtype=torch.float64) / 1000
    a, n = path.at(times)
    close(path.time_of(n / a), times, 1e-14)


def test_vp_sde():
    """f = -beta / 2 and g^2 = beta."""
    path, beta = PATHS["vp"], 0.1 + 19.9 * TIMES
    torch.testing.assert_close(path.drift(TIMES), -beta / 2, rtol=1e-13, atol=0.0)
    torch.testing.assert_close(path.diffusion(TIMES).square(), beta, rtol=1e-12, atol=0.0)  # n^2 of 2e-3 at the least


def test_sub_vp_sde():
    """g^2 = beta (1 - exp(-2 L)); n is the square of VP's."""
    path, beta = PATHS["sub_vp"], 0.1 + 19.9 * TIMES
    total = 0.1 * TIMES + 9.95 * TIMES.square()
    torch.testing.assert_close(path.drift(TIMES), -beta / 2, rtol=1e-13, atol=0.0)
    torch.testing.assert_close(path.diffusion(TIMES).square(), beta * -torch.expm1(-2 * total), rtol=1e-11, atol=0.0)
    torch.testing.assert_close(path.noise(TIMES), PATHS["vp"].noise(TIMES).square(), rtol=1e-13, atol=0.0)


def test_ve_sde():
    """f = 0 and g = sigma sqrt(2 log(sigma_max / sigma_min))."""
    path = PATHS["ve"]
    assert (path.drift(TIMES) == 0).all()
    expected = path.noise(TIMES) * math.sqrt(2 * math.log(5000))
    torch.testing.assert_close(path.diffusion(TIMES), expected, rtol=1e-13, atol=0.0)


@every_path
def test_diffusing_takes_each_example_to_its_time(path):
    x0, eps, t = normal(6, 2, 3, seed=1), normal(6, 2, 3, seed=2), TIMES
    x = paths.diffuse(path, x0, eps, t)
    for row in range(6):
        close(
            x[row], path.scale(t[row]) * x0[row] + path.noise(t[row]) * eps[row], 1e-14 * float(path.noise(t[row]) + 1)
        )
    torch.testing.assert_close(paths.diffuse(path, x0, eps, t[2])[2], x[2], rtol=0, atol=0)
    assert paths.diffuse(path, x0.float(), eps.float(), t).dtype == torch.float32


@pytest.mark.parametrize("betas", [BETAS.float(), BETAS[None], BETAS[:0], torch.tensor([0.1, 1.0]).double()])
def test_ddpm_refuses_what_is_no_table(betas):
    with pytest.raises(ValueError, match="betas"):
        paths.ddpm(betas)


@pytest.mark.parametrize("make", [paths.variance_preserving, paths.sub_variance_preserving])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_vp_refuses_falling_rates(make, low, high):
    with pytest.raises(ValueError, match="beta"):
        make(low, high)


def test_karras_is_its_formula():
    grid = grids.karras(18)
    assert grid.shape == (19, 2)
    assert grid.dtype == torch.float64
    assert (grid[:, 0] == 1).all()
    for i in range(18):
        expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
        assert float(grid[i, 1]) == pytest.approx(expected, rel=1e-13)
    assert float(grid[18, 1]) == 0.0


def test_uniform_times_of_the_linear_path():
    t = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0], dtype=torch.float64)
    assert torch.equal(grids.uniform_time(PATHS["linear"], 4), torch.stack([1 - t, t], dim=1))
    assert float(grids.uniform_time(PATHS["linear"], 4, end=0.1)[-1, 1]) == pytest.approx(0.1, rel=1e-15)


def test_ddpm_subset_names_levels_and_ends_at_the_data():
    grid = grids.ddpm_subset(BETAS, [0, 500, 999])
    products = (1 - BETAS).cumprod(0)
    torch.testing.assert_close(grid[:3, 0].square(), products[[999, 500, 0]], rtol=1e-13, atol=0.0)
    assert grid[3].tolist() == [1.0, 0.0]
    close(grid.square().sum(1), torch.ones(4).double(), 1e-15)


def test_uniform_steps_are_the_author_codes():
    """50 of 1000 end at 980, not 999."""
    assert grids.uniform_steps(1000, 50) == list(range(0, 1000, 20))
    assert grids.uniform_steps(1000, 1000) == list(range(1000))
    assert len(grids.uniform_steps(1000, 30)) == 30
    assert max(grids.uniform_steps(1000, 30)) < 1000


def test_quadratic_steps_are_the_author_codes():
    """The whole parts of linspace(0, sqrt(0.8 T), 10)^2 = (k^2 800 / 81), k = 0 ... 9, and no step twice."""
    assert grids.quadratic_steps(1000, 10) == [math.floor(k * k * 800 / 81) for k in range(10)]
    many = grids.quadratic_steps(1000, 100)
    assert (many[0], many[-1]) == (0, 800)
    assert many == sorted(set(many))
    assert set(many) == {math.floor(k * k * 800 / 9801) for k in range(100)}
    assert len(many) == 96  # 0 stands for four, 2 for two
    for n in (1, 10, 20, 50, 100, 1000):  # one, and the paper's
        roots = np.linspace(0, np.sqrt(0.8 * 1000), n)
        assert grids.quadratic_steps(1000, n) == sorted({int(value) for value in roots**2})


def test_rates_at_a_level_of_the_table_are_those_below_it():
    """-log(1 - beta_k) over a time of 1 / T."""
    levels = torch.arange(1, 1001, dtype=torch.float64)
    expected = 0.5 * 1000 * torch.log1p(-BETAS)
    torch.testing.assert_close(PATHS["ddpm"].drift(levels / 1000), expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("steps", [[], [3, 2], [1, 1], [-1, 5], [5, 1000]])
def test_ddpm_subset_refuses_other_lists(steps):
    with pytest.raises(ValueError, match="timesteps"):
        grids.ddpm_subset(BETAS, steps)


@pytest.mark.parametrize("rule", [grids.uniform_steps, grids.quadratic_steps])
@pytest.mark.parametrize("n", [0, 11])
def test_steps_refuse_other_counts(rule, n):
    with pytest.raises(ValueError, match="visited"):
        rule(10, n)


@pytest.mark.parametrize("times", [[1.0], [0.5, 0.5], [0.2, 0.4], [1.1, 0.0], [1.0, -0.1]])
def test_grids_refuse_times_that_do_not_fall(times):
    with pytest.raises(ValueError, match="times"):
        grids.at_times(PATHS["linear"], torch.tensor(times, dtype=torch.float64))


@pytest.mark.parametrize("levels", [[1.0, 2.0], [1.0, 0.0], [1.0, 1.0]])
def test_grids_refuse_levels_that_do_not_fall(levels):
    with pytest.raises(ValueError, match="levels"):
        grids.unscaled_levels(torch.tensor(levels, dtype=torch.float64))
