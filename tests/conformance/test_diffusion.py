"""Every method of the family diffusion, through its protocol."""

import dataclasses
import dis
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.plan.methods import all_methods
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams

ROOT = Path(__file__).parents[2]
METHODS = {name: found.declaration() for name, found in all_methods(ROOT).items() if found.family == "diffusion"}
# Instead of what a method has as its own, where it has such a setting.
SMALL = {"width": 16, "dropout": 0.0, "batch": 8, "warmup": 0, "learning_rate": 1e-3, "levels": 40, "tolerance": 1e-6}
CASES = (("mlp", (3,)), ("mlp", (4, 4)), ("unet_small", (4, 4)), ("unet_small", (2, 4, 4)))
STEPS = 6


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def is_adaptive(sampler: Any) -> bool:
    """It does not read `steps`: it chooses its own, the same for a whole batch."""
    return not any(step.argval == "steps" for step in dis.get_instructions(sampler))


def with_small(method: DiffusionMethod, **settings: object) -> Any:
    names = {field.name for field in dataclasses.fields(method.settings)}
    return method.settings(**{name: value for name, value in (SMALL | settings).items() if name in names})


def moved(model: nn.Module) -> nn.Module:
    """Float64 and off its initial values, which make the network zero."""
    model, random = model.double().eval(), generator(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, dtype=torch.float64, generator=random))
    return model


def trainer_of(name: str) -> DiffusionMethod:
    return METHODS[METHODS[name].trained_by or name]


SAMPLED = [
    pytest.param((name, case, sampler), id=f"{name} {sampler.__name__} {case[0]} {'x'.join(map(str, case[1]))}")
    for name, found in METHODS.items()
    for sampler in found.samplers
    # An untrained network of images is no smooth field, of which an adaptive solver takes a thousand evaluations.
    for case in ((CASES[0],) if is_adaptive(sampler) else (CASES[0], CASES[2]))
]
LEARNED = [
    pytest.param((name, case), id=f"{name} {case[0]} {'x'.join(map(str, case[1]))}")
    for name, found in METHODS.items()
    if found.loss is not None
    for case in CASES
]


class Sampling:
    """A sampler with a model that it can sample."""

    def __init__(self, name: str, case: tuple[str, tuple[int, ...]], sampler: Any):
        network, self.shape = case
        trainer, own = trainer_of(name), METHODS[name]
        self.model = moved(trainer.build(with_small(trainer, network=network), self.shape, generator(0)))
        self.sampler, self.settings = sampler, with_small(own)
        self.adaptive = is_adaptive(sampler)

    def __call__(self, seeds: Any, steps: int = STEPS) -> Tensor:
        return self.sampler(self.model, self.settings, steps, Streams(seeds))

    def evaluations(self, steps: int) -> int:
        asked = []
        hook = self.model.register_forward_hook(lambda *_: asked.append(1))
        self(range(2), steps)
        hook.remove()
        return len(asked)


@pytest.fixture(params=SAMPLED)
def sampling(request) -> Sampling:
    return Sampling(*request.param)


class Learning:
    """A method with a model that it can train, and examples."""

    def __init__(self, name: str, case: tuple[str, tuple[int, ...]]):
        (self.network, self.shape), self.method = case, METHODS[name]
        self.settings = with_small(self.method, network=self.network)
        self.x = 2 * torch.rand(8, *self.shape, generator=generator(1)) - 1

    def build(self, seed: int = 0) -> Denoiser:
        return self.method.build(self.settings, self.shape, generator(seed))

    def loss(self, model: nn.Module, seed: int) -> Tensor:
        return self.method.loss(model, self.settings, self.x, generator(seed))


@pytest.fixture(params=LEARNED)
def learning(request) -> Learning:
    return Learning(*request.param)


def test_there_are_methods():
    assert {"ddpm", "ddim"} <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_offers_what_its_protocol_asks(name):
    method = METHODS[name]
    if method.loss is not None:
        names = {field.name for field in dataclasses.fields(method.settings)}
        assert {"batch", "gradient_clip", "ema_half_life", "network", "width", "dropout"} <= names
    assert len({sampler.__name__ for sampler in method.samplers}) == len(method.samplers) > 0
    for sampler in method.samplers:
        assert list(inspect.signature(sampler).parameters) == ["model", "settings", "steps", "streams"]
        assert inspect.getdoc(sampler)


def test_samples_are_finite_of_the_right_shape_and_float64(sampling):
    x = sampling(range(4))
    assert (tuple(x.shape), x.dtype, x.requires_grad) == ((4, *sampling.shape), torch.float64, False)
    assert torch.isfinite(x).all()


def test_samples_repeat_with_their_seeds(sampling):
    first, again, other = sampling([1, 2]), sampling([1, 2]), sampling([3, 4])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_sample_does_not_depend_on_its_batch(sampling):
    if sampling.adaptive:
        pytest.skip("its steps are those of the batch")
    together, alone = sampling([5, 6, 7]), torch.cat([sampling([seed]) for seed in (5, 6, 7)])
    # float64 sums in another order, on states that grow to about 100.
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-10)


def test_more_steps_take_more_evaluations(sampling):
    few, many = sampling.evaluations(2), sampling.evaluations(8)
    assert few == many if sampling.adaptive else 2 <= few < many <= 16


def test_sampling_changes_neither_the_model_nor_the_global_generator(sampling):
    untouched = torch.get_rng_state()
    state = {name: value.clone() for name, value in sampling.model.state_dict().items()}
    sampling(range(2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(value, state[name]) for name, value in sampling.model.state_dict().items())


def test_a_model_is_a_denoiser_whose_state_is_parameters_alone(learning):
    """An average of weights must not average tables with them."""
    model = learning.build()
    assert isinstance(model, Denoiser)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_initial_weights_come_from_the_generator_alone(learning):
    untouched = torch.get_rng_state()
    first, again, other = (learning.build(seed).state_dict() for seed in (9, 9, 10))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_loss_is_a_scalar_with_a_finite_gradient_for_every_parameter(learning):
    model = learning.build()
    value = learning.loss(model, 13)
    assert value.shape == ()
    value.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_loss_draws_from_its_generator_alone_masks_of_dropout_included(learning):
    untouched = torch.get_rng_state()
    settings = with_small(learning.method, network=learning.network, dropout=0.5)
    model = moved(learning.method.build(settings, learning.shape, generator(0))).train()
    first, again, other = (
        learning.method.loss(model, settings, learning.x, generator(seed)).detach() for seed in (14, 14, 15)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), untouched)


def test_training_leaves_the_data_alone(learning):
    given = learning.x.clone()
    learning.loss(learning.build(), 16).backward()
    assert torch.equal(learning.x, given)


def test_optimiser_moves_every_parameter_once(learning):
    model = learning.build()
    groups = learning.method.recipe.optimiser(model, learning.settings).param_groups
    taken = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(taken) == sorted(id(parameter) for parameter in model.parameters())


def test_thirty_steps_lower_the_loss_of_a_batch(learning):
    model = learning.build()
    optimiser, losses = learning.method.recipe.optimiser(model, learning.settings), []
    for _ in range(30):
        optimiser.zero_grad()
        value = learning.loss(model, 17)  # the same draws at each step
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    assert losses[-1] < 0.95 * losses[0]


def test_the_learning_rate_rises_and_stays_within_its_own(learning):
    if learning.method.recipe.learning_rate_factor is None:
        pytest.skip("the recipe has a constant learning rate")
    own, rate = learning.method.settings(), learning.method.recipe.rate
    factors = [rate(own, images) for images in range(0, 20_000_000, 100_000)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0.99  # reached at a number of images that is between two of these, maybe
    assert rate(learning.settings, 0) == 1.0  # no warmup


@pytest.mark.parametrize("offered", ["log_likelihood", "variational_bound"])
def test_what_is_said_of_likelihoods_is_finite_and_repeats(learning, offered):
    if getattr(learning.method, offered) is None:
        pytest.skip("the method does not offer it")
    if learning.network != "mlp":
        pytest.skip("the network makes no difference here")
    model = moved(learning.build())
    first, again = (
        getattr(learning.method, offered)(model, learning.settings, learning.x, generator(18)) for _ in range(2)
    )
    assert (first.shape, first.dtype, first.requires_grad) == ((8,), torch.float64, False)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)


def test_vectors_are_not_for_networks_of_images():
    for method in (found for found in METHODS.values() if found.build is not None):
        with pytest.raises(ValueError, match="images"):
            method.build(with_small(method, network="unet_small"), (3,), generator(0))
