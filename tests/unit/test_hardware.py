"""What a profile asks of a machine, field by field."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.plan.hardware import Machine, Requirement, mismatches, this_machine
from benchmarks.run.torch_flags import TorchFlags

CPU = Machine("cpu", "Some Processor 3000", 1, 8.0, 4, [], "", "Linux")
GPU = Machine("cuda", "NVIDIA H100 80GB HBM3", 1, 79.6, 16, ["GPU-1"], "550.1", "Linux")


def needed(**fields: Any) -> Requirement:
    return Requirement(**{"device": "cpu", "memory_gib": 2.0, **fields})


@pytest.mark.parametrize(
    ("machine", "required"),
    [
        (CPU, needed()),
        (CPU, needed(memory_gib=8.0, threads=4)),  # exactly what there is
        (CPU, needed(name="Processor")),
        (GPU, needed(device="cuda", name="H100", memory_gib=70.0, threads=8)),
        (replace(GPU, count=8), needed(device="cuda", name="H100", count=8)),
    ],
)
def test_met(machine: Machine, required: Requirement) -> None:
    assert mismatches(required, machine) == []


@pytest.mark.parametrize(
    ("machine", "required", "field", "found"),
    [
        (CPU, needed(memory_gib=8.1), "memory_gib", "8.0"),
        (CPU, needed(threads=5), "threads", "4 cores"),
        (CPU, needed(name="^Other"), "name", "Some Processor 3000"),
        (GPU, needed(device="cuda", name="A100"), "name", "NVIDIA H100 80GB HBM3"),
        (replace(GPU, count=8), needed(device="cuda"), "count", "8"),  # one GPU is asked for; eight are another machine
        (GPU, needed(device="cuda", count=8), "count", "1"),
        (replace(GPU, count=0, name="none", memory_gib=0.0), needed(device="cuda"), "device", "no such device"),
    ],
)
def test_each_field_is_named(machine: Machine, required: Requirement, field: str, found: str) -> None:
    ((name, asked, seen),) = mismatches(required, machine)
    assert (name, seen) == (field, found)
    assert asked


def test_every_mismatch_is_told() -> None:
    fields = [field for field, _, _ in mismatches(needed(memory_gib=9.0, threads=9, name="^x"), CPU)]
    assert fields == ["name", "memory_gib", "threads"]


def test_this_machine() -> None:
    machine = this_machine("cpu")
    assert (machine.device, machine.count) == ("cpu", 1)
    assert machine.name
    assert machine.memory_gib > 0
    assert machine.cores >= 1
    assert set(vars(machine)) == {"device", "name", "count", "memory_gib", "cores", "uuids", "driver", "system"}
    assert mismatches(needed(memory_gib=0.1), machine) == []


def test_cuda_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    machine = this_machine("cuda")
    assert (machine.count, machine.memory_gib) == (0, 0.0)
    assert [field for field, _, _ in mismatches(needed(device="cuda"), machine)] == ["device"]


def test_arithmetic_is_what_decides_numbers() -> None:
    told = needed(name="x", count=3, memory_gib=7.0, threads=2, precision="tf32", deterministic=False)
    assert told.arithmetic() == {"device": "cpu", "threads": 2, "precision": "tf32", "deterministic": False}
    assert TorchFlags(**told.arithmetic()) == TorchFlags("cpu", 2, "tf32", False)
    assert needed(name="y", count=1, memory_gib=1.0).arithmetic() == needed().arithmetic()
