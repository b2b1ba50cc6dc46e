"""Rectified flow: its loss is the paper's, reflow of flows known exactly makes them straight and no dearer."""

import math

import pytest
import torch
from torch import Tensor

from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion import rectified_flow
from implementations.diffusion.parts.couplings import Recorded, transport_cost
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.samplers import Streams
from implementations.diffusion.rectified_flow import (
    METHOD,
    Settings,
    build,
    drawn_times,
    euler,
    loss,
    paired_loss,
    recorded,
    rk45,
    straightness,
)
from tests.exact.ddpm_cases import Exact, mixture
from tests.exact.denoising_cases import close, gaussian_denoiser, generator, mixture_denoiser, normal
from tests.exact.noisy_networks import moved

DEVIATION, MEAN = 0.4, 1.5  # of the Gaussian data of closed forms
EXACT_SOLVE = Settings(tolerance=1e-9)


@pytest.fixture(autouse=True)
def no_gradients():
    """But where a test asks for them."""
    with torch.no_grad():
        yield


def small(shape: tuple[int, ...] = (3,), **settings) -> tuple[Denoiser, Settings]:
    """Float64, with every parameter off its initial value."""
    chosen = Settings(**({"network": "mlp", "width": 16, "dropout": 0.0} | settings))
    return moved(build(chosen, shape, generator(0))).eval(), chosen


class Seen(Denoiser):
    """A model that keeps what it was asked, and may answer with what is set."""

    answer: Tensor | None = None

    def output(self, x_t: Tensor, a: Tensor, n: Tensor, **labels) -> Tensor:
        self.asked, self.label = (x_t, a, n), self.parameterisation.inputs(x_t, a, n)[1]
        return super().output(x_t, a, n, **labels) if self.answer is None else self.answer


def seen(**settings) -> tuple[Seen, Settings]:
    model, chosen = small(**settings)
    return Seen(model.network, model.parameterisation).eval(), chosen


class Straight(torch.nn.Module):
    """The field of pairs x_0 = m + s eps, s > 0, which meet nowhere: v(x_t, t) is their eps - x_0 exactly."""

    def __init__(self, deviation: float = DEVIATION, mean: float = MEAN):
        super().__init__()
        self.network, self.s, self.m = Exact(torch.zeros_like).network, deviation, mean

    def output(self, x: Tensor, a: Tensor, n: Tensor, **labels) -> Tensor:
        a, n = (value.to(x).reshape(-1, 1) for value in (a, n))
        eps = (x - a * self.m) / (a * self.s + n)
        return eps - (self.m + self.s * eps)

    def forward(self, x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        return x - n.to(x).reshape(-1, 1) * self.output(x, a, n)


def gaussian(deviation: float = DEVIATION, mean: float = MEAN) -> Exact:
    return Exact(gaussian_denoiser(deviation, mean))


# --- the loss


@pytest.mark.parametrize("times", ["uniform", "logit_normal", "noise_end"])
def test_paired_loss_is_the_papers(times):
    """|v - (eps - x_0)|^2 on the line of each pair, and (|D - x_0| / t)^2, whatever the network says."""
    pairs = 100 if times == "noise_end" else None
    model, settings = seen(times=times, pairs=pairs)
    x, eps = normal(64, 3, seed=1), normal(64, 3, seed=2)
    value = float(paired_loss(model, settings, x, eps, generator(3)))
    x_t, a, t = model.asked
    close(a, 1 - t, 0.0)
    close(x_t, (1 - t)[:, None] * x + t[:, None] * eps, 1e-15)
    close(model.label, 999 * t, 1e-10)  # by way of sigma
    v, d = model.output(x_t, a, t), model(x_t, a, t)
    assert value == pytest.approx(float((v - (eps - x)).square().mean()), rel=1e-12)
    assert value == pytest.approx(float(((d - x) / t[:, None]).square().mean()), rel=1e-9)  # t may be small


def test_loss_is_that_of_data_with_fresh_standard_noise():
    model, settings = seen(shape=(1,))
    x = torch.full((20_000, 1), 0.5, dtype=torch.float64)
    value = float(loss(model, settings, x, generator(4)))
    x_t, _, t = model.asked
    eps = (x_t - (1 - t)[:, None] * x) / t[:, None]
    assert value == pytest.approx(float((model.output(x_t, 1 - t, t) - (eps - x)).square().mean()), rel=1e-8)
    error = 5 / math.sqrt(len(x))  # five standard errors
    assert abs(float(eps.mean())) < error
    assert abs(float(eps.var()) - 1) < math.sqrt(2) * error
    assert abs(float((eps[:, 0] * t).mean())) < error  # drawn apart from t


def test_irreducible_loss_is_that_of_gaussian_ends():
    """At E[eps - x_0 | x_t], integrated over uniform t, the loss on N(m, s^2) is pi s / 2 a dimension."""
    count = 200_000
    denoise, x = gaussian_denoiser(DEVIATION, MEAN), MEAN + DEVIATION * normal(count, 1, seed=5)

    class Optimal(torch.nn.Module):
        def output(self, x_t, a, n, **labels):
            return (x_t - denoise(x_t, a, n)) / n[:, None]

    value = float(loss(Optimal(), Settings(), x, generator(6)))
    # Given t the error is a normal variable's square, and its mean at most 1 + s^2: its deviation is below 3.
    assert value == pytest.approx(math.pi * DEVIATION / 2, abs=5 * 3 / math.sqrt(count))


def test_straight_pairs_leave_no_loss():
    """Their lines do not meet, so that a field can have the direction of each, at every time and at t = 1."""
    eps = normal(100, 1, seed=7)
    for settings in (Settings(reflows=1, pairs=100), Settings(times="noise_end", pairs=100)):
        assert float(paired_loss(Straight(), settings, MEAN + DEVIATION * eps, eps, generator(8))) < 1e-28


def test_data_is_mirrored_and_pairs_are_not():
    model, settings = seen(shape=(2, 2), flips=1.0)
    x = normal(5, 2, 2, seed=9)
    _, without = small((2, 2))
    assert float(loss(model, settings, x, generator(10))) == float(loss(model, without, x.flip(-1), generator(10)))
    large = 1e6 * torch.arange(2.0, dtype=torch.float64).expand(5, 2, 2)  # rises to the right, whatever the noise
    for chosen, rises in ((settings, False), (Settings(), True)):
        loss(model, chosen, large, generator(10))
        assert bool(((model.asked[0][..., 1] > model.asked[0][..., 0]) == rises).all())
    eps = normal(5, 2, 2, seed=11)
    one, other = (float(paired_loss(model, each, x, eps, generator(12))) for each in (settings, without))
    assert one == other


def test_what_learns_from_pairs_refuses_data():
    model, settings = small(reflows=1, pairs=10)
    with pytest.raises(ValueError, match="pairs of a flow"):
        loss(model, settings, normal(4, 3, seed=13), generator(14))


def test_dropout_draws_from_the_generator_of_the_loss():
    model, settings = small(dropout=0.5)
    x = normal(16, 3, seed=15)
    first, again, other = (float(loss(model.train(), settings, x, generator(seed))) for seed in (16, 16, 17))
    assert first == again != other
    assert first != float(loss(model.eval(), settings, x, generator(16)))


# --- times


def test_uniform_times():
    t = drawn_times(Settings(), 100_000, generator(18))
    error = 5 / math.sqrt(12 * len(t))
    assert t.dtype == torch.float64
    assert 0 <= float(t.min()) < float(t.max()) <= 1
    assert abs(float(t.mean()) - 0.5) < error
    assert float((t.sort().values - torch.linspace(0, 1, len(t))).abs().max()) < 1.95 / math.sqrt(len(t))  # 0.1 %


@pytest.mark.parametrize(("location", "scale"), [(0.0, 1.0), (0.5, 0.6)])
def test_logit_normal_times(location, scale):
    """logit t is N(m, s^2), and the law of t has the density of arXiv 2403.03206, equation 19."""
    settings = Settings(times="logit_normal", time_location=location, time_scale=scale)
    t = drawn_times(settings, 200_000, generator(19))
    logit = torch.logit(t)
    error = 5 * scale / math.sqrt(len(t))
    assert abs(float(logit.mean()) - location) < error
    assert abs(float(logit.std()) - scale) < error / math.sqrt(2)
    grid = (torch.arange(20_000).double() + 0.5) / 20_000
    density = torch.exp(-0.5 * ((torch.logit(grid) - location) / scale).square())
    density = density / (scale * math.sqrt(2 * math.pi) * grid * (1 - grid))
    assert float(density.mean()) == pytest.approx(1, abs=1e-6)
    for power in (1, 2):  # a power of t deviates by at most 1/2
        moment = float((density * grid**power).mean())
        assert float((t**power).mean()) == pytest.approx(moment, abs=5 * 0.5 / math.sqrt(len(t)))


def test_distillation_asks_at_the_noise_alone():
    assert torch.equal(drawn_times(Settings(times="noise_end", pairs=1), 7, generator(20)), torch.ones(7).double())


# --- reflow and distillation where the flow is known


def test_a_flow_of_gaussian_ends_has_its_straightness_and_reflow_none():
    """The integral of (d/dt sd_t - (1 - s))^2 times eps^2, so that its mean is 0.17168147; 0 on straight lines."""
    streams = Streams([0, 1, 2])
    eps = streams.draw((1,))[:, 0]
    coarse, middle, fine = (straightness(gaussian(), Settings(), n, Streams([0, 1, 2])) for n in (500, 1000, 2000))
    extrapolated = (8 * fine - 6 * middle + coarse) / 3  # to no step at all, from errors of orders 1 and 2
    close(extrapolated / eps.square(), torch.full((3,), 0.17168147).double(), 1e-6)
    close(straightness(Straight(), Settings(), 50, Streams([0, 1, 2])), torch.zeros(3).double(), 1e-13)


def test_one_euler_step_is_exact_after_reflow_and_not_before():
    eps = Streams(range(50)).draw((1,))
    close(euler(Straight(), Settings(), 1, Streams(range(50))), MEAN + DEVIATION * eps, 1e-15)
    close(euler(gaussian(), Settings(), 1, Streams(range(50))), torch.full((50, 1), MEAN).double(), 1e-12)  # the mean


def test_pairs_are_the_exact_flow():
    found = recorded(gaussian(), EXACT_SOLVE, Streams(range(200)))
    assert isinstance(found, Recorded)
    assert found.x0.dtype == found.noise.dtype == torch.float64
    assert torch.equal(found.noise, Streams(range(200)).draw((1,)))
    close(found.x0, MEAN + DEVIATION * found.noise, 1e-7)  # a hundred tolerances of a step
    assert torch.equal(found.x0, rk45(gaussian(), EXACT_SOLVE, 1, Streams(range(200))))


def test_pairs_of_a_mixture_are_those_of_small_euler_steps_with_order_1():
    exact = rk45(Exact(mixture_denoiser(), 2), EXACT_SOLVE, 1, Streams(range(50)))
    errors = [
        float((euler(Exact(mixture_denoiser(), 2), Settings(), n, Streams(range(50))) - exact).abs().mean())
        for n in (500, 1000)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.1)


def test_a_flow_keeps_the_law_of_the_data():
    """Moments of 4,000 samples and the share of each component, of a mixture's exact flow."""
    law, count = mixture(), 4000
    found = rk45(Exact(MixtureDenoiser(law), 2), Settings(), 1, Streams(range(count)))
    mean = law.weights @ law.means
    second = torch.einsum(
        "k,kij->ij", law.weights, law.factors @ law.factors.mT + law.means[:, :, None] * law.means[:, None]
    )
    covariance = second - mean[:, None] * mean
    spread = covariance.diagonal().sqrt()
    assert bool(((found.mean(0) - mean).abs() < 5 * spread / math.sqrt(count)).all())
    # Products of two coordinates within about [-1, 1] deviate by less than 0.5.
    assert float((found.T.cov() - covariance).abs().max()) < 5 * 0.5 / math.sqrt(count)
    shares = torch.softmax(law.weights.log() + log_densities(law, found), dim=1).mean(0)
    assert bool(((shares - law.weights).abs() < 5 * 0.5 / math.sqrt(count)).all())


def log_densities(law: GaussianMixture, x: Tensor) -> Tensor:
    """(batch, k), each component by itself."""
    ones = [
        GaussianMixture(torch.ones(1).double(), m[None], f[None]) for m, f in zip(law.means, law.factors, strict=True)
    ]
    return torch.stack([one.log_prob(x) for one in ones], dim=1)


def test_reflow_lowers_the_cost_of_gaussian_ends():
    """From 1 + s^2 + m^2 = 3.41, drawn apart, to (1 - s)^2 + m^2 = 2.61."""
    count = 20_000
    found = recorded(gaussian(), Settings(), Streams(range(count)))
    apart = transport_cost(MEAN + DEVIATION * normal(count, 1, seed=21), found.noise)
    after = transport_cost(found.x0, found.noise)
    for cost, expected in ((apart, 3.41), (after, 2.61)):
        assert float(cost.mean()) == pytest.approx(expected, abs=5 * float(cost.std()) / math.sqrt(count))
    again = recorded(Straight(), Settings(), Streams(range(count)))  # a further reflow changes nothing
    close(again.x0, found.x0, 1e-3)  # `rk45` at its tolerance of 1e-5, over some hundred steps


def test_reflow_of_a_mixture_raises_no_convex_cost():
    law, count = mixture(), 4000
    found = recorded(Exact(MixtureDenoiser(law), 2), Settings(), Streams(range(count)))
    apart = law.sample(count, generator(22))
    for cost in (transport_cost, lambda x, z: (x - z).norm(dim=1), lambda x, z: (x - z).abs().sum(1).pow(3)):
        before, after = cost(apart, found.noise), cost(found.x0, found.noise)
        error = float((before.var() + after.var()).sqrt()) / math.sqrt(count)
        assert float(before.mean() - after.mean()) > 5 * error


# --- training


@torch.enable_grad()
def trained(model: Denoiser, settings: Settings, value, steps: int) -> None:
    steepest, draws = METHOD.recipe.optimiser(model, settings), generator(23)
    for _ in range(steps):
        steepest.zero_grad()
        value(draws).backward()
        steepest.step()


def test_training_reflow_and_distillation_lower_their_losses():
    """A 1-rectified flow of two points, its reflow from its own pairs, and the distillation of these."""
    shared = {"network": "mlp", "width": 32, "dropout": 0.0, "learning_rate": 3e-3, "batch": 256, "tolerance": 1e-3}
    points = torch.tensor([[1.0, 0.0], [-1.0, 0.5]])
    settings = Settings(**shared)
    model = build(settings, (2,), generator(24))
    data = points[torch.arange(256) % 2] + 0.1 * normal(256, 2, seed=25).float()
    before = float(loss(model, settings, data, generator(26)))
    trained(model, settings, lambda draws: loss(model, settings, data, draws), 150)
    assert float(loss(model, settings, data, generator(26))) < 0.7 * before
    pairs = recorded(model.eval(), settings, Streams(range(256)))
    x, noise = pairs.x0.float(), pairs.noise.float()
    one_step = {}
    for times, reflows in (("uniform", 1), ("noise_end", 0)):
        follower = Settings(**shared, times=times, reflows=reflows, pairs=256)
        student = build(follower, (2,), generator(27))
        student.load_state_dict(model.state_dict())
        before = float(paired_loss(student, follower, x, noise, generator(28)))
        trained(student, follower, lambda draws, s=student, f=follower: paired_loss(s, f, x, noise, draws), 150)
        assert float(paired_loss(student, follower, x, noise, generator(28))) < 0.7 * before
        found = euler(student.eval(), follower, 1, Streams(range(256)))
        one_step[times] = float((found - pairs.x0).square().mean())
        if times == "uniform":
            bent, straight = (straightness(each, settings, 20, Streams(range(256))) for each in (model, student))
            assert float(straight.mean()) < 0.5 * float(bent.mean())
    raw = float((euler(model, settings, 1, Streams(range(256))) - pairs.x0).square().mean())
    assert max(one_step.values()) < 0.5 * raw


def test_the_learning_rate_rises_over_the_warmup():
    settings = Settings()
    assert [METHOD.recipe.rate(settings, images) for images in (0, 320_000, 640_000, 10**9)] == [0, 0.5, 1, 1]
    assert METHOD.recipe.rate(Settings(warmup=0), 0) == 1


# --- samplers and settings


def test_evaluations_are_the_steps():
    for steps in (1, 7):
        model = gaussian()
        euler(model, Settings(), steps, Streams([0]))
        assert model.evaluations == steps


def test_full_simulation_does_not_read_the_steps():
    one, other = (rk45(gaussian(), Settings(), steps, Streams([0, 1])) for steps in (1, 50))
    assert torch.equal(one, other)
    assert set(rectified_flow.METHOD.samplers) == {euler, rk45}


def test_a_network_is_asked_in_its_dtype_and_samples_are_float64():
    settings = Settings(network="mlp", width=8, dropout=0.0)
    model = build(settings, (2, 2), generator(29)).eval()
    for sampler in rectified_flow.METHOD.samplers:
        found = sampler(model, settings, 2, Streams([0, 1, 2]))
        assert (found.shape, found.dtype) == ((3, 2, 2), torch.float64)
    noise = Streams([0, 1, 2]).draw((2, 2))
    close(euler(model, settings, 3, Streams([0, 1, 2])), noise, 1e-12)  # untrained, v is 0


def test_the_last_step_ends_on_the_data():
    """At t = 1e-5 the solver leaves x - t v; on a point mass at 0 that step is what brings samples to 0."""
    found = rk45(Exact(lambda x, a, n: torch.zeros_like(x)), Settings(), 1, Streams(range(20)))
    close(found, torch.zeros(20, 1).double(), 1e-20)


@pytest.mark.parametrize(
    "wrong",
    [
        {"times": "cosine"},
        {"reflows": -1},
        {"reflows": 1},
        {"times": "noise_end"},
        {"pairs": 100},
        {"pairs": 0, "reflows": 1},
        {"time_scale": 0.0},
        {"flips": 1.5},
        {"warmup": -1},
        {"tolerance": 0.0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        Settings(**wrong)
