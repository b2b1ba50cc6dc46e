"""One copy of the code that all tests of a worker share, put back after each of them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CODE = ("implementations", "benchmarks")
EMPTY = ("benchmarks/profiles", "benchmarks/claims")  # a test writes its own


class Copy:
    """A folder of files that is put back as it was."""

    def __init__(self, root: Path):
        self.root = root
        self.before = {path: (path.read_bytes(), _changed(path)) for path in _files(root)}

    def added(self) -> list[Path]:
        return [path for path in _files(self.root) if path not in self.before]

    def restore(self) -> None:
        for path in self.added():
            path.unlink()
        for folder, _, _ in os.walk(self.root, topdown=False):
            if not os.listdir(folder) and str(Path(folder).relative_to(self.root)) not in EMPTY:
                os.rmdir(folder)
        for path, (content, changed) in self.before.items():
            if path.exists() and _changed(path) == changed:
                continue
            last = path.stat().st_mtime_ns if path.exists() else changed[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, ns=(last + 10**9, last + 10**9))  # what is cached by the time of an edit must not come back
            self.before[path] = content, _changed(path)


def _files(root: Path) -> list[Path]:
    return [Path(folder) / name for folder, _, names in os.walk(root) for name in names]


def _changed(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@pytest.fixture(scope="session")
def copied_code(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("code")
    for package in CODE:
        shutil.copytree(REPOSITORY / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(REPOSITORY / "numerics.txt", root)
    for folder in EMPTY:
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    return Copy(root)


@pytest.fixture
def code(copied_code: Copy) -> Iterator[Path]:
    """A root with the repository's code and no profile and no claim, to edit; it is shared and put back afterwards."""
    yield copied_code.root
    copied_code.restore()
