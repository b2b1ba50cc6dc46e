"""Every generator of a run, derived from its one seed and the name of its purpose."""

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str) -> int:
    """A 63-bit seed: first bytes of the SHA-256 of "<seed> <purpose>"; other purposes, unrelated streams."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, purpose: str, device: str = "cpu") -> "torch.Generator":
    """A torch generator of its own for one purpose."""
    import torch

    return torch.Generator(device).manual_seed(derive(seed, purpose))


def seed_of_pairs(seed: int, entry: str, settings: Any) -> int:
    """Of the pairs that a model makes: one that learned from pairs itself makes its own from other draws than those."""
    return derive(seed, entry) if getattr(settings, "pairs", None) else seed
