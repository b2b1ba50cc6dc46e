"""Every method of the family preferences, through its protocol."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.plan.methods import all_methods
from implementations.preferences.parts.batches import Pairs, Rollouts
from implementations.preferences.parts.generation import generate
from implementations.preferences.parts.models import language_model
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, padded

ROOT = Path(__file__).parents[2]
METHODS = {name: found.declaration() for name, found in all_methods(ROOT).items() if found.family == "preferences"}
VOCABULARY, CONTEXT, END, GROUP = 11, 16, 0, 2
ROWS = 8
# Instead of what a method has as its own, where it has such a setting.
SMALL = {"network": "gpt_nano", "batch": 4, "group": GROUP, "minibatch": ROWS, "updates": 2, "most": 12, "warmup": 0}
SMALL |= {"learning_rate": 1e-3, "optimiser": "adamw"}
DRAWING = {"batch", "group", "temperature", "updates", "minibatch"}  # how rollouts are drawn and learned from


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_small(method: PreferenceMethod, **settings: object) -> Any:
    names = {field.name for field in dataclasses.fields(method.settings)}
    return method.settings(**{name: value for name, value in (SMALL | settings).items() if name in names})


def drawn(seed: int, prompts: list[list[int]]) -> Sequences:
    """Prompts and responses of unequal lengths, the responses made up."""
    random = generator(seed)
    lengths = torch.randint(1, 9, (len(prompts),), generator=random).tolist()
    return padded(
        prompts, [torch.randint(1, VOCABULARY, (length,), generator=random).tolist() for length in lengths], END
    )


def per_place(sequences: Sequences, seed: int) -> Tensor:
    """Numbers below 0, 0 off the response."""
    mask = sequences.mask()
    return -torch.rand(mask.shape, generator=generator(seed)) * mask


PROMPTS = [[1 + row // GROUP] * (1 + row // GROUP) for row in range(ROWS)]  # those of a group are the same


def batch_of(learns_from: str) -> Sequences | Pairs | Rollouts:
    if learns_from == "texts":
        return drawn(1, PROMPTS)
    if learns_from == "pairs":
        references = -10 * torch.rand(2, ROWS, generator=generator(2))
        return Pairs(drawn(3, PROMPTS), drawn(4, PROMPTS), *references)
    sequences = drawn(5, PROMPTS)
    rewards = (torch.arange(ROWS) % 2).float()
    parts = [per_place(sequences, seed) for seed in (6, 7, 8)]
    return Rollouts(sequences, rewards, *parts, GROUP)


def of_the_policy(method: PreferenceMethod, model: nn.Module, batch: Any) -> Any:
    """Rollouts with the log-probabilities of that model, as they are before the first step."""
    if not isinstance(batch, Rollouts):
        return batch
    with torch.no_grad():
        found = log_probs(method.policy(model), batch.sequences)
    return dataclasses.replace(batch, log_probs=found, reference=found.clone())


def with_other_padding(batch: Any) -> Any:
    """Another token wherever none is read."""
    if isinstance(batch, Sequences):
        past = torch.arange(batch.tokens.shape[1]) >= batch.end[:, None]
        return dataclasses.replace(batch, tokens=torch.where(past, 5, batch.tokens))
    return dataclasses.replace(
        batch,
        **{
            field.name: with_other_padding(getattr(batch, field.name))
            for field in dataclasses.fields(batch)
            if isinstance(getattr(batch, field.name), Sequences)
        },
    )


class Learning:
    """A method that trains, with a batch of what it learns from."""

    def __init__(self, name: str):
        self.method = METHODS[name]
        self.settings = with_small(self.method)
        self.batch = batch_of(self.method.learns_from)

    def build(self, seed: int = 0) -> nn.Module:
        return self.method.build(self.settings, language_model("gpt_nano", VOCABULARY, CONTEXT, generator(seed)))

    def loss(self, model: nn.Module, seed: int = 13, batch: Any = None) -> Tensor:
        return self.method.loss(model, self.settings, self.batch if batch is None else batch, generator(seed))


@pytest.fixture(params=[name for name, found in METHODS.items() if found.learns_from != "nothing"])
def learning(request) -> Learning:
    return Learning(request.param)


def test_there_are_methods():
    assert {"sft", "dpo", "ppo", "grpo", "best_of_n"} <= set(METHODS)


def test_settings_say_how_it_trains(learning):
    names = {field.name for field in dataclasses.fields(learning.method.settings)}
    assert {"network", "batch", "learning_rate", "warmup", "gradient_clip", "ema_half_life"} <= names
    if learning.method.learns_from == "pairs":
        assert "pairs" in names
    if learning.method.learns_from == "rollouts":
        assert names >= DRAWING


def test_a_models_state_is_parameters_alone_in_float32(learning):
    """An average of weights must not average tables with them."""
    model = learning.build()
    names = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    assert set(model.state_dict()) == names
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_initial_weights_come_from_the_generator_alone(learning):
    untouched = torch.get_rng_state()
    first, again, other = (learning.build(seed).state_dict() for seed in (9, 9, 10))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_it_starts_from_the_weights_of_another_model(learning):
    """As the protocol says: into the model, or into its trunk."""
    state = language_model("gpt_nano", VOCABULARY, CONTEXT, generator(3)).state_dict()
    model = learning.build()
    (model.trunk if hasattr(model, "trunk") else model).load_state_dict(state)


def test_loss_is_a_scalar_with_a_finite_gradient_for_every_parameter(learning):
    model = learning.build()
    value = learning.loss(model)
    assert value.shape == ()
    assert torch.isfinite(value)
    value.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert max(float(parameter.grad.abs().max()) for parameter in model.parameters()) > 0


def test_loss_draws_from_its_generator_alone(learning):
    """That no method draws at all today is not asked: only that the same generator gives the same loss."""
    untouched = torch.get_rng_state()
    model = learning.build().train()
    assert torch.equal(learning.loss(model, 14).detach(), learning.loss(model, 14).detach())
    assert torch.equal(torch.get_rng_state(), untouched)


def test_loss_is_the_same_in_training_and_in_evaluation(learning):
    """There is no dropout, neither in the policy nor in what it is compared with."""
    model = learning.build()
    assert torch.equal(learning.loss(model.train()).detach(), learning.loss(model.eval()).detach())


def test_what_stands_past_the_end_changes_neither_loss_nor_gradient(learning):
    model = learning.build().double()
    values = [learning.loss(model, batch=batch) for batch in (learning.batch, with_other_padding(learning.batch))]
    gradients = [torch.autograd.grad(value, list(model.parameters())) for value in values]
    assert torch.equal(*values)
    for one, other in zip(*gradients, strict=True):
        # Of a padding token's row in the output matrix: 0 that is summed in another place.
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-14)


def test_training_leaves_the_batch_alone(learning):
    given = copy.deepcopy(learning.batch)
    learning.loss(learning.build()).backward()

    def tensors(batch: Any) -> list[Tensor]:
        found = [getattr(batch, field.name) for field in dataclasses.fields(batch)]
        parts = [tensors(part) if dataclasses.is_dataclass(part) else [part] for part in found]
        return [part for some in parts for part in some if isinstance(part, Tensor)]

    assert len(tensors(given)) >= 3
    assert all(torch.equal(one, other) for one, other in zip(tensors(learning.batch), tensors(given), strict=True))


def test_mixed_precision_gives_a_float32_loss(learning):
    model = learning.build()
    with torch.autocast("cpu", torch.bfloat16):
        value = learning.loss(model)
    assert value.dtype == torch.float32
    value.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("name", ["adamw", "rmsprop"])
def test_optimiser_moves_every_parameter_once(learning, name):
    model = learning.build()
    groups = learning.method.recipe.optimiser(model, with_small(learning.method, optimiser=name)).param_groups
    taken = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(taken) == sorted(id(parameter) for parameter in model.parameters())


def test_thirty_steps_lower_the_loss_of_a_batch(learning):
    model = learning.build()
    batch = of_the_policy(learning.method, model, learning.batch)
    optimiser, losses = learning.method.recipe.optimiser(model, learning.settings), []
    for _ in range(30):
        optimiser.zero_grad()
        value = learning.loss(model, 17, batch)
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    # A clipped objective starts at 0 and cannot fall by much more than the clip.
    assert losses[-1] < losses[0] - 0.05


def test_the_learning_rate_rises_and_stays_within_its_own(learning):
    rate = learning.method.recipe.rate
    factors = [rate(learning.method.settings(), examples) for examples in range(0, 20_000, 100)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors == sorted(factors)
    assert factors[-1] == 1.0
    assert rate(learning.settings, 0) == 1.0  # no warmup


def test_its_policy_can_be_sampled(learning):
    if learning.method.policy is None:
        pytest.skip("it is no policy")
    policy = learning.method.policy(learning.build())
    prompts = torch.tensor([[1, 2], [3, 0]])
    drawn = generate(policy, prompts, torch.tensor([2, 1]), 5, END, 1.0, generator(20))
    assert drawn.prompt.tolist() == [2, 1]
    assert (drawn.lengths() >= 1).all()
    assert (drawn.lengths() <= 5).all()
    assert ((drawn.tokens >= 0) & (drawn.tokens < VOCABULARY)).all()


def test_other_responses_have_another_loss(learning):
    """Every method learns from each of its parts; a loss that reads none of them would pass all of the above."""
    model = learning.build()
    if learning.method.learns_from == "rollouts":
        changes = [{"rewards": 1.0 - learning.batch.rewards}]
    elif learning.method.learns_from == "pairs":
        changes = [{"chosen": learning.batch.rejected}, {"rejected": learning.batch.chosen}]
    else:
        changes = [{"tokens": learning.batch.tokens.flip(0)}]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(21)))
    for change in changes:
        assert not torch.equal(
            learning.loss(model, batch=dataclasses.replace(learning.batch, **change)), learning.loss(model)
        )
