"""Writes a complete small method of a family: its file, profile blocks, claims, page and test."""

import keyword
import re
from pathlib import Path
from string import Template

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.judging import claims
from benchmarks.methods import all_methods
from benchmarks.provenance import FAMILIES
from benchmarks.typed_files import write_text

PROFILES = ("smoke", "cpu")


def families_with_template(root: Path = Path()) -> list[str]:
    """Families for which a method can be written."""
    return sorted(path.parent.parent.name for path in (root / FAMILIES).glob("*/new_method/method.py.txt"))


def insert_entry(text: str, block: str) -> str:
    """A profile's text with an entry's block at its place in the alphabet, so that branches touch different lines.

    Raises:
        InputError: the profile has no `entries:` line to insert below.
    """
    name = block.strip().partition(":")[0]
    if not (start := re.search(r"^entries:.*\n", text, re.MULTILINE)):
        raise InputError(f"benchmarks/profiles: no line `entries:` to insert {name} below; write the block by hand")
    for found in re.finditer(r"^  ([a-z0-9_]+):[^\n]*\n", text[start.end() :], re.MULTILINE):
        if found.group(1) > name:
            at = start.end() + found.start()
            return text[:at] + block + text[at:]
    return text.rstrip("\n") + "\n" + block


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
    if family not in families_with_template(root):
        raise InputError(f"family {family}: no template; there are {', '.join(families_with_template(root))}")
    if name in all_methods(root):
        raise InputError(f"method {name}: {all_methods(root)[name].path} is there already; choose another name")
    folder = root / FAMILIES / family / "new_method"
    texts = {path.name: Template(path.read_text()).substitute(name=name) for path in sorted(folder.glob("*.txt"))}
    writes = {
        root / f"implementations/{family}/{name}.py": texts["method.py.txt"],
        root / f"benchmarks/claims/{name}.yaml": texts["claims.yaml.txt"],
        root / f"docs/{name}.md": texts["page.md.txt"],
        root / f"tests/exact/test_{name}.py": texts["test.py.txt"],
    }
    if there := [path for path in writes if path.exists()]:
        raise InputError(f"{there[0]}: already there; remove it or choose another name")
    for profile in PROFILES:
        path = root / profiles.FOLDER / f"{profile}.yaml"
        writes[path] = insert_entry(path.read_text(), texts["entry.yaml.txt"])
    before = {path: path.read_text() if path.exists() else None for path in writes}
    try:
        for path, text in writes.items():
            write_text(path, text)
        claims.read_all(root)
    except InputError:
        for path, old in before.items():
            path.unlink(missing_ok=True) if old is None else write_text(path, old)
        raise
    composed = profiles.PARAMS.exists() and re.search(r"^profile: (\w+)", profiles.PARAMS.read_text(), re.MULTILINE)
    if composed and composed.group(1) in PROFILES:
        profiles.write_params(profiles.compose(profiles.read(composed.group(1), root), root))
    for path in writes:
        print(f"{path}: {'written' if before[path] is None else 'entry added'}")
    print(f"Next: dvc repro (trains {name} only), python -m pytest tests/conformance tests/exact/test_{name}.py")
