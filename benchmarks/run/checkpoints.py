"""Where a run keeps its state while it trains: outside every output of the pipeline, atomic, one process at a time.

The folder's name is a hash of everything that decides the run, so an edited run starts afresh and an interrupted one
goes on.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import digest

ROOT = Path(".checkpoints")


def read_state(file: Path) -> dict[str, Any]:
    """A state as it was written."""
    import torch

    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    return state


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Writes, syncs, renames."""
    import torch

    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def outline(state: Any) -> Any:
    """What a state is made of: keys, types, and shapes of tensors, without their values."""
    import torch

    match state:
        case torch.Tensor():
            return [str(state.dtype), list(state.shape)]
        case dict():
            return {repr(key): outline(value) for key, value in state.items()}
        case list() | tuple():
            return [outline(item) for item in state]
    return type(state).__name__


class DiskCheckpoint:
    """The `Checkpoint` that `fit` is given. Saves at most every `seconds`, and whenever it is asked to."""

    def __init__(self, identity: dict[str, Any], seconds: float = 60.0, root: Path = ROOT):
        """Takes the folder's lock.

        Raises:
            InputError: another process trains this very run.
        """
        self.seconds = seconds
        self.folder = root / digest(identity)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "state.pt"
        self._lock = open(self.folder / "lock", "w")  # noqa: SIM115  held until the process ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{self.folder}: another process trains this run; wait for it or stop it") from None
        self._saved_at = time.monotonic()
        self.resumed = False  # whether `load` gave a state

    def load(self) -> dict[str, Any] | None:
        """The last state saved, or None. A file that does not hold, whole, what `save` wrote is set aside.

        Raises:
            OSError: the system does not let it be read; it may be whole, and stays.
        """
        if not self.file.exists():
            return None
        with open(self.file, "rb"):  # the reader's other errors are those of a damaged file
            pass
        try:
            saved, why = read_state(self.file), "incomplete, or a checkpoint of another version or run"
        except Exception as error:  # whatever a damaged file makes the reader raise
            saved, why = {}, f"not readable as a checkpoint ({type(error).__name__})"
        if isinstance(saved, dict) and "outline" in saved and saved["outline"] == self._outline(saved.get("state")):
            self.resumed = True
            state: dict[str, Any] = saved["state"]
            return state
        damaged = self.file.replace(self.file.with_suffix(".damaged"))
        print(f"{damaged}: {why}; training starts afresh")
        return None

    def _outline(self, state: Any) -> str:
        return digest([self.folder.name, outline(state)])

    def due(self, step: int) -> bool:
        """Whether the last save is long enough ago; `step` is for other keepers of checkpoints."""
        return time.monotonic() - self._saved_at >= self.seconds

    def save(self, state: dict[str, Any]) -> None:
        """A kill at any moment leaves the old state or the new one."""
        write_state(self.file, {"state": state, "outline": self._outline(state)})
        self._saved_at = time.monotonic()

    def done(self) -> None:
        """Removes the state; to be called once the run's outputs are in place."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()
