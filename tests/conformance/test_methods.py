"""What holds for every method file, whatever its family, and for the parts it is made of."""

import ast
import dataclasses
import importlib
import importlib.util
import inspect
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.methods import NOT_FAMILIES, Method, all_methods
from benchmarks.profiles import STAGE_SETTINGS
from tests.conformance import rules

ROOT = Path(__file__).parents[2]
METHODS = all_methods(ROOT)
EVERY_FILE = sorted((ROOT / "implementations").rglob("*.py"))
NOT_METHODS = sorted(set(EVERY_FILE) - {method.path for method in METHODS.values()})
READS_ANOTHER = {"ddim": "implementations.diffusion.ddpm"}  # DESIGN.md, section 2: the one exception
SOURCE = re.compile(r"\d{4}\.\d{4,5}|https?://|\bdoi\b|\bISBN\b|LeetCode|\b(19|20)\d\d\b", re.IGNORECASE)


def trains_nothing(method: Method) -> bool:
    """It samples what another one trained, or says that it learns from nothing."""
    return method.name in READS_ANOTHER or getattr(method.module(), "LEARNS_FROM", None) == "nothing"


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


def test_settings_are_a_frozen_dataclass_with_defaults(method):
    settings = method.module().Settings
    assert dataclasses.is_dataclass(settings)
    assert settings.__dataclass_params__.frozen
    assert settings() == settings()
    assert method.settings_fields() == [field.name for field in dataclasses.fields(settings)]


def test_every_setting_names_its_source_in_a_comment(method, source):
    (settings,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    lines = source.splitlines()
    bare = [
        ast.unparse(item.target)
        for item in settings.body
        if isinstance(item, ast.AnnAssign)
        and not re.search(r"#\s*\S.{3,}", "\n".join(lines[item.lineno - 1 : item.end_lineno]))
    ]
    assert bare == []


def test_settings_do_not_collide_with_those_of_the_training_stage(method):
    assert set(method.settings_fields()) & set(STAGE_SETTINGS) == set()


def test_offers_what_the_protocol_of_its_family_asks(method):
    """The members of `<Family>Method`, functions with its parameters in its order.

    One that only samples what another method trained has none of those that train.
    """
    protocol = importlib.import_module(f"implementations.{method.family}.parts.protocol")
    asked = [value for key, value in vars(protocol).items() if key.endswith("Method") and inspect.isclass(value)]
    assert len(asked) == 1
    module = method.module()
    for member in asked[0].__annotations__:
        assert hasattr(module, member), member
    for member, function in inspect.getmembers(asked[0], inspect.isfunction):
        if trains_nothing(method) and member in ("build", "optimiser", "loss"):
            assert not hasattr(module, member), member
        elif not member.startswith("_"):
            expected = list(inspect.signature(function).parameters)[1:]
            assert list(inspect.signature(getattr(module, member)).parameters) == expected, member


def test_imports_no_other_method(method, source):
    others = {f"implementations.{other.family}.{other.name}" for other in METHODS.values()}
    allowed = {READS_ANOTHER.get(method.name)}
    assert rules.imported(source) & (others - allowed) == set()


def test_is_at_most_150_lines(source):
    assert len(source.splitlines()) <= 150


def test_has_a_page_that_names_its_file(method):
    page = ROOT / "docs" / f"{method.name}.md"
    assert page.exists()
    assert f"implementations/{method.family}/{method.name}.py" in page.read_text()


@pytest.mark.parametrize("path", NOT_METHODS, ids=name)
def test_parts_are_at_most_250_lines_and_know_no_method(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 250
    methods = {f"implementations.{method.family}.{method.name}" for method in METHODS.values()}
    assert rules.imported(source) & methods == set()


@pytest.mark.parametrize("path", [path for path in EVERY_FILE if path.parent.name in NOT_FAMILIES], ids=name)
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
        ("import benchmarks.seeds", "benchmarks.seeds"),
        ("def f():\n    from implementations.flows import nice", "implementations.flows.nice"),
        ("from implementations.flows.nice import Nice", "implementations.flows.nice"),
        ("from .. import x", "..x"),
    ],
)
def test_imports_are_seen_wherever_they_stand(source, module):
    assert module in {name.replace("...", "..") for name in rules.imported(source)}
