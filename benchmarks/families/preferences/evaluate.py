"""Evaluation of a trained policy or reward model, or of the best of n responses of a policy."""

from dataclasses import replace
from typing import Any

from benchmarks.families.preferences.measuring import answers, choices, comparisons, continuations
from benchmarks.families.preferences.measuring.assessed import Assessed
from benchmarks.families.preferences.measuring.curves import drawings
from benchmarks.families.preferences.models import trunk, untrained
from benchmarks.families.preferences.problems import Task
from benchmarks.families.preferences.worlds import Asked, Comparisons, Reviews, Sums, world
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Evaluated, Passages
from benchmarks.run import inputs
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import torch_generator
from benchmarks.run.torch_flags import TorchFlags


def evaluate(job: EvaluationJob) -> Evaluated:
    """Metrics, curves and responses of a trained model, in float32; raises InputError where method and task clash."""
    TorchFlags(**job.arithmetic).apply()
    method, settings, trainer = job.method, job.settings, job.trainer
    task: Task = job.task
    here = world(task, lambda: inputs.corpus(job), job.device)

    def model_of(weights: dict[str, Any], inner: bool) -> Any:
        unused = torch_generator(0, "unused")
        whole = untrained(trainer.method, trainer.settings, task, here.vocabulary, unused, job.device)
        (trunk(whole) if inner else whole).load_state_dict(weights)
        return whole.eval().requires_grad_(False)

    model = model_of(inputs.weights(job, "model"), inner=False)
    started = trunk(model_of(inputs.weights(job, "start"), inner=True)) if "start" in job.files else None
    policy = trunk(model)
    assessed = Assessed(policy, started or policy, here, job)
    size = sum(parameter.numel() for parameter in model.parameters())
    rows = [assessed.row("parameters", size, "parameters", "lower", 1, {})]
    shown: list[Passages] = []
    label = _label(job.method_name, settings)
    match here:
        case Sums() | Asked() if trainer.method.policy is not None and method is trainer.method:
            rows += answers.rows(assessed, here.task, here)
            shown = answers.passages(assessed, here, label)
        case Reviews() if method.learns_from == "nothing":
            rows += continuations.rows_of_best(assessed, here.task, here)
        case Reviews() if method.scores is not None:
            rows += choices.rows(assessed, model, here.task, here)
        case Reviews():
            rows += continuations.rows(assessed, here.task, here)
            shown = continuations.passages(assessed, here, label)
        case Comparisons() if method.learns_from == "nothing":
            if started is None or trainer.method.scores is None:
                raise InputError(f"{label}: on task {task.name} a reward model chooses: name one in needs")
            of_start = replace(assessed, policy=started)
            rows += comparisons.rows_of_best(of_start, model, trainer.method.scores, here)
        case Comparisons() if method.scores is not None:
            rows += comparisons.rows_of_scores(assessed, model, here)
        case Comparisons():
            rows += comparisons.rows(assessed, here)
            shown = continuations.passages(assessed, here, label, own="what people preferred")
        case _:
            raise InputError(f"{label}: not measured on task {task.name}; give it one of reviews")
    return Evaluated(rows, {}, [], drawings(job.curve), shown)


def _label(method: str, settings: Any) -> str:
    """`dpo, gpt_nano, beta 0.1`: a method and the settings along which papers compare, apart for each of a task."""
    told = [method]
    told += [settings.network] if hasattr(settings, "network") else []
    told += [f"on {settings.pairs} pairs"] if getattr(settings, "responses", None) and settings.pairs else []
    told += [f"{settings.reward} reward"] if hasattr(settings, "reward") else []
    told += [f"beta {settings.beta:g}"] if hasattr(settings, "beta") else []
    told += [settings.normalisation] if getattr(settings, "normalisation", "grpo") != "grpo" else []
    return ", ".join(told)
