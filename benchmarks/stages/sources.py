"""Stage sources: writes sources/<method>.txt, sources/stages/<stage>.txt and sources/data/<dataset>.txt."""

from pathlib import Path

from benchmarks.methods import all_methods
from benchmarks.source_hashes import source_hash
from benchmarks.typed_files import write_text

FOLDER = Path("sources")


def wanted(root: Path = Path()) -> dict[Path, Path]:
    """Hash file (below sources/) of each source file that DVC stages depend on."""
    files = {Path(f"{name}.txt"): method.path for name, method in all_methods(root).items()}
    for family in sorted((root / "benchmarks/families").iterdir()):
        for stage in ("train", "evaluate"):
            if (path := family / f"{stage}.py").exists():
                files[Path("stages") / f"{stage}_{family.name}.txt"] = path
    for stage in ("features", "extractors", "collect", "judge", "report"):
        if (path := root / f"benchmarks/stages/{stage}.py").exists():
            files[Path("stages") / f"{stage}.txt"] = path
    for path in sorted((root / "benchmarks/data").glob("*.py")):
        if path.name != "__init__.py":
            files[Path("data") / f"{path.stem}.txt"] = path
    return files


def run() -> None:
    """Writes every hash; files of code that is gone are removed."""
    files = wanted()
    for target, path in files.items():
        write_text(FOLDER / target, source_hash(path) + "\n")
    for path in FOLDER.rglob("*.txt"):
        if path.relative_to(FOLDER) not in files:
            path.unlink()
