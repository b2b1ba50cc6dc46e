"""Evaluation of a trained policy or reward model, or of the best of n responses of a policy."""

from typing import Any

from benchmarks.errors import InputError
from benchmarks.families.preferences.measuring import answers, choices, continuations
from benchmarks.families.preferences.measuring.assessed import Assessed
from benchmarks.families.preferences.measuring.curves import drawings
from benchmarks.families.preferences.models import trunk, untrained
from benchmarks.families.preferences.problems import Problem
from benchmarks.families.preferences.worlds import Reviews, Sums, world
from benchmarks.metrics.passages import Passages, Written
from benchmarks.metrics.started import Started
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags


def evaluate(method: Any, settings: Any, task: Problem, inputs: Started) -> Written:
    """Metrics, curves and responses of a trained model, in float32; raises InputError where a method and a task do not
    go together."""
    TorchFlags(**inputs.arithmetic).apply()
    here, trainer = world(task, inputs.corpus), inputs.trainer
    device = inputs.arithmetic["device"]

    def model_of(weights: dict[str, Any], inner: bool) -> Any:
        whole = untrained(trainer.method, trainer.settings, task, here.vocabulary, torch_generator(0, "unused"))
        (trunk(whole) if inner else whole).load_state_dict(weights)
        return whole.to(device).eval().requires_grad_(False)

    model = model_of(inputs.weights(), inner=False)
    started = None if inputs.start is None else trunk(model_of(inputs.start(), inner=True))
    policy = trunk(model)
    assessed = Assessed(policy, started or policy, method, settings, trainer.settings, task, here, inputs)
    size = sum(parameter.numel() for parameter in model.parameters())
    rows = [assessed.row("parameters", size, "parameters", "lower", 1, {})]
    shown: list[Passages] = []
    label = _label(method, settings)
    match here:
        case Sums() if hasattr(trainer.method, "policy") and method is trainer.method:
            rows += answers.rows(assessed, here.task, here)
            shown = answers.passages(assessed, here, label)
        case Reviews() if method.LEARNS_FROM == "nothing":
            rows += continuations.rows_of_best(assessed, here.task, here)
        case Reviews() if hasattr(method, "scores"):
            rows += choices.rows(assessed, model, here.task, here)
        case Reviews():
            rows += continuations.rows(assessed, here.task, here)
            shown = continuations.passages(assessed, here, label)
        case _:
            raise InputError(f"{label}: not measured on task {task.name}; give it one of reviews")
    return Written(rows, {}, [], drawings(inputs.curve()), shown)


def _label(method: Any, settings: Any) -> str:
    """`dpo, beta 0.1`: a method and the setting along which papers compare."""
    told = [method.__name__.rpartition(".")[2]]
    told += [f"on {settings.pairs} pairs"] if getattr(settings, "responses", None) and settings.pairs else []
    told += [f"{settings.reward} reward"] if hasattr(settings, "reward") else []
    told += [f"beta {settings.beta:g}"] if hasattr(settings, "beta") else []
    return ", ".join(told)
