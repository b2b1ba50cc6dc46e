"""Grids, samplers and couplings against diffusers, k-diffusion and torchcfm, on the same exact denoiser."""

import importlib
import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion.parts import grids, parameterisations, paths, samplers
from implementations.diffusion.parts.couplings import minibatch_optimal_transport
from implementations.diffusion.parts.parameterisations import noise_of
from tests.exact.known_denoisers import GaussianDenoiser
from tests.parity.conftest import close, normal, peer

BETAS = paths.linear_betas()
SINGLE_TABLES = 5e-6  # their tables are float32, whose 1e-7 a path of levels adds up
DOUBLE_TABLES = 1e-10  # 1 - abar loses digits near the data
STEPS = (10, 50, 100, 1000)


@pytest.fixture(scope="module")
def diffusers():
    return peer("diffusers", "0.42.1")


@pytest.fixture(scope="module")
def k_diffusion():
    """Its samplers alone: the package's own import asks for the libraries of its training code."""
    with pytest.MonkeyPatch.context() as patch:
        if specification := importlib.util.find_spec("k_diffusion"):
            package, helpers = ModuleType("k_diffusion"), ModuleType("k_diffusion.utils")
            package.__path__, package.utils = list(specification.submodule_search_locations), helpers
            helpers.append_dims = lambda value, dimensions: value[(...,) + (None,) * (dimensions - value.ndim)]
            patch.setitem(sys.modules, "k_diffusion", package)
            patch.setitem(sys.modules, "k_diffusion.utils", helpers)
        peer("k_diffusion", "0.1.1.post1")
        patch.setitem(sys.modules, "k_diffusion.sampling", importlib.import_module("k_diffusion.sampling"))
        yield sys.modules["k_diffusion.sampling"]


@pytest.fixture
def denoise() -> MixtureDenoiser:
    parameters = [0.5, 0.3, 0.2], [[1.5, 0.0], [-1.0, 1.0], [0.0, -1.5]]
    weights, means = (torch.tensor(values, dtype=torch.float64) for values in parameters)
    factors = torch.tensor([[0.5, 0.0], [0.2, 0.3]], dtype=torch.float64)
    return MixtureDenoiser(GaussianMixture(weights, means, factors.expand(3, 2, 2)))


@pytest.fixture
def x() -> torch.Tensor:
    return normal(20, 2, seed=1)


def model_of(denoise):
    """k-diffusion's form of a denoiser at unit scale."""
    return lambda x, sigma: denoise(x, torch.ones_like(sigma), sigma)


def stream():
    """Draws that begin as those of torch's global generator at seed 3."""
    generator = torch.Generator().manual_seed(3)
    return lambda x: torch.randn(x.shape, dtype=x.dtype, generator=generator)


# --- diffusers: DDPM and DDIM


def doubled(theirs):
    """Their scheduler with its tables in float64."""
    theirs.betas, theirs.alphas, theirs.alphas_cumprod = BETAS, 1 - BETAS, (1 - BETAS).cumprod(0)
    return theirs


def walked(theirs, denoise, x, grid, **options):
    for t, (a, level) in zip(theirs.timesteps, grid[:-1], strict=True):
        eps = noise_of(denoise(x, a, level), x, a, level)
        drawn = {name: value(x) if name == "variance_noise" else value for name, value in options.items()}
        x = theirs.step(eps, int(t), x, **drawn).prev_sample
    return x


@pytest.mark.parametrize("n", STEPS)
def test_ddim_agrees_with_diffusers(diffusers, denoise, x, n):
    theirs = diffusers.DDIMScheduler(num_train_timesteps=1000, clip_sample=False)
    theirs.set_timesteps(n)
    assert sorted(theirs.timesteps.tolist()) == grids.uniform_steps(1000, n)
    grid = grids.ddpm_subset(BETAS, grids.uniform_steps(1000, n))
    found = samplers.first_order(denoise, x, grid)
    close(found, walked(theirs, denoise, x, grid), SINGLE_TABLES)
    close(found, walked(doubled(theirs), denoise, x, grid), DOUBLE_TABLES)


@pytest.mark.parametrize("n", STEPS)
@pytest.mark.parametrize("eta", [0.2, 1.0])
def test_ddims_family_agrees_with_diffusers(diffusers, denoise, x, n, eta):
    theirs = doubled(diffusers.DDIMScheduler(num_train_timesteps=1000, clip_sample=False))
    theirs.set_timesteps(n)
    grid = grids.ddpm_subset(BETAS, grids.uniform_steps(1000, n))
    expected = walked(theirs, denoise, x, grid, eta=eta, variance_noise=stream())
    close(samplers.ancestral(denoise, x, grid, stream(), eta=eta), expected, DOUBLE_TABLES)


@pytest.mark.parametrize("n", STEPS)
@pytest.mark.parametrize(
    ("kind", "sampler"), [("fixed_small", samplers.ancestral), ("fixed_large", samplers.ancestral_large)]
)
def test_ddpm_agrees_with_diffusers(diffusers, denoise, x, n, kind, sampler):
    theirs = doubled(diffusers.DDPMScheduler(num_train_timesteps=1000, clip_sample=False, variance_type=kind))
    theirs.set_timesteps(n)
    grid = grids.ddpm_subset(BETAS, sorted(theirs.timesteps.tolist()))
    expected = walked(theirs, denoise, x, grid, generator=torch.Generator().manual_seed(3))
    close(sampler(denoise, x, grid, stream()), expected, DOUBLE_TABLES)


def test_tables_agree_with_diffusers(diffusers):
    theirs = diffusers.DDPMScheduler(num_train_timesteps=1000)
    whole = grids.ddpm_subset(BETAS, range(1000))
    close(whole[:-1, 0].flip(0).square(), theirs.alphas_cumprod, 1e-6)  # a product of a thousand float32 factors
    for t in (1, 10, 500, 999):
        added, posterior = samplers.chain_variances(whole[999 - t], whole[1000 - t])
        close(
            posterior / theirs._get_variance(t, variance_type="fixed_small").double(), 1.0, 1e-3
        )  # 1 - abar in float32
        close(added / theirs._get_variance(t, variance_type="fixed_large").double(), 1.0, 1e-3)


def test_noising_agrees_with_diffusers(diffusers, x):
    theirs, eps = diffusers.DDPMScheduler(num_train_timesteps=1000), normal(20, 2, seed=2)
    timesteps = torch.arange(0, 1000, 50)
    ours = paths.diffuse(paths.ddpm(BETAS), x, eps, (timesteps + 1).double() / 1000)
    close(ours, theirs.add_noise(x, eps, timesteps), SINGLE_TABLES)


def test_velocity_targets_agree_with_diffusers(diffusers, x):
    theirs, eps = diffusers.DDPMScheduler(num_train_timesteps=1000), normal(20, 2, seed=2)
    timesteps = torch.arange(0, 1000, 50)
    pair = paths.ddpm(BETAS).at((timesteps + 1).double() / 1000)
    row = parameterisations.velocity_vp(torch.zeros_like)
    close(row.target(x, eps, *pair), theirs.get_velocity(x, eps, timesteps), SINGLE_TABLES)


# --- diffusers: EDM and flow matching


def test_edms_euler_agrees_with_diffusers(diffusers):
    """On N(0, 0.5^2) the network's perfect output is 0, and sampling a gain on the noise: 0.42303 in 18 steps."""
    theirs = diffusers.EDMEulerScheduler(sigma_data=0.5)
    theirs.set_timesteps(18)
    expected = torch.full((1, 1), 80.0, dtype=torch.float64)
    for t in theirs.timesteps:
        theirs.scale_model_input(expected, t)
        expected = theirs.step(torch.zeros_like(expected), t, expected).prev_sample
    assert float(expected) == pytest.approx(0.4230314791, abs=1e-6)  # as it was found before, in float32
    half = GaussianDenoiser(torch.zeros(1).double(), torch.full((1, 1), 0.5).double())
    found = samplers.first_order(half, torch.full((1, 1), 80.0, dtype=torch.float64), grids.karras(18))
    close(found, expected, SINGLE_TABLES)


def test_edms_preconditioning_agrees_with_diffusers(diffusers, x):
    theirs, row = diffusers.EDMEulerScheduler(sigma_data=0.5), parameterisations.edm(0.5)
    output = normal(20, 2, seed=2)
    for value in (0.01, 0.5, 10.0):
        a, sigma = torch.ones((), dtype=torch.float64), torch.tensor(value, dtype=torch.float64)
        inputs, label = row.inputs(x, a, sigma)
        close(inputs, theirs.precondition_inputs(x, sigma), 1e-14)
        close(label[0], theirs.precondition_noise(sigma), 1e-14)
        close(row.denoised(x, output, a, sigma), theirs.precondition_outputs(x, output, sigma), 1e-14)


def test_flow_matching_euler_agrees_with_diffusers(diffusers, denoise, x):
    theirs = diffusers.FlowMatchEulerDiscreteScheduler()
    theirs.set_timesteps(sigmas=np.linspace(1, 0.05, 20))
    grid, expected = grids.uniform_time(paths.linear(), 20), x
    for t, (a, n) in zip(theirs.timesteps, grid[:-1], strict=True):
        velocity = (expected - denoise(expected, a, n)) / n
        expected = theirs.step(velocity, t, expected).prev_sample.double()
    close(samplers.first_order(denoise, x, grid), expected, SINGLE_TABLES)


# --- k-diffusion


@pytest.mark.parametrize("n", [5, 18, 40])
def test_karras_levels_agree_with_k_diffusion(k_diffusion, n):
    ours = grids.karras(n)[:, 1]
    theirs = k_diffusion.get_sigmas_karras(n, 0.002, 80.0, rho=7.0).double()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0.0)  # the seventh power of a float32


@pytest.mark.parametrize(("ours", "theirs"), [("first_order", "sample_euler"), ("heun", "sample_heun")])
def test_edms_samplers_agree_with_k_diffusion(k_diffusion, denoise, x, ours, theirs):
    grid = grids.karras(18)
    expected = getattr(k_diffusion, theirs)(model_of(denoise), 80 * x, grid[:, 1], disable=True)
    close(getattr(samplers, ours)(denoise, 80 * x, grid), expected)


@pytest.mark.parametrize("churn", [samplers.Churn(5.0), samplers.Churn(40.0, inflation=1.007)], ids=["some", "most"])
def test_churn_agrees_with_k_diffusion(k_diffusion, denoise, x, churn):
    grid = grids.karras(18)
    torch.manual_seed(3)
    options = {"s_churn": churn.amount, "s_noise": churn.inflation, "disable": True}
    expected = k_diffusion.sample_heun(model_of(denoise), 80 * x, grid[:, 1], **options)
    close(samplers.churned(denoise, 80 * x, grid, stream(), churn), expected)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_ancestral_steps_at_unit_scale_agree_with_k_diffusion(k_diffusion, denoise, x, eta):
    grid, noise = grids.karras(18), stream()
    expected = k_diffusion.sample_euler_ancestral(
        model_of(denoise), 80 * x, grid[:, 1], eta=eta, noise_sampler=lambda *sigmas: noise(x), disable=True
    )
    close(samplers.ancestral(denoise, 80 * x, grid, stream(), eta=eta), expected)


# --- torchcfm, whose time runs from noise to data


@pytest.fixture(scope="module")
def torchcfm():
    if importlib.util.find_spec("ot") is None:  # POT, with which it solves for its plans
        peer("pot", "0.9.7.post1")
    return peer("torchcfm", "1.0.7")


def test_points_and_targets_agree_with_torchcfm(torchcfm, x):
    noise, t = normal(20, 2, seed=2), torch.linspace(0.0, 1.0, 20, dtype=torch.float64)
    matcher = torchcfm.conditional_flow_matching.ConditionalFlowMatcher(sigma=0.0)
    _, expected, rate = matcher.sample_location_and_conditional_flow(noise, x, 1 - t)
    path = paths.linear()
    close(paths.diffuse(path, x, noise, t), expected, 1e-15)
    close(parameterisations.velocity().target(x, noise, *path.at(t)), -rate, 0.0)


def test_transport_plans_agree_with_torchcfm(torchcfm, x):
    """Their plan has one entry a row, of 1 / batch, where ours has its partner."""
    noise = normal(20, 2, seed=2)
    plan = torch.as_tensor(torchcfm.conditional_flow_matching.OTPlanSampler("exact").get_map(x, noise))
    close(plan.max(1).values, torch.full((20,), 1 / 20).double(), 1e-9)
    assert torch.equal(minibatch_optimal_transport(x, noise)[1], noise[plan.argmax(1)])
