"""Pairs of a flow: made once, kept as arrays, read by split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.families.diffusion import pairs
from benchmarks.families.diffusion.tasks import TASKS
from benchmarks.files.errors import InputError
from benchmarks.run.job import PairsJob
from implementations.diffusion.rectified_flow import METHOD as rectified_flow
from tests.unit.families.jobs import FLAGS, in_memory

DIGITS = next(task for task in TASKS if task.name == "digits")
SETTINGS = rectified_flow.settings(network="mlp", width=8, dropout=0.0, tolerance=1e-2)


def made(folder: Path, count: int, seed: int = 0) -> Path:
    model = rectified_flow.build(SETTINGS, DIGITS.shape, torch.Generator().manual_seed(3))
    for parameter in model.parameters():  # the last layer starts at zero, and with it the flow
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4)))
    folder.mkdir()
    told: list[int] = []
    job = PairsJob(
        entry="it",
        method_name="it",
        method=rectified_flow,
        settings=SETTINGS,
        task=DIGITS,
        seed=seed,
        arithmetic=FLAGS,
        count=count,
        folder=folder,
        report=told.append,
    )
    with in_memory(model=model.state_dict):
        pairs.make(job)
    assert told[-1] == count
    return folder


def test_splits_hold_every_pair_once(tmp_path: Path) -> None:
    folder = made(tmp_path / "pairs", 30)
    train, valid = (pairs.read(folder, 30, split) for split in ("train", "valid"))
    assert (len(train.data), len(valid.data)) == (27, 3)
    assert train.data.shape[1:] == DIGITS.shape
    whole = np.load(folder / "noise.npy")
    np.testing.assert_array_equal(np.concatenate([train.noise, valid.noise]), whole)
    assert not np.array_equal(train.data, train.noise)


def test_a_pairs_noise_is_its_own(tmp_path: Path) -> None:
    few, many, other = (
        np.load(made(tmp_path / name, count, seed) / "noise.npy")
        for name, count, seed in (("few", 10, 0), ("many", 20, 0), ("other", 10, 1))
    )
    np.testing.assert_array_equal(few, many[:10])
    assert not np.array_equal(few, other)


def test_another_count_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "pairs", 10)
    with pytest.raises(InputError, match=r"10 pairs, settings\.pairs has 20"):
        pairs.read(folder, 20, "train")
    with pytest.raises(InputError, match="no such file; run: dvc repro"):
        pairs.read(tmp_path / "none", 10, "train")
