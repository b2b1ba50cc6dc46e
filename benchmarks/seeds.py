"""Every generator of a run, derived from its one seed and the name of its purpose."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str) -> int:
    """A 63-bit seed: first bytes of the SHA-256 of "<seed> <purpose>"; other purposes, unrelated streams."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, purpose: str, device: str = "cpu") -> "torch.Generator":
    """A torch generator of its own for one purpose."""
    import torch

    return torch.Generator(device).manual_seed(derive(seed, purpose))
