"""What a profile asks of a machine, what this machine has, and the settings that make runs repeat."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import Typed


class Requirement(Typed):
    """The `hardware` block of a profile."""

    device: Literal["cpu", "cuda"]
    name: str = ".*"  # regular expression that the device's name must match
    count: int = Field(default=1, ge=1)
    memory_gib: float = Field(gt=0)  # of the host for cpu, of each device for cuda
    threads: int = Field(default=1, ge=1)
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"  # of matrix products while training
    deterministic: bool = True

    def arithmetic(self) -> dict[str, Any]:
        """The fields that decide numbers; the others only say which machine may run."""
        return self.model_dump(include={"device", "threads", "precision", "deterministic"})

    @field_validator("name")
    @classmethod
    def _is_pattern(cls, name: str) -> str:
        try:
            re.compile(name)
        except re.error as error:
            raise ValueError(f"a regular expression is needed ({error})") from None
        return name


# Instructions for products of bfloat16, as Linux names them on x86 and ARM. Without them such a product of 200 x 1000 x
# 1000 was measured at 18 GFLOP/s, against 132 in float32, and a training step took 18 times as long.
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


NO_BFLOAT16 = f"no instructions for bfloat16 (none of {', '.join(BFLOAT16)}), which is then slower than float32"


@dataclass(frozen=True)
class Machine:
    """This machine, as a receipt records it; memory in GiB."""

    device: str
    name: str
    count: int
    memory_gib: float
    cores: int
    uuids: list[str]
    driver: str
    system: str


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str] | None:
    """Extensions of the processor by Linux' names, those of the first core; None where no such file tells them."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    named = (line.partition(":") for line in lines)
    return next((frozenset(value.split()) for name, _, value in named if name.strip() in ("flags", "Features")), None)


def this_machine(device: str) -> Machine:
    """The CPU, or the CUDA devices where `device` is cuda (count 0 where there is none)."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if device == "cpu":
        memory = psutil.virtual_memory().total / 2**30
        return Machine("cpu", processor(), 1, round(memory, 1), cores, [], "", system)
    import torch

    if not torch.cuda.is_available():
        return Machine("cuda", "none", 0, 0.0, cores, [], "", system)
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    memory = min(found.total_memory for found in devices) / 2**30
    names = sorted({found.name for found in devices})
    uuids = [str(found.uuid) for found in devices]
    return Machine("cuda", ", ".join(names), len(devices), round(memory, 1), cores, uuids, _driver(), system)


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return ""


def mismatches(
    required: Requirement, machine: Machine, extensions: frozenset[str] | None = None
) -> list[tuple[str, str, str]]:
    """Fields of the requirement that the machine does not meet, each as (field, needed, found).

    `extensions` are those of `instructions`; where they are not known, nothing is said of them.
    """
    found: list[tuple[str, str, str]] = []
    if machine.count < 1:
        return [("device", required.device, "no such device")]
    if not re.search(required.name, machine.name):
        found.append(("name", required.name, machine.name))
    # A profile of one CPU is met by any number; a profile of one GPU is not met by eight.
    if required.device == "cuda" and machine.count != required.count:
        found.append(("count", str(required.count), str(machine.count)))
    if machine.memory_gib < required.memory_gib:
        found.append(("memory_gib", f"at least {required.memory_gib}", str(machine.memory_gib)))
    if machine.cores < required.threads:
        found.append(("threads", str(required.threads), f"{machine.cores} cores"))
    in_bfloat16 = required.device == "cpu" and required.precision == "bfloat16"
    if in_bfloat16 and extensions is not None and extensions.isdisjoint(BFLOAT16):
        found.append(("precision", "bfloat16", NO_BFLOAT16))
    return found


def check(required: Requirement, profile: str, off_profile: bool) -> bool:
    """Whether a run is off profile.

    Raises:
        InputError: it is, and that was not asked for.
    """
    found = mismatches(required, this_machine(required.device), instructions())
    where = f"benchmarks/profiles/{profile}.yaml: hardware"
    if found and not off_profile:
        field, needed, here = found[0]
        raise InputError(
            f"{where}.{field}: this machine has {here}; the profile needs {needed}; "
            "run on such a machine, or add --off-profile (its results will be marked)"
        )
    if found and any(field == "device" for field, _, _ in found):
        raise InputError(f"{where}.device: no {required.device} here; --off-profile cannot help")
    return bool(found)
