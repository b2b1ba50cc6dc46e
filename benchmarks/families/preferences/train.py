"""Training of a language model or a reward model: the method's loss and recipe, the one training loop."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.families.preferences.experience import of_rollouts
from benchmarks.families.preferences.learning import Learning, Run, of_pairs, of_responses, of_texts
from benchmarks.families.preferences.models import trunk, untrained
from benchmarks.families.preferences.pairs import Origin
from benchmarks.families.preferences.problems import Problem
from benchmarks.families.preferences.worlds import world
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.common.fit import Checkpoint, Fitted, Plan, fit


def train(
    method: Any,
    settings: Any,
    task: Problem,
    steps: int,
    validate_every: int,
    seed: int,
    flags: TorchFlags,
    examples: Any,
    checkpoint: Checkpoint,
    report: Callable[[int, float, float], None],
    stop: Callable[[], bool],
    origin: Origin | None = None,
) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation value, and how its training went.

    `examples` is the `Corpus` of a task whose data set holds texts. What starts from an `origin` has its weights at
    first. Under bfloat16 the matrix products of training, and only those, are taken in that precision.

    Raises:
        ValueError: the method cannot be used for this task, or a batch is larger than the training set.
    """
    flags.apply()
    here = world(task, lambda: examples, flags.device)
    model = untrained(method, settings, task, here.vocabulary, torch_generator(seed, "initial weights"), flags.device)
    if origin is not None:
        _start(trunk(model), origin.weights())
    run = Run(method, settings, task, here, model, seed, flags.device)
    learned, draws = _learned(run, origin), run.generator("training draws")
    factor = getattr(method, "learning_rate_factor", None)

    def loss(indices: Tensor) -> Tensor:
        with torch.autocast(flags.device, torch.bfloat16, enabled=flags.bfloat16):
            return learned.loss(indices, draws)

    def rate(seen: int) -> float:
        return 1.0 if factor is None else float(factor(settings, seen))

    plan = Plan(learned.examples, settings.batch, steps, validate_every, settings.gradient_clip, settings.ema_half_life)
    order = torch_generator(seed, "order of examples")
    optimiser = method.optimiser(model, settings)
    generators = {"draws": draws, **learned.state}
    return model, fit(
        model, optimiser, loss, learned.validate, plan, order, generators, checkpoint, report, stop, rate, learned.note
    )


def _start(model: nn.Module, weights: dict[str, Any]) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        told = "the weights to start from are those of another network, of another context, or have a head on them"
        raise ValueError(told) from error


def _learned(run: Run, origin: Origin | None) -> Learning:
    if origin is None:
        if run.method.LEARNS_FROM != "texts":
            raise ValueError(f"a method that learns from {run.method.LEARNS_FROM} starts from a trained model")
        return of_texts(run)
    match run.method.LEARNS_FROM:
        case "texts":
            return of_responses(run, origin)
        case "pairs":
            return of_pairs(run, origin)
        case _:
            return of_rollouts(run, origin)
