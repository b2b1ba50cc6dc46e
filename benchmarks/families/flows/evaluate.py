"""Evaluation of a flow, by the problem it was asked to learn."""

from typing import Any

from benchmarks.families.flows.learning import untrained
from benchmarks.families.flows.measuring import autoencoding, energy, images, mixture
from benchmarks.families.flows.measuring.trained import Trained, variant
from benchmarks.families.flows.problems import BinaryAutoencoding, Energy, ImageDensity, MixtureDensity, Problem
from benchmarks.metrics.measured import Evaluated, Inputs
from benchmarks.torch_flags import TorchFlags
from implementations.flows.parts.protocol import FlowMethod


def evaluate(method: FlowMethod, settings: Any, task: Problem, inputs: Inputs) -> Evaluated:
    """Metrics of a trained model, in float64, and pictures of it."""
    TorchFlags(**inputs.arithmetic).apply()
    model = untrained(method, settings, task, inputs.seed)
    model.load_state_dict(inputs.weights())
    model = model.double().eval()
    trained = Trained(model, variant(settings, model), inputs)
    match task:
        case ImageDensity():
            return images.measure(task, trained)
        case MixtureDensity():
            return mixture.measure(task, trained)
        case Energy():
            return energy.measure(task, trained)
        case BinaryAutoencoding():
            return autoencoding.measure(task, trained)
