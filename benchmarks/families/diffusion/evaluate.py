"""Evaluation of a diffusion model, by the method that samples it: the one that trained it, or another."""

from dataclasses import fields
from typing import Any

from benchmarks.errors import InputError
from benchmarks.families.diffusion.measuring import points, samples
from benchmarks.families.diffusion.measuring.likelihood import above_entropy, likelihood
from benchmarks.families.diffusion.measuring.reconstruction import reconstruction
from benchmarks.families.diffusion.measuring.straightness import straightness
from benchmarks.families.diffusion.measuring.trained import Trained
from benchmarks.families.diffusion.problems import ImageGeneration, MixtureGeneration, Problem
from benchmarks.metrics.drawings import Drawn
from benchmarks.metrics.given import Given
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.diffusion.parts.protocol import DiffusionMethod


def evaluate(method: DiffusionMethod, settings: Any, task: Problem, inputs: Given) -> Drawn:
    """Metrics of a trained model and pictures of it, with the network in float32 and the samplers' state in float64.

    Raises InputError when the settings do not fit those of the training or the data; FloatingPointError on samples that
    are not finite.
    """
    TorchFlags(**inputs.arithmetic).apply()
    trainer = inputs.trainer
    _check(settings, trainer.settings, task)
    model = trainer.method.build(trainer.settings, task.shape, torch_generator(inputs.seed, "initial weights"))
    model.load_state_dict(inputs.weights())
    model = model.to(inputs.arithmetic["device"]).eval().requires_grad_(False)
    trained = Trained(model, method, settings, task, inputs)
    size = sum(parameter.numel() for parameter in model.parameters())
    rows = [trained.row("parameters", size, "parameters", "lower", 1, {})]
    found = _of_points(trained, task) if isinstance(task, MixtureGeneration) else _of_images(trained, task)
    rows += [*found.rows, *reconstruction(trained), *straightness(trained)]
    return Drawn(rows, found.timings, found.pictures, found.drawings)


def _of_images(trained: Trained, task: ImageGeneration) -> Drawn:
    judged = samples.judged(trained, task)
    rows = [*judged.rows, *likelihood(trained, task)]
    return Drawn(rows, judged.seconds, samples.pictures(task, judged), samples.drawings(judged))


def _of_points(trained: Trained, task: MixtureGeneration) -> Drawn:
    judged, errors = points.judged(trained, task), points.score_errors(trained, task)
    rows = [*judged.rows, *errors, *above_entropy(trained, task)]
    return Drawn(rows, judged.seconds, points.pictures(task, judged), points.drawings(judged, errors))


def _check(settings: Any, trained: Any, task: Problem) -> None:
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
