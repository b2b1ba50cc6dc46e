"""What is minimised: for each problem, a model with its training and validation loss."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.families.flows import energies
from benchmarks.families.flows.mixtures import points
from benchmarks.families.flows.problems import BinaryAutoencoding, Energy, ImageDensity, MixtureDensity, Problem
from benchmarks.seeds import torch_generator
from implementations.flows.parts.autoencoder import Autoencoder
from implementations.flows.parts.dequantisation import dequantise
from implementations.flows.parts.protocol import FlowMethod

VALIDATION_BATCH = 1000


@dataclass(frozen=True)
class Run:
    """A method with its settings, one seed, one device, and the images of a split for problems that have any."""

    method: FlowMethod
    settings: Any
    seed: int
    device: str
    images: Callable[[str], NDArray[np.uint8]]

    def generator(self, purpose: str) -> torch.Generator:
        """For draws on the device."""
        return torch_generator(self.seed, purpose, self.device)


@dataclass(frozen=True)
class Learning:
    """A model and how to judge it on a batch and as a whole; both losses in nats, lower is better."""

    model: nn.Module
    examples: int  # in the training set
    loss: Callable[[Tensor, torch.Generator], Tensor]  # of the training examples at these indices
    validate: Callable[[], float]


def untrained(method: FlowMethod, settings: Any, task: Problem, seed: int) -> nn.Module:
    """The model that a problem asks for, with its initial weights.

    Raises:
        ValueError: the method cannot be used for this problem.
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
            posterior = getattr(method, "posterior", None)
            if posterior is None:
                raise ValueError(
                    f"task {task.name} bends a posterior, and this method offers no posterior(settings, d)"
                )
            flow = posterior(settings, task.latent)
            return Autoencoder(task.dimensions, task.latent, task.hidden_units, flow, generator)


@singledispatch
def learning(task: Problem, run: Run) -> Learning:
    """The problem as something that `fit` can minimise.

    Raises:
        ValueError: the method cannot be used for this problem.
    """
    raise TypeError(f"no such problem: {type(task).__name__}")


@learning.register
def _(task: ImageDensity, run: Run) -> Learning:
    train, valid = (_flat(run.images(split), run.device) for split in ("train", "valid"))

    def dequantised(levels: Tensor, noise: torch.Generator) -> Tensor:
        return dequantise(levels, task.levels, noise)

    return _density(task, run, train, valid, dequantised)


@learning.register
def _(task: MixtureDensity, run: Run) -> Learning:
    train, valid = (points(task, split).float().to(run.device) for split in ("train", "valid"))
    return _density(task, run, train, valid, lambda x, noise: x)


def _density(
    task: ImageDensity | MixtureDensity,
    run: Run,
    train: Tensor,
    valid: Tensor,
    continuous: Callable[[Tensor, torch.Generator], Tensor],
) -> Learning:
    """Maximum likelihood; `continuous` turns stored examples (batch, d) into what the model sees."""
    model = untrained(run.method, run.settings, task, run.seed).to(run.device)
    if shown := getattr(run.settings, "initial_examples", 0):
        chosen = torch.randperm(len(train), generator=torch_generator(run.seed, "initial examples"))[:shown]
        model.initialise(continuous(train[chosen.to(run.device)], run.generator("initial noise")))  # type: ignore[operator]

    def loss(indices: Tensor, noise: torch.Generator) -> Tensor:
        return run.method.loss(model, continuous(train[indices.to(run.device)], noise), noise)

    def validate() -> float:
        # The same noise at every validation, so that values along a run differ by the weights alone.
        own = run.generator("validation noise")
        total = 0.0
        with torch.no_grad():
            for batch in torch.split(valid, VALIDATION_BATCH):
                total -= float(model.log_prob(continuous(batch, own)).double().sum())  # type: ignore[operator]
        return total / len(valid)

    return Learning(model, len(train), loss, validate)


@learning.register
def _(task: Energy, run: Run) -> Learning:
    """KL(q || p) up to log Z, on draws of the flow's own prior: E[log q(x) + U(x)] with x = g(z)."""
    model = untrained(run.method, run.settings, task, run.seed).to(run.device)
    batch: int = run.settings.batch

    def divergence(count: int, noise: torch.Generator) -> Tensor:
        z = model.prior.sample(torch.empty(count, 2, device=run.device), noise)  # type: ignore[operator, union-attr]
        x, logdet = model.decode(z)  # type: ignore[operator]
        return (model.prior.log_prob(z) - logdet + energies.potential(task.number, x)).mean()  # type: ignore[operator, union-attr, no-any-return]

    def validate() -> float:
        with torch.no_grad():
            return float(divergence(VALIDATION_BATCH, run.generator("validation noise")))

    return Learning(model, batch, lambda indices, noise: divergence(len(indices), noise), validate)


@learning.register
def _(task: BinaryAutoencoding, run: Run) -> Learning:
    """The negative evidence lower bound, one draw of the posterior an image."""
    train, valid = (binarised(_flat(run.images(split), run.device), task) for split in ("train", "valid"))
    model = untrained(run.method, run.settings, task, run.seed).to(run.device)
    assert isinstance(model, Autoencoder)

    def loss(indices: Tensor, noise: torch.Generator) -> Tensor:
        return -model.bound(train[indices.to(run.device)], noise).mean()

    def validate() -> float:
        own = run.generator("validation noise")
        with torch.no_grad():
            return -float(torch.cat([model.bound(batch, own) for batch in torch.split(valid, VALIDATION_BATCH)]).mean())

    return Learning(model, len(train), loss, validate)


def binarised(levels: Tensor, task: BinaryAutoencoding) -> Tensor:
    """Grey levels (n, d) to 0.0 and 1.0."""
    return (levels >= task.threshold).float()


def _flat(images: NDArray[np.uint8], device: str) -> Tensor:
    """(n, *shape) grey levels as an (n, d) uint8 tensor on the device."""
    return torch.from_numpy(images.reshape(len(images), -1)).to(device)
