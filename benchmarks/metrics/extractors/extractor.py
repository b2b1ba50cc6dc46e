"""What an extractor is: a name that says which weights, and a map from images to features and logits."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BATCH = 256  # features depend on it in their last digits, so it is the same everywhere


@dataclass(frozen=True, eq=False)
class Features:
    """Of n images, in their order."""

    extractor: str  # its name
    pool: NDArray[np.float32]  # (n, d), what distances are taken between
    logits: NDArray[np.float32]  # (n, classes), for the Inception score

    def __len__(self) -> int:
        return len(self.pool)


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network with its weights, in float32.

    The name goes into `Measurement.extractor`: another name, another fingerprint. So it must tell
    apart all that changes features: architecture, weights, and how images are resized.
    """

    name: str
    network: Callable[[Tensor], tuple[Tensor, Tensor]]  # uint8 (n, *shape) to (n, d) and (n, classes)
    device: torch.device

    def __call__(self, images: NDArray[np.uint8]) -> Features:
        """Of grey levels (n, *shape). Raises ValueError when they are not uint8, or none, or misshapen."""
        if images.dtype != np.uint8 or not len(images):
            raise ValueError(f"images: found {len(images)} of type {images.dtype}; grey levels in uint8 are needed")
        levels = torch.from_numpy(np.ascontiguousarray(images))
        pool, logits = [], []
        with torch.no_grad():
            for batch in levels.split(BATCH):
                features, classes = self.network(batch.to(self.device))
                pool.append(features.cpu())
                logits.append(classes.cpu())
        return Features(self.name, torch.cat(pool).numpy(), torch.cat(logits).numpy())


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """First 16 hex digits of the SHA-256 over name, type, shape and bytes of each tensor, by name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
