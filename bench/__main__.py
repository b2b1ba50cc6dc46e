"""`make bench`: our call and a peer's, the same inputs, alternating; prints median milliseconds and their ratio.

A ratio above 1 means that ours is faster, or takes less memory. Absolute times say something of this machine only.
"""

import importlib.util
import warnings
from collections.abc import Callable

import torch
from tabulate import tabulate

from bench import baselines, blackjack, couplings, denoising, dpo_step, frechet, generation, glow_steps
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
    (denoising.training_step, "denoising_diffusion_pytorch"),
    (denoising.sampling_against_diffusers, "diffusers"),
    (denoising.sampling_against_flow_matching, None),
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
    rows = [(one.what, _shown(one.ours, one.unit), _shown(one.peer, one.unit), _ratio(one)) for one in found]
    print(tabulate(rows, headers=["comparison", "ours", "peer", "peer / ours"], disable_numparse=True))
    for peer in sorted(absent):
        print(f"{peer} is not installed: make peers")


def _shown(value: float, unit: str) -> str:
    return f"{value * 1e3 if unit == 'ms' else value:.2f} {unit}"


def _ratio(one: Comparison) -> str:
    return f"{one.peer / one.ours:.2f}" if one.ours > 0 else "-"


if __name__ == "__main__":
    main()
