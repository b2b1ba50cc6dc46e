"""The flags that decide torch's arithmetic: what is set, and that nothing else sets them."""

import ast
from pathlib import Path

import pytest
import torch

from benchmarks.run.torch_flags import TorchFlags

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(("precision", "matmul"), [("float32", "highest"), ("tf32", "high"), ("bfloat16", "highest")])
@pytest.mark.parametrize("deterministic", [True, False])
def test_apply(precision: str, matmul: str, deterministic: bool) -> None:
    torch.set_float32_matmul_precision("medium")  # of whoever came before
    flags = TorchFlags("cpu", 1, precision, deterministic)
    flags.apply()
    assert torch.get_num_threads() == 1
    assert torch.get_float32_matmul_precision() == matmul
    assert torch.are_deterministic_algorithms_enabled() is deterministic
    assert torch.backends.cudnn.benchmark is not deterministic
    assert torch.backends.cudnn.allow_tf32 is (precision == "tf32")
    assert flags.bfloat16 is (precision == "bfloat16")
    assert float(torch.tensor(1e-39) * 1.0) == 0.0  # a denormal number


def test_the_flags_of_an_earlier_apply_do_not_stay() -> None:
    TorchFlags("cpu", 1, "tf32", False).apply()
    TorchFlags("cpu", 1, "float32", True).apply()
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.allow_tf32


FLAGS = {
    "set_num_threads",
    "set_flush_denormal",
    "use_deterministic_algorithms",
    "set_float32_matmul_precision",
    "allow_tf32",
}


def test_nothing_else_sets_them() -> None:
    """Elsewhere they would be in no hash of training or evaluation."""
    found = {
        path.relative_to(REPOSITORY).as_posix()
        for package in ("benchmarks", "implementations")
        for path in (REPOSITORY / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in FLAGS
    }
    assert found == {"benchmarks/run/torch_flags.py"}
