"""EDM: its loss, levels and samplers where the denoiser is known, and the paper's constants."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from implementations.diffusion import edm
from implementations.diffusion.edm import METHOD, Settings, build, loss, noise_levels
from implementations.diffusion.parts.samplers import Streams
from tests.exact.ddpm_cases import Exact, Impulses, mixture_model, normal_model
from tests.exact.noisy_networks import generator, moved, normal, size

ROUNDING = 1e-12  # float64, some tens of operations on values of about 1
MANY = 200_000
NATIVE = [("edm", "edm"), ("vp", "inverse_variance"), ("ve", "inverse_variance")]  # lambda is 1 / c_out^2
DENSITIES = ("log_normal", "vp", "ve")


def small(shape: tuple[int, ...] = (3,), **settings: object):
    """A network of two dozen units with every parameter off its initial value, float64, and its settings."""
    chosen = Settings(**({"network": "mlp", "width": 16, "dropout": 0.0} | settings))
    return moved(build(chosen, shape, generator(0))).eval(), chosen


def drawn(settings: Settings, x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """sigma and eps of a loss whose generator has that seed."""
    random = generator(seed)
    torch.rand(len(x), generator=random)  # whether each is mirrored
    sigma = noise_levels(settings, len(x), random)
    return sigma, torch.randn(x.shape, generator=random).to(x)


def vp_sigma(t: Tensor) -> Tensor:
    """Table 1, with beta_d 19.9 and beta_min 0.1."""
    return (19.9 / 2 * t.square() + 0.1 * t).expm1().sqrt()


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize(("preconditioning", "weighting"), NATIVE)
def test_loss_is_the_regression_of_the_network_on_its_target(preconditioning, weighting, density):
    model, settings = small(preconditioning=preconditioning, weighting=weighting, noise_density=density)
    x = 0.5 * normal(64, 3, seed=1)
    sigma, eps = drawn(settings, x, 2)
    a, noised = torch.ones_like(sigma), x + sigma[:, None] * eps
    with torch.no_grad():
        found = loss(model, settings, x, generator(2))
        native = model.output(noised, a, sigma) - model.parameterisation.target(x, eps, a, sigma)
    # D - y is a difference of values of up to sigma, 150, divided by c_out, which is about 0.002 at the least sigma.
    torch.testing.assert_close(found, native.square().mean(), rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("preconditioning", ["edm", "vp", "ve"])
def test_weights_are_the_papers(preconditioning):
    """Of D = 0 the loss is the mean of lambda |y|^2, whatever the preconditioning is."""
    x = 0.5 * normal(64, 3, seed=1)
    nothing = Exact(lambda x, a, n: torch.zeros_like(x), 3)
    for weighting, expected in (
        ("edm", lambda sigma: (sigma**2 + 0.25) / (0.5 * sigma) ** 2),
        ("inverse_variance", lambda sigma: sigma**-2),
    ):
        settings = Settings(preconditioning=preconditioning, weighting=weighting)
        sigma, _ = drawn(settings, x, 3)
        found = loss(Told(nothing), settings, x, generator(3))
        torch.testing.assert_close(found, (expected(sigma)[:, None] * x.square()).mean(), rtol=ROUNDING, atol=0.0)


class Told(torch.nn.Module):
    """A known denoiser as a model in training, which is handed a generator for its dropout."""

    def __init__(self, exact: Exact):
        super().__init__()
        self.exact = exact

    def forward(self, x: Tensor, a: Tensor, n: Tensor, generator: torch.Generator) -> Tensor:
        return self.exact(x, a, n)


def test_preconditionings_are_the_rows_of_table_1():
    t = torch.tensor([1e-4, 0.01, 0.3, 1.0], dtype=torch.float64)
    sigma, one, x = vp_sigma(t), torch.ones(4).double(), normal(4, 2, seed=4)
    rows = {
        "edm": (
            0.25 / (sigma**2 + 0.25),
            0.5 * sigma / (sigma**2 + 0.25).sqrt(),
            (sigma**2 + 0.25).rsqrt(),
            sigma.log() / 4,
        ),
        "vp": (one, -sigma, (sigma**2 + 1).rsqrt(), 999 * t),
        "ve": (one, sigma, one, (sigma / 2).log()),
    }
    for name, (c_skip, c_out, c_in, c_noise) in rows.items():
        row = small((2,), preconditioning=name)[0].parameterisation
        inputs, label = row.inputs(x, one, sigma)
        torch.testing.assert_close(inputs, c_in[:, None] * x, rtol=ROUNDING, atol=0.0)
        torch.testing.assert_close(label, c_noise, rtol=1e-10, atol=0.0)  # t of sigma, by logarithm and root
        torch.testing.assert_close(row.skip(one, sigma), c_skip, rtol=ROUNDING, atol=0.0)
        torch.testing.assert_close(row.out(one, sigma), c_out, rtol=ROUNDING, atol=0.0)


def test_at_the_optimum_on_normal_data_every_level_has_loss_1():
    x = 0.5 * torch.randn(MANY, 1, dtype=torch.float64, generator=generator(5))
    model = Told(normal_model(0.5))
    for level in ({}, {"p_mean": -5.0, "p_std": 0.1}, {"p_mean": 3.0, "p_std": 0.1}):
        found = float(loss(model, Settings(**level), x, generator(6)))
        # The weighted error is normal of variance 1, whatever sigma is: a mean of chi-squares.
        assert found == pytest.approx(1.0, abs=4 * math.sqrt(2 / MANY))


def test_the_levels_of_training_have_the_papers_law():
    log_sigma = noise_levels(Settings(), MANY, generator(7)).log()
    assert log_sigma.dtype == torch.float64
    assert float(log_sigma.mean()) == pytest.approx(-1.2, abs=4 * 1.2 / math.sqrt(MANY))
    assert float(log_sigma.var()) == pytest.approx(1.44, abs=4 * 1.44 * math.sqrt(2 / MANY))
    standard = (log_sigma + 1.2) / 1.2
    assert float(standard.pow(3).mean()) == pytest.approx(0.0, abs=4 * math.sqrt(15 / MANY))
    assert float(standard.pow(4).mean()) == pytest.approx(3.0, abs=4 * math.sqrt(96 / MANY))


@pytest.mark.parametrize("density", ["vp", "ve"])
def test_the_levels_of_the_older_trainings_are_at_uniform_times(density):
    sigma = noise_levels(Settings(noise_density=density), MANY, generator(8))
    low, high = {"vp": (1e-5, 1.0), "ve": (math.log(0.02), math.log(100.0))}[density]
    total = sigma.square().log1p()
    time = (0.1**2 + 2 * 19.9 * total).sqrt().sub(0.1) / 19.9 if density == "vp" else sigma.log()
    share = (time - low) / (high - low)
    assert float(share.min()) >= -1e-9  # rounding of the inverse
    assert float(share.max()) <= 1 + 1e-9
    for power in (1, 2, 3):
        expected, square = 1 / (power + 1), 1 / (2 * power + 1)
        error = 4 * math.sqrt((square - expected**2) / MANY)
        assert float(share.pow(power).mean()) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(("name", "gain"), [("heun", 0.527624637001047), ("euler", 0.4230314364079772)])
def test_gain_of_18_steps_on_normal_data(name, gain):
    """The same digits as the author's own sampler and another's: from sigma_max times a noise to a sample."""
    noise = Streams(range(5)).draw((1,))
    found = getattr(edm, name)(normal_model(0.5), Settings(), 18, Streams(range(5)))
    torch.testing.assert_close(found, gain * noise, rtol=ROUNDING, atol=0.0)


@pytest.mark.parametrize("steps", [1, 2, 18])
@pytest.mark.parametrize("sampler", edm.METHOD.samplers, ids=lambda sampler: sampler.__name__)
def test_evaluations(sampler, steps):
    model = mixture_model()
    x = sampler(model, Settings(), steps, Streams(range(4)))
    assert model.evaluations == (steps if "euler" in sampler.__name__ else 2 * steps - 1)
    assert x.shape == (4, 2)
    assert x.dtype == torch.float64


def test_levels_of_both_spacings():
    for levels in (edm.levels, edm.uniform_levels):
        grid = levels(Settings(), 18)
        assert grid.shape == (19, 2)
        assert grid.dtype == torch.float64
        assert torch.equal(grid[:, 0], torch.ones(19).double())
        assert float(grid[0, 1]) == pytest.approx(80.0, rel=ROUNDING)
        assert float(grid[-2, 1]) == pytest.approx(0.002, rel=1e-9)  # by way of VP's time
        assert float(grid[-1, 1]) == 0.0
    root = edm.levels(Settings(), 18)[:-1, 1] ** (1 / 7)
    torch.testing.assert_close(root.diff(), root.diff().mean().expand(17), rtol=1e-10, atol=0.0)
    spaced = edm.uniform_levels(Settings(), 18)[:-1, 1]
    low, high = ((0.01 + 39.8 * math.log1p(sigma**2)) ** 0.5 for sigma in (0.002, 80.0))
    time = (low + (high - low) * torch.linspace(1.0, 0.0, 18, dtype=torch.float64) - 0.1) / 19.9
    torch.testing.assert_close(spaced, vp_sigma(time), rtol=1e-8, atol=0.0)  # 0.002^2 of a number of about 1


@pytest.mark.parametrize("steps", [18, 128])  # where gamma is at its bound, and S_churn / N
def test_churn_has_the_variance_of_the_papers_recursion(steps):
    """A linear sampler's output is a sum over its draws; that of algorithm 2, step by step, has the same variance."""
    variance, s2 = 80.0**2, 0.25
    sigma = edm.levels(Settings(), steps)[:, 1].tolist()
    draws = 1
    for now, after in pairwise(sigma):
        raised = now
        if 0.01 <= now <= 1.0:
            raised, draws = now * (1 + min(30 / steps, math.sqrt(2) - 1)), draws + 1
            variance += 1.007**2 * (raised**2 - now**2)
        slope = raised / (raised**2 + s2)
        gain = 1 + (after - raised) * slope
        if after > 0:
            gain = 1 + (after - raised) * (slope + gain * after / (after**2 + s2)) / 2
        variance *= gain**2
    responses = edm.churned(normal_model(0.5), Settings(), steps, Impulses(draws))
    assert float(responses.square().sum()) == pytest.approx(variance, rel=1e-11)
    assert draws > 5  # the range of the paper is met


@pytest.mark.parametrize("sampler", edm.METHOD.samplers, ids=lambda sampler: sampler.__name__)
def test_a_sample_is_that_of_its_stream(sampler):
    model, settings = small((2,))
    together = sampler(model, settings, 6, Streams(range(8)))
    again = sampler(model, settings, 6, Streams(range(8)))
    assert torch.equal(together, again)
    for seed in (0, 5):
        alone = sampler(model, settings, 6, Streams([seed]))[0]
        torch.testing.assert_close(alone, together[seed], rtol=1e-9, atol=1e-9)  # kernels differ with the batch


@pytest.mark.parametrize("preconditioning", ["vp", "ve"])
def test_where_the_output_means_noise_a_zero_network_leaves_the_noise_as_it_is(preconditioning):
    """D is x then, and dx/dsigma 0."""
    settings = Settings(network="mlp", width=16, preconditioning=preconditioning)
    x = edm.heun(build(settings, (2,), generator(9)).eval(), settings, 5, Streams(range(3)))
    torch.testing.assert_close(x, 80.0 * Streams(range(3)).draw((2,)), rtol=ROUNDING, atol=0.0)


@pytest.mark.parametrize("preconditioning", ["edm", "vp", "ve"])
def test_training_lowers_the_loss(preconditioning):
    settings = Settings(network="mlp", width=32, dropout=0.0, preconditioning=preconditioning, batch=64)
    model = build(settings, (2,), generator(10))
    taught, noise = METHOD.recipe.optimiser(model, settings), generator(11)
    data = torch.tensor([0.6, 0.1]) * torch.randn(512, 2, generator=generator(12)) + torch.tensor([0.3, -0.4])

    def now() -> float:
        with torch.no_grad():
            return float(loss(model, settings, data, generator(13)))

    before = now()
    for _ in range(60):
        taught.zero_grad()
        loss(model, settings, data[torch.randint(512, (64,), generator=noise)], noise).backward()
        taught.step()
    assert now() < 0.9 * before


def test_dropout_draws_from_the_generator_of_the_loss():
    model, settings = small((3,), dropout=0.5)
    x = 0.5 * normal(16, 3, seed=14)
    model.train()
    one, same, other = (float(loss(model, settings, x, generator(seed)).detach()) for seed in (15, 15, 16))
    assert one == same
    assert one != other
    model.eval()
    assert float(loss(model, settings, x, generator(15)).detach()) != one


def test_loss_leaves_its_batch_as_it_is_and_keeps_its_dtype():
    model, settings = small((3,))
    x = normal(8, 3, seed=17).float()
    kept = x.clone()
    found = loss(model.float(), settings, x, generator(18))
    assert torch.equal(x, kept)
    assert found.dtype == torch.float32
    assert found.shape == ()


def test_the_papers_network_has_its_size():
    with torch.device("meta"):
        model = build(Settings(), (3, 32, 32), generator(0))
    assert size(model) == 55_732_739


def test_learning_rate_rises_over_the_warmup():
    assert [METHOD.recipe.rate(Settings(), images) for images in (0, 5_000_000, 10_000_000, 10**9)] == [0, 0.5, 1, 1]
    assert METHOD.recipe.rate(Settings(warmup=0), 0) == 1.0


def test_optimiser_takes_its_settings():
    model, settings = small(learning_rate=0.01)
    (group,) = METHOD.recipe.optimiser(model, settings).param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.01, (0.9, 0.999), 1e-8)


@pytest.mark.parametrize(
    "settings",
    [
        {"preconditioning": "iddpm"},
        {"weighting": "none"},
        {"noise_density": "uniform"},
        {"sigma_min": 80.0},
        {"sigma_data": 0.0},
        {"warmup": -1},
        {"batch": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}|iddpm|sigma_max"):
        Settings(**settings)
