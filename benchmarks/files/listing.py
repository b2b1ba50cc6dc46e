"""What lies in a folder of ours: what editors, file managers and people leave beside our files is passed over."""

from pathlib import Path


def files_in(folder: Path, suffix: str) -> list[Path]:
    """Files directly in a folder whose names end so, sorted; none where there is no such folder.

    Names that begin with a dot, folders and links that lead nowhere are passed over.

    Raises:
        OSError: the folder may not be read; it is not taken for empty.
    """
    return [path for path in _visible(folder) if path.name.endswith(suffix) and path.is_file()]


def folders_in(folder: Path) -> list[Path]:
    """Folders directly in a folder, sorted, as `files_in` has files."""
    return [path for path in _visible(folder) if path.is_dir()]


def files_below(folder: Path, suffix: str) -> list[Path]:
    """What `files_in` gives for each folder directly in a folder."""
    return [path for below in folders_in(folder) for path in files_in(below, suffix)]


def _visible(folder: Path) -> list[Path]:
    if not folder.exists():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
