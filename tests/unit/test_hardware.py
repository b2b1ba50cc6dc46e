"""What a profile asks of a machine, field by field."""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.plan import hardware
from benchmarks.plan.hardware import Machine, Requirement, check, instructions, mismatches, this_machine
from benchmarks.run.torch_flags import TorchFlags
from benchmarks.stages import doctor

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


@pytest.mark.parametrize(
    "extensions", [{"avx2"}, {"avx512f", "avx512_vnni"}, set()], ids=["avx2", "avx512 without it", "none"]
)
def test_bfloat16_needs_its_instructions(extensions: set[str]) -> None:
    flags = frozenset(extensions)
    ((field, asked, seen),) = mismatches(needed(precision="bfloat16"), CPU, flags)
    assert (field, asked) == ("precision", "bfloat16")
    assert seen.startswith("no instructions for bfloat16 (none of avx512_bf16, amx_bf16, bf16)")
    assert mismatches(needed(), CPU, flags) == []
    assert (
        mismatches(needed(device="cuda", precision="bfloat16"), GPU, flags) == []
    )  # of the host, which computes little


@pytest.mark.parametrize(
    "extensions",
    [{"avx512_bf16"}, {"avx2", "amx_bf16"}, {"fp", "bf16"}, None],
    ids=["avx512", "amx", "arm", "not known"],
)
def test_bfloat16_where_it_is_fast_or_nothing_is_known(extensions: set[str] | None) -> None:
    flags = None if extensions is None else frozenset(extensions)
    assert mismatches(needed(precision="bfloat16"), CPU, flags) == []


@pytest.mark.parametrize(
    ("text", "extensions"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512_bf16 \nprocessor\t: 1\nflags\t: fpu\n", {"fpu", "avx512_bf16"}),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\nCPU part\t: 0xd4f\n", {"fp", "asimd", "bf16"}),
        ("processor\t: 0\nbugs: flags\n", None),
        (None, None),
    ],
    ids=["x86", "ARM", "no such line", "no such file"],
)
def test_instructions_are_those_that_the_system_names(
    tmp_path: Path, text: str | None, extensions: set[str] | None
) -> None:
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert instructions(tmp_path / "cpuinfo") == extensions


def test_a_stage_refuses_slow_bfloat16_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "this_machine", lambda device: CPU)
    monkeypatch.setattr(hardware, "instructions", lambda: frozenset({"avx2"}))
    with pytest.raises(InputError) as caught:
        check(needed(precision="bfloat16"), "cpu_mnist", off_profile=False)
    assert str(caught.value) == (
        "benchmarks/profiles/cpu_mnist.yaml: hardware.precision: this machine has no instructions for bfloat16 (none "
        "of avx512_bf16, amx_bf16, bf16), which is then slower than float32; the profile needs bfloat16; run on such a "
        "machine, or add --off-profile (its results will be marked)"
    )
    assert check(needed(precision="bfloat16"), "cpu_mnist", off_profile=True)
    monkeypatch.setattr(hardware, "instructions", lambda: frozenset({"avx512_bf16"}))
    assert not check(needed(precision="bfloat16"), "cpu_mnist", off_profile=False)


@pytest.mark.parametrize(
    ("extensions", "told"),
    [
        (frozenset({"avx2"}), "WRONG hardware.precision: needs bfloat16, here no instructions for bfloat16"),
        (frozenset({"amx_bf16"}), "ok    hardware.precision: needs bfloat16, here its instructions"),
        (None, "ok    hardware.precision: needs bfloat16, here not known"),
    ],
    ids=["none", "some", "unknown"],
)
def test_doctor_looks_for_the_instructions(
    extensions: frozenset[str] | None, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hardware, "instructions", lambda: extensions)
    with contextlib.suppress(CheckFailed):
        doctor.run("cpu_mnist")
    assert told in capsys.readouterr().out


def test_a_cpu_is_known_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails
    assert this_machine("cpu").cores >= 1
    check(needed(memory_gib=0.1, precision="bfloat16"), "any", off_profile=True)


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
