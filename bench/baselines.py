"""Our code against the least that it could do, or against the obvious way of doing it."""

import numpy as np
import torch

from bench.timing import Comparison, compare
from implementations.flows import nice
from implementations.puzzles.container import brute_force, two_pointers


def comparisons() -> list[Comparison]:
    return [training_step_against_matmul(), two_pointers_against_brute_force()]


def training_step_against_matmul() -> Comparison:
    """A training step of NICE at the paper's width against the bare matrix products it is made of."""
    generator = torch.Generator().manual_seed(0)
    settings = nice.Settings()
    model = nice.build(settings, (28, 28), generator)
    optimiser = nice.optimiser(model, settings)
    x = torch.rand(settings.batch, 784, generator=generator)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        nice.METHOD.loss(model, x, generator).backward()
        optimiser.step()

    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    inputs = [torch.rand(settings.batch, layer.in_features, generator=generator) for layer in layers]
    weights = [layer.weight.detach() for layer in layers]

    def products() -> None:
        for a, w in zip(inputs, weights, strict=True):
            out = a @ w.T  # forward, then gradients of inputs and of weights
            out @ w
            out.T @ a

    return compare("NICE, training step at width 1000, against its matrix products alone", step, products)


def two_pointers_against_brute_force() -> Comparison:
    """One array of 20,000 heights."""
    heights = np.random.default_rng(0).integers(0, 10_000, 20_000)
    what = "container, n = 20,000, two pointers against brute force"
    return compare(what, lambda: two_pointers(heights), lambda: brute_force(heights))
