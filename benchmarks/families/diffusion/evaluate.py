"""Evaluation of a diffusion model, by the method that samples it: the one that trained it, or another."""

from dataclasses import fields
from typing import Any

from benchmarks.errors import InputError
from benchmarks.families.diffusion.measuring.likelihood import likelihood
from benchmarks.families.diffusion.measuring.reconstruction import reconstruction
from benchmarks.families.diffusion.measuring.samples import drawings, judged, pictures
from benchmarks.families.diffusion.measuring.straightness import straightness
from benchmarks.families.diffusion.measuring.trained import Trained
from benchmarks.families.diffusion.problems import ImageGeneration
from benchmarks.metrics.drawings import Drawn
from benchmarks.metrics.given import Given
from benchmarks.seeds import torch_generator
from benchmarks.torch_flags import TorchFlags
from implementations.diffusion.parts.protocol import DiffusionMethod


def evaluate(method: DiffusionMethod, settings: Any, task: ImageGeneration, inputs: Given) -> Drawn:
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
    samples = judged(trained)
    size = sum(parameter.numel() for parameter in model.parameters())
    rows = [
        trained.row("parameters", size, "parameters", "lower", 1, {}),
        *samples.rows,
        *likelihood(trained),
        *reconstruction(trained),
        *straightness(trained),
    ]
    return Drawn(rows, samples.seconds, pictures(trained, samples), drawings(samples))


def _check(settings: Any, trained: Any, task: ImageGeneration) -> None:
    """What both have must agree: a sampler told of other noise levels than the model's would do, and be wrong."""
    for name in sorted({field.name for field in fields(settings)} & {field.name for field in fields(trained)}):
        one, other = getattr(settings, name), getattr(trained, name)
        if one != other:
            raise InputError(f"settings.{name}: found {one}; the entry that trained the model has {other}")
    grey = getattr(settings, "grey_levels", task.levels)
    if grey is not None and grey != task.levels:
        raise InputError(f"settings.grey_levels: found {grey}; the images of task {task.name} have {task.levels}")
