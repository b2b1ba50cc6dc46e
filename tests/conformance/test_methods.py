"""What holds for every method file, whatever its family, and for the parts it is made of."""

import ast
import dataclasses
import importlib
import importlib.util
import inspect
import random
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.plan.methods import Method, all_methods
from tests.conformance import rules

ROOT = Path(__file__).parents[2]
METHODS = all_methods(ROOT)
EVERY_FILE = sorted((ROOT / "implementations").rglob("*.py"))
NOT_METHODS = sorted(set(EVERY_FILE) - {method.path for method in METHODS.values()})
SOURCE = re.compile(r"\d{4}\.\d{4,5}|https?://|\bdoi\b|\bISBN\b|LeetCode|\b(19|20)\d\d\b", re.IGNORECASE)


def name(path: Path) -> str:
    return path.relative_to(ROOT / "implementations").as_posix()


@pytest.fixture(params=METHODS.values(), ids=METHODS)
def method(request) -> Method:
    return request.param


@pytest.fixture
def source(method) -> str:
    return method.path.read_text()


every_file = pytest.mark.parametrize("path", EVERY_FILE, ids=name)


def test_there_are_methods():
    assert {"nice", "container"} <= set(METHODS)


def test_docstring_names_a_source(source):
    assert SOURCE.search(ast.get_docstring(ast.parse(source)) or "")


def test_the_declaration_stands_last_with_facts_as_literals_and_behaviour_by_name(source):
    last = ast.parse(source).body[-1]
    assert [ast.unparse(target) for target in last.targets] == ["METHOD"]

    def plain(value: ast.expr) -> bool:
        return isinstance(value, ast.Name | ast.Constant) or (
            isinstance(value, ast.Tuple) and all(map(plain, value.elts))
        )

    assert [word.arg for word in last.value.keywords if not plain(word.value)] == []


def test_the_declaration_is_what_its_family_asks(method):
    """A frozen dataclass of the family's protocol, whose fields of evaluation alone are fields."""
    protocol = importlib.import_module(f"implementations.{method.family}.parts.protocol")
    declared = method.declaration()
    fields = {field.name for field in dataclasses.fields(declared)}
    assert type(declared).__module__ == protocol.__name__
    assert type(declared).__dataclass_params__.frozen
    assert fields >= type(declared).EVALUATION
    assert "settings" in fields - type(declared).EVALUATION
    assert isinstance(vars(protocol)[type(declared).__name__].EVALUATION, frozenset)


def test_what_is_read_without_importing_is_what_is_declared(method):
    declared = method.declaration()

    def offered(field: str) -> bool:
        return getattr(declared, field, None) is not None

    assert method.settings_fields() == [field.name for field in dataclasses.fields(declared.settings)]
    assert method.trains() == offered("loss")
    assert method.answers() == offered("policy")
    assert method.scores() == offered("scores")
    assert method.makes_its_pairs() == offered("paired_loss")
    assert method.learns_from() == getattr(declared, "learns_from", "")
    for field in ("varies", "trained_by", "spends"):
        if hasattr(declared, field):
            assert (method.fact(field) or None) == (getattr(declared, field) or None)


def test_what_trains_has_all_that_training_asks_for(method):
    declared = method.declaration()
    asked = [field for field in ("build", "loss", "recipe") if hasattr(declared, field)]
    assert {getattr(declared, field) is not None for field in asked} <= {method.trains()}


def test_what_names_its_rows_is_a_setting(method):
    assert set(getattr(method.declaration(), "varies", ())) <= set(method.settings_fields())


def test_settings_are_a_frozen_dataclass_with_defaults(method):
    settings = method.declaration().settings
    assert dataclasses.is_dataclass(settings)
    assert settings.__dataclass_params__.frozen
    assert settings() == settings()


def test_every_setting_names_its_source_in_a_comment(method):
    bare = []
    for settings in method.declaration().settings.__mro__[:-1]:
        text = textwrap.dedent(inspect.getsource(settings))
        lines = text.splitlines()
        bare += [
            ast.unparse(item.target)
            for item in ast.parse(text).body[0].body
            if isinstance(item, ast.AnnAssign)
            and not re.search(r"#\s*\S.{3,}", "\n".join(lines[item.lineno - 1 : item.end_lineno]))
        ]
    assert bare == []


def test_imports_no_other_method_but_the_one_whose_models_it_samples(method, source):
    others = {f"implementations.{other.family}.{other.name}" for other in METHODS.values()}
    allowed = {f"implementations.{method.family}.{method.fact('trained_by')}"}
    assert rules.imported(source) & (others - allowed) == set()


@pytest.mark.parametrize("path", NOT_METHODS, ids=name)
def test_parts_know_no_method(path):
    methods = {f"implementations.{method.family}.{method.name}" for method in METHODS.values()}
    assert rules.imported(path.read_text()) & methods == set()


@pytest.mark.parametrize("path", [path for path in EVERY_FILE if path.parent.name in ("common", "networks")], ids=name)
def test_common_parts_and_networks_know_no_family(path):
    families = tuple(f"implementations.{method.family}" for method in METHODS.values())
    assert [module for module in rules.imported(path.read_text()) if module.startswith(families)] == []


@every_file
def test_imports_nothing_of_the_benchmarks(path):
    foreign = [module for module in rules.imported(path.read_text()) if module.split(".")[0] in ("benchmarks", "tests")]
    assert foreign == []
    assert not any(module.startswith(".") for module in rules.imported(path.read_text()))


@every_file
def test_neither_prints_nor_reads_nor_writes(path):
    assert rules.input_and_output(path.read_text()) == []


@every_file
def test_draws_only_from_generators_handed_in(path):
    assert rules.global_draws(path.read_text()) == []


def test_protocols_are_imported_without_torch():
    modules = [f"implementations.{family}.parts.protocol" for family in {method.family for method in METHODS.values()}]
    program = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def world() -> list[object]:
    """What an import could change for everybody."""
    states = [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()]
    settings = [torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads(), torch.is_grad_enabled()]
    return [*states, *settings, torch.are_deterministic_algorithms_enabled(), np.geterr()]


@every_file
def test_importing_changes_nothing_global(path, monkeypatch):
    specification = importlib.util.spec_from_file_location("imported_once_more", path)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "imported_once_more", module)
    before = world()
    specification.loader.exec_module(module)
    assert world() == before


@pytest.mark.parametrize(
    "source",
    [
        "torch.randn(3)",
        "torch.rand_like(x)",
        "weight.uniform_(-1, 1)",
        "nn.init.xavier_uniform_(weight)",
        "torch.manual_seed(0)",
        "nn.Dropout(0.1)",
        "F.dropout(x)",
        "np.random.normal()",
        "np.random.default_rng()",
        "np.random.seed(0)",
        "import random",
        "from random import choice",
        "from torch.distributions import Normal",
        "import torch.distributions.normal",
    ],
)
def test_the_rule_against_global_draws_sees_them(source):
    assert rules.global_draws(source)


@pytest.mark.parametrize(
    "source",
    [
        "torch.randn(3, generator=g)",
        "torch.rand(3, **options)",
        "weight.uniform_(-1, 1, generator=g)",
        "np.random.default_rng(seed)",
        "g.normal(size=3)",
        "torch.Generator().manual_seed(1)",
        "from implementations.common.random import x",
    ],
)
def test_the_rule_against_global_draws_lets_explicit_ones_pass(source):
    assert rules.global_draws(source) == []


@pytest.mark.parametrize("source", ["print(1)", "def f():\n    with open('x') as file: pass"])
def test_the_rule_against_input_and_output_sees_it(source):
    assert rules.input_and_output(source)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import benchmarks.run.seeds", "benchmarks.run.seeds"),
        ("def f():\n    from implementations.flows import nice", "implementations.flows.nice"),
        ("from implementations.flows.nice import Nice", "implementations.flows.nice"),
        ("from .. import x", "..x"),
    ],
)
def test_imports_are_seen_wherever_they_stand(source, module):
    assert module in {name.replace("...", "..") for name in rules.imported(source)}
