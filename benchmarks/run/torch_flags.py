"""How torch computes: threads, precision, determinism, as plain data.

Imported by training and evaluation code, so that an edit here changes their hashes; nothing else may set such flags.
"""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class TorchFlags:
    """What a profile's hardware block says of arithmetic."""

    device: str  # cpu or cuda
    threads: int
    precision: str  # of matrix products while training: float32, tf32 or bfloat16
    deterministic: bool

    @property
    def bfloat16(self) -> bool:
        """Whether training runs under autocast."""
        return self.precision == "bfloat16"

    def apply(self) -> None:
        """Sets the flags; float32 products outside autocast stay float32 unless the profile says tf32."""
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)  # Adam's moments of dead units sink below 1e-38, where a CPU is slow
        torch.use_deterministic_algorithms(self.deterministic)
        torch.backends.cudnn.benchmark = not self.deterministic
        torch.backends.cudnn.allow_tf32 = self.precision == "tf32"
        torch.set_float32_matmul_precision("high" if self.precision == "tf32" else "highest")
