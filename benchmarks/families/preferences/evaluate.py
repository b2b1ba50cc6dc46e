"""Evaluation of a trained policy or reward model, or of the best of n responses of a policy."""

from dataclasses import replace
from typing import Any

from benchmarks.errors import InputError
from benchmarks.families.preferences.measuring import answers, choices, comparisons, continuations
from benchmarks.families.preferences.measuring.assessed import Assessed
from benchmarks.families.preferences.measuring.curves import drawings
from benchmarks.families.preferences.models import trunk, untrained
from benchmarks.families.preferences.problems import Problem
from benchmarks.families.preferences.worlds import Asked, Comparisons, Reviews, Sums, world
from benchmarks.metrics.passages import Passages, Written
from benchmarks.metrics.started import Started
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags


def evaluate(method: Any, settings: Any, task: Problem, inputs: Started) -> Written:
    """Metrics, curves and responses of a trained model, in float32; raises InputError where a method and a task do not
    go together."""
    TorchFlags(**inputs.arithmetic).apply()
    device = inputs.arithmetic["device"]
    here, trainer = world(task, inputs.corpus, device), inputs.trainer

    def model_of(weights: dict[str, Any], inner: bool) -> Any:
        unused = torch_generator(0, "unused")
        whole = untrained(trainer.method, trainer.settings, task, here.vocabulary, unused, device)
        (trunk(whole) if inner else whole).load_state_dict(weights)
        return whole.eval().requires_grad_(False)

    model = model_of(inputs.weights(), inner=False)
    started = None if inputs.start is None else trunk(model_of(inputs.start(), inner=True))
    policy = trunk(model)
    assessed = Assessed(policy, started or policy, method, settings, trainer.settings, task, here, inputs)
    size = sum(parameter.numel() for parameter in model.parameters())
    rows = [assessed.row("parameters", size, "parameters", "lower", 1, {})]
    shown: list[Passages] = []
    label = _label(method, settings)
    match here:
        case Sums() | Asked() if hasattr(trainer.method, "policy") and method is trainer.method:
            rows += answers.rows(assessed, here.task, here)
            shown = answers.passages(assessed, here, label)
        case Reviews() if method.LEARNS_FROM == "nothing":
            rows += continuations.rows_of_best(assessed, here.task, here)
        case Reviews() if hasattr(method, "scores"):
            rows += choices.rows(assessed, model, here.task, here)
        case Reviews():
            rows += continuations.rows(assessed, here.task, here)
            shown = continuations.passages(assessed, here, label)
        case Comparisons() if method.LEARNS_FROM == "nothing":
            if started is None or not hasattr(trainer.method, "scores"):
                raise InputError(f"{label}: on task {task.name} a reward model chooses: name one in needs")
            of_start = replace(assessed, policy=started)
            rows += comparisons.rows_of_best(of_start, model, trainer.method.scores, here)
        case Comparisons() if hasattr(method, "scores"):
            rows += comparisons.rows_of_scores(assessed, model, here)
        case Comparisons():
            rows += comparisons.rows(assessed, here)
            shown = continuations.passages(assessed, here, label, own="what people preferred")
        case _:
            raise InputError(f"{label}: not measured on task {task.name}; give it one of reviews")
    return Written(rows, {}, [], drawings(inputs.curve()), shown)


def _label(method: Any, settings: Any) -> str:
    """`dpo, gpt_nano, beta 0.1`: a method and the settings along which papers compare, apart for each of a task."""
    told = [method.__name__.rpartition(".")[2]]
    told += [settings.network] if hasattr(settings, "network") else []
    told += [f"on {settings.pairs} pairs"] if getattr(settings, "responses", None) and settings.pairs else []
    told += [f"{settings.reward} reward"] if hasattr(settings, "reward") else []
    told += [f"beta {settings.beta:g}"] if hasattr(settings, "beta") else []
    told += [settings.normalisation] if getattr(settings, "normalisation", "grpo") != "grpo" else []
    return ", ".join(told)
