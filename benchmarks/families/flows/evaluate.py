"""Evaluation of a flow, by the problem it was asked to learn."""

from benchmarks.families.flows.learning import untrained
from benchmarks.families.flows.measuring import autoencoding, energy, images, mixture
from benchmarks.families.flows.measuring.trained import Subject, variant
from benchmarks.families.flows.problems import BinaryAutoencoding, Energy, ImageDensity, MixtureDensity, Task
from benchmarks.record.evaluated import Evaluated
from benchmarks.run import inputs
from benchmarks.run.job import EvaluationJob
from benchmarks.run.torch_flags import TorchFlags


def evaluate(job: EvaluationJob) -> Evaluated:
    """Metrics of a trained model, in float64, and pictures of it."""
    TorchFlags(**job.arithmetic).apply()
    task: Task = job.task
    model = untrained(job.method, job.settings, task, job.seed)
    model.load_state_dict(inputs.weights(job, "model"))
    model = model.double().eval()
    trained = Subject(model, variant(job.method, job.settings, model), job)
    match task:
        case ImageDensity():
            return images.measure(task, trained)
        case MixtureDensity():
            return mixture.measure(task, trained)
        case Energy():
            return energy.measure(task, trained)
        case BinaryAutoencoding():
            return autoencoding.measure(task, trained)
