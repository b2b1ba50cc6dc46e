"""What is minimised: for each problem, a model with its training and validation loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.families.flows import energies
from benchmarks.families.flows.mixtures import points
from benchmarks.families.flows.problems import BinaryAutoencoding, Energy, ImageDensity, MixtureDensity, Task
from benchmarks.run import inputs
from benchmarks.run.job import TrainingJob
from benchmarks.run.seeds import torch_generator
from benchmarks.run.training import Objective
from implementations.common.errors import Unsupported
from implementations.flows.parts.autoencoder import Autoencoder
from implementations.flows.parts.dequantisation import dequantise
from implementations.flows.parts.protocol import FlowMethod

VALIDATION_BATCH = 1000


def untrained(method: FlowMethod, settings: Any, task: Task, seed: int) -> nn.Module:
    """The model that a problem asks for, with its initial weights.

    Raises:
        Unsupported: the method cannot be used for this problem.
    """
    generator = torch_generator(seed, "initial weights")
    match task:
        case ImageDensity():
            return method.build(settings, task.shape, generator)
        case MixtureDensity():
            return method.build(settings, (task.dimensions,), generator)
        case Energy():
            return method.build(settings, (2,), generator)
        case BinaryAutoencoding():
            if method.posterior is None:
                raise Unsupported(
                    f"task {task.name} bends a posterior, and this method offers no posterior(settings, d)"
                )
            flow = method.posterior(settings, task.latent)
            return Autoencoder(task.dimensions, task.latent, task.hidden_units, flow, generator)


def objective(job: TrainingJob) -> Objective:
    """The problem as something that `fit` can minimise.

    Raises:
        Unsupported: the method cannot be used for this problem.
    """
    task: Task = job.task
    match task:
        case ImageDensity():
            return _of_images(task, job)
        case MixtureDensity():
            return _of_points(task, job)
        case Energy():
            return _of_energy(task, job)
        case BinaryAutoencoding():
            return _of_binary_images(task, job)


def _of_images(task: ImageDensity, job: TrainingJob) -> Objective:
    train, valid = (_flat(inputs.images(job, split), job.device) for split in ("train", "valid"))

    def dequantised(levels: Tensor, noise: torch.Generator) -> Tensor:
        return dequantise(levels, task.levels, noise)

    return _density(task, job, train, valid, dequantised)


def _of_points(task: MixtureDensity, job: TrainingJob) -> Objective:
    train, valid = (points(task, split).float().to(job.device) for split in ("train", "valid"))
    return _density(task, job, train, valid, lambda x, noise: x)


def _density(
    task: ImageDensity | MixtureDensity,
    job: TrainingJob,
    train: Tensor,
    valid: Tensor,
    continuous: Callable[[Tensor, torch.Generator], Tensor],
) -> Objective:
    """Maximum likelihood; `continuous` turns stored examples (batch, d) into what the model sees."""
    model = untrained(job.method, job.settings, task, job.seed).to(job.device)
    if shown := getattr(job.settings, "initial_examples", 0):
        chosen = torch.randperm(len(train), generator=torch_generator(job.seed, "initial examples"))[:shown]
        model.initialise(continuous(train[chosen.to(job.device)], job.generator("initial noise")))  # type: ignore[operator]

    def loss(indices: Tensor, noise: torch.Generator) -> Tensor:
        found: Tensor = job.method.loss(model, continuous(train[indices.to(job.device)], noise), noise)
        return found

    def validate() -> float:
        # The same noise at every validation, so that values along a run differ by the weights alone.
        own = job.generator("validation noise")
        total = 0.0
        with torch.no_grad():
            for batch in torch.split(valid, VALIDATION_BATCH):
                total -= float(model.log_prob(continuous(batch, own)).double().sum())  # type: ignore[operator]
        return total / len(valid)

    return Objective(model, len(train), loss, validate)


def _of_energy(task: Energy, job: TrainingJob) -> Objective:
    """KL(q || p) up to log Z, on draws of the flow's own prior: E[log q(x) + U(x)] with x = g(z)."""
    model = untrained(job.method, job.settings, task, job.seed).to(job.device)
    batch: int = job.settings.batch

    def divergence(count: int, noise: torch.Generator) -> Tensor:
        z = model.prior.sample(torch.empty(count, 2, device=job.device), noise)  # type: ignore[operator, union-attr]
        x, logdet = model.decode(z)  # type: ignore[operator]
        return (model.prior.log_prob(z) - logdet + energies.potential(task.number, x)).mean()  # type: ignore[operator, union-attr, no-any-return]

    def validate() -> float:
        with torch.no_grad():
            return float(divergence(VALIDATION_BATCH, job.generator("validation noise")))

    return Objective(model, batch, lambda indices, noise: divergence(len(indices), noise), validate)


def _of_binary_images(task: BinaryAutoencoding, job: TrainingJob) -> Objective:
    """The negative evidence lower bound, one draw of the posterior an image."""
    train, valid = (binarised(_flat(inputs.images(job, split), job.device), task) for split in ("train", "valid"))
    model = untrained(job.method, job.settings, task, job.seed).to(job.device)
    assert isinstance(model, Autoencoder)

    def loss(indices: Tensor, noise: torch.Generator) -> Tensor:
        return -model.bound(train[indices.to(job.device)], noise).mean()

    def validate() -> float:
        own = job.generator("validation noise")
        with torch.no_grad():
            return -float(torch.cat([model.bound(batch, own) for batch in torch.split(valid, VALIDATION_BATCH)]).mean())

    return Objective(model, len(train), loss, validate)


def binarised(levels: Tensor, task: BinaryAutoencoding) -> Tensor:
    """Grey levels (n, d) to 0.0 and 1.0."""
    return (levels >= task.threshold).float()


def _flat(images: NDArray[np.uint8], device: str) -> Tensor:
    """(n, *shape) grey levels as an (n, d) uint8 tensor on the device."""
    return torch.from_numpy(images.reshape(len(images), -1)).to(device)
