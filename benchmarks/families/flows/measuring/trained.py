"""A trained model as measured, and the rows that every problem has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.record.evaluated import Measured, Value
from benchmarks.run.job import EvaluationJob
from implementations.flows.parts.protocol import FlowMethod, FlowModel

BATCH = 1000
JACOBIAN_EXAMPLES = 4  # a Jacobian costs as many backward passes as there are dimensions
NOISE_SEED = 0  # the same noise for every model, so that differences are the models'
ALONG = 5  # validations, from the first to the last, at which evaluations of a field are told

Protocol = Mapping[str, Value]


@dataclass(frozen=True)
class Subject:
    """A model in float64 with the weights of the best validation, and the name of its rows."""

    model: nn.Module
    variant: dict[str, Value]
    job: EvaluationJob

    def row(
        self, name: str, value: float, unit: str, direction: str, n: int, protocol: Protocol, **variant: Value
    ) -> Measured:
        """A number of this model; `variant` joins the model's own."""
        return Measured(name, value, unit, direction, n, dict(protocol), {**self.variant, **variant})  # type: ignore[arg-type]

    def log_prob(self, x: Tensor) -> Tensor:
        """(n, d) -> (n,), nats; in batches, without gradients."""
        with torch.no_grad():
            return torch.cat([self.model.log_prob(batch) for batch in torch.split(x, BATCH)])  # type: ignore[operator]


def variant(method: FlowMethod, settings: Any, model: nn.Module) -> dict[str, Value]:
    """How the rows of a trained model are named: settings that papers vary, and the solver where there is one.

    Steps of an adaptive solver depend on the whole batch, so the batch is part of the name.
    """
    named: dict[str, Value] = {name: getattr(settings, name) for name in method.varies}
    solver = getattr(model, "solver", None)
    return named if solver is None else {**named, **solver, "batch": BATCH}


def counts(trained: Subject, protocol: Protocol) -> list[Measured]:
    """Trainable parameters; for a flow that solves an ODE, evaluations of its field at some points of training."""
    size = sum(parameter.numel() for parameter in trained.model.parameters() if parameter.requires_grad)
    rows = [trained.row("parameters", size, "parameters", "lower", 1, {"checkpoint": protocol["checkpoint"]})]
    if hasattr(trained.model, "evaluations"):
        curve = trained.job.curve
        places = {round(k * (len(curve) - 1) / (ALONG - 1)) for k in range(ALONG)}
        for point in (curve[place] for place in sorted(places)):
            along = {"split": "valid", "checkpoint": "at that step", "arithmetic": "float32"}
            step, count = int(point["step"]), point["evaluations"]
            rows.append(trained.row("evaluations", count, "evaluations", "lower", 1, along, step=step))
    return rows


def exactness(trained: Subject, x: Tensor, protocol: Protocol) -> list[Measured]:
    """Largest round-trip error; the log-determinant against that of the autograd Jacobian, and its spread.

    Nothing of a density that is no flow.
    """
    model = trained.model
    if not isinstance(model, FlowModel):
        return []
    with torch.no_grad():
        back = torch.cat([model.decode(model.encode(batch)[0])[0] for batch in torch.split(x, BATCH)])
    at_all, error = {**protocol, "samples": len(x)}, (back - x).abs().max()
    rows = [trained.row("round_trip_error", float(error), "scale of the data", "lower", len(x), at_all)]
    if getattr(model, "solver", {}).get("trace", "exact") != "exact":
        return rows  # the log-determinant is an estimate, and its distance that of the estimator
    few = x[:JACOBIAN_EXAMPLES]
    with torch.no_grad():
        told = model.encode(few)[1]
    seen = torch.stack([_log_determinant(model, example) for example in few])
    at_few = {**protocol, "samples": len(few)}
    largest, spread = (told - seen).abs().max(), seen.max() - seen.min()
    return [
        *rows,
        trained.row("log_determinant_error", float(largest), "nats", "lower", len(few), at_few),
        trained.row("log_determinant_spread", float(spread), "nats", "lower", len(few), at_few),
    ]


def _log_determinant(model: FlowModel, example: Tensor) -> Tensor:
    """log |det dz/dx| at one example (d,), from the Jacobian that autograd gives."""
    jacobian = torch.autograd.functional.jacobian(lambda x: model.encode(x[None])[0][0], example, vectorize=True)
    sign, logarithm = torch.linalg.slogdet(jacobian)
    return logarithm if float(sign) != 0 else torch.tensor(-math.inf)
