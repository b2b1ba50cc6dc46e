"""Score SDE: its SDEs have the paper's coefficients, its loss has the exact score as minimum, its samplers reach laws
that are known, and its likelihoods are those of a mixture."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from implementations.common.averaging import ExponentialMovingAverage
from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion import score_sde
from implementations.diffusion.parts.likelihood import standard_normal
from implementations.diffusion.parts.parameterisations import Denoiser, score_of
from implementations.diffusion.parts.samplers import Streams
from implementations.diffusion.score_sde import METHOD, Settings, build, log_likelihood, loss, path_of
from tests.exact.ddpm_cases import Exact, Impulses, mixture, mixture_model, normal_model
from tests.exact.noisy_networks import generator, moved, normal

SMALL = {"network": "mlp", "width": 16, "dropout": 0.0}
BY_SDE = {sde: Settings(sde=sde, sampling_end=1e-5 if sde == "ve" else 1e-3, **SMALL) for sde in ("ve", "vp", "sub_vp")}
every_sde = pytest.mark.parametrize("settings", BY_SDE.values(), ids=BY_SDE)
TIMES = torch.tensor([1e-5, 0.01, 0.3, 0.7, 1.0], dtype=torch.float64)


def coefficients(settings: Settings, t: Tensor) -> tuple[Tensor, Tensor]:
    """f and g^2, in the paper's symbols: equations 9, 11 and 12, with appendix C's beta and sigma."""
    if settings.sde == "ve":
        sigma = settings.sigma_min * (settings.sigma_max / settings.sigma_min) ** t
        return torch.zeros_like(t), 2 * sigma.square() * math.log(settings.sigma_max / settings.sigma_min)
    beta = settings.beta_min + t * (settings.beta_max - settings.beta_min)
    if settings.sde == "vp":
        return -beta / 2, beta
    total = settings.beta_min * t + (settings.beta_max - settings.beta_min) * t.square() / 2
    return -beta / 2, beta * -torch.expm1(-2 * total)


def trained_off(settings: Settings, shape: tuple[int, ...] = (3,)) -> Denoiser:
    """A network in float64 with every parameter off its initial value."""
    return moved(build(settings, shape, generator(0))).eval().requires_grad_(False)


def score(model: Denoiser, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
    return score_of(model(x, a, n), x, a, n)


# --- the SDEs


@every_sde
def test_coefficients_are_the_papers(settings):
    path, _ = path_of(settings)
    drift, squared = coefficients(settings, TIMES)
    torch.testing.assert_close(path.drift(TIMES), drift, rtol=1e-12, atol=0.0)
    # g^2 is the difference of n' and f n, which near the data are of one size: a digit or two are lost.
    torch.testing.assert_close(path.diffusion(TIMES).square(), squared, rtol=1e-10, atol=0.0)


@every_sde
def test_gaussian_data_has_the_moments_of_the_sde(settings):
    """d mean = f mean dt and d var = (2 f var + g^2) dt, by Simpson's rule, against a and n at both ends."""
    path, _ = path_of(settings)
    start, end, count = 0.2, 0.6, 2001
    t = torch.linspace(start, end, count, dtype=torch.float64)
    a, n = path.at(t)
    mean, var = 0.7 * a, 0.25 * a.square() + n.square()
    drift, squared = coefficients(settings, t)
    weights = torch.tensor([1.0, *[4.0, 2.0] * ((count - 3) // 2), 4.0, 1.0], dtype=torch.float64)
    weights = weights * (end - start) / (count - 1) / 3
    # Simpson's error at this step is of order (step)^4 = 2e-15, times a fourth derivative of at most 20^4 or 17^4 var.
    assert float((weights * drift * mean).sum()) == pytest.approx(float(mean[-1] - mean[0]), abs=1e-9)
    grown = float((weights * (2 * drift * var + squared)).sum())
    assert grown == pytest.approx(float(var[-1] - var[0]), rel=1e-9)


@every_sde
def test_prior_is_the_law_at_the_end(settings):
    path, deviation = path_of(settings)
    n = path.noise(torch.ones((), dtype=torch.float64))
    assert float(n) == pytest.approx(deviation, rel=5e-5)  # 1 - exp(-L) with L = 10.05
    assert deviation == (100.0 if settings.sde == "ve" else 1.0)


# --- the loss


class Seen(Denoiser):
    """A model that keeps what its network was asked."""

    def output(self, x_t: Tensor, a: Tensor, n: Tensor, **labels) -> Tensor:
        self.asked = (x_t, a, n)
        self.inputs, self.label = self.parameterisation.inputs(x_t, a, n)
        return super().output(x_t, a, n, **labels)


@every_sde
def test_loss_is_denoising_score_matching(settings):
    """lambda |s - grad log p(x_t | x_0)|^2 with lambda = n^2, of what the network was asked, for an arbitrary one."""
    off = trained_off(settings)
    model, x = Seen(off.network, off.parameterisation), normal(64, 3, seed=2)
    value = float(loss(model, settings, x, generator(3)))
    x_t, a, n = model.asked
    conditional = -(x_t - a[:, None] * x) / n.square()[:, None]
    error = score(off, x_t, a, n) - conditional
    # Scores are differences divided by n^2, above 1e-10 here: four digits and more are left of sixteen.
    assert value == pytest.approx(float((n.square()[:, None] * error.square()).mean()), rel=1e-8)
    torch.testing.assert_close(model.inputs, x_t, rtol=1e-12, atol=0.0)  # the SDE's own x_t, as in the author code
    t = path_of(settings)[0].time_of(n / a)
    label = (n / 2).log() if settings.sde == "ve" else 999 * t
    torch.testing.assert_close(model.label, label, rtol=1e-9, atol=0.0)


@every_sde
def test_times_are_uniform_and_noise_is_standard_normal(settings):
    off = trained_off(settings, (1,))
    model, x = Seen(off.network, off.parameterisation).eval(), torch.zeros(20_000, 1, dtype=torch.float64)
    chosen = replace(settings, first_time=0.2)
    loss(model, chosen, x, generator(4))
    x_t, a, n = model.asked
    t, eps, error = path_of(chosen)[0].time_of(n / a), x_t[:, 0] / n, 5 / math.sqrt(len(x))  # five standard errors
    assert float(t.min()) >= 0.2 - 1e-9
    assert abs(float(t.mean()) - 0.6) < 0.8 / math.sqrt(12) * error
    assert abs(float(t.var()) * 12 / 0.64 - 1) < math.sqrt(0.8) * error  # kurtosis of a uniform law is 1.8
    assert abs(float(eps.mean())) < error
    assert abs(float(eps.var()) - 1) < math.sqrt(2) * error


class Perturbed(Denoiser):
    """The exact denoiser of the mixture, its output moved by theta . (cos 3 x, 1, ln sigma, x / |(a, n)|)."""

    def __init__(self, settings: Settings, theta: Tensor):
        super().__init__(
            build(settings, (2,), generator(0)).network, build(settings, (2,), generator(0)).parameterisation
        )
        self.exact, self.theta = MixtureDenoiser(mixture()), theta

    def output(self, x_t: Tensor, a: Tensor, n: Tensor, **labels) -> Tensor:
        means = self.parameterisation
        optimal = (self.exact(x_t, a, n) - means.skip(a, n)[:, None] * x_t) / means.out(a, n)[:, None]
        size = torch.hypot(a, n)[:, None]
        features = [(3 * x_t / size).cos(), torch.ones_like(x_t), (n / a).log()[:, None] / 5, x_t / size]
        return optimal + sum(weight * feature for weight, feature in zip(self.theta, features, strict=True))


def gradient(settings: Settings, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Of the loss by theta: mean over 100 batches, and its standard error."""
    theta, draws, found = theta.clone().requires_grad_(), generator(5), []
    model = Perturbed(settings, theta)
    for _ in range(100):
        value = loss(model, settings, mixture().sample(300, draws), draws)
        found.append(torch.autograd.grad(value, theta)[0])
    every = torch.stack(found)
    return every.mean(0), every.std(0) / math.sqrt(len(every))


@every_sde
def test_the_exact_score_is_where_the_loss_is_least(settings):
    """Its gradient there is 0 in expectation, in each of four directions, and in none of them a little aside."""
    mean, error = gradient(settings, torch.zeros(4, dtype=torch.float64))
    assert (mean.abs() < 4 * error).all()
    for direction in range(4):
        aside = 0.2 * torch.nn.functional.one_hot(torch.tensor(direction), 4).double()
        mean, error = gradient(settings, aside)
        assert float(mean[direction]) > 4 * float(error[direction])


@every_sde
def test_the_least_loss_on_normal_data_is_known(settings):
    """E |n s + eps|^2 = a^2 v / (a^2 v + n^2) at each t, for data of variance v; its mean over t by quadrature."""
    model, v, count = normal_model(0.5), 0.25, 200_000

    class Optimal(Denoiser):
        def output(self, x_t: Tensor, a: Tensor, n: Tensor, **labels) -> Tensor:
            means = self.parameterisation
            return (model(x_t, a, n) - means.skip(a, n)[:, None] * x_t) / means.out(a, n)[:, None]

    t = torch.linspace(settings.first_time, 1.0, 100_001, dtype=torch.float64)
    a, n = path_of(settings)[0].at(t)
    floor = float(torch.trapezoid(a.square() * v / (a.square() * v + n.square()), t) / (1 - settings.first_time))
    untrained = build(settings, (1,), generator(0))
    x = 0.5 * normal(count, 1, seed=6)
    value = float(loss(Optimal(untrained.network, untrained.parameterisation), settings, x, generator(7)))
    # |n s + eps|^2 is at most of the variance of eps^2, 2, plus that of its mean over t, at most 1/4.
    assert abs(value - floor) < 4 * math.sqrt(2.25 / count)
    assert 0.05 < floor < 0.9


def test_flips_mirror_images():
    x, settings = normal(6, 4, 4, seed=8), Settings(**SMALL)
    model = trained_off(settings, (4, 4))
    mirrored = float(loss(model, replace(settings, flips=1.0), x, generator(9)))
    assert mirrored == float(loss(model, settings, x.flip(-1), generator(9)))
    assert mirrored != float(loss(model, settings, x, generator(9)))


@every_sde
def test_training_lowers_the_loss(settings):
    settings = replace(settings, width=32, learning_rate=3e-3)
    model, draws = build(settings, (2,), generator(0)), generator(1)
    optimiser, held_out = (
        score_sde.METHOD.recipe.optimiser(model, settings),
        mixture().sample(2000, generator(2)).float(),
    )
    with torch.no_grad():
        before = float(loss(model, settings, held_out, generator(3)))
    assert abs(before - 1) < 5 * math.sqrt(2 / 4000)  # the untrained network is 0: E |eps|^2, five standard errors
    for _ in range(150):
        optimiser.zero_grad()
        loss(model, settings, mixture().sample(128, draws).float(), draws).backward()
        optimiser.step()
    with torch.no_grad():
        after = float(loss(model, settings, held_out, generator(3)))
    assert after < 0.6 * before


# --- samplers


def variance(sampler, settings: Settings, steps: int) -> tuple[float, float]:
    """Of samples where the data is N(0, 0.5^2), and what it is without error of discretisation.

    A sample is linear in its draws, so the variance is the sum of the squares of its answers to each. The exact one is
    that of D at the last level, which falls short of the data's by what D cannot know.
    """
    found = float(sampler(normal_model(0.5), settings, steps, Impulses(steps)).square().sum())
    a, n = path_of(settings)[0].at(torch.tensor(settings.sampling_end, dtype=torch.float64))
    return found, float((a * 0.25).square() / (a.square() * 0.25 + n.square()))


@pytest.mark.parametrize("sampler", [score_sde.euler_maruyama, score_sde.reverse_diffusion])
@every_sde
def test_reverse_sde_has_the_exact_variance_to_order_one(sampler, settings):
    errors = []
    for steps in (500, 1000):
        found, exact = variance(sampler, settings, steps)
        errors.append(abs(found - exact))
    assert exact == pytest.approx(0.25, abs=5e-4)
    # The error halves; under VE Euler-Maruyama's leading term is so small that the next one shows.
    assert 1.95 < errors[0] / errors[1] < (3.5 if settings.sde == "ve" else 2.05)
    assert errors[1] < 0.01 * exact


@every_sde
def test_samplers_begin_with_the_prior_and_end_at_the_data(settings):
    """One step is D of the prior's draw, or that of appendix E, to n = 0; dopri5 carries it along the exact flow."""
    model, streams = mixture_model(), lambda: Streams(range(5))
    path, deviation = path_of(settings)
    one = torch.ones((), dtype=torch.float64)
    x = deviation * streams().draw((2,))
    a, n = path.at(one)
    expected = {
        score_sde.euler_maruyama: model(x, a, n),
        score_sde.reverse_diffusion: (2 - a) * x + n.square() * score(model, x, a, n),
    }
    for sampler, value in expected.items():
        torch.testing.assert_close(sampler(model, settings, 1, streams()), value, rtol=0.0, atol=1e-12)
    normal_data = normal_model(0.5, dimensions=2)
    found = score_sde.probability_flow(normal_data, replace(settings, tolerance=1e-9), 7, streams())
    ends = [torch.stack(path.at(time)) for time in (one, settings.sampling_end * one)]
    near = normal_data.denoise.flow_map(x, *ends)
    torch.testing.assert_close(found, normal_data(near, *ends[1]), rtol=0.0, atol=1e-6)  # the tolerance, accumulated


@pytest.mark.parametrize("steps", [1, 2, 9])
@every_sde
def test_evaluations(settings, steps):
    expected = {
        score_sde.euler_maruyama: steps,
        score_sde.reverse_diffusion: steps,
        score_sde.predictor_corrector: 2 * steps,
    }
    for sampler, evaluations in expected.items():
        model = mixture_model()
        assert torch.isfinite(sampler(model, settings, steps, Streams(range(3)))).all()
        assert model.evaluations == evaluations
    model, other = mixture_model(), mixture_model()
    score_sde.predictor_corrector(model, replace(settings, corrections=3), steps, Streams(range(3)))
    assert model.evaluations == 4 * steps
    samples = [
        score_sde.probability_flow(each, settings, k, Streams(range(3))) for each, k in ((model, 5), (other, 50))
    ]
    assert torch.equal(*samples)
    assert other.evaluations > 20


@pytest.mark.parametrize("sampler", score_sde.METHOD.samplers)
def test_a_sample_is_that_of_its_stream(sampler):
    settings = BY_SDE["vp"]
    first, again, other = (sampler(mixture_model(), settings, 10, Streams(seeds)) for seeds in ([4, 5], [4, 5], [6, 5]))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], other[0])


def test_a_correction_leaves_its_own_error():
    """On N(0, v) the Langevin chain at one level tends to variance v / (1 - r^2), where norms are those of their law.

    A step multiplies x by 1 - h / v with h = 2 r^2 v and adds variance 2 h. With 4,000 dimensions |z| / |s| is close to
    sqrt(v), and 200,000 values show their variance to 0.3 %: the bar is three times that, and the effect 2.6 %.
    """
    settings, d = BY_SDE["ve"], 4000
    model = Exact(lambda x, a, n: 0.25 / (0.25 + n.square()) * x, d)
    pair = torch.tensor([[1.0, 0.3], [1.0, 0.3 * (1 - 1e-12)]], dtype=torch.float64)  # one level: no step between
    streams = Streams(range(50))
    x = math.sqrt(0.25 + 0.09) * streams.draw((d,))
    x = score_sde.samplers.predictor_corrector(model, x, pair, streams, settings.snr, corrections=100)
    assert float(x.square().mean()) == pytest.approx(0.34 / (1 - settings.snr**2), rel=0.01)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'|, without bias; 0 where the laws are the same."""

    def within(z: Tensor) -> Tensor:
        return torch.cdist(z, z).sum() / (len(z) * (len(z) - 1))

    return float(2 * torch.cdist(x, y).mean() - within(x) - within(y))


def test_corrections_help_few_steps_less_than_more_steps_do():
    """On an exact mixture under VE: at equal steps the corrected samples are nearer, at equal evaluations not."""
    means = 0.5 * normal(3, 16, seed=0)
    factors = 0.2 * torch.eye(16, dtype=torch.float64).expand(3, 16, 16)
    law = GaussianMixture(torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), means, factors)
    model, data, settings = Exact(MixtureDenoiser(law), 16), law.sample(2000, generator(10)), BY_SDE["ve"]

    def distance(sampler, steps: int, seed: int) -> float:
        return energy_distance(sampler(model, settings, steps, Streams(range(seed, seed + 500))), data)

    corrected, alone, longer = (
        torch.tensor([distance(sampler, steps, 500 * block) for block in range(4)])
        for sampler, steps in (
            (score_sde.predictor_corrector, 10),
            (score_sde.reverse_diffusion, 10),
            (score_sde.reverse_diffusion, 20),
        )
    )
    assert (corrected < alone).all()
    assert (longer < corrected).all()


# --- likelihoods


@every_sde
def test_log_likelihood_of_a_mixture(settings):
    """Against the density of the law at `first_time`; the noise is so large that the prior is the law at the end."""
    wide = replace(settings, tolerance=1e-9, beta_max=60.0, sigma_max=1e6, first_time=1e-3)
    path, _ = path_of(wide)
    a, n = path.at(torch.tensor(1e-3, dtype=torch.float64))
    law = mixture().diffused(float(a), float(n))
    x = law.sample(20, generator(11))
    found = log_likelihood(mixture_model(), wide, x, generator(12))
    # The bar of the solver's tolerance, and the prior's distance, of order a / n = 1e-6 or less.
    torch.testing.assert_close(found, law.log_prob(x), rtol=0.0, atol=1e-5)


@every_sde
def test_log_likelihood_is_of_the_prior_that_samples_begin_with(settings):
    """With the paper's noise the end is not the law's: the difference is that of two known densities there."""
    chosen = replace(settings, tolerance=1e-9, first_time=1e-3)
    path, deviation = path_of(chosen)
    ends = [torch.stack(path.at(torch.tensor(time, dtype=torch.float64))) for time in (1e-3, 1.0)]
    model = normal_model(0.5, dimensions=2)
    spreads = [float((0.25 * pair[0].square() + pair[1].square()).sqrt()) for pair in ends]
    x = spreads[0] * normal(10, 2, seed=13)
    z = model.denoise.flow_map(x, *ends)
    expected = standard_normal(x, spreads[0]) + standard_normal(z, deviation) - standard_normal(z, spreads[1])
    found = log_likelihood(model, chosen, x, generator(14))
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-6)


def test_beyond_the_exact_dimensions_the_trace_is_estimated():
    """The same point many times: the mean of the estimates is the exact value, within five standard errors."""
    settings = replace(BY_SDE["vp"], tolerance=1e-4, first_time=0.01)
    model, x = mixture_model(), torch.tensor([[0.1, -0.2]], dtype=torch.float64).expand(800, 2)
    exact = log_likelihood(model, settings, x[:1], generator(15))
    found = log_likelihood(model, replace(settings, exact_trace_dimensions=1), x, generator(15))
    assert float(found.std()) > 0.01
    error = float(found.std()) / math.sqrt(len(x))
    assert abs(float(found.mean() - exact)) < 5 * error + 1e-3  # and the solver's tolerance


# --- the recipe


def test_recipe_is_the_author_codes():
    settings = Settings()
    assert [METHOD.recipe.rate(settings, images) for images in (0, 320_000, 640_000, 10**9)] == [0.0, 0.5, 1.0, 1.0]
    assert METHOD.recipe.rate(Settings(warmup=0), 0) == 1.0
    for half_life, decay in ((settings.ema_half_life, 0.9999), (88_678, 0.999)):
        average = ExponentialMovingAverage(trained_off(BY_SDE["vp"]), half_life)
        assert 0.5 ** (settings.batch / average.half_life) == pytest.approx(decay, abs=1e-8)  # to a whole image
    (group,) = score_sde.METHOD.recipe.optimiser(trained_off(BY_SDE["vp"]), Settings(learning_rate=0.01)).param_groups
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (0.01, (0.9, 0.999), 1e-8, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sde": "edm"}, "sde is one of"),
        ({"beta_min": 0.0}, "beta_min"),
        ({"beta_max": 0.05}, "beta and sigma rise"),
        ({"sigma_min": 0.0}, "sigma_min"),
        ({"sigma_max": 0.01}, "beta and sigma rise"),
        ({"first_time": 0.0}, "first_time"),
        ({"sampling_end": 1.0}, "sampling_end"),
        ({"flips": 1.5}, "flips"),
        ({"snr": 0.0}, "snr"),
        ({"corrections": 0}, "corrections"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"batch": 0}, "batch"),
        ({"warmup": -1}, "warmup"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_vectors_are_not_mirrored():
    with pytest.raises(ValueError, match="not of vectors"):
        build(Settings(network="mlp", flips=0.5), (3,), generator(0))
