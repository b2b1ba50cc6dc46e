"""Training of a flow."""

from dataclasses import replace

from torch import nn

from benchmarks.families.flows.learning import objective
from benchmarks.run.job import TrainingJob
from benchmarks.run.torch_flags import TorchFlags
from benchmarks.run.training import fit_job
from implementations.common.fit import Fitted


def train(job: TrainingJob) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation loss, and how its training went.

    Of a flow that solves an ODE each validation also notes how often its last solve evaluated the vector field.

    Raises:
        Unsupported: the method cannot be used for this task, or a batch is larger than the training set.
    """
    TorchFlags(**job.arithmetic).apply()
    found = objective(job)

    def note() -> dict[str, float]:
        evaluations = getattr(found.model, "evaluations", None)
        return {} if evaluations is None else {"evaluations": float(evaluations)}

    return fit_job(job, replace(found, note=note))
