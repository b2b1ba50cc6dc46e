"""Training of a language model or a reward model."""

from typing import Any

from torch import nn

from benchmarks.families.preferences.experience import of_rollouts
from benchmarks.families.preferences.learning import Learner, of_pairs, of_responses, of_texts
from benchmarks.families.preferences.models import trunk, untrained
from benchmarks.families.preferences.worlds import world
from benchmarks.run import inputs
from benchmarks.run.job import TrainingJob
from benchmarks.run.seeds import torch_generator
from benchmarks.run.torch_flags import TorchFlags
from benchmarks.run.training import Objective, fit_job
from implementations.common.errors import Unsupported
from implementations.common.fit import Fitted


def train(job: TrainingJob) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation value, and how its training went.

    What starts from another entry has its weights at first.

    Raises:
        Unsupported: the method cannot be used for this task, or a batch is larger than the training set.
    """
    TorchFlags(**job.arithmetic).apply()
    here = world(job.task, lambda: inputs.corpus(job), job.device)
    generator = torch_generator(job.seed, "initial weights")
    model = untrained(job.method, job.settings, job.task, here.vocabulary, generator, job.device)
    if "start" in job.files:
        _start(trunk(model), inputs.weights(job, "start"))
    return fit_job(job, _objective(Learner(job, here, model)), "training draws")


def _start(model: nn.Module, weights: dict[str, Any]) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        refusal = "the weights to start from are those of another network, of another context, or have a head on them"
        raise Unsupported(refusal) from error


def _objective(learner: Learner) -> Objective:
    learns_from = learner.job.method.learns_from
    if "start" not in learner.job.files:
        if learns_from != "texts":
            raise Unsupported(f"a method that learns from {learns_from} starts from a trained model")
        return of_texts(learner)
    match learns_from:
        case "texts":
            return of_responses(learner)
        case "pairs":
            return of_pairs(learner)
        case _:
            return of_rollouts(learner)
