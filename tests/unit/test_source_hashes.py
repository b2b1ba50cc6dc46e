"""A hash changes with what code means, wherever it stands, and with nothing else; and who may import whom."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.methods import all_methods
from benchmarks.provenance import entry_source, training_source
from benchmarks.source_hashes import closure, source_hash, tree_hash
from benchmarks.stages.sources import wanted

REPOSITORY = Path(__file__).parents[2]
METHOD = '''"""A method."""
from implementations.toys.parts.nouns import LIMIT
from implementations.toys.parts import verbs
import benchmarks.helper as helper
import implementations.alone
import math

RATE = 0.5


class Settings:
    """Has one."""

    width: int = 3


def act(x):
    """Acts."""
    from implementations.common.late import shift

    # a remark
    return shift(verbs.twice(x) * RATE + LIMIT + helper.OFFSET, math.pi)
'''
FILES = {
    "implementations/__init__.py": "",
    "implementations/alone/__init__.py": "ALONE = 1\n",
    "implementations/toys/__init__.py": "KIND = 'toy'\n",
    "implementations/toys/method.py": METHOD,
    "implementations/toys/other.py": "A = 1\n",
    "implementations/toys/parts/__init__.py": "",
    "implementations/toys/parts/nouns.py": "from implementations.common.deep import DEPTH\nLIMIT = DEPTH + 1\n",
    "implementations/toys/parts/verbs.py": "def twice(x):\n    return 2 * x\n",
    "implementations/common/__init__.py": "",
    "implementations/common/deep.py": "DEPTH = 7\n",
    "implementations/common/late.py": "def shift(x, y):\n    return x + y\n",
    "implementations/common/unrelated.py": "B = 2\n",
    "benchmarks/__init__.py": "",
    "benchmarks/helper.py": "OFFSET = 1\n",
    "benchmarks/unrelated.py": "C = 3\n",
}
PLACE = "implementations/toys/method.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edit(tree: Path, name: str, old: str, new: str) -> None:
    """Edits a file and moves its time on: writes within a tick of the clock share one, and hashes are cached by it."""
    path = tree / name
    text = path.read_text()
    assert old in text
    before = path.stat().st_mtime_ns
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(before, before + 10**9))


def hashed(tree: Path) -> str:
    return source_hash(tree / PLACE, tree)


def test_the_closure_is_everything_imported_and_every_package_on_the_way(tree: Path) -> None:
    found = {str(path.relative_to(tree.resolve())) for path in closure(tree / PLACE, tree)}
    assert found == set(FILES) - {
        "implementations/toys/other.py",
        "implementations/common/unrelated.py",
        "benchmarks/unrelated.py",
    }


SAME = [
    ("comment", PLACE, "# a remark", "# another remark, longer"),
    ("comment_added", PLACE, "RATE = 0.5", "RATE = 0.5  # half"),
    ("module_docstring", PLACE, "A method.", "The method."),
    ("class_docstring", PLACE, '    """Has one."""\n', ""),
    ("function_docstring", PLACE, "Acts.", "Does.\n\n    At length."),
    ("spaces", PLACE, "verbs.twice(x) * RATE", "(verbs.twice(\n        x,\n    )*RATE)"),
    ("blank_lines", PLACE, "import math\n", "import math\n\n\n\n"),
    ("quotes", "implementations/toys/__init__.py", "'toy'", '"toy"'),
    ("number_written_otherwise", PLACE, "0.5", "5e-1"),
    ("comment_far_away", "implementations/common/deep.py", "DEPTH = 7", "DEPTH = 7  # levels"),
    ("unrelated_file", "implementations/common/unrelated.py", "2", "3"),
    ("other_method", "implementations/toys/other.py", "1", "2"),
]
OTHER = [
    ("constant", PLACE, "RATE = 0.5", "RATE = 0.6"),
    ("default", PLACE, "width: int = 3", "width: int = 4"),
    ("name", PLACE, "RATE", "PACE"),
    ("annotation", PLACE, "width: int", "width: float"),
    ("type_of_constant", PLACE, "= 3", "= 3.0"),
    ("import", "implementations/toys/parts/nouns.py", "LIMIT = DEPTH + 1", "LIMIT = DEPTH + 2"),
    ("transitive_import", "implementations/common/deep.py", "7", "8"),
    ("module_imported_by_from", "implementations/toys/parts/verbs.py", "2 * x", "3 * x"),
    ("import_in_a_function", "implementations/common/late.py", "x + y", "x - y"),
    ("import_of_the_other_package", "benchmarks/helper.py", "1", "2"),
    ("package", "implementations/toys/__init__.py", "toy", "game"),
    ("package_that_was_empty", "implementations/__init__.py", "", "SEED = 1\n"),
    ("package_imported_alone", "implementations/alone/__init__.py", "1", "2"),
    ("package_of_an_import", "implementations/common/__init__.py", "", "SEED = 1\n"),
    ("text_that_is_no_docstring", PLACE, "RATE = 0.5", "RATE = 'half'"),
]


@pytest.mark.parametrize(("name", "old", "new"), [c[1:] for c in SAME], ids=[c[0] for c in SAME])
def test_same_meaning_same_hash(tree: Path, name: str, old: str, new: str) -> None:
    before = hashed(tree)
    edit(tree, name, old, new)
    assert hashed(tree) == before


@pytest.mark.parametrize(("name", "old", "new"), [c[1:] for c in OTHER], ids=[c[0] for c in OTHER])
def test_other_meaning_other_hash(tree: Path, name: str, old: str, new: str) -> None:
    before = hashed(tree)
    edit(tree, name, old, new)
    assert hashed(tree) != before
    edit(tree, name, new, old)
    assert hashed(tree) == before  # and back


def test_a_renamed_file_is_other_code(tree: Path) -> None:
    before, of_tree = hashed(tree), tree_hash(tree / PLACE)
    renamed = (tree / PLACE).rename(tree / "implementations/toys/renamed.py")
    assert tree_hash(renamed) == of_tree
    assert source_hash(renamed, tree) != before


def test_an_import_of_renamed_code_is_other_code(tree: Path) -> None:
    before = hashed(tree)
    (tree / "implementations/common/deep.py").rename(tree / "implementations/common/deeper.py")
    edit(tree, "implementations/toys/parts/nouns.py", "common.deep", "common.deeper")
    assert hashed(tree) != before


def test_hashes_do_not_depend_on_where_the_tree_lies(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    before = hashed(tree)
    tree.rename(elsewhere)
    assert source_hash(elsewhere / PLACE, elsewhere) == before


def test_imports_in_a_circle_end(tree: Path) -> None:
    edit(tree, "implementations/common/deep.py", "DEPTH", "import implementations.toys.method\nDEPTH")
    assert len(hashed(tree)) == 32


# The repository itself
def code(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((REPOSITORY / folder).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_relative_import() -> None:
    """The closure follows absolute imports only."""
    found = [
        f"{path}:{node.lineno}"
        for path in code("implementations", "benchmarks")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert found == []
    assert len(code("implementations", "benchmarks")) > 30  # the scan saw the tree


def test_implementations_import_nothing_of_benchmarks() -> None:
    found = [
        (path.name, name) for path in code("implementations") for name in imported(path) if name.startswith("benchm")
    ]
    assert found == []


def test_domain_modules_import_no_stage() -> None:
    allowed = (REPOSITORY / "benchmarks/stages", REPOSITORY / "benchmarks/cli.py")
    found = [
        (str(path.relative_to(REPOSITORY)), name)
        for path in code("benchmarks")
        if not any(path.is_relative_to(place) for place in allowed)
        for name in imported(path)
        if f"{name}.".startswith("benchmarks.stages.")
    ]
    assert found == []


def test_dvc_watches_every_file_whose_hash_it_writes() -> None:
    """A file of a closure that stage `sources` does not depend on could change without any stage running again."""
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    watched = [REPOSITORY / dep for dep in stages["sources"]["deps"]]
    needed = {file for path in wanted(REPOSITORY).values() for file in closure(path, REPOSITORY)}
    assert len(needed) > 30
    missed = sorted(
        str(file.relative_to(REPOSITORY)) for file in needed if not any(file.is_relative_to(dep) for dep in watched)
    )
    assert missed == []
    assert [str(dep) for dep in watched if not dep.exists()] == []


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The repository's code, to edit."""
    for package in ("implementations", "benchmarks"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def sources(root: Path) -> dict[str, tuple[str, str]]:
    """Hash of the method alone, and of all that decides its entries' numbers."""
    return {name: (source_hash(m.path, root), entry_source(m, root)) for name, m in all_methods(root).items()}


def test_a_new_task_of_the_flows_re_runs_nothing(copied: Path) -> None:
    nice = all_methods(copied)["nice"]
    before = training_source(nice, copied), entry_source(nice, copied)
    assert before == (training_source(nice, copied), entry_source(nice, copied))
    line = '    ImageDensity(name="letters", dataset="letters", shape=(28, 28), levels=256),\n'
    edit(copied, "benchmarks/families/flows/tasks.py", "TASKS = (\n", f"TASKS = (\n{line}")
    assert (training_source(nice, copied), entry_source(nice, copied)) == before
    edit(copied, "benchmarks/families/flows/problems.py", "/ {self.levels}", "/ {self.levels + 1}")  # what a task means
    assert training_source(nice, copied) != before[0]
    assert entry_source(nice, copied) != before[1]


def test_editing_a_puzzle_leaves_the_other_puzzles_alone(copied: Path) -> None:
    folder = copied / "implementations/puzzles"
    shutil.copy(folder / "container.py", folder / "another.py")
    before = sources(copied)
    assert {"another", "container", "nice"} <= set(before)
    edit(copied, "implementations/puzzles/container.py", "looks += 1", "looks += 2")
    after = sources(copied)
    assert [name for name in before if after[name] != before[name]] == ["container"]


def test_torch_flags_are_part_of_the_hashes_of_what_trains(copied: Path) -> None:
    nice, before = all_methods(copied)["nice"], sources(copied)
    trained = training_source(nice, copied)
    edit(copied, "benchmarks/torch_flags.py", 'else "highest"', 'else "medium"')
    assert training_source(nice, copied) != trained
    families = ("diffusion", "flows", "preferences")
    neural = [name for name, method in all_methods(copied).items() if method.family in families]
    assert [name for name, found in sources(copied).items() if found != before[name]] == neural


def test_every_pin_of_the_numeric_libraries_stands_in_the_lock() -> None:
    """DVC re-runs everything when numerics.txt changes: it must say what is installed."""
    pins = [line for line in (REPOSITORY / "numerics.txt").read_text().splitlines() if line and line[0] != "#"]
    locked = {line.partition(";")[0].strip() for line in (REPOSITORY / "requirements.lock").read_text().splitlines()}
    assert {pin.partition("==")[0] for pin in pins} >= {"torch", "numpy", "scipy"}
    assert [pin for pin in pins if pin not in locked] == []


HEAVY = {"torch", "torchvision", "pandas", "numpy", "scipy", "sklearn", "matplotlib", "dvc"}
OF_TEXTS = {"tokenizers", "transformers", "datasets", "vaderSentiment"}


@pytest.mark.parametrize(
    ("words", "needed", "told"),
    [
        ([], set(), ""),
        (["--help"], set(), "Usage"),
        (["train", "--help"], set(), "Usage"),
        (["list"], {"numpy"}, "arithmetic"),  # some tasks of the tabular family are tables
    ],
    ids=["import", "help", "train_help", "list"],
)
def test_the_command_line_starts_light(words: list[str], needed: set[str], told: str) -> None:
    program = f"""
import atexit, sys
sys.argv = ["claimbench", *{words!r}]
def show():
    print("LOADED", *sorted({{name.partition(".")[0] for name in sys.modules}}))
atexit.register(show)
from benchmarks import cli
if {words!r}:
    cli.main()
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("LOADED")]
    loaded = set(line.split())
    assert "benchmarks" in loaded
    assert loaded & (HEAVY | OF_TEXTS) <= needed
    assert told in ended.stdout
