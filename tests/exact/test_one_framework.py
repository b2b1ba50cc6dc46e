"""The methods of the family are one: their first-order samplers trace the same points, and any model has any sampler.

With x = a x_0 + n eps and D = E[x_0 | x]: x' = a' D + n' (x - a D) / n, and every loss is lambda |D - x_0|^2.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from implementations.common.ode import Solver
from implementations.diffusion import ddim, ddpm, edm, flow_matching, rectified_flow, score_sde
from implementations.diffusion.parts import samplers
from implementations.diffusion.parts.backbones import Backbone
from implementations.diffusion.parts.grids import at_times, karras, uniform_time
from implementations.diffusion.parts.parameterisations import Denoiser, Parameterisation
from implementations.diffusion.parts.paths import (
    Path,
    linear,
    sub_variance_preserving,
    variance_exploding,
    variance_preserving,
)
from implementations.diffusion.parts.paths import ddpm as table_of
from implementations.diffusion.parts.paths import edm as edm_path
from tests.exact.ddpm_cases import mixture_model
from tests.exact.noisy_networks import generator, normal

SAME = 1e-12  # float64, a thousand steps at most of a few operations on values of about 1
TABLE = table_of(ddpm.betas(ddpm.Settings()))
VP = variance_preserving()
MLP = {"network": "mlp", "width": 8, "dropout": 0.0}

Trace = list[Tensor]


def ddim_trace(x: Tensor, sigma: Tensor) -> Trace:
    """DDIM's equation 12 with eta 0, in abar; x with abar + (1 - abar) = 1."""
    model, points = mixture_model(), [x]
    for abar, abar_end in pairwise(1 / (1 + sigma.square())):
        d = model(points[-1], abar.sqrt(), (1 - abar).sqrt())
        eps = (points[-1] - abar.sqrt() * d) / (1 - abar).sqrt()
        points.append(abar_end.sqrt() * d + (1 - abar_end).sqrt() * eps)
    return points


def edm_trace(x: Tensor, sigma: Tensor) -> Trace:
    """EDM's algorithm 1 without correction, in sigma; x with a = 1."""
    model, points = mixture_model(), [x]
    for now, after in pairwise(sigma):
        slope = (points[-1] - model(points[-1], torch.ones_like(now), now)) / now
        points.append(points[-1] + (after - now) * slope)
    return points


def flow_trace(x: Tensor, sigma: Tensor) -> Trace:
    """Euler's rule for dx/dt = E[eps - x_0 | x] in t = sigma / (1 + sigma); x with a = 1 - t."""
    model, points = mixture_model(), [x]
    for t, t_end in pairwise(sigma / (1 + sigma)):
        points.append(points[-1] + (t_end - t) * (points[-1] - model(points[-1], 1 - t, t)) / t)
    return points


# The rule, and what its x is larger by than EDM's.
RULES: dict[str, tuple[Callable[[Tensor, Tensor], Trace], Callable[[Tensor], Tensor]]] = {
    "DDIM": (ddim_trace, lambda sigma: (1 + sigma.square()).rsqrt()),
    "EDM": (edm_trace, torch.ones_like),
    "flow matching": (flow_trace, lambda sigma: 1 / (1 + sigma)),
}
GRIDS = {
    "DDIM's": lambda: ddim.uniform(ddim.Settings(), 50),
    "DDIM's thousand": lambda: ddim.uniform(ddim.Settings(), 1000),
    "EDM's": lambda: karras(18),
    "flow matching's": lambda: uniform_time(linear(), 20)[1:],  # the first has sigma infinite
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_three_rules_trace_the_same_points(grid):
    sigma = grid()[:, 1] / grid()[:, 0]
    noise = normal(20, 2, seed=1)
    traces = {}
    for name, (rule, size) in RULES.items():
        scale = size(sigma)
        points = rule(scale[0] * sigma[0] * noise, sigma)
        traces[name] = torch.stack(points) / scale[:, None, None]
    # On the way x is sigma large.
    relative = traces["EDM"].abs().clamp(min=1.0)
    for name in ("DDIM", "flow matching"):
        assert float(((traces[name] - traces["EDM"]) / relative).abs().max()) < SAME


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_each_is_the_one_line(grid, name):
    rule, size = RULES[name]
    rows = grid() / grid()[:, :1]
    rows, sigma = rows * size(rows[:, 1])[:, None], rows[:, 1]
    noise = rows[0, 1] * normal(20, 2, seed=2)
    found = samplers.first_order(mixture_model(), noise, rows)
    torch.testing.assert_close(found, rule(noise, sigma)[-1], rtol=0.0, atol=SAME)


def test_the_methods_own_samplers_are_the_rules():
    streams, settings = lambda: samplers.Streams(range(6)), edm.Settings()
    noise = streams().draw((2,))
    levels = edm.levels(settings, 18)[:, 1]
    own = edm.euler(mixture_model(), settings, 18, streams())
    torch.testing.assert_close(own, edm_trace(levels[0] * noise, levels)[-1], rtol=0.0, atol=SAME)

    grid = ddim.uniform(ddim.Settings(), 50)
    own = ddim.ddim(mixture_model(), ddim.Settings(), 50, streams())
    torch.testing.assert_close(own, ddim_trace(noise, grid[:, 1] / grid[:, 0])[-1], rtol=0.0, atol=SAME)

    own = flow_matching.euler(mixture_model(), flow_matching.Settings(), 20, streams())
    one = noise + (noise - mixture_model()(noise, torch.tensor(0.0), torch.tensor(1.0))) * (0.95 - 1.0)
    sigma = uniform_time(linear(), 20)[1:]
    torch.testing.assert_close(own, flow_trace(one, sigma[:, 1] / sigma[:, 0])[-1], rtol=0.0, atol=SAME)


def test_one_ode_in_every_clock():
    """From one point to another, solved in the time of each path: the paths' fields are one field, rescaled."""
    sigma, noise = torch.tensor([50.0, 0.05], dtype=torch.float64), normal(6, 2, seed=3)
    ends = []
    for path in (linear(), VP, sub_variance_preserving(), variance_exploding(0.02, 100.0)):
        start, end = path.time_of(sigma).tolist()
        rows = at_times(path, path.time_of(sigma))
        solver = Solver("dopri5", tolerance=1e-10)
        x, _ = samplers.solved(mixture_model(), rows[0, 1] * noise, path, solver, start, end)
        ends.append(x / rows[1, 0])
    for other in ends[1:]:
        torch.testing.assert_close(other, ends[0], rtol=0.0, atol=1e-6)  # tolerances add up over some 100 steps


def _models() -> dict[str, tuple[Denoiser, Callable[[Tensor], Tensor]]]:
    """A model of each row of the table, and sigma of its label."""
    random, shape = generator(0), (2,)

    def of_time(path: Path, unit: float, shift: float = 0.0) -> Callable[[Tensor], Tensor]:
        def sigma(label: Tensor) -> Tensor:
            a, n = path.at((label - shift) / unit)
            return n / a

        return sigma

    found = {}
    for name in ("noise", "data", "velocity"):
        settings = ddpm.Settings(parameterisation=name, **MLP)
        found[f"ddpm {name}"] = (ddpm.build(settings, shape, random), of_time(TABLE, 1000.0, -1.0))
    for name, sigma in (
        ("edm", lambda label: (4 * label).exp()),
        ("vp", of_time(VP, 999.0)),
        ("ve", lambda label: 2 * label.exp()),
    ):
        found[f"edm {name}"] = (edm.build(edm.Settings(preconditioning=name, **MLP), shape, random), sigma)
    for name, path in (("optimal_transport", linear()), ("variance_preserving", VP)):
        settings = flow_matching.Settings(path=name, **MLP)
        found[f"flow_matching {name}"] = (flow_matching.build(settings, shape, random), of_time(path, 999.0))
    flow = rectified_flow.Settings(**MLP)
    found["rectified_flow"] = (rectified_flow.build(flow, shape, random), of_time(linear(), 999.0))
    for name in ("vp", "sub_vp", "ve"):
        settings = score_sde.Settings(sde=name, **MLP)
        sigma = (lambda label: 2 * label.exp()) if name == "ve" else of_time(score_sde.path_of(settings)[0], 999.0)
        found[f"score_sde {name}"] = (score_sde.build(settings, shape, random), sigma)
    return found


MODELS = _models()


class Perfect(nn.Module):
    """The network for which D is that of the mixture; of x, a and n it knows its input and its label, and no more."""

    def __init__(self, row: Parameterisation, sigma: Callable[[Tensor], Tensor]):
        super().__init__()
        self.row, self.sigma, self.exact = row, sigma, mixture_model()

    def forward(self, x: Tensor, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        n = self.sigma(label)
        # As a pair (a, n) any of this sigma will do, as long as c_in is undone.
        a = torch.ones_like(n)
        if bool(n.isinf().any()):
            a, n = torch.zeros_like(n), torch.ones_like(n)
        unscaled = x / self.row.scale_in(a, n)[:, None]
        d = self.exact(unscaled, a, n)
        return (d - self.row.skip(a, n)[:, None] * unscaled) / self.row.out(a, n)[:, None]


def perfect(name: str) -> Denoiser:
    model, sigma = MODELS[name]
    row = model.parameterisation
    return Denoiser(Backbone(Perfect(row, sigma), (2,)), row)


EDM_RANGE = edm.Settings(sigma_min=0.02)  # DDPM's lowest level is 0.01
VP_RANGE = flow_matching.Settings(path="variance_preserving", first_time=2e-3, tolerance=1e-6)  # likewise
SDES = {
    "vp": score_sde.Settings(sde="vp", sampling_end=2e-3, tolerance=1e-6),
    "sub_vp": score_sde.Settings(sde="sub_vp", sampling_end=0.03, tolerance=1e-6),  # where its sigma is 0.012
    "ve": score_sde.Settings(sde="ve", tolerance=1e-6),
}
SAMPLED: dict[str, Callable[[nn.Module, samplers.Streams], Tensor]] = {
    **{
        f"edm {sampler.__name__}": lambda model, streams, sampler=sampler: sampler(model, EDM_RANGE, 9, streams)
        for sampler in edm.METHOD.samplers
    },
    **{
        f"flow_matching {sampler.__name__}": lambda model, streams, sampler=sampler: sampler(
            model, VP_RANGE, 9, streams
        )
        for sampler in flow_matching.METHOD.samplers
    },
    "ddim": lambda model, streams: ddim.ddim(model, ddim.Settings(), 10, streams),
    "ddim eta 1": lambda model, streams: ddim.ddim_eta_1(model, ddim.Settings(), 10, streams),
    "ancestral": lambda model, streams: ddpm.ancestral_large(model, ddpm.Settings(denoised_limit=None), 10, streams),
    # Its own sampler begins where sigma is infinite, of which the models of other families know nothing.
    "rectified_flow euler, past its first step": lambda model, streams: samplers.first_order(
        model, streams.draw((2,)), uniform_time(linear(), 20)[1:]
    ),
    **{
        f"score_sde {sde} {sampler.__name__}": lambda model, streams, sampler=sampler, sde=sde: sampler(
            model, SDES[sde], 9, streams
        )
        for sde in ("vp", "sub_vp", "ve")
        for sampler in score_sde.METHOD.samplers
    },
}


@cache
def exact_sample(sampler: str) -> Tensor:
    return SAMPLED[sampler](mixture_model(), samplers.Streams(range(4)))


@pytest.mark.parametrize("sampler", SAMPLED)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_of_any_row_is_sampled_by_any_sampler(model, sampler):
    """Whatever it was trained to predict, in whatever family of pairs and with whatever label."""
    expected = exact_sample(sampler)
    found = SAMPLED[sampler](perfect(model), samplers.Streams(range(4)))
    assert torch.isfinite(expected).all()
    # sigma by way of the label, a time, has 1e-9 of itself; steps add up to some ten times that.
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_every_loss_is_a_weighted_error_of_the_denoiser(model):
    """|F - target|^2 = lambda |D - x_0|^2 for an arbitrary output F, at each sigma."""
    row = MODELS[model][0].parameterisation
    sigma = torch.logspace(-1.5, 1.5, 50, dtype=torch.float64)
    a, n = torch.ones_like(sigma), sigma
    x0, eps, output = (normal(50, 2, seed=seed) for seed in (4, 5, 6))
    x = x0 + n[:, None] * eps
    native = (output - row.target(x0, eps, a, n)).square()
    error = row.weight(a, n)[:, None] * (row.denoised(x, output, a, n) - x0).square()
    torch.testing.assert_close(error, native, rtol=1e-9, atol=1e-9)  # D - x_0 cancels, of x up to 100, over c_out


def test_rectified_flows_sampler_is_the_rule_of_flow_matching():
    settings, streams = rectified_flow.Settings(), lambda: samplers.Streams(range(6))
    own = rectified_flow.euler(mixture_model(), settings, 20, streams())
    other = flow_matching.euler(mixture_model(), flow_matching.Settings(), 20, streams())
    torch.testing.assert_close(own, other, rtol=0.0, atol=SAME)


@pytest.mark.parametrize("sde", ["vp", "sub_vp", "ve"])
def test_score_sdes_ode_ends_where_the_one_ode_does(sde):
    """Its probability flow, in the SDE's own time, and EDM's in sigma, from the same noise."""
    settings = score_sde.Settings(sde=sde, tolerance=1e-8, sampling_end=0.02)
    (path, deviation), streams = score_sde.path_of(settings), samplers.Streams(range(6))
    found = score_sde.probability_flow(mixture_model(), settings, 1, streams)
    ends = torch.stack(path.at(torch.tensor([1.0, 0.02], dtype=torch.float64)), dim=1)
    sigma = ends[:, 1] / ends[:, 0]
    noise = deviation * samplers.Streams(range(6)).draw((2,)) / ends[0, 0]
    solver = Solver("dopri5", tolerance=1e-10)
    top = float(sigma[0])
    x, _ = samplers.solved(mixture_model(), noise, edm_path(top), solver, 1.0, float(sigma[1]) / top)
    last = torch.tensor([[1.0, float(sigma[1])], [1.0, 0.0]], dtype=torch.float64)
    expected = samplers.first_order(mixture_model(), x, last)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-5)  # tolerances add up over some 100 steps


def test_flow_matchings_sampler_starts_where_sigma_is_infinite():
    """Which its own model has an answer for: v is finite at a = 0, where D is the mean of the data."""
    model = perfect("flow_matching optimal_transport")
    settings, streams = flow_matching.Settings(), lambda: samplers.Streams(range(4))
    found = flow_matching.euler(model, settings, 9, streams())
    expected = flow_matching.euler(mixture_model(), settings, 9, streams())
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-9)
