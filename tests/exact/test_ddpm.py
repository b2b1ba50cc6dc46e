"""DDPM: its loss and table are the paper's, its chain has the variances and the bound that are known exactly."""

import math

import pytest
import torch
from torch import Tensor

from implementations.common.averaging import ExponentialMovingAverage
from implementations.diffusion import ddpm
from implementations.diffusion.ddpm import METHOD, Settings, betas, bound_terms, build, loss
from implementations.diffusion.parts.backbones import backbone
from implementations.diffusion.parts.likelihood import mean_term
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.paths import ddpm as table
from implementations.diffusion.parts.samplers import Streams, chain_variances
from tests.exact.ddpm_cases import (
    Exact,
    Impulses,
    mixture,
    mixture_model,
    normal_model,
    point_model,
    small_model,
    squares,
)
from tests.exact.known_denoisers import EmpiricalDenoiser
from tests.exact.noisy_networks import generator, normal, size

ROUNDING = 1e-12  # float64, products and sums of about a thousand numbers of order 1
PREDICTIONS = ("noise", "data", "velocity")  # and the mean of the step before, which has tests of its own
UNLIMITED = Settings(denoised_limit=None)
DENSITY = Settings(denoised_limit=None, grey_levels=None)


class Seen(Denoiser):
    """A model that keeps what its network was asked."""

    def output(self, x_t: Tensor, a: Tensor, n: Tensor, **labels) -> Tensor:
        self.asked = (x_t, a, n)
        self.label = self.parameterisation.inputs(x_t, a, n)[1]
        return super().output(x_t, a, n, **labels)


def seen(shape: tuple[int, ...] = (3,), **settings) -> tuple[Seen, Settings]:
    model, chosen = small_model(shape, **settings)
    return Seen(model.network, model.parameterisation).eval(), chosen


def test_the_table_is_the_papers():
    a, n = table(betas(Settings())).at(torch.tensor([1.0, 1e-3, 2e-3], dtype=torch.float64))
    sigma = n / a
    # Pins of a plain float64 product, to the digits that are given.
    assert float(a[0].square()) == pytest.approx(4.035829765e-5, rel=1e-9)
    assert float(sigma[0]) == pytest.approx(157.407281, rel=1e-8)
    assert float(sigma[1]) == pytest.approx(0.0100005000, rel=1e-8)
    steps = torch.stack([a, n], dim=1)
    assert float(chain_variances(steps[2], steps[1])[1]) == pytest.approx(5.4531877e-5, rel=1e-7)
    expected = squares(betas(Settings()))
    torch.testing.assert_close(
        table(betas(Settings())).at(torch.arange(1001).double() / 1000)[0].square(),
        torch.tensor(expected, dtype=torch.float64),
        rtol=ROUNDING,
        atol=0.0,
    )


@pytest.mark.parametrize("parameterisation", PREDICTIONS)
def test_loss_is_its_row_of_the_table(parameterisation):
    """The native regression, and lambda |D - x_0|^2, of what the network was asked, for an arbitrary network."""
    model, settings = seen(parameterisation=parameterisation)
    x = normal(64, 3, seed=2)
    value = float(loss(model, settings, x, generator(3)).detach())
    x_t, a, n = (part.detach() for part in model.asked)
    eps = (x_t - a[:, None] * x) / n[:, None]
    sigma = n / a
    target = {"noise": eps, "data": x, "velocity": a[:, None] * eps - n[:, None] * x}[parameterisation]
    weight = {"noise": sigma**-2, "data": torch.ones_like(sigma), "velocity": 1 + sigma**-2}[parameterisation]
    with torch.no_grad():
        output, denoised = model.output(x_t, a, n), model(x_t, a, n)
    # eps is recovered by a division by n >= 0.01, which costs two digits; so does D / n.
    assert value == pytest.approx(float((output - target).square().mean()), rel=1e-11)
    assert value == pytest.approx(float((weight[:, None] * (denoised - x).square()).mean()), rel=1e-11)


def test_the_noise_of_the_loss_is_standard_normal_and_its_levels_are_uniform_on_the_table():
    model, settings = seen(shape=(1,), levels=5)
    x = torch.zeros(20_000, 1, dtype=torch.float64)
    loss(model, settings, x, generator(4))
    x_t, a, n = (part.detach() for part in model.asked)
    eps = x_t[:, 0] / n
    error = 5 / math.sqrt(len(x))  # five standard errors
    assert abs(float(eps.mean())) < error
    assert abs(float(eps.var()) - 1) < math.sqrt(2) * error
    allowed = torch.tensor(squares(betas(settings))[1:], dtype=torch.float64)
    level = (a.square()[:, None] - allowed).abs().argmin(1)
    torch.testing.assert_close(a.square(), allowed[level], rtol=ROUNDING, atol=0.0)
    shares = torch.bincount(level, minlength=5) / len(x)
    assert float((shares - 0.2).abs().max()) < math.sqrt(0.16) * error
    # The network is told 0 ... T - 1.
    torch.testing.assert_close(model.label, level.double(), rtol=0.0, atol=1e-8)  # time of sigma: log1p of 1e-4


def test_a_network_predicting_no_noise_has_loss_one():
    """The untrained network is zero, and E |eps|^2 is 1 a dimension."""
    settings = Settings(network="mlp", width=16, dropout=0.0)
    with torch.no_grad():
        value = float(loss(build(settings, (8,), generator(0)), settings, normal(4000, 8).float(), generator(1)))
    assert abs(value - 1) < 5 * math.sqrt(2 / 32_000)  # five standard errors


def test_flips_mirror_images_with_their_probability():
    model, settings = seen((4, 4), flips=1.0)
    x = normal(6, 4, 4, seed=5)
    mirrored = loss(model, settings, x, generator(6))
    unflipped = Settings(network="mlp", width=16, dropout=0.0)
    assert torch.equal(mirrored, loss(model, unflipped, x.flip(-1), generator(6)))
    assert not torch.equal(mirrored, loss(model, unflipped, x, generator(6)))
    many = torch.arange(4.0, dtype=torch.float64).expand(4000, 4, 4)
    _, half = small_model((4, 4), flips=0.5)
    loss(model, half, many, generator(7))
    x_t, a, _ = (part.detach() for part in model.asked)
    rising = ((x_t[:, :, 3] - x_t[:, :, 0]).mean(1) / a) > 0
    clear = a > 0.9  # where the noise leaves no doubt
    assert abs(float(rising[clear].double().mean()) - 0.5) < 5 * 0.5 / math.sqrt(int(clear.sum()))


def test_dropout_draws_from_the_generator_of_the_loss():
    settings = Settings(network="mlp", width=16, dropout=0.5)
    model, _ = small_model((3,), dropout=0.5)
    model.train()
    x = normal(16, 3, seed=8)
    first, again, other = (float(loss(model, settings, x, generator(seed)).detach()) for seed in (9, 9, 10))
    assert first == again != other
    assert first != float(loss(model.eval(), settings, x, generator(9)).detach())


@pytest.mark.parametrize(
    ("sampler", "model", "variance"),
    [
        (ddpm.ancestral_large, normal_model(), 0.9999),  # 1 - beta_1
        (ddpm.ancestral_small, normal_model(), 0.9910673763528218),
        (ddpm.ancestral_small, point_model(), 0.0),
        (ddpm.ancestral_large, point_model(), 0.0),
    ],
    ids=["large normal", "small normal", "small point", "large point"],
)
def test_the_exact_chain_has_the_known_variance(sampler, model, variance):
    """x_0 is linear in the T draws; its variance is the sum of the squares of what each does by itself."""
    answers = sampler(model, UNLIMITED, 1000, Impulses(1000))
    assert float(answers.square().sum()) == pytest.approx(variance, abs=ROUNDING)


def test_the_chain_is_algorithm_two():
    """Written out in the paper's symbols, with the noise of the same streams, on a mixture."""
    model, beta, abar = mixture_model(), [0.0, *betas(UNLIMITED).tolist()], squares(betas(UNLIMITED))
    streams = Streams(range(4))
    x = streams.draw((2,))
    for t in range(1000, 0, -1):
        a, n = (torch.tensor(math.sqrt(value), dtype=torch.float64) for value in (abar[t], 1 - abar[t]))
        eps = (x - a * model(x, a, n)) / n
        mean = (x - beta[t] / n * eps) / math.sqrt(1 - beta[t])
        x = mean if t == 1 else mean + math.sqrt(beta[t]) * streams(x)
    found = ddpm.ancestral_large(model, UNLIMITED, 1000, Streams(range(4)))
    torch.testing.assert_close(found, x, rtol=0.0, atol=1e-10)  # 1 - abar loses four digits near the data


@pytest.mark.parametrize("sampler", ddpm.METHOD.samplers)
@pytest.mark.parametrize("steps", [1, 7, 50, 1000])
def test_as_many_evaluations_as_steps(sampler, steps):
    model = normal_model()
    assert sampler(model, Settings(), steps, Streams(range(2))).shape == (2, 1)
    assert model.evaluations == steps


@pytest.mark.parametrize("sampler", ddpm.METHOD.samplers)
def test_limiting_the_denoised_keeps_samples_in_range(sampler):
    model = normal_model(3.0)
    wide = sampler(model, UNLIMITED, 20, Streams(range(50)))
    narrow = sampler(model, Settings(denoised_limit=1.0), 20, Streams(range(50)))
    assert float(narrow.abs().max()) <= 1.0 < float(wide.abs().max())


def signs(x: Tensor) -> Tensor:
    """Noise 1, -1, 1, -1, ...: with data 1, 1, -1, -1 all second moments are those of two standard normal numbers."""
    return torch.tensor([1.0, -1.0] * (len(x) // 2), dtype=torch.float64)[:, None].expand(x.shape)


@pytest.mark.parametrize(("variance", "steps"), [("large", 4.605150006), ("small", 5.070042325)])
def test_the_bound_of_the_exact_model_is_known(variance, steps):
    """On N(0, 1): every term is a quadratic in (x_0, eps), so that four points give its expectation exactly."""
    settings = Settings(denoised_limit=None, grey_levels=None, bound_variance=variance)
    x = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
    terms = bound_terms(normal_model(), settings, x, signs).mean(1)
    assert len(terms) == 1001
    assert float(terms[-1]) == pytest.approx(2.0179556e-5, rel=1e-7)
    assert float(terms[1:-1].sum()) == pytest.approx(steps, abs=1e-9)  # to the digits that are given
    last = 1e-4 if variance == "large" else 5.4531877e-5  # beta_1, and the small variance of t = 2
    assert float(terms[0]) == pytest.approx(0.5 * (1e-4 / last + math.log(2 * math.pi * last)), abs=1e-6)
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    if variance == "large":
        assert float(terms.sum()) == pytest.approx(entropy, abs=1e-10)  # a thousand terms, each to rounding
    else:
        assert float(terms.sum()) > entropy + 0.1


def test_the_bound_adds_over_dimensions():
    x = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
    one = bound_terms(normal_model(), DENSITY, x, signs)
    three = bound_terms(normal_model(dimensions=3), DENSITY, x.expand(4, 3), signs)
    torch.testing.assert_close(three, 3 * one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("variance", ["large", "small"])
def test_the_bound_of_grey_levels_is_above_their_probability_and_near_it(variance):
    """Data is -1, 0 or 1 with probability 1/3 each, and the model knows it."""
    points, noise = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64), generator(11)
    settings = Settings(grey_levels=3, bound_variance=variance)

    def draw(x: Tensor) -> Tensor:
        return torch.randn(x.shape, dtype=x.dtype, generator=noise)

    terms = bound_terms(Exact(EmpiricalDenoiser(points)), settings, points.repeat(300, 1), draw)
    # Where the model knows x_0, the small variance is right at each step, and the large one costs this much.
    price = float(bound_terms(point_model(), settings, torch.zeros(1, 1).double(), torch.zeros_like)[1:-1].sum())
    assert price == pytest.approx(0.0, abs=1e-10) if variance == "small" else price > 0.1
    total = terms.sum(0)
    error = 5 * float(total.std()) / math.sqrt(len(total))
    assert float(total.mean()) + error > math.log(3)
    assert float(total.mean()) - error < math.log(3) + price + 0.01  # that of 1000 steps, not infinitely many
    assert float(terms[0].max()) < 1e-6  # the last step's deviation, 0.01, is far below half a bin


def test_the_bound_is_of_draws_from_its_generator():
    model, settings = small_model((2, 2), levels=20)
    x = normal(5, 2, 2, seed=12).clamp(-1, 1).float()
    first, again, other = (ddpm.variational_bound(model, settings, x, generator(seed)) for seed in (13, 13, 14))
    assert first.shape == (5,)
    assert first.dtype == torch.float64
    assert not first.requires_grad
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("variance", ["large", "small"])
@pytest.mark.parametrize("grey_levels", [17, None])
@pytest.mark.parametrize("parameterisation", [*PREDICTIONS, "mean"])
def test_the_true_bound_is_learned_a_term_an_example(parameterisation, grey_levels, variance):
    """One example a level: T times the loss is then the bound but for its last term, which has no weights."""
    chosen = {"objective": "bound", "grey_levels": grey_levels, "bound_variance": variance, "denoised_limit": None}
    model, settings = seen((4,), levels=30, parameterisation=parameterisation, **chosen)
    x = (2 * torch.randint(0, 17, (1, 4), generator=generator(20)) / 16 - 1).double()
    eps = normal(30, 4, seed=21)
    grid, variances = ddpm.chain(settings)
    with torch.no_grad():
        d = model(grid[1:, :1] * x + grid[1:, 1:] * eps, grid[1:, 0], grid[1:, 1])
    found = mean_term(x.expand(30, 4), d, torch.arange(1, 31), grid, variances, grey_levels)
    draws = iter(eps)
    terms = bound_terms(model, settings, x, lambda y: next(draws)[None])
    # The coefficient of x in D, and of D in the mean, is 1e2 at the lowest levels, on values of about 1.
    assert float(found) * 30 * 4 * math.log(2) == pytest.approx(float(terms[:-1].sum()), rel=1e-10)


@pytest.mark.parametrize("parameterisation", ["noise", "mean"])
def test_the_loss_of_the_bound_is_that_of_what_the_network_was_asked(parameterisation):
    model, settings = seen((4,), levels=30, parameterisation=parameterisation, objective="bound", grey_levels=17)
    x = normal(64, 4, seed=22).clamp(-1, 1)
    value = float(loss(model, settings, x, generator(23)).detach())
    x_t, a, n = (part.detach() for part in model.asked)
    grid, variances = ddpm.chain(settings)
    t = (a[:, None] - grid[:, 0]).abs().argmin(1)
    with torch.no_grad():
        expected = mean_term(x, model(x_t, a, n), t, grid, variances, 17)
    assert value == pytest.approx(float(expected), rel=1e-11)


def test_a_network_predicts_the_mean_of_the_step_before():
    """Of q(x' | x_t, x_0), equation 7, at each level of the paper's table."""
    model, settings = small_model(parameterisation="mean")
    row, beta = model.parameterisation, betas(settings)
    abar = torch.tensor(squares(beta), dtype=torch.float64)
    a, n = abar[1:].sqrt(), (1 - abar[1:]).sqrt()
    x0, eps = normal(1000, 3, seed=24), normal(1000, 3, seed=25)
    x_t = a[:, None] * x0 + n[:, None] * eps
    of_data, of_x = abar[:-1].sqrt() * beta / (1 - abar[1:]), (1 - beta).sqrt() * (1 - abar[:-1]) / (1 - abar[1:])
    mean = of_data[:, None] * x0 + of_x[:, None] * x_t
    # A level's time is found by a logarithm of abar, whose error the steepest coefficient takes a thousandfold.
    torch.testing.assert_close(row.target(x0, eps, a, n), mean, rtol=0.0, atol=1e-9)
    torch.testing.assert_close(row.denoised(x_t, mean, a, n), x0, rtol=0.0, atol=1e-6)  # divided by of_data, 1e-4


def test_warmup_and_averaging_are_those_of_the_paper():
    settings = Settings()
    assert [METHOD.recipe.rate(settings, images) for images in (0, 320_000, 640_000, 10**9)] == [0.0, 0.5, 1.0, 1.0]
    assert METHOD.recipe.rate(Settings(warmup=0), 0) == 1.0
    model, _ = small_model()
    average = ExponentialMovingAverage(model, settings.ema_half_life)
    assert 0.5 ** (settings.batch / average.half_life) == pytest.approx(0.9999, abs=1e-10)  # to a whole image


def test_optimiser_takes_its_settings():
    model, _ = small_model()
    (group,) = ddpm.METHOD.recipe.optimiser(model, Settings(learning_rate=0.01)).param_groups
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (0.01, (0.9, 0.999), 1e-8, 0)


def test_the_papers_model_has_its_size():
    with torch.device("meta"):
        model = build(Settings(), (3, 32, 32), None)
    assert size(model) == 35_746_307


@pytest.mark.parametrize("parameterisation", PREDICTIONS)
def test_training_lowers_the_loss(parameterisation):
    settings = Settings(network="mlp", width=32, dropout=0.0, parameterisation=parameterisation, learning_rate=3e-3)
    model, draws = build(settings, (2,), generator(0)), generator(1)
    optimiser, held_out = ddpm.METHOD.recipe.optimiser(model, settings), mixture().sample(2000, generator(2)).float()
    with torch.no_grad():
        before = float(loss(model, settings, held_out, generator(3)))
    for _ in range(150):
        optimiser.zero_grad()
        loss(model, settings, mixture().sample(128, draws).float(), draws).backward()
        optimiser.step()
    with torch.no_grad():
        after = float(loss(model, settings, held_out, generator(3)))
    assert after < {"noise": 0.3, "data": 0.8, "velocity": 0.8}[parameterisation] * before  # seen: 0.16, 0.72, 0.73


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"levels": 1}, "2 levels or more"),
        ({"beta_first": 0.0}, "betas rise"),
        ({"beta_first": 0.03}, "betas rise"),
        ({"beta_last": 1.0}, "betas rise"),
        ({"parameterisation": "score"}, "no parameterisation.*score"),
        ({"objective": "both"}, "objective.*both"),
        ({"bound_variance": "learned"}, "bound_variance.*learned"),
        ({"flips": 1.5}, "flips"),
        ({"warmup": -1}, "warmup"),
        ({"grey_levels": 1}, "grey_levels"),
        ({"batch": 0}, "batch"),
        ({"width": 0}, "width"),
        ({"denoised_limit": 0.0}, "denoised_limit"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_vectors_are_not_mirrored():
    with pytest.raises(ValueError, match="not of vectors"):
        build(Settings(network="mlp", flips=0.5), (3,), generator(0))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlp", (5,)),
        ("mlp", (8, 8)),
        ("mlp", (3, 8, 8)),
        ("unet_small", (8, 8)),
        ("unet_small", (28, 28)),
        ("unet_small", (3, 32, 32)),
        ("unet_cifar10", (3, 16, 16)),
        ("ddpmpp_cifar10", (16, 16)),
    ],
)
def test_every_network_keeps_the_shape_and_starts_at_zero(name, shape):
    network = backbone(name, shape, 16, 0.0, generator(0))
    x = normal(2, *shape).float()
    value = network(x, torch.tensor([0.0, 5.0]))
    assert value.shape == x.shape
    assert network.shape == shape
    assert torch.equal(value, torch.zeros_like(x))


def test_grey_images_enter_with_one_channel():
    with_channel, without = (backbone("unet_small", shape, 16, 0.0, generator(0)) for shape in ((1, 8, 8), (8, 8)))
    torch.nn.init.normal_(with_channel.network.head.weight, generator=generator(1))
    without.load_state_dict(with_channel.state_dict())
    x, label = normal(3, 8, 8).float(), torch.tensor([0.0, 5.0, 9.0])
    assert torch.equal(without(x, label), with_channel(x[:, None], label)[:, 0])


def test_networks_of_the_papers_have_their_sizes():
    with torch.device("meta"):
        assert size(backbone("unet_cifar10", (3, 32, 32), 128, 0.1, None)) == 35_746_307
        assert size(backbone("ddpmpp_cifar10", (3, 32, 32), 128, 0.13, None)) == 55_732_739
        assert size(backbone("mlp", (64,), 256, 0.0, None)) == 905_024


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [("resnet", (8, 8), "network is one of mlp"), ("unet_small", (5,), "images"), ("unet_cifar10", (8, 8), "16")],
)
def test_networks_say_what_they_cannot_model(name, shape, message):
    with pytest.raises(ValueError, match=message):
        backbone(name, shape, 16, 0.0, generator(0))
