"""What a stage notes of itself: commit, time, memory, hardware, versions, hashes of what it made."""

import hashlib
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks.plan.hardware import Requirement, this_machine
from benchmarks.record.records import StageReceipt

LOCK = Path("requirements.lock")
CODE = ("benchmarks", "implementations", "dvc.yaml", "numerics.txt", "requirements.lock")
VERSIONS = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "torch-fidelity", "torchmetrics", "dvc")


class Stopwatch:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        return time.monotonic() - self.wall, time.process_time() - self.cpu


def commit() -> tuple[str, bool]:
    """The commit checked out, and whether code or settings differ from it; ("unknown", True) outside git."""
    try:
        head = _git("rev-parse", "HEAD")
        # params.yaml is composed anew for each profile; edits of it by hand are marked in the records.
        changed = _git("status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.SubprocessError):
        return "unknown", True
    edits = [line for line in changed.splitlines() if not line.endswith("dvc.lock")]
    return head, bool(edits)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak_memory_mib(device: str) -> float:
    """Peak resident memory of this process, or of the first device's allocator on cuda."""
    if device == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated() / 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def versions() -> dict[str, str]:
    """Versions that can change a number."""
    return {"python": sys.version.split()[0], **{name: version(name) for name in VERSIONS}}


def receipt(
    stage: str,
    seed: int | None,
    stopwatch: Stopwatch,
    hardware: Requirement,
    artefacts: Mapping[Path, Path],
    off_profile: bool,
    per_second: float | None = None,
    determinism_achieved: bool | None = None,
    resumed: bool = False,
    timings: dict[str, float] | None = None,
) -> StageReceipt:
    """The receipt of a stage that ends now."""
    head, dirty = commit()
    wall, cpu = stopwatch.seconds()
    return StageReceipt(
        stage=stage,  # type: ignore[arg-type]  # checked by the model
        seed=seed,
        commit=head,
        dirty=dirty,
        wall_seconds=round(wall, 3),
        cpu_seconds=round(cpu, 3),
        peak_memory_mib=round(peak_memory_mib(hardware.device), 1),
        per_second=round(per_second, 1) if per_second else None,
        hardware=asdict(this_machine(hardware.device)),
        versions=versions(),
        lock_hash=file_hash(LOCK) if LOCK.exists() else "",
        determinism_asked=hardware.deterministic,
        determinism_achieved=determinism_achieved,
        artefacts={str(name): file_hash(path) for name, path in artefacts.items()},
        resumed=resumed,
        off_profile=off_profile,
        timings={name: round(seconds, 4) for name, seconds in (timings or {}).items()},
    )
