"""Evaluation of a diffusion model, by the method that samples it: the one that trained it, or another."""

from dataclasses import fields
from typing import Any

from benchmarks.families.diffusion.measuring import points, samples
from benchmarks.families.diffusion.measuring.likelihood import above_entropy, likelihood
from benchmarks.families.diffusion.measuring.reconstruction import reconstruction
from benchmarks.families.diffusion.measuring.straightness import straightness
from benchmarks.families.diffusion.measuring.trained import Subject
from benchmarks.families.diffusion.problems import ImageGeneration, MixtureGeneration, Task
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Evaluated
from benchmarks.run import inputs
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import torch_generator
from benchmarks.run.torch_flags import TorchFlags


def evaluate(job: EvaluationJob) -> Evaluated:
    """Metrics of a trained model and pictures of it, with the network in float32 and the samplers' state in float64.

    Raises InputError when the settings do not fit those of the training or the data; FloatingPointError on samples that
    are not finite.
    """
    TorchFlags(**job.arithmetic).apply()
    trainer, task = job.trainer, job.task
    _check(job.settings, trainer.settings, task)
    model = trainer.method.build(trainer.settings, task.shape, torch_generator(job.seed, "initial weights"))
    model.load_state_dict(inputs.weights(job, "model"))
    model = model.to(job.device).eval().requires_grad_(False)
    trained = Subject(model, job.method, job.settings, task, job)
    size = sum(parameter.numel() for parameter in model.parameters())
    rows = [trained.row("parameters", size, "parameters", "lower", 1, {})]
    found = _of_points(trained, task) if isinstance(task, MixtureGeneration) else _of_images(trained, task)
    rows += [*found.rows, *reconstruction(trained), *straightness(trained)]
    return Evaluated(rows, found.timings, found.pictures, found.drawings)


def _of_images(trained: Subject, task: ImageGeneration) -> Evaluated:
    judged = samples.judged(trained, task)
    rows = [*judged.rows, *likelihood(trained, task)]
    return Evaluated(rows, judged.seconds, samples.pictures(task, judged), samples.drawings(judged))


def _of_points(trained: Subject, task: MixtureGeneration) -> Evaluated:
    judged, errors = points.judged(trained, task), points.score_errors(trained, task)
    rows = [*judged.rows, *errors, *above_entropy(trained, task)]
    return Evaluated(rows, judged.seconds, points.pictures(task, judged), points.drawings(judged, errors))


def _check(settings: Any, trained: Any, task: Task) -> None:
    """What both have must agree: a sampler told of other noise levels than the model's would do, and be wrong."""
    for name in sorted({field.name for field in fields(settings)} & {field.name for field in fields(trained)}):
        one, other = getattr(settings, name), getattr(trained, name)
        if one != other:
            raise InputError(f"settings.{name}: found {one}; the entry that trained the model has {other}")
    grey = getattr(settings, "grey_levels", None)
    if grey is None:
        return
    if isinstance(task, MixtureGeneration):
        raise InputError(f"settings.grey_levels: found {grey}; the points of task {task.name} have none, so null")
    if grey != task.levels:
        raise InputError(f"settings.grey_levels: found {grey}; the images of task {task.name} have {task.levels}")
