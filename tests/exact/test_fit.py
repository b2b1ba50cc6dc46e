"""The training loop: interrupted anywhere it ends with the same bits; it stops at what is not finite; it averages,
clips and orders as it says."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor, nn

from implementations.common.averaging import ExponentialMovingAverage
from implementations.common.fit import Batches, Fitted, Interrupted, Plan, fit
from tests.checkpoints import Killed, MemoryCheckpoint

PLAN = Plan(examples=10, batch=4, steps=9, validate_every=2, gradient_clip=1.5)  # the end is between two validations
PLANS = {"raw": PLAN, "averaged": replace(PLAN, ema_half_life=10)}


class Regression(nn.Module):
    """A linear layer and a buffer that training changes."""

    seen: Tensor

    def __init__(self):
        super().__init__()
        self.layer = nn.utils.skip_init(nn.Linear, 3, 1)
        self.register_buffer("seen", torch.zeros(()))
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[0.5, -1.0, 2.0]]))
            self.layer.bias.fill_(0.25)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen += len(x)
        return self.layer(x)[:, 0]


@dataclass
class Problem:
    """A noisy linear regression, fresh at every call: only the checkpoint travels from one to the next."""

    plan: Plan
    adapt: Callable[[int, Tensor], Tensor] = lambda step, value: value  # changes the loss of a step
    valid: Callable[[int, float], float] = lambda call, value: value  # changes a validation value
    make: Callable[[nn.Module], torch.optim.Optimizer] = lambda model: torch.optim.Adam(model.parameters(), lr=0.1)
    rate: Callable[[int], float] = lambda images: 1.0 / (1.0 + images / 20)
    model: Regression = field(default_factory=Regression)
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    validated: list[dict[str, Tensor]] = field(default_factory=list)

    def run(
        self,
        checkpoint: MemoryCheckpoint | None = None,
        stop_at: int | None = None,
        kill_at: int | None = None,
        start: int = 0,
    ) -> Fitted:
        data = torch.Generator().manual_seed(0)
        x = torch.randn(self.plan.examples, 3, generator=data)
        y = x @ torch.tensor([1.0, 2.0, -1.0])
        noise, step = torch.Generator().manual_seed(2), start

        def loss(indices: Tensor) -> Tensor:
            nonlocal step
            step += 1
            self.batches.append(indices.tolist())
            noisy = y[indices] + 0.1 * torch.randn(len(indices), generator=noise)
            return self.adapt(step, (self.model(x[indices]) - noisy).square().mean())

        def validate() -> float:
            assert not self.model.training
            self.validated.append({name: value.clone() for name, value in self.model.state_dict().items()})
            with torch.no_grad():
                return self.valid(len(self.validated), float((self.model(x) - y).square().mean()))

        def report(step: int, value: float, norm: float) -> None:
            self.losses.append(value)
            self.norms.append(norm)
            if step == kill_at:
                raise Killed

        def note() -> dict[str, float]:
            return {"bias": float(self.model.layer.bias.detach())}

        order = torch.Generator().manual_seed(1)
        checkpoint = checkpoint or MemoryCheckpoint()
        return fit(
            self.model, self.make(self.model), loss, validate, self.plan, order, {"noise": noise}, checkpoint, report,
            lambda: len(self.losses) + start == stop_at, self.rate, note,
        )  # fmt: skip


def same(one: tuple[Problem, Fitted], other: tuple[Problem, Fitted]) -> None:
    """Bit-equal weights, buffers, curve, best step, status."""
    weights, expected = (pair[0].model.state_dict() for pair in (one, other))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert one[1] == other[1]


@pytest.fixture(scope="module", params=PLANS)
def plan(request) -> Plan:
    return PLANS[request.param]


@pytest.fixture(scope="module")
def unbroken(plan) -> tuple[Problem, Fitted]:
    problem = Problem(plan)
    return problem, problem.run()


@pytest.mark.parametrize("step", range(1, PLAN.steps + 1))
def test_stopped_at_any_step_and_resumed_ends_with_the_same_bits(plan, unbroken, step):
    checkpoint = MemoryCheckpoint()
    first, second = Problem(plan), Problem(plan)
    with pytest.raises(Interrupted, match=f"step {step} of {plan.steps}"):
        first.run(checkpoint, stop_at=step)
    fitted = second.run(checkpoint, start=step)
    same((second, fitted), unbroken)
    assert first.losses + second.losses == unbroken[0].losses
    assert first.batches + second.batches == unbroken[0].batches


@pytest.mark.parametrize("step", range(1, PLAN.steps + 1))
def test_killed_at_any_step_and_resumed_from_an_older_save_ends_with_the_same_bits(plan, unbroken, step):
    checkpoint = MemoryCheckpoint(every=2)
    with pytest.raises(Killed):
        Problem(plan).run(checkpoint, kill_at=step)
    second = Problem(plan)
    same((second, second.run(checkpoint)), unbroken)
    assert second.losses == unbroken[0].losses[(step - 1) // 2 * 2 :]


def test_stopped_after_every_step_ends_with_the_same_bits(plan, unbroken):
    checkpoint = MemoryCheckpoint()
    for step in range(1, plan.steps + 1):
        with pytest.raises(Interrupted):
            Problem(plan).run(checkpoint, stop_at=step, start=step - 1)
    last = Problem(plan)
    same((last, last.run(checkpoint, start=plan.steps)), unbroken)


def test_saving_changes_nothing(plan, unbroken):
    problem = Problem(plan)
    same((problem, problem.run(MemoryCheckpoint(every=1))), unbroken)


def test_curve_holds_the_mean_loss_between_validations_and_the_images(plan, unbroken):
    problem, fitted = unbroken
    assert [point["step"] for point in fitted.curve] == [2, 4, 6, 8, 9]
    assert [point["images"] for point in fitted.curve] == [8, 16, 24, 32, 36]
    pieces = [problem.losses[first:last] for first, last in [(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]]
    # Sums of at most two numbers in the order of the loop.
    assert [point["train"] for point in fitted.curve] == [sum(piece) / len(piece) for piece in pieces]


def test_model_ends_with_the_weights_of_the_lowest_validation(plan):
    problem = Problem(plan, valid=lambda call, value: [5.0, 3.0, 1.0, 2.0, 1.0][call - 1])
    fitted = problem.run()
    assert (fitted.status, fitted.best_step, fitted.step) == ("done", 6, 9)
    assert all(torch.equal(value, problem.validated[2][name]) for name, value in problem.model.state_dict().items())
    assert not torch.equal(problem.validated[2]["layer.weight"], problem.validated[4]["layer.weight"])


def test_the_learning_rate_follows_the_images_seen_and_not_the_run():
    """Plain descent on a loss of slope 1: each step moves the bias by the rate of that step."""
    rates: list[int] = []

    def make(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.5)

    problem = Problem(replace(PLAN, steps=4), adapt=lambda step, value: value * 0 + problem.model.layer.bias.sum(),
                      make=make, rate=lambda images: rates.append(images) or 1.0 / (1 + images))  # fmt: skip
    problem.run()
    assert rates == [0, 4, 8, 12]
    steps = [0.5, 0.5 / 5, 0.5 / 9, 0.5 / 13]
    raw = [float(state["layer.bias"]) for state in problem.validated]
    assert raw == pytest.approx([0.25 - sum(steps[:2]), 0.25 - sum(steps)])


def test_what_is_noted_joins_the_curve(plan, unbroken):
    problem, fitted = unbroken
    noted = [row["bias"] for row in fitted.curve]
    assert len(set(noted)) == len(fitted.curve)
    if plan.ema_half_life is None:
        assert noted == [float(state["layer.bias"]) for state in problem.validated]


def test_validation_leaves_training_as_it_was(plan):
    often, once = Problem(replace(plan, validate_every=1)), Problem(replace(plan, validate_every=9))
    often.run()
    once.run()
    assert often.losses == once.losses
    assert often.model.training


def nan_at(number: int) -> Callable[[int, Tensor], Tensor]:
    return lambda step, value: value * math.nan if step == number else value


def infinite_gradient_at(number: int) -> Callable[[int, Tensor], Tensor]:
    """sqrt has an infinite slope at 0, where its value is finite."""
    return lambda step, value: value + (value - value.detach()).abs().sqrt() if step == number else value


def vast_gradient_at(number: int) -> Callable[[int, Tensor], Tensor]:
    """Finite elements whose norm overflows float32."""
    return lambda step, value: value.detach() + 1e30 * (value - value.detach()) if step == number else value


@pytest.mark.parametrize(
    ("adapt", "what"), [(nan_at(7), "loss"), (infinite_gradient_at(7), "gradient"), (vast_gradient_at(7), "gradient")]
)
def test_what_is_not_finite_ends_the_run_with_the_best_weights(plan, unbroken, adapt, what):
    problem = Problem(plan, adapt)
    fitted = problem.run()
    expected = unbroken[0]
    assert (fitted.status, fitted.step) == ("diverged", 7)
    assert fitted.reason == f"the {what} is not finite at step 7; last finite loss {expected.losses[5]:.6g}"
    assert fitted.curve == unbroken[1].curve[:3]
    best = min(range(3), key=lambda number: fitted.curve[number]["valid"])
    assert fitted.best_step == 2 * (best + 1)
    kept = expected.validated[best]
    assert all(torch.equal(value, kept[name]) for name, value in problem.model.state_dict().items())


def test_divergence_before_any_validation_leaves_the_initial_weights(plan):
    problem = Problem(plan, nan_at(1))
    fitted = problem.run()
    assert (fitted.status, fitted.step, fitted.best_step, fitted.curve) == ("diverged", 1, 0, [])
    assert torch.equal(problem.model.layer.weight, Regression().layer.weight)


def test_divergence_after_resuming_names_the_last_loss_of_the_first_process(plan, unbroken):
    checkpoint = MemoryCheckpoint()
    with pytest.raises(Interrupted):
        Problem(plan).run(checkpoint, stop_at=6)
    whole, resumed = Problem(plan, nan_at(7)), Problem(plan, nan_at(7))
    same((resumed, resumed.run(checkpoint, start=6)), (whole, whole.run()))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_validation_that_is_not_finite_ends_the_run(plan, bad):
    problem = Problem(plan, valid=lambda call, value: bad if call == 2 else value)
    fitted = problem.run()
    assert (fitted.status, fitted.step, fitted.best_step) == ("diverged", 4, 2)
    assert f"{bad} at step 4" in fitted.reason
    assert torch.equal(problem.model.layer.weight, problem.validated[0]["layer.weight"])


def no_step(step: int, value: Tensor) -> Tensor:
    if step == 5:
        raise ArithmeticError("no step is small enough")
    return value


def test_a_solver_that_finds_no_step_diverges_in_training_and_in_validation(plan):
    fitted = Problem(plan, no_step).run()
    assert (fitted.status, fitted.step, fitted.best_step) == ("diverged", 5, 4)
    assert "no step is small enough at step 5" in fitted.reason

    def validation(call: int, value: float) -> float:
        if call == 2:
            raise ArithmeticError("no step is small enough")
        return value

    problem = Problem(plan, valid=validation)
    fitted = problem.run()
    assert (fitted.status, fitted.step, fitted.best_step) == ("diverged", 4, 2)
    assert "in the validation at step 4" in fitted.reason
    assert torch.equal(problem.model.layer.weight, problem.validated[0]["layer.weight"])


def descent(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1.0)


def one_step(clip: float | None) -> tuple[Problem, float]:
    """Plain descent by one step, and how far the weights moved."""
    problem = Problem(Plan(10, 4, 1, 1, gradient_clip=clip), make=descent)
    problem.run()
    before = Regression().state_dict()
    moved = [(value - before[name]).flatten() for name, value in problem.model.state_dict().items() if name != "seen"]
    return problem, float(torch.cat(moved).norm())


def test_gradients_are_clipped_at_the_norm_asked():
    free, far = one_step(None)
    assert far == pytest.approx(free.norms[0], rel=1e-5)  # float32 rounding of the weights
    for share in (0.1, 0.9):
        clipped, moved = one_step(share * far)
        assert moved == pytest.approx(share * far, rel=1e-5)
        assert clipped.norms == free.norms  # the norm reported is that before clipping
    assert torch.equal(one_step(2 * far)[0].model.layer.weight, free.model.layer.weight)


def averaged(model: nn.Module, half_life: int, images: list[int]) -> dict[str, Tensor]:
    """The average begun at `model` times -3, after updates of these sizes at the weights of `model`."""
    start = Regression().double()
    start.load_state_dict({name: -3 * value for name, value in model.state_dict().items()})
    average = ExponentialMovingAverage(start, half_life)
    for count in images:
        average.update(model, count)
    return average.weights(model)


@pytest.mark.parametrize(("half_life", "images"), [(8, 8), (8, 16), (8, 1), (1000, 7), (3, 200)])
def test_half_life_is_counted_in_images(half_life, images):
    model = Regression().double()
    left = 0.5 ** (images / half_life)
    expected = model.layer.weight * (1 - left) - 3 * model.layer.weight * left
    found = averaged(model, half_life, [images])["layer.weight"]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-14, atol=1e-15)  # rounding of a few operations


def test_half_life_is_the_same_at_any_batch_size():
    model = Regression().double()
    by_one, by_eight, mixed = (averaged(model, 20, images)["layer.weight"] for images in ([1] * 8, [8], [3, 5]))
    torch.testing.assert_close(by_one, by_eight, rtol=1e-13, atol=1e-14)  # rounding of eight updates
    torch.testing.assert_close(mixed, by_eight, rtol=1e-13, atol=1e-14)


def test_buffers_are_not_averaged():
    model = Regression().double()
    model.seen.fill_(7.0)
    assert float(averaged(model, 8, [8])["seen"]) == 7.0


@pytest.mark.parametrize("half_life", [0, -1])
def test_half_life_must_be_positive(half_life):
    with pytest.raises(ValueError, match="half_life must be a positive"):
        ExponentialMovingAverage(Regression(), half_life)


def test_average_does_not_follow_the_model_by_itself():
    model = Regression()
    average = ExponentialMovingAverage(model, 8)
    with torch.no_grad():
        model.layer.weight.add_(1.0)
    assert torch.equal(average.weights(model)["layer.weight"], Regression().layer.weight)


def test_restoring_an_average_copies_in_place():
    """A checkpoint lies on the CPU, and in whatever type; the average stays where the model is."""
    average = ExponentialMovingAverage(Regression().double(), 8)
    before = dict(average.average)
    places = {name: (value.data_ptr(), value.device, value.dtype) for name, value in before.items()}
    saved = {name: torch.full_like(value, 0.5, dtype=torch.float32) for name, value in before.items()}
    average.restore(saved)
    for name, value in average.average.items():
        assert value is before[name]
        assert (value.data_ptr(), value.device, value.dtype) == places[name]
        assert torch.equal(value, torch.full_like(value, 0.5))
        saved[name].fill_(9.0)  # what was handed in is not kept
        assert torch.equal(value, torch.full_like(value, 0.5))
    elsewhere = ExponentialMovingAverage(nn.Linear(3, 1, device="meta"), 8)
    elsewhere.restore({"weight": torch.zeros(1, 3), "bias": torch.zeros(1)})
    assert {value.device.type for value in elsewhere.average.values()} == {"meta"}


def test_the_loop_averages_by_the_images_of_a_batch():
    """One step at a half-life of one batch ends halfway between the first weights and the raw ones."""
    plan = Plan(10, 4, 1, 1)
    raw, half = Problem(plan, make=descent), Problem(replace(plan, ema_half_life=4), make=descent)
    raw.run()
    half.run()
    expected = (Regression().layer.weight + raw.model.layer.weight) / 2
    torch.testing.assert_close(half.model.layer.weight, expected, rtol=1e-6, atol=1e-7)  # float32 rounding
    assert float(half.model.seen) == 4.0


def test_training_does_not_feel_the_average():
    problems = [Problem(plan) for plan in PLANS.values()]
    for problem in problems:
        problem.run()
    assert problems[0].losses == problems[1].losses
    assert not torch.equal(problems[0].model.layer.weight, problems[1].model.layer.weight)


@pytest.mark.parametrize(("examples", "batch"), [(12, 4), (10, 4), (5, 5), (7, 1), (9, 8)])
def test_each_epoch_visits_every_example_at_most_once_and_leaves_out_a_short_batch_alone(examples, batch):
    batches = Batches(examples, batch, torch.Generator().manual_seed(0))
    whole = examples // batch
    epochs = [torch.cat([batches.next() for _ in range(whole)]) for _ in range(20)]
    for epoch in epochs:
        assert epoch.dtype == torch.int64
        assert len(epoch.unique()) == whole * batch
        assert 0 <= int(epoch.min()) <= int(epoch.max()) < examples
    assert len({tuple(epoch.tolist()) for epoch in epochs}) > 10  # orders differ
    assert len(torch.cat(epochs).unique()) == examples  # what is left out changes too


@pytest.mark.parametrize("taken", range(8))
def test_position_in_the_data_is_restored(taken):
    generator = torch.Generator().manual_seed(0)
    batches = Batches(10, 4, generator)
    for _ in range(taken):
        batches.next()
    state, seed = batches.state(), generator.get_state()
    expected = [batches.next().tolist() for _ in range(6)]
    other = torch.Generator()
    other.set_state(seed)
    resumed = Batches(10, 4, other)
    resumed.restore(state)
    assert [resumed.next().tolist() for _ in range(6)] == expected


@pytest.mark.parametrize("batch", [0, -1, 11])
def test_a_batch_must_fit_the_examples(batch):
    with pytest.raises(ValueError, match=f"a batch of {batch} cannot be drawn from 10"):
        Batches(10, batch, torch.Generator())
