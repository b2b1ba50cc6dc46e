"""Checkpoints on disk: whole or the one before, one process a run, a folder for each identity."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.files.errors import InputError
from benchmarks.run.checkpoints import DiskCheckpoint

IDENTITY = {"settings": {"width": 3}, "source": "a", "seed": 0}


def checkpoint(root: Path, identity: dict[str, Any] | None = None, seconds: float = 60.0) -> DiskCheckpoint:
    return DiskCheckpoint(identity or IDENTITY, seconds, root)


def state(step: int) -> dict[str, Any]:
    return {"step": step, "weights": torch.full((3,), float(step), dtype=torch.float64)}


def step_of(kept: DiskCheckpoint) -> int:
    loaded = kept.load()
    assert loaded is not None
    assert torch.equal(loaded["weights"], state(loaded["step"])["weights"])
    return int(loaded["step"])


def release(kept: DiskCheckpoint) -> None:
    """What the end of a process does."""
    kept._lock.close()


def test_saved_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path)
    assert kept.load() is None
    third = torch.tensor([1 / 3, -0.0, 5e-324], dtype=torch.float64)
    kept.save({"third": third, "generator": torch.Generator().manual_seed(3).get_state()})
    release(kept)
    loaded = checkpoint(tmp_path).load()
    assert loaded is not None
    assert loaded["third"].numpy().tobytes() == third.numpy().tobytes()
    assert torch.equal(loaded["generator"], torch.Generator().manual_seed(3).get_state())


def test_a_kill_between_writing_and_renaming_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = checkpoint(tmp_path)
    kept.save(state(1))

    def killed(source: Path, target: Path) -> None:
        assert Path(source).stat().st_size > 0  # the new state was written
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            kept.save(state(2))
    assert step_of(kept) == 1
    release(kept)
    again = checkpoint(tmp_path)
    assert step_of(again) == 1
    again.save(state(3))  # over what was left lying about
    assert step_of(again) == 3


def test_a_kill_while_writing_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = checkpoint(tmp_path)
    kept.save(state(1))

    def half(_: Any, file: Any) -> None:
        file.write(b"half of it")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(OSError, match="no space"):
            kept.save(state(2))
    assert step_of(kept) == 1


def test_it_is_synced_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("sync") or real_sync(handle))
    monkeypatch.setattr(os, "replace", lambda a, b: done.append("rename") or real_replace(a, b))
    checkpoint(tmp_path).save(state(1))
    assert done == ["sync", "rename"]


def test_a_second_process_is_refused_and_a_third_after_the_end_is_not(tmp_path: Path) -> None:
    first = checkpoint(tmp_path)
    first.save(state(1))
    with pytest.raises(InputError, match="another process trains this run") as caught:
        checkpoint(tmp_path)
    assert str(first.folder) in str(caught.value)
    release(first)
    assert step_of(checkpoint(tmp_path)) == 1


def test_another_identity_is_another_folder(tmp_path: Path) -> None:
    first = checkpoint(tmp_path)
    first.save(state(1))
    for change in ({"seed": 1}, {"source": "b"}, {"settings": {"width": 4}}):
        other = checkpoint(tmp_path, {**IDENTITY, **change})
        assert other.folder != first.folder
        assert other.load() is None
    release(first)
    turned = checkpoint(tmp_path, dict(reversed(IDENTITY.items())))  # the order of its fields is no identity
    assert turned.folder == first.folder


def test_done_removes_the_state_and_frees_the_lock(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path)
    kept.save(state(1))
    kept.done()
    assert list(tmp_path.iterdir()) == []
    assert checkpoint(tmp_path).load() is None


def test_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("benchmarks.run.checkpoints.time.monotonic", lambda: now[0])
    kept = checkpoint(tmp_path, seconds=60.0)
    assert not kept.due(1)
    now[0] = 159.0
    assert not kept.due(2)
    now[0] = 160.0
    assert kept.due(3)
    kept.save(state(3))
    assert not kept.due(4)


@pytest.mark.parametrize("damage", ["half", "empty", "text", "code"])
def test_a_damaged_file_is_set_aside_and_training_starts_afresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    kept = checkpoint(tmp_path)
    kept.save(state(1))
    whole = kept.file.read_bytes()
    if damage == "code":
        torch.save({"step": Path("x")}, kept.file)  # a pickle that could run code; only weights are read
        content = kept.file.read_bytes()
    else:
        content = {"half": whole[: len(whole) // 2], "empty": b"", "text": b"not a checkpoint"}[damage]
        kept.file.write_bytes(content)
    assert kept.load() is None
    damaged = kept.folder / "state.damaged"
    assert damaged.read_bytes() == content
    assert not kept.file.exists()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{damaged}: not readable as a checkpoint")
    assert kept.load() is None  # and again, silently
    assert capsys.readouterr().out == ""
    kept.save(state(2))
    assert step_of(kept) == 2
    kept.done()
    assert list(tmp_path.iterdir()) == []


def edited(saved: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**saved, "state": {**saved["state"], **changes}}


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: {},
        lambda saved: [saved],
        lambda saved: saved["state"],
        lambda saved: {**saved, "state": {}},
        lambda saved: {**saved, "state": [saved["state"]]},
        lambda saved: {**saved, "state": {"step": 1}},
        lambda saved: edited(saved, weights=torch.zeros(4, dtype=torch.float64)),
        lambda saved: edited(saved, weights=torch.zeros(3)),
        lambda saved: edited(saved, step="1"),
        lambda saved: edited(saved, more=1),
        lambda saved: torch.zeros(3),
    ],
)
def test_a_readable_file_that_holds_something_else_is_set_aside(tmp_path: Path, capsys, change) -> None:
    kept = checkpoint(tmp_path)
    kept.save(state(1))
    torch.save(change(torch.load(kept.file)), kept.file)
    content = kept.file.read_bytes()
    assert (kept.load(), kept.resumed) == (None, False)
    damaged = kept.folder / "state.damaged"
    assert damaged.read_bytes() == content
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{damaged}: ")
    assert line.endswith("training starts afresh")
    kept.save(state(2))
    assert (step_of(kept), kept.resumed) == (2, True)


def test_a_checkpoint_of_another_run_is_set_aside(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path), checkpoint(tmp_path, {**IDENTITY, "seed": 1})
    one.save(state(1))
    other.file.write_bytes(one.file.read_bytes())
    assert (other.load(), other.resumed) == (None, False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_stays(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path)
    kept.save(state(1))
    kept.file.chmod(0)
    with pytest.raises(PermissionError):
        kept.load()
    assert kept.file.exists()
