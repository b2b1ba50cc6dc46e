"""A hash changes with what code means, wherever it stands, and with nothing else."""

from pathlib import Path

import pytest

from benchmarks.provenance.definitions import Code, NotFollowed, Unit

METHOD = '''"""A method."""
from functools import singledispatch
from implementations.toys.parts.nouns import LIMIT, Kind
from implementations.toys.parts import verbs
import benchmarks.helper as helper
import math
import numpy as np

RATE = 0.5
LOW, HIGH = 1, 2


class Settings:
    """Has one."""

    width: int = 3

    def wide(self) -> bool:
        return self.width > LOW


@singledispatch
def learn(task, rate):
    raise TypeError


@learn.register
def _(task: Kind, rate):
    return rate


def unused():
    return HIGH


def act(x: int, LIMIT=LIMIT) -> float:
    """Acts."""
    from implementations.common.late import shift

    # a remark
    total = sum(LOW for LOW in range(3))
    return shift(verbs.twice(x) * RATE + LIMIT + helper.OFFSET, math.pi) + np.linalg.norm(learn(total, RATE)) + even(x)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


text = f"{RATE:.3f} a" "b"
'''
FILES = {
    "implementations/toys/method.py": METHOD,
    "implementations/toys/parts/nouns.py": """from implementations.common.deep import DEPTH
LIMIT = DEPTH + 1
class Kind:
    name = 'k'
""",
    "implementations/toys/parts/verbs.py": "def twice(x):\n    return 2 * x\ndef thrice(x):\n    return 3 * x\n",
    "implementations/common/deep.py": "DEPTH = 7\n",
    "implementations/common/late.py": "def shift(x, y):\n    return x + y\n",
    "benchmarks/helper.py": "OFFSET = 1\nTABLE = {}\nTABLE['a'] = OFFSET\n",
}
METHOD_FILE = "implementations/toys/method.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edit(tree: Path, name: str, old: str, new: str) -> None:
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))


def hashed(tree: Path, name: str = "act", module: str = "implementations.toys.method") -> str:
    code = Code(tree)
    return code.hash([code.find(module, name)])


SAME = {
    "comment": (METHOD_FILE, "# a remark", "# another remark, longer"),
    "module docstring": (METHOD_FILE, "A method.", "The method."),
    "function docstring": (METHOD_FILE, "Acts.", "Does.\n\n    At length."),
    "annotation of an argument": (METHOD_FILE, "x: int", "x: float"),
    "spaces": (METHOD_FILE, "verbs.twice(x) * RATE", "(verbs.twice(\n        x,\n    )*RATE)"),
    "number written otherwise": (METHOD_FILE, "RATE = 0.5", "RATE = 5e-1"),
    "definition that is not reached": (METHOD_FILE, "return HIGH", "return -HIGH"),
    "class that is not reached": (METHOD_FILE, "width: int = 3", "width: int = 4"),
    "definition in an imported file that is not reached": ("implementations/toys/parts/verbs.py", "3 * x", "4 * x"),
    "name of a constant": (METHOD_FILE, "RATE", "PACE"),
    "name of a function": (METHOD_FILE, "odd", "uneven"),
    "import that is not used": (METHOD_FILE, "import math\n", "import math\nimport os\n"),
    "alias of an import": (METHOD_FILE, "np", "numerics"),
    "statement that does nothing": (METHOD_FILE, "# a remark", "pass"),
}
OTHER = {
    "constant": (METHOD_FILE, "RATE = 0.5", "RATE = 0.6"),
    "type of a constant": ("benchmarks/helper.py", "OFFSET = 1", "OFFSET = 1.0"),
    "default of an argument": (METHOD_FILE, "LIMIT=LIMIT", "LIMIT=1"),
    "constant three imports away": ("implementations/common/deep.py", "7", "8"),
    "function of an imported module": ("implementations/toys/parts/verbs.py", "2 * x", "3 * x"),
    "other function of the same module": (METHOD_FILE, "verbs.twice", "verbs.thrice"),
    "import in a function": ("implementations/common/late.py", "x + y", "x - y"),
    "import of the other package": ("benchmarks/helper.py", "OFFSET = 1", "OFFSET = 2"),
    "function of another library": (METHOD_FILE, "np.linalg.norm", "np.linalg.det"),
    "registered function": (METHOD_FILE, "return rate", "return -rate"),
    "what a function is registered for": (METHOD_FILE, "task: Kind", "task: int"),
    "inside a circle": (METHOD_FILE, "n != 0", "n != 1"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_meaning_has_the_same_hash(tree: Path, case: str) -> None:
    before = hashed(tree)
    edit(tree, *SAME[case])
    assert hashed(tree) == before


@pytest.mark.parametrize("case", OTHER)
def test_another_meaning_has_another_hash(tree: Path, case: str) -> None:
    before = hashed(tree)
    edit(tree, *OTHER[case])
    assert hashed(tree) != before


def test_a_moved_and_renamed_file_keeps_its_hashes(tree: Path) -> None:
    before = hashed(tree)
    (tree / "implementations/elsewhere").mkdir()
    (tree / METHOD_FILE).rename(tree / "implementations/elsewhere/other.py")
    (tree / "implementations/common/deep.py").rename(tree / "implementations/common/deeper.py")
    edit(tree, "implementations/toys/parts/nouns.py", "common.deep ", "common.deeper ")
    assert hashed(tree, module="implementations.elsewhere.other") == before


def test_names_of_a_tuple_are_told_apart(tree: Path) -> None:
    assert hashed(tree, "LOW") != hashed(tree, "HIGH")


def test_fields_of_a_class_count_with_their_annotations(tree: Path) -> None:
    before = hashed(tree, "Settings")
    edit(tree, METHOD_FILE, "width: int", "width: float")
    assert hashed(tree, "Settings") != before


def test_a_local_name_hides_a_definition(tree: Path) -> None:
    """LOW is the variable of a comprehension in `act`, so that the definition does not count."""
    before = hashed(tree)
    edit(tree, METHOD_FILE, "LOW, HIGH = 1, 2", "LOW, HIGH = 3, 2")
    assert hashed(tree) == before
    assert Unit("implementations.toys.method", "LOW") not in reached(tree)


def reached(tree: Path) -> set[Unit]:
    code = Code(tree)
    return code.reach([code.find("implementations.toys.method", "act")])


def test_reach_is_all_that_is_used(tree: Path) -> None:
    assert {str(unit).removeprefix("implementations.") for unit in reached(tree)} == {
        *(f"toys.method:{name}" for name in ("act", "RATE", "learn", "even", "odd")),
        *("toys.parts.nouns:LIMIT", "toys.parts.nouns:Kind", "toys.parts.verbs:twice", "common.deep:DEPTH"),
        *("common.late:shift", "benchmarks.helper:OFFSET"),
    }


def test_a_statement_that_changes_a_value_belongs_to_it(tree: Path) -> None:
    before = hashed(tree, "TABLE", "benchmarks.helper")
    edit(tree, "benchmarks/helper.py", "['a']", "['b']")
    assert hashed(tree, "TABLE", "benchmarks.helper") != before


REFUSED = {
    "relative import": "from .parts import verbs",
    "star import": "from math import *",
    "effect": "print('hello')",
    "change of an import": "math.tau = 6",
    "loop that fills a table": "TABLE = {}\nfor x in 'ab':\n    TABLE[x] = verbs.twice(x)",
    "import by condition": "try:\n    from implementations.common.late import shift\nexcept ImportError:\n    pass",
    "import bound again": "LIMIT = LIMIT + 1",
    "name bound by two imports": "from implementations.common.deep import DEPTH as LIMIT",
    "import otherwise than for type checking": "if TYPE_CHECKING:\n    pass\nelse:\n    import os",
}
REFUSED_INSIDE = {
    "two imports of one name": "if x:\n        from implementations.toys.parts.verbs import thrice as shift",
    "variable of a comprehension that hides what it runs over": "x = [RATE for RATE in RATE]",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(tree: Path, case: str) -> None:
    edit(tree, METHOD_FILE, "RATE = 0.5", f"RATE = 0.5\n{REFUSED[case]}")
    with pytest.raises(NotFollowed, match=r"implementations\.toys\.method"):
        hashed(tree)


@pytest.mark.parametrize("case", REFUSED_INSIDE)
def test_what_cannot_be_followed_in_a_function_is_refused(tree: Path, case: str) -> None:
    edit(tree, METHOD_FILE, "# a remark", REFUSED_INSIDE[case])
    with pytest.raises(NotFollowed, match=r"implementations\.toys\.method"):
        hashed(tree)


def test_a_circle_has_one_hash_wherever_it_is_entered_first(tree: Path) -> None:
    code = Code(tree)
    together = {name: code.hash([code.find("implementations.toys.method", name)]) for name in ("even", "odd")}
    assert together == {name: hashed(tree, name) for name in ("even", "odd")}


def test_a_registered_function_with_a_name_counts_by_that_name(tree: Path) -> None:
    edit(tree, METHOD_FILE, "def _(", "def exact(")
    edit(tree, METHOD_FILE, "learn(total, RATE)", "exact(total, RATE)")
    before = hashed(tree)
    edit(tree, METHOD_FILE, "return rate", "return -rate")
    assert hashed(tree) != before


def test_a_name_that_is_global_by_condition_is_the_definition(tree: Path) -> None:
    edit(tree, METHOD_FILE, "# a remark", "if x:\n        global HIGH\n        HIGH = HIGH")
    before = hashed(tree)
    edit(tree, METHOD_FILE, "LOW, HIGH = 1, 2", "LOW, HIGH = 1, 3")
    assert hashed(tree) != before


def test_hashes_are_the_same_on_every_version_of_python(tree: Path) -> None:
    """Made by Python 3.11.7, 3.12.1 and 3.13.0."""
    assert hashed(tree) == "92af326dc81cea89476bbf98a0e81a6e"
    assert hashed(tree, "text") == "f714ed8e4578b84c930dcb32ffd212bf"


def test_the_name_of_a_class_counts(tree: Path) -> None:
    """`str` of a dataclass has it, and seeds may be made of that."""
    before = hashed(tree, "Settings")
    edit(tree, METHOD_FILE, "class Settings", "class Choices")
    assert hashed(tree, "Choices") != before
