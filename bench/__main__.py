"""`make bench`: our call and a peer's, the same inputs, alternating; prints median seconds and their ratio.

A ratio above 1 means that ours is faster. Absolute seconds say something of this machine only.
"""

import importlib.util
import warnings
from collections.abc import Callable

import torch
from tabulate import tabulate

from bench import baselines, blackjack, couplings, dpo_step, frechet, generation, glow_steps
from bench.timing import Comparison, keep_memory

# Which library each needs, besides our own.
COMPARISONS: list[tuple[Callable[[], list[Comparison]], str | None]] = [
    (couplings.against_normflows, "normflows"),
    (couplings.against_nflows, "nflows"),
    (glow_steps.against_normflows, "normflows"),
    (blackjack.against_gymnasium, "gymnasium"),
    (frechet.against_torch_fidelity, None),
    (frechet.against_pytorch_fid, "pytorch_fid"),
    (frechet.against_clean_fid, "cleanfid"),
    (dpo_step.against_trl, "trl"),
    (generation.against_transformers, "transformers"),
    (baselines.comparisons, None),
]


def main() -> None:
    """Runs every comparison on one thread."""
    torch.set_num_threads(1)
    keep_memory()
    warnings.filterwarnings("ignore", message="torch.lu is deprecated")  # normflows, Invertible1x1Conv
    found, absent = [], set()
    for comparisons, peer in COMPARISONS:
        if peer and importlib.util.find_spec(peer) is None:
            absent.add(peer)
        else:
            found += comparisons()
    rows = [(one.what, f"{one.ours * 1e3:.2f}", f"{one.peer * 1e3:.2f}", f"{one.peer / one.ours:.2f}") for one in found]
    print(tabulate(rows, headers=["comparison", "ours, ms", "peer, ms", "peer / ours"], disable_numparse=True))
    for peer in sorted(absent):
        print(f"{peer} is not installed: make peers")


if __name__ == "__main__":
    main()
