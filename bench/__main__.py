"""`make bench`: our call and a peer's, the same inputs, alternating; prints median seconds and their ratio.

A ratio above 1 means that ours is faster. Absolute seconds say something of this machine only.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from tabulate import tabulate

from implementations.flows import nice
from implementations.puzzles.container import brute_force, two_pointers

ROUNDS = 9


def medians(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of both, taken in turns so that a busy moment hits both; one warm-up each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for call, kept in zip((ours, peer), seconds, strict=True):
            began = time.perf_counter()
            call()
            if number:
                kept.append(time.perf_counter() - began)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def coupling_against_normflows() -> tuple[str, float, float] | None:
    """Encoding 4,096 vectors of 64 dimensions by four additive couplings; the peer gets our weights."""
    try:
        from normflows.flows import AffineCouplingBlock, Permute
    except ImportError:
        return None
    generator = torch.Generator().manual_seed(0)
    settings = nice.Settings(hidden_units=128, hidden_layers=3)
    model = nice.build(settings, 64, generator)
    flows: list[torch.nn.Module] = []
    for coupling in model.couplings.bijections:
        # The peer hands the first half of the channels to the network and swaps halves between couplings.
        flows += [AffineCouplingBlock(coupling.network, scale=False), Permute(64, mode="swap")]
    x = torch.rand(4096, 64, generator=generator)

    def peer() -> torch.Tensor:
        z, total = x, torch.zeros(len(x))
        for flow in flows:
            z, logdet = flow(z)
            total = total + logdet
        return z

    with torch.no_grad():
        ours, theirs = medians(lambda: model.couplings(x), peer)
    return "NICE, 4 couplings, 4096 x 64, against normflows", ours, theirs


def two_pointers_against_brute_force() -> tuple[str, float, float]:
    """One array of 20,000 heights."""
    heights = np.random.default_rng(0).integers(0, 10_000, 20_000)
    ours, theirs = medians(lambda: two_pointers(heights), lambda: brute_force(heights))
    return "container, n = 20,000, two pointers against brute force", ours, theirs


def training_step_against_matmul() -> tuple[str, float, float]:
    """A training step of NICE at the paper's width against the bare matrix products it is made of."""
    generator = torch.Generator().manual_seed(0)
    settings = nice.Settings()
    model = nice.build(settings, 784, generator)
    optimiser = nice.optimiser(model, settings)
    x = torch.rand(settings.batch, 784, generator=generator)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        nice.loss(model, x, generator).backward()
        optimiser.step()

    inputs = [
        torch.rand(settings.batch, layer.in_features) for layer in model.modules() if isinstance(layer, torch.nn.Linear)
    ]
    weights = [layer.weight.detach() for layer in model.modules() if isinstance(layer, torch.nn.Linear)]

    def products() -> None:
        for a, w in zip(inputs, weights, strict=True):
            out = a @ w.T  # forward, then gradients of inputs and of weights
            out @ w
            out.T @ a

    ours, theirs = medians(step, products)
    return "NICE training step at width 1000, against its matrix products alone", ours, theirs


def main() -> None:
    """Runs every comparison on one thread."""
    torch.set_num_threads(1)
    found = [coupling_against_normflows(), training_step_against_matmul(), two_pointers_against_brute_force()]
    rows = [
        (name, f"{ours * 1e3:.2f}", f"{peer * 1e3:.2f}", f"{peer / ours:.2f}")
        for name, ours, peer in filter(None, found)
    ]
    print(tabulate(rows, headers=["comparison", "ours, ms", "peer, ms", "peer / ours"], disable_numparse=True))
    if found[0] is None:
        print("normflows is not installed: make peers")


if __name__ == "__main__":
    main()
