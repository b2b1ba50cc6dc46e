"""DDIM: its family of samplers is the paper's, it is Euler on an ODE, and it can be walked backwards."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from implementations.diffusion import ddim, ddpm
from implementations.diffusion.ddim import Settings
from implementations.diffusion.parts.paths import linear_betas
from implementations.diffusion.parts.samplers import Streams
from tests.exact.ddpm_cases import Impulses, mixture, mixture_model, normal_model, root, small_model, squares
from tests.exact.noisy_networks import generator, normal

ROUNDING = 1e-12  # float64, tens of steps on values of order 1
UNLIMITED = Settings(denoised_limit=None)
ETAS = [(ddim.ddim_quadratic, 0.0), (ddim.ddim_eta_02, 0.2), (ddim.ddim_eta_05, 0.5), (ddim.ddim_eta_1, 1.0)]


def steps_of(list_of_times: list[int]) -> list[tuple[float, float]]:
    """(abar, abar') of each step, from the last time of the list to the data."""
    abar = squares(linear_betas())
    levels = [0, *(time + 1 for time in list_of_times)]
    return [(abar[high], abar[low]) for low, high in pairwise(levels)][::-1]


def quadratic_times(count: int) -> list[int]:
    """The author code's list, (sqrt(0.8 T) k / (S - 1))^2 cut to whole numbers, without what it repeats."""
    return sorted({math.floor(800 * (k / (count - 1)) ** 2 + 1e-9) for k in range(count)})


def pair(abar: float) -> tuple[Tensor, Tensor]:
    a, n = (torch.tensor(root(value), dtype=torch.float64) for value in (abar, 1 - abar))
    return a, n


def predicted(model, x: Tensor, abar: float) -> tuple[Tensor, Tensor]:
    """D and eps at a level."""
    a, n = pair(abar)
    with torch.no_grad():
        denoised = model(x, a, n)
    return denoised, (x - a * denoised) / n


@pytest.mark.parametrize(("sampler", "eta"), ETAS)
@pytest.mark.parametrize("steps", [2, 10, 50])
def test_the_family_is_that_of_equation_twelve(sampler, eta, steps):
    model, streams = mixture_model(), Streams(range(6))
    x = streams.draw((2,))
    for now, then in steps_of(quadratic_times(steps)):
        denoised, eps = predicted(model, x, now)
        s = eta * root((1 - then) / (1 - now)) * root(1 - now / then)
        x = math.sqrt(then) * denoised + root(1 - then - s**2) * eps
        if then < 1 and eta > 0:
            x = x + s * streams(x)
    # 1 - abar loses four digits near the data, here and not there.
    torch.testing.assert_close(sampler(model, Settings(), steps, Streams(range(6))), x, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize(("sampler", "large"), [(ddim.ddim_eta_1, False), (ddim.sigma_hat, True)])
def test_eta_one_and_sigma_hat_are_ddpms_chain_on_fewer_levels(sampler, large):
    """In DDPM's terms: beta of a step is 1 - abar / abar', and the mean is that of q(x' | x, x_0 = D)."""
    model, streams = mixture_model(), Streams(range(6))
    x = streams.draw((2,))
    for now, then in steps_of(quadratic_times(20)):
        denoised, _ = predicted(model, x, now)
        beta = 1 - now / then
        mean = math.sqrt(then) * beta / (1 - now) * denoised + math.sqrt(1 - beta) * (1 - then) / (1 - now) * x
        x = mean
        if then < 1:
            x = x + root(beta if large else beta * (1 - then) / (1 - now)) * streams(x)
    torch.testing.assert_close(sampler(model, UNLIMITED, 20, Streams(range(6))), x, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize(("sampler", "grid"), [(ddim.ddim, ddim.uniform), (ddim.ddim_quadratic, ddim.quadratic)])
def test_it_is_eulers_rule_for_the_ode_in_sigma(sampler, grid):
    """For x / a the ODE is dx/dsigma = eps (section 4.3), for any network."""
    model, _ = small_model((3,))
    levels, streams = grid(Settings(), 50), Streams(range(4))
    x = streams.draw((3,)) / levels[0, 0]
    with torch.no_grad():
        for (a, n), (a_end, n_end) in pairwise(levels):
            x = x + (n_end / a_end - n / a) * model.output(a * x, a, n)
    # States are of size 100, as x / a begins at 157.
    torch.testing.assert_close(sampler(model, Settings(), 50, Streams(range(4))), x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sampler", [ddim.ddim, ddim.ddim_quadratic])
def test_without_eta_nothing_is_drawn_on_the_way(sampler):
    streams, untouched = Streams(range(3)), Streams(range(3))
    sampler(mixture_model(), Settings(), 20, streams)
    untouched.draw((2,))
    assert torch.equal(streams.draw((2,)), untouched.draw((2,)))


def test_a_point_is_found_in_one_step():
    """Where D is right already, any step to the data ends there."""
    model = normal_model(1e-9)
    for sampler in ddim.METHOD.samplers:
        assert float(sampler(model, Settings(), 1, Streams(range(5))).abs().max()) < 1e-8


def test_the_answers_to_all_draws_have_the_variance_of_the_exact_chain():
    """On N(0, 1) eta 0 multiplies by cos of each step's angle, and eta 1 has the variance of a recursion."""
    steps = steps_of(quadratic_times(20))
    gain, variance = 1.0, 1.0
    for now, then in steps:
        gain *= math.sqrt(then * now) + root((1 - then) * (1 - now))
        s = root((1 - then) / (1 - now) * (1 - now / then))
        variance = (math.sqrt(then * now) + root((1 - then - s**2) * (1 - now))) ** 2 * variance + s**2
    model = normal_model()
    deterministic = ddim.ddim_quadratic(model, Settings(), 20, Impulses(1))
    assert float(deterministic) == pytest.approx(gain, abs=1e-11)
    stochastic = ddim.ddim_eta_1(model, Settings(), 20, Impulses(20))
    assert float(stochastic.square().sum()) == pytest.approx(variance, abs=1e-11)


def test_all_levels_are_ddpms():
    """At T evenly spaced steps the grid is the whole table."""
    grid = ddim.uniform(Settings(), 1000)
    torch.testing.assert_close(
        grid[:, 0].square().flip(0),
        torch.tensor(squares(linear_betas()), dtype=torch.float64),
        rtol=ROUNDING,
        atol=0.0,
    )


@pytest.mark.parametrize("steps", [10, 20, 50, 100, 1000])
def test_levels_are_the_papers(steps):
    abar = squares(linear_betas())
    for grid, times in (
        (ddim.uniform, list(range(0, 1000, 1000 // steps))),
        (ddim.quadratic, quadratic_times(steps)),
    ):
        expected = torch.tensor([1.0, *(abar[time + 1] for time in times)], dtype=torch.float64).flip(0)
        torch.testing.assert_close(grid(Settings(), steps)[:, 0].square(), expected, rtol=ROUNDING, atol=0.0)


@pytest.mark.parametrize("sampler", ddim.METHOD.samplers)
def test_as_many_evaluations_as_steps(sampler):
    model = normal_model()
    sampler(model, Settings(), 20, Streams(range(2)))
    assert model.evaluations == 20


def test_sigma_hat_alone_limits_the_denoised():
    wide = normal_model(3.0)
    largest = {
        sampler.__name__: float(sampler(wide, Settings(), 20, Streams(range(100))).abs().max())
        for sampler in ddim.METHOD.samplers
    }
    assert {name for name, value in largest.items() if value <= 1.0} == {"sigma_hat"}


def test_decoding_is_sampling_from_a_given_noise():
    model, streams = mixture_model(), Streams(range(4))
    noise = streams.draw((2,))
    assert torch.equal(
        ddim.decode(model, Settings(), noise, 20), ddim.ddim_quadratic(model, Settings(), 20, Streams(range(4)))
    )


def test_reconstruction_error_falls_with_steps():
    """Euler's rule is of first order there and back, so that the square falls by 4 where steps double."""
    x, model = mixture().sample(200, generator(0)), mixture_model()
    errors = [ddim.reconstruction_error(model, Settings(), x, steps) for steps in (10, 20, 40, 80)]
    means, medians = [float(error.mean()) for error in errors], [float(error.median()) for error in errors]
    # Points between components, where the field is steep, are many times worse than most and rule the mean.
    assert all(later < 0.6 * earlier for earlier, later in pairwise(means))
    assert all(3.7 < earlier / later < 4.3 for earlier, later in pairwise(medians))


def test_reconstruction_error_is_that_of_pixels_from_0_to_1():
    model, x = mixture_model(), mixture().sample(3, generator(1)).float()
    noise = ddim.encode(model, Settings(), x, 10)
    back = ddim.decode(model, Settings(), noise, 10)
    assert noise.dtype == back.dtype == torch.float64
    expected = ((back + 1) / 2 - (x.double() + 1) / 2).square().mean(1)
    torch.testing.assert_close(ddim.reconstruction_error(model, Settings(), x, 10), expected, rtol=1e-9, atol=1e-15)


def test_codes_of_normal_data_are_standard_normal():
    """The ODE carries N(0, s^2) to N(0, 1) by a factor; of Euler's steps 1,000 come near it."""
    x = normal(5, 1, seed=2) * 0.5
    noise = ddim.encode(normal_model(0.5), Settings(), x, 1000)
    level = ddim.quadratic(Settings(), 1000)[0]
    exact = math.sqrt(float(level[0] ** 2 * 0.25 + level[1] ** 2)) / 0.5
    torch.testing.assert_close(noise / x, torch.full_like(x, exact), rtol=0.01, atol=0.0)


def test_settings_are_those_of_the_model():
    own, trained = Settings(), ddpm.Settings()
    assert (own.levels, own.beta_first, own.beta_last) == (trained.levels, trained.beta_first, trained.beta_last)


@pytest.mark.parametrize("settings", [{"levels": 0}, {"beta_first": 0.0}, {"beta_last": 1.5}, {"denoised_limit": 0.0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=r"betas|denoised_limit"):
        Settings(**settings)


def test_a_table_of_the_models_own_length_is_sampled_on_it():
    model, trained = small_model((3,), levels=10)
    settings = Settings(levels=trained.levels)
    assert ddim.ddim(model, settings, 10, Streams(range(2))).shape == (2, 3)
    with pytest.raises(ValueError, match="10 levels"):
        ddim.ddim(model, settings, 11, Streams(range(2)))
