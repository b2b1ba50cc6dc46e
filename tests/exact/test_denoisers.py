"""Denoisers in closed form: against Tweedie's formula, quadrature, limits, draws, and each other."""

import math

import pytest
import torch

from implementations.common.denoisers import MixtureDenoiser
from implementations.common.ode import Solver
from implementations.common.oracles import GaussianMixture
from implementations.diffusion.parts import grids, paths
from implementations.diffusion.parts.samplers import first_order, heun, solved
from tests.exact.denoising_cases import close, gaussian_denoiser, generator, mixture, mixture_denoiser, normal, number
from tests.exact.known_denoisers import EmpiricalDenoiser, GaussianDenoiser

FACTOR = torch.tensor([[0.8, 0.0, 0.0], [0.3, 0.5, 0.0], [-0.2, 0.1, 1.1]], dtype=torch.float64)
MEAN = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0, 5.0])
def test_tweedie(sigma):
    """D = x + sigma^2 grad log p_sigma(x), with the gradient by automatic differentiation."""
    law = mixture().diffused(1.0, sigma)
    x = law.sample(50, generator(1)).requires_grad_()
    (score,) = torch.autograd.grad(law.log_prob(x).sum(), x)
    close(mixture_denoiser()(x.detach(), number(1.0), number(sigma)), x.detach() + sigma**2 * score, 1e-12)


@pytest.mark.parametrize(("a", "n"), [(0.9, 0.1), (0.5, 0.5), (0.1, 0.9), (0.01, 1.0)])
def test_tweedie_with_a_scale(a, n):
    """D = (x + n^2 score) / a."""
    law = mixture().diffused(a, n)
    x = law.sample(50, generator(2))
    close(mixture_denoiser()(x, number(a), number(n)), (x + n**2 * law.score(x)) / a, 1e-12 / a**2)  # / a amplifies


def test_posterior_mean_by_quadrature():
    """With levels of their own for each example."""
    parameters = [0.4, 0.6], [[-1.0], [2.0]], [[[0.5]], [[0.3]]]
    line = GaussianMixture(*(torch.tensor(values, dtype=torch.float64) for values in parameters))
    x, a, n = (
        torch.tensor(values, dtype=torch.float64) for values in ([-2.0, 0.3, 1.0], [0.9, 0.5, 0.0], [0.2, 0.8, 1.0])
    )
    axis = torch.linspace(-15.0, 15.0, 30_001, dtype=torch.float64)
    weights = line.log_prob(axis[:, None]).exp() * (-0.5 * ((x[:, None] - a[:, None] * axis) / n[:, None]) ** 2).exp()
    expected = (weights * axis).sum(1) / weights.sum(1)
    close(MixtureDenoiser(line)(x[:, None], a, n)[:, 0], expected, 1e-12)  # both exact but for rounding


@pytest.mark.parametrize(
    "denoise",
    [mixture_denoiser(), EmpiricalDenoiser(normal(7, 2, seed=3)), GaussianDenoiser(MEAN[:2], FACTOR[:2, :2])],
    ids=["mixture", "empirical", "gaussian"],
)
def test_limits(denoise):
    """Without signal D is the mean; without noise it is x_0."""
    x = normal(5, 2, seed=4)
    mean = denoise(x, number(0.0), number(1.0))
    close(mean, mean[:1].expand(5, 2), 1e-15)
    close(denoise(x, number(1.0), number(1e6)), mean, 1e-5)  # by order 1 / sigma
    if isinstance(denoise, EmpiricalDenoiser):
        x = denoise.points
        close(mean[0], x.mean(0), 1e-15)
    close(denoise(0.7 * x, number(0.7), number(0.0)), x, 1e-14)


@pytest.mark.parametrize("make", ["mixture", "empirical", "gaussian"])
def test_each_example_has_its_own_level(make):
    denoise = {
        "mixture": mixture_denoiser(),
        "empirical": EmpiricalDenoiser(normal(7, 2, seed=5)),
        "gaussian": GaussianDenoiser(MEAN[:2], FACTOR[:2, :2]),
    }[make]
    x, a, n = normal(4, 2, seed=6), torch.linspace(0.1, 1.0, 4).double(), torch.linspace(2.0, 0.1, 4).double()
    together = denoise(x, a, n)
    for row in range(4):
        close(denoise(x[row : row + 1], a[row], n[row])[0], together[row], 1e-14)


def test_gaussian_is_a_mixture_of_one():
    alone = MixtureDenoiser(GaussianMixture(torch.ones(1).double(), MEAN[None], FACTOR[None]))
    x = 3 * normal(20, 3, seed=7)
    for a, n in ((1.0, 0.3), (0.2, 0.9), (0.0, 1.0), (1.0, 0.0)):
        close(GaussianDenoiser(MEAN, FACTOR)(x, number(a), number(n)), alone(x, number(a), number(n)), 1e-13)


@pytest.mark.parametrize(
    "path", [paths.linear(), paths.edm(20.0), paths.variance_preserving()], ids=["fm", "edm", "vp"]
)
def test_flow_map_solves_the_ode(path):
    denoise, x = GaussianDenoiser(MEAN, FACTOR), normal(6, 3, seed=8)
    start, end = (torch.stack(path.at(number(t))) for t in (1.0, 0.01))
    x = start[1] * x
    found, _ = solved(denoise, x, path, Solver("dopri5", tolerance=1e-11), 1.0, 0.01)
    close(denoise.flow_map(x, start, end), found, 1e-8)  # the solver's tolerance, times what the flow amplifies


def test_flow_map_leads_from_law_to_law():
    """By the moments that the ends have: it is affine, so its linear part maps one covariance onto the other."""
    denoise = GaussianDenoiser(MEAN, FACTOR)
    start, end = torch.tensor([0.6, 0.8], dtype=torch.float64), torch.tensor([1.0, 0.1], dtype=torch.float64)
    offset = denoise.flow_map(torch.zeros(1, 3).double(), start, end)
    linear = (denoise.flow_map(torch.eye(3).double(), start, end) - offset).mT
    before, after = (pair[0] ** 2 * FACTOR @ FACTOR.mT + pair[1] ** 2 * torch.eye(3).double() for pair in (start, end))
    close(linear @ before @ linear.mT, after, 1e-13)
    close(denoise.flow_map(0.6 * MEAN[None], start, end), MEAN[None], 1e-14)


def test_flow_map_back_and_forth():
    denoise, x = GaussianDenoiser(MEAN, FACTOR), normal(5, 3, seed=9)
    start, end = torch.tensor([0.0, 1.0]).double(), torch.tensor([1.0, 0.0]).double()
    close(denoise.flow_map(denoise.flow_map(x, start, end), end, start), x, 1e-13)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 4.0])
def test_bayes_loss_of_a_gaussian(sigma):
    """E|D - x_0|^2 = s^2 sigma^2 / (s^2 + sigma^2) over draws."""
    s, count = 0.6, 400_000
    x0, eps = s * normal(count, 1, seed=10), normal(count, 1, seed=11)
    errors = (gaussian_denoiser(s)(x0 + sigma * eps, number(1.0), number(sigma)) - x0).square()
    expected = s**2 * sigma**2 / (s**2 + sigma**2)
    assert abs(float(errors.mean()) - expected) < 4 * float(errors.std()) / math.sqrt(count)  # four standard errors


def test_flow_matching_loss_floor():
    """The integral over t of Var(eps - x_0 | x_t), N(0, 1) to N(m, s^2), is pi s / 2: by D alone, whose slope gives it.

    Var(x_0 | x_t) = (t / (1 - t))^2 a dD/dx, and eps - x_0 = (x_t - x_0) / t.
    """
    s, count = 0.4, 20_000
    nodes = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    t = torch.sin(math.pi / 2 * nodes).square()  # crowded at both ends; midpoints, in a periodic variable
    denoise, a = gaussian_denoiser(s, 1.5), 1 - t
    rise = denoise(torch.ones(count, 1).double(), a, t) - denoise(torch.zeros(count, 1).double(), a, t)
    # n^2 / a dD/dx is the variance of x_0 given x_t, and dividing by t^2 leaves dD/dx / a.
    integrand = rise[:, 0] / a
    weight = math.pi / 2 * torch.sin(math.pi * nodes) / count
    close((integrand * weight).sum(), math.pi * s / 2, 1e-8)


def test_empirical_mean_is_the_softmax_of_distances():
    points, x = normal(5, 3, seed=12), normal(1, 3, seed=13)
    weights = [math.exp(-float((x[0] - 0.8 * point).square().sum()) / (2 * 0.6**2)) for point in points]
    expected = sum(weight * point for weight, point in zip(weights, points, strict=True)) / sum(weights)
    close(EmpiricalDenoiser(points)(x, number(0.8), number(0.6))[0], expected, 1e-14)


@pytest.mark.parametrize("off", [1e-9, 100.0])
def test_empirical_without_noise_is_the_nearest_point(off):
    """Also off the points, by as much as rounding does, and by far more."""
    points, x = normal(5, 3, seed=19), 0.7 * normal(5, 3, seed=19) + off
    nearest = torch.cdist(x, 0.7 * points, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
    assert torch.equal(EmpiricalDenoiser(points)(x, number(0.7), number(0.0)), points[nearest])


def test_empirical_takes_images():
    points = normal(5, 1, 2, 3, seed=14)
    flat = EmpiricalDenoiser(points.flatten(1))(normal(4, 6, seed=15), number(0.5), number(0.5))
    images = EmpiricalDenoiser(points)(normal(4, 6, seed=15).reshape(4, 1, 2, 3), number(0.5), number(0.5))
    assert torch.equal(images.flatten(1), flat)


@pytest.mark.parametrize("sampler", [first_order, heun])
def test_sampling_the_empirical_law_lands_on_its_points(sampler):
    """What the perfect model of a training set does: all 50 points are hit, and nothing else."""
    points = normal(50, 2, seed=16)
    x = sampler(EmpiricalDenoiser(points), 80 * normal(500, 2, seed=17), grids.karras(100))
    distances, nearest = torch.cdist(x, points, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    assert float(distances.max()) < 1e-5
    assert len(nearest.unique()) == 50


def test_far_from_all_points_nothing_overflows():
    x = torch.full((1, 2), 1e8, dtype=torch.float64)
    for denoise in (mixture_denoiser(), EmpiricalDenoiser(normal(5, 2, seed=18))):
        assert torch.isfinite(denoise(x, number(1.0), number(1e-3))).all()
