"""Writes a complete small method of a family: its file, its test, and its entries with the claims about them."""

import keyword
import re
from pathlib import Path
from string import Template
from textwrap import indent

from benchmarks.files.errors import InputError
from benchmarks.files.listing import files_in, folders_in
from benchmarks.files.typed_files import write_text
from benchmarks.judging import claims
from benchmarks.plan import composition, profiles
from benchmarks.plan.methods import all_methods
from benchmarks.plan.params import PARAMS

PROFILES = ("smoke", "cpu")
FAMILIES = Path("benchmarks/families")
LONGEST = 40  # letters of a name: what is written stays within a line
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def families_with_template(root: Path = Path()) -> list[str]:
    """Families for which a method can be written."""
    return [path.name for path in folders_in(root / FAMILIES) if (path / "new_method/method.py.txt").is_file()]


def run(name: str, family: str, root: Path = Path()) -> None:
    """Writes the files and composes the profile again.

    Raises:
        InputError: a bad or used name, a family without template, a file that is already there. Nothing is written
            then.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"method {name}: names are lower case letters, digits and underscores, a letter first")
    if keyword.iskeyword(name):
        raise InputError(f"method {name}: a word of Python cannot name a module; choose another name")
    if len(name) > LONGEST or name in RESERVED:
        raise InputError(f"method {name}: no name of a file on every system; choose one of at most {LONGEST} letters")
    if family not in families_with_template(root):
        raise InputError(f"family {family}: no template; there are {', '.join(families_with_template(root))}")
    if (root / f"implementations/{family}/{name}").exists():
        raise InputError(f"method {name}: the package implementations/{family}/{name} hides it; choose another name")
    if name in all_methods(root):
        raise InputError(f"method {name}: {all_methods(root)[name].path} is there already; choose another name")
    folder = root / FAMILIES / family / "new_method"
    texts = {path.name: Template(path.read_text()).substitute(name=name) for path in files_in(folder, ".txt")}
    writes = {
        root / f"implementations/{family}/{name}.py": texts["method.py.txt"],
        root / f"benchmarks/claims/{name}.yaml": _with_entries(texts["claims.yaml.txt"], texts["entry.yaml.txt"]),
        root / f"tests/exact/test_{name}.py": texts["test.py.txt"],
    }
    if there := [path for path in writes if path.exists()]:
        raise InputError(f"{there[0]}: already there; remove it or choose another name")
    try:
        for path, text in writes.items():
            write_text(path, text)
        claims.read_all(root)
        composed = PARAMS.exists() and re.search(r"^profile: (\w+)", PARAMS.read_text(), re.MULTILINE)
        if composed and composed.group(1) in PROFILES:
            composition.write_params(composition.compose(profiles.read(composed.group(1), root), root))
    except BaseException:  # whatever the system says no to: half a method would stop every command
        for path in writes:
            path.unlink(missing_ok=True)
        raise
    for path in writes:
        print(f"{path}: written")
    print(f"Next: dvc repro (trains {name} only), python -m pytest tests/conformance tests/exact/test_{name}.py")


def _with_entries(text: str, entry: str) -> str:
    """A claim file with the entry in each profile that has small runs."""
    block = "".join(f"  {profile}:\n{indent(entry, '  ')}" for profile in PROFILES)
    return text.replace("claims:\n", f"entries:\n{block}claims:\n", 1)
