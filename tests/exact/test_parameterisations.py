"""What outputs mean: against the table of methods in sigma, the losses' identity, and the same model seen two ways."""

import math
from fractions import Fraction

import pytest
import torch
from torch import nn

from implementations.diffusion.parts import grids, paths
from implementations.diffusion.parts import parameterisations as rows
from implementations.diffusion.parts.samplers import first_order
from tests.exact.denoising_cases import close, gaussian_denoiser, mixture_denoiser, normal, number

SD = 0.5
BETAS = paths.linear_betas()
VP, VE, LINE, TABLE = paths.variance_preserving(), paths.variance_exploding(), paths.linear(), paths.ddpm(BETAS)


def none(sigma):
    """A label for networks that read none."""
    return torch.zeros_like(sigma)


ROWS = {
    "noise": (rows.noise(none), VP),
    "data": (rows.data(none), VP),
    "velocity_vp": (rows.velocity_vp(none), VP),
    "score_ve": (rows.score_ve(), VE),
    "edm": (rows.edm(SD), paths.edm()),
    "velocity": (rows.velocity(), LINE),
}
# c_skip, c_out, lambda for x = x_0 + sigma eps, and c_in, as the papers have them.
TABLE_IN_SIGMA = {
    "noise": lambda s: (1.0, -s, 1 / s**2, 1 / math.sqrt(1 + s**2)),
    "data": lambda s: (0.0, 1.0, 1.0, 1 / math.sqrt(1 + s**2)),
    "velocity_vp": lambda s: (1 / (1 + s**2), -s / math.sqrt(1 + s**2), (1 + s**2) / s**2, 1 / math.sqrt(1 + s**2)),
    "score_ve": lambda s: (1.0, s, 1 / s**2, 1.0),
    "edm": lambda s: (
        SD**2 / (s**2 + SD**2),
        s * SD / math.sqrt(s**2 + SD**2),
        (s**2 + SD**2) / (s * SD) ** 2,
        1 / math.sqrt(s**2 + SD**2),
    ),
    "velocity": lambda s: (1 / (1 + s), -s / (1 + s), (1 + s) ** 2 / s**2, 1 / (1 + s)),
}
TIMES = torch.tensor([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99], dtype=torch.float64)

every_row = pytest.mark.parametrize("name", ROWS)


def drawn(path):
    """x_0, eps, x_t and the pairs, a time an example."""
    x0, eps = 0.5 * normal(len(TIMES), 2, 3, seed=1), normal(len(TIMES), 2, 3, seed=2)
    return x0, eps, paths.diffuse(path, x0, eps, TIMES), *path.at(TIMES)


class Fixed(nn.Module):
    """A network whose output depends on input and label in no special way; it remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.7))

    def forward(self, x, label, shift=0.0):
        self.seen = x, label
        return self.weight * torch.sin(x) + torch.cos(label).reshape(-1, *[1] * (x.ndim - 1)) + shift


@every_row
def test_native_loss_is_a_weighted_loss_of_the_denoiser(name):
    """|F - target|^2 = lambda |D - x_0|^2 for an arbitrary output."""
    row, path = ROWS[name]
    x0, eps, x_t, a, n = drawn(path)
    output = normal(*x0.shape, seed=3)
    native = (output - row.target(x0, eps, a, n)).square().flatten(1).sum(1)
    denoised = (row.denoised(x_t, output, a, n) - x0).square().flatten(1).sum(1)
    torch.testing.assert_close(native, row.weight(a, n) * denoised, rtol=1e-11, atol=1e-11)


@every_row
def test_the_target_is_the_output_of_the_right_denoiser(name):
    row, path = ROWS[name]
    x0, eps, x_t, a, n = drawn(path)
    close(row.denoised(x_t, row.target(x0, eps, a, n), a, n), x0, 1e-11)  # DDPM's D divides by a, here 1e-2


@every_row
def test_coefficients_are_those_of_the_table(name):
    """At scale 1, and, since all are homogeneous, at any other."""
    row, _ = ROWS[name]
    for sigma in (0.002, 0.5, 3.0, 80.0):
        skip, out, weight, scale_in = TABLE_IN_SIGMA[name](sigma)
        for scale in (1.0, 0.3):
            a, n = number(scale), number(scale * sigma)
            found = [row.skip(a, n) * scale, row.out(a, n), row.weight(a, n), row.scale_in(a, n) * scale]
            for value, expected in zip(found, (skip, out, weight, scale_in), strict=True):
                assert float(value) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@every_row
def test_the_networks_input_on_its_own_family_is_unscaled(name):
    row, path = ROWS[name]
    x_t, a, n = drawn(path)[2:]
    x, _ = row.inputs(x_t, a, n)
    if name == "edm":
        x_t = x_t / (n.square() + SD**2).sqrt()[:, None, None]
    torch.testing.assert_close(x, x_t, rtol=1e-14, atol=0.0)


@every_row
def test_a_model_is_one_function_of_x_over_a_and_sigma(name):
    """Asked at a rescaled pair it answers the same."""
    row, path = ROWS[name]
    model = rows.Denoiser(Fixed().double(), row)
    x_t, a, n = drawn(path)[2:]
    at_home = model(x_t, a, n)
    for factor in (0.1, 7.0):
        close(model(factor * x_t, factor * a, factor * n), at_home, 1e-11)  # D divides by a, here 1e-2


def test_ddim_on_an_eps_model_is_edms_euler_on_the_same_model():
    """One network of DDPM's table, walked on the circle and at unit scale over the same sigmas."""
    model = rows.Denoiser(Fixed().double(), rows.noise(rows.time_label(TABLE, 1000, -1))).requires_grad_(False)
    circle = grids.ddpm_subset(BETAS, grids.uniform_steps(1000, 20))
    line = torch.stack([torch.ones(21).double(), circle[:, 1] / circle[:, 0]], dim=1)
    x = normal(5, 4, seed=5)
    ddim = first_order(model, x, circle)
    euler = first_order(model, x / circle[0, 0], line)
    close(euler, ddim, 1e-11)  # rounding of numbers up to 1 / a, about 1e2


def test_noise_rows_denoiser_is_ddims_formula():
    """(x - sqrt(1 - abar) eps) / sqrt(abar), with the steps of the table as labels."""
    network = Fixed().double()
    model = rows.Denoiser(network, rows.noise(rows.time_label(TABLE, 1000, -1)))
    abar = (1 - BETAS).cumprod(0)
    x = normal(4, 3, seed=6)
    timesteps = torch.tensor([0, 17, 500, 999])
    found = model(x, abar[timesteps].sqrt(), (1 - abar[timesteps]).sqrt())
    close(network.seen[1], timesteps.double(), 1e-7)  # 1 - abar loses digits at the first step
    eps = network(x, timesteps.double())
    expected = (x - (1 - abar[timesteps]).sqrt()[:, None] * eps) / abar[timesteps].sqrt()[:, None]
    close(found, expected, 1e-9)  # as above, times 1 / a


@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.5, 3.0, 80.0])
def test_edm_has_unit_variances(sigma):
    """Var(c_in x) = 1, Var(target) = 1 and lambda c_out^2 = 1 on data of variance sigma_data^2."""
    row, a, n = rows.edm(SD), number(1.0), number(sigma)
    close(row.scale_in(a, n).square() * (SD**2 + sigma**2), 1.0, 1e-14)
    close(row.of_data(a, n).square() * SD**2 + row.of_noise(a, n).square(), 1.0, 1e-14)
    close(row.weight(a, n) * row.out(a, n).square(), 1.0, 1e-14)
    close(row.label(n), math.log(sigma) / 4, 1e-15)


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
def test_edm_loss_floor_is_1(sigma):
    """On N(0, sigma_data^2) the optimum is F = 0, and E|D - x_0|^2 = sd^2 sigma^2 / (sd^2 + sigma^2)."""
    row, a, n = rows.edm(SD), number(1.0), number(sigma)
    x = normal(5, 1, seed=7)
    best = row.denoised(x, torch.zeros_like(x), a, n)
    close(best, gaussian_denoiser(SD)(x, a, n), 1e-14)
    close(row.weight(a, n) * SD**2 * sigma**2 / (SD**2 + sigma**2), 1.0, 1e-12)


@pytest.mark.parametrize("t", [1e-3, 0.2, 0.7, 1.0])
def test_flow_matching_velocity_is_its_closed_form(t):
    """v = (x_t - D) / t for an exact D."""
    x, a, n = normal(8, 2, seed=8), number(1 - t), number(t)
    d = mixture_denoiser()(x, a, n)
    v = rows.velocity_of(d, x, a, n, number(-1.0), number(1.0))
    torch.testing.assert_close(v, (x - d) / t, rtol=1e-12, atol=1e-12)
    close(rows.velocity().denoised(x, v, a, n), d, 1e-12)


def test_velocity_is_finite_where_the_scale_is_0():
    model = rows.Denoiser(Fixed().double(), rows.velocity())
    x = normal(3, 2, seed=9)
    d = model(x, number(0.0), number(1.0))
    close(d, x - model.output(x, number(0.0), number(1.0)), 1e-15)
    close(model.network.seen[1], torch.ones(3).double(), 0.0)  # its label is the time, 1


@pytest.mark.parametrize("path", [VP, VE, LINE, paths.edm(), paths.sub_variance_preserving()])
def test_conversions_lead_back(path):
    x0, _, x_t, a, n = drawn(path)
    da, dn = path.scale_rate(TIMES), path.noise_rate(TIMES)
    d = x0 + 0.1  # any D
    noise = rows.noise_of(d, x_t, a, n)
    area = a * dn - da * n
    found = [
        paths.mixed(x_t, noise, 1 / a, -n / a),
        paths.mixed(x_t, rows.score_of(d, x_t, a, n), 1 / a, n.square() / a),
        paths.mixed(x_t, rows.velocity_of(d, x_t, a, n, da, dn), dn / area, -n / area),
    ]
    for back in found:
        torch.testing.assert_close(back, d, rtol=1e-11, atol=1e-11)  # rounding, divided by a down to 1e-2
    torch.testing.assert_close(rows.score_of(d, x_t, a, n), -noise / n[:, None, None], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batched", [False, True], ids=["a pair for all", "a pair each"])
def test_the_noise_near_the_data_has_the_error_of_one_subtraction(batched):
    """Where n is 1e-6, x and a D agree in six digits; against the same numbers taken as fractions."""
    x0, eps, rounding = 0.5 * normal(6, 2, seed=15), normal(6, 2, seed=16), torch.finfo(torch.float64).eps
    for scale in (1.0, math.sqrt(1 - 1e-12), 0.3):
        a, n = (number(value).expand(6) if batched else number(value) for value in (scale, 1e-6))
        x_t = paths.mixed(x0, eps, a, n)
        found = rows.noise_of(x0, x_t, a, n)
        exact = [
            float((Fraction(x) - Fraction(scale) * Fraction(d)) / Fraction(1e-6))
            for x, d in zip(x_t.flatten().tolist(), x0.flatten().tolist(), strict=True)
        ]
        # Numbers so near to each other are subtracted exactly, so what is left is one rounding of a D, which is none
        # where a is 1, and one of the quotient.
        limit = rounding * (2 * found.abs() + (0.0 if scale == 1.0 else 1.0) * (scale * x0).abs() / 1e-6)
        assert ((found - torch.tensor(exact, dtype=torch.float64).reshape(6, 2)).abs() <= limit).all()
        close(found, eps, 1e-9)  # x_t itself is rounded, by 2e-16 at most, over 1e-6
    assert torch.equal(rows.noise_of(x0, 0.5 * x0, number(0.5), number(1e-6)), torch.zeros_like(x0))


def test_labels_count_in_the_units_of_the_network():
    sigma = (lambda a, n: n / a)(*LINE.at(TIMES))
    close(rows.time_label(LINE, 999)(sigma), 999 * TIMES, 1e-10)
    levels = torch.arange(1, 1001).double() / 1000
    a, n = TABLE.at(levels)
    close(rows.time_label(TABLE, 1000, -1)(n / a), torch.arange(1000).double(), 1e-10)
    assert float(rows.time_label(TABLE, 1000, -1)(number(1e-3))) == 0.0  # below the first level


def test_the_network_works_in_its_own_dtype():
    """float64 states around a float32 network, and float32 batches in training."""
    model = rows.Denoiser(Fixed(), rows.edm(SD))
    x, sigma = normal(3, 2, seed=10), torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    assert model(x, torch.ones_like(sigma), sigma).dtype == torch.float64
    assert {value.dtype for value in model.network.seen} == {torch.float32}
    assert model.network.seen[1].shape == (3,)
    assert model(x.float(), torch.ones_like(sigma), sigma).dtype == torch.float32
    wide = rows.Denoiser(Fixed().double(), rows.edm(SD))
    assert wide(x.float(), torch.ones_like(sigma), sigma).dtype == torch.float32
    assert wide(x.float(), number(1.0), number(0.1)).dtype == torch.float32
    close(model(x, torch.ones_like(sigma), sigma), wide(x, torch.ones_like(sigma), sigma), 1e-5)  # float32's rounding


def test_a_label_is_given_to_each_example():
    model = rows.Denoiser(Fixed().double(), rows.edm(SD))
    model(normal(4, 2, seed=11), number(1.0), number(2.0))
    close(model.network.seen[1], torch.full((4,), math.log(2) / 4, dtype=torch.float64), 1e-15)


def test_other_labels_reach_the_network():
    model = rows.Denoiser(Fixed().double(), rows.data(none))
    x = normal(4, 2, seed=12)
    pair = number(0.6), number(0.8)
    close(model(x, *pair, shift=2.0), model(x, *pair) + 2.0, 1e-14)


@every_row
def test_a_model_answers_on_its_device(name):
    """With levels on the CPU, as grids have them, and on the meta device, as good as any other."""
    model = rows.Denoiser(Fixed(), ROWS[name][0]).to("meta")
    x = torch.empty(4, 2, device="meta")
    for shape in ((), (4,)):
        found = model(x, torch.full(shape, 0.6).double(), torch.full(shape, 0.8).double())
        assert (found.device.type, found.shape, found.dtype) == ("meta", x.shape, x.dtype)


def test_gradients_reach_the_network():
    model = rows.Denoiser(Fixed().double(), rows.velocity())
    model(normal(4, 2, seed=13), number(0.6), number(0.4)).sum().backward()
    assert float(model.network.weight.grad) != 0.0


def test_clipping_limits_the_denoiser():
    x = normal(50, 2, seed=14)
    pair = number(1.0), number(0.1)
    found = rows.clipped(mixture_denoiser(), -0.5, 0.5)(x, *pair)
    assert torch.equal(found, mixture_denoiser()(x, *pair).clamp(-0.5, 0.5))
    assert float(found.max()) == 0.5
