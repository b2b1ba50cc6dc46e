"""Which code made a number: the hashes that records carry and that tables hold against the code of today."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.methods import Method
from benchmarks.source_hashes import source_hash
from benchmarks.typed_files import digest

FAMILIES = Path("benchmarks/families")


def training_source(method: Method, root: Path = Path()) -> str:
    """Hash of a method's code and of its family's training code, as they stand now."""
    return digest([source_hash(method.path, root), source_hash(root / FAMILIES / method.family / "train.py", root)])


def entry_source(method: Method, root: Path = Path(), needed: Sequence[Method] = ()) -> str:
    """Hash of all code that decides an entry's numbers: method, training (where the family trains), evaluation.

    `needed` are the methods of the entries that it needs.
    """
    parts = [source_hash(method.path, root), source_hash(root / FAMILIES / method.family / "evaluate.py", root)]
    trains = (root / FAMILIES / method.family / "train.py").exists()
    others = [training_source(other, root) for other in needed]
    return digest([*parts, training_source(method, root), *others] if trains else parts)
