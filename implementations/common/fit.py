"""The one training loop: every neural method is trained by `fit`, and only by it.

What is learned, on what, and where state is kept are handed in. Killed anywhere and called again with the same
arguments, it ends with the same bits as a run that was never interrupted.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from implementations.common.averaging import ExponentialMovingAverage
from implementations.common.errors import Unsupported


class Interrupted(Exception):
    """The caller asked to stop; the state is in the checkpoint."""


class Checkpoint(Protocol):
    """Where `fit` keeps its state; `save` must be atomic."""

    def load(self) -> dict[str, Any] | None: ...
    def due(self, step: int) -> bool: ...
    def save(self, state: dict[str, Any]) -> None: ...


class NullCheckpoint:
    """Of runs that are never interrupted, since they are short."""

    def load(self) -> None:
        return None

    def due(self, step: int) -> bool:
        return False

    def save(self, state: dict[str, Any]) -> None:
        raise AssertionError("a run that keeps nothing was interrupted")


@dataclass(frozen=True)
class Plan:
    """How long, in what pieces, and with which guards."""

    examples: int  # size of the training set
    batch: int
    steps: int
    validate_every: int  # steps
    gradient_clip: float | None = None  # largest norm of the whole gradient
    ema_half_life: int | None = None  # images


@dataclass
class Fitted:
    """How training ended; the model then holds the weights of the best validation, diverged or not."""

    status: Literal["done", "diverged"]
    reason: str
    step: int
    best_step: int
    curve: list[dict[str, float]]  # step, images, train (mean loss since the last row), valid, and what was noted


class Batches:
    """Epochs in an order drawn anew each time; the last, short batch of an epoch is left out.

    `state` and `restore` carry the position, so that a resumed run sees the data it would have seen.
    """

    def __init__(self, examples: int, batch: int, generator: torch.Generator):
        if not 0 < batch <= examples:
            raise Unsupported(
                f"a batch of {batch} cannot be drawn from {examples} examples; make settings.batch smaller"
            )
        self.examples, self.batch, self.generator = examples, batch, generator
        self.order, self.position = torch.empty(0, dtype=torch.int64), 0

    def next(self) -> Tensor:
        """Indices of the next batch, shape (batch,), int64."""
        if self.position + self.batch > len(self.order):
            self.order, self.position = torch.randperm(self.examples, generator=self.generator), 0
        self.position += self.batch
        return self.order[self.position - self.batch : self.position]

    def state(self) -> dict[str, Any]:
        return {"order": self.order, "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        self.order, self.position = state["order"], state["position"]


def _validated(
    model: nn.Module, validate: Callable[[], float], average: ExponentialMovingAverage | None
) -> tuple[float, dict[str, Tensor]]:
    """The validation value of the weights that would be kept (the average where there is one), and those weights."""
    raw = copy.deepcopy(model.state_dict())
    weights = average.weights(model) if average else raw
    model.load_state_dict(weights)
    model.eval()
    valid = validate()
    kept = copy.deepcopy(model.state_dict())
    model.load_state_dict(raw)
    model.train()
    return valid, kept


def fit(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: Callable[[Tensor], Tensor],
    validate: Callable[[], float],
    plan: Plan,
    order: torch.Generator,
    generators: dict[str, torch.Generator],
    checkpoint: Checkpoint,
    report: Callable[[int, float, float], None],
    stop: Callable[[], bool],
    rate: Callable[[int], float] = lambda images: 1.0,
    note: Callable[[], dict[str, float]] = dict,
) -> Fitted:
    """Trains `model` in place and leaves it with the weights of the lowest validation value.

    Args:
        loss: indices of a batch to a scalar; draws only from `generators`.
        validate: a number of the model as it stands, lower is better; draws from generators of its own.
        order: draws the order of the examples (a CPU generator).
        generators: every other generator the run draws from; their states travel with the checkpoint.
        report: called after each step with (step, loss, gradient norm).
        stop: asked after each step; true saves a checkpoint and raises.
        rate: what multiplies the optimiser's learning rates at a step that begins after so many examples.
        note: called after each validation, for what that left in the model; what it says joins that row of the curve.

    Raises:
        Interrupted: when `stop` said so.
    """
    generators = {"order": order, **generators}
    batches = Batches(plan.examples, plan.batch, order)
    average = ExponentialMovingAverage(model, plan.ema_half_life) if plan.ema_half_life is not None else None
    clip = math.inf if plan.gradient_clip is None else plan.gradient_clip
    rates = [group["lr"] for group in optimiser.param_groups]
    start, total, last = 0, 0.0, math.nan
    curve: list[dict[str, float]] = []
    best: dict[str, Any] = {"step": 0, "valid": math.inf, "weights": copy.deepcopy(model.state_dict())}
    if saved := checkpoint.load():
        start, total, last, curve, best = (saved[key] for key in ("step", "total", "last", "curve", "best"))
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        batches.restore(saved["batches"])
        for name, generator in generators.items():
            generator.set_state(saved["generators"][name])
        if average:
            average.restore(saved["average"])

    def save(step: int) -> None:
        state = {"step": step, "total": total, "last": last, "curve": curve, "best": best, "model": model.state_dict()}
        state |= {"optimiser": optimiser.state_dict(), "batches": batches.state()}
        state |= {"generators": {name: generator.get_state() for name, generator in generators.items()}}
        checkpoint.save(state | {"average": average.average if average else None})

    def ended(status: Literal["done", "diverged"], reason: str, step: int) -> Fitted:
        model.load_state_dict(best["weights"])
        return Fitted(status, reason, step, best["step"], curve)

    model.train()
    for step in range(start + 1, plan.steps + 1):
        for group, base in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = base * rate((step - 1) * plan.batch)
        optimiser.zero_grad(set_to_none=True)
        try:
            tensor = loss(batches.next())
            tensor.backward()
        except ArithmeticError as error:  # of an adaptive solver that finds no step small enough
            return ended("diverged", f"{error} at step {step}; last finite loss {last:.6g}", step)
        value = float(tensor.detach())
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), clip))
        if not (math.isfinite(value) and math.isfinite(norm)):
            what = "gradient" if math.isfinite(value) else "loss"
            return ended("diverged", f"the {what} is not finite at step {step}; last finite loss {last:.6g}", step)
        optimiser.step()
        last = value
        total += value
        if average:
            average.update(model, plan.batch)
        if step % plan.validate_every == 0 or step == plan.steps:
            try:
                valid, weights = _validated(model, validate, average)
            except ArithmeticError as error:
                return ended("diverged", f"{error} in the validation at step {step}; last loss {last:.6g}", step)
            if not math.isfinite(valid):
                return ended("diverged", f"the validation value is {valid} at step {step}; last loss {last:.6g}", step)
            since = step - int(curve[-1]["step"]) if curve else step
            row = {"step": step, "images": step * plan.batch, "train": total / since, "valid": valid}
            curve.append(row | note())
            if valid < best["valid"]:
                best = {"step": step, "valid": valid, "weights": weights}
            total = 0.0
        report(step, value, norm)
        if stop():
            save(step)
            raise Interrupted(f"stopped at step {step} of {plan.steps}")
        if checkpoint.due(step):
            save(step)
    return ended("done", "", plan.steps)
