"""Malformed files through the real readers: one sentence each, naming file, field, what was found or is allowed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.judging import claims
from benchmarks.judging.protocols import Measurement
from benchmarks.methods import find_method
from benchmarks.records import metric, read_receipt, read_record
from benchmarks.typed_files import LARGEST_FILE, Typed, load

REPOSITORY = Path(__file__).parents[2]
PROFILE = """\
profile: tiny
tier: smoke
hardware: {device: cpu, memory_gib: 1, threads: 1}
entries:
  container:
    method: container
    task: container
    seeds: [0, 1]
    samples: 5
  nice_digits:
    method: nice
    task: digits
    seeds: [0]
    settings: {hidden_units: 32}
    steps: 10
    validate_every: 5
    samples: 5
"""
CLAIMS = """\
paper: {key: made_up, title: A paper, arxiv: "1410.8516", year: 2014}
claims:
  - id: number
    where: Table 1
    statement: A number.
    kind: value
    scope: paper
    entry: container
    metric: looks
    direction: lower
    value: 2.5
    unit: looks
    tolerance: {absolute: 0.5, reason: spread}
    evidence: verified
  - id: order
    where: Table 2
    statement: An order.
    kind: ordering
    scope: method
    better: {method: container, variant: {algorithm: two_pointers}}
    worse: {method: container, variant: {algorithm: brute_force}}
    equal: [n]
    varies: [samples]
    metric: looks
    direction: lower
    unit: looks
    evidence: verified
  - id: shape
    where: Figure 3
    statement: A shape.
    kind: trend
    scope: method
    method: nice
    along: n
    shape: changes_at
    point: 3.0
    metric: looks
    direction: lower
    unit: looks
    evidence: from_memory
"""
DEEP = "[" * 5000
BILLION = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one good profile and one good claims file."""
    for package in ("implementations", "benchmarks/families"):
        shutil.copytree(REPOSITORY / package, tmp_path / package)
    for folder, name, text in ((profiles.FOLDER, "tiny", PROFILE), (claims.FOLDER, "made_up", CLAIMS)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.yaml").write_text(text)
    return tmp_path


def edited(text: str, old: str, new: str) -> str:
    """`text` with one place changed; the tests break when that place is gone."""
    assert old in text, old
    return text.replace(old, new, 1)


def sentence(call: Callable[[], Any], *fragments: str) -> str:
    """The one sentence that a reader refuses a file with, every fragment of which must occur."""
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1, text
    assert len(text) < 600, text  # a sentence, not a dump of the file
    for fragment in fragments:
        assert fragment in text, f"{fragment!r} is not in: {text}"
    return text


def test_the_good_files_are_good(root: Path) -> None:
    assert list(profiles.read("tiny", root).entries) == ["container", "nice_digits"]
    assert [claim.id for _, claim in claims.read_all(root)] == ["number", "order", "shape"]


# Any YAML file, by way of a profile: case, the file's bytes, what the sentence must say besides the file's name.
BROKEN_YAML: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("empty", b"", ("empty",)),
    ("whitespace", b" \n\n  \n", ("empty",)),
    ("comments_only", b"# nothing here\n", ("found NoneType", "a mapping of fields is needed")),
    ("not_utf8", PROFILE.encode() + b"# \xff\n", (f"byte {len(PROFILE) + 2}", "UTF-8")),
    ("utf16", PROFILE.encode("utf-16"), ("UTF-8",)),
    ("control_character", b"profile: a\x00b\n", ("not readable as YAML",)),
    ("billion_laughs", BILLION.encode(), ("aliases", "line 2")),
    ("alias_to_itself", b"a: &a [*a]\n", ("aliases", "line 1, column 8")),
    ("too_deep", ("entries: " + "[" * 30 + "]" * 30).encode(), ("entries.0.0", "more than 20 levels")),
    ("far_too_deep", ("a: " + DEEP + "]" * 5000).encode(), ("not readable as YAML",)),
    ("never_closed", ("a: " + DEEP).encode(), ("tiny.yaml",)),
    ("too_large", b"#" * (LARGEST_FILE + 1), (f"{LARGEST_FILE + 1} bytes", f"at most {LARGEST_FILE}")),
    ("list", b"- profile: tiny\n", ("found list", "a mapping of fields is needed")),
    ("scalar", b"tiny\n", ("found str", "a mapping of fields is needed")),
    ("tab", b"profile: tiny\nhardware:\n\tdevice: cpu\n", ("line 3, column 1", "'\\t'")),
    ("syntax", b"profile: tiny\ntier: [smoke\nentries: {}\n", ("line 3, column 8",)),
    ("two_documents", PROFILE.encode() + b"---\na: 1\n", ("line 18, column 1", "another document")),
    (
        "key_twice",
        edited(PROFILE, "tier: smoke", "tier: smoke\ntier: short").encode(),
        ("'tier' stands twice", "line 3"),
    ),
    (
        "entry_twice",
        edited(PROFILE, "  nice_digits:", "  container:").encode(),
        ("'container' stands twice", "line 10, column 3"),
    ),
    ("key_no_name", b"? [a, b]\n: 1\n", ("is not a name", "line 1")),
    ("python_object", b"a: !!python/object/apply:os.getcwd []\n", ("line 1, column 4", "python/object")),
    ("map_that_is_none", b"!!map [1, 2]\n", ("expected a mapping node", "line 1")),
    ("no_such_date", b"a: 2014-13-45\n", ("not readable as YAML", "month")),
    ("endless_number", b"a: " + b"9" * 5000, ("not readable as YAML", "4300")),
    (
        "nan",
        edited(PROFILE, "memory_gib: 1", "memory_gib: .nan").encode(),
        ("hardware.memory_gib: found nan", "finite"),
    ),
    (
        "inf",
        edited(PROFILE, "memory_gib: 1", "memory_gib: .inf").encode(),
        ("hardware.memory_gib: found inf", "finite"),
    ),
    (
        "overflow",
        edited(PROFILE, "{hidden_units: 32}", "{learning_rate: -1e999}").encode(),
        ("entries.nice_digits.settings.learning_rate: found -inf", "finite"),
    ),
    ("line_break_in_name", b'"pro\\nfile": 1\n', ("profile: missing",)),
    ("line_break_in_unknown_field", PROFILE.encode() + b'"un\\nknown": 1\n', ("un\\nknown", "unknown field")),
    ("line_break_before_nan", b'"un\\nknown": .nan\n', ("un\\nknown", "found nan")),
]


@pytest.mark.parametrize(("content", "said"), [c[1:] for c in BROKEN_YAML], ids=[c[0] for c in BROKEN_YAML])
def test_broken_yaml(root: Path, content: bytes, said: tuple[str, ...]) -> None:
    (root / "benchmarks/profiles/tiny.yaml").write_bytes(content)
    sentence(lambda: profiles.read("tiny", root), "benchmarks/profiles/tiny.yaml: ", *said)


def test_aliases_are_refused_before_anything_is_expanded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The billion laughs: a guard counts the nodes built, so no clock is needed to see that nothing grows."""
    import yaml

    built = []
    real = yaml.SafeLoader.construct_object
    monkeypatch.setattr(
        yaml.SafeLoader, "construct_object", lambda self, node, deep=False: built.append(node) or real(self, node, deep)
    )
    path = root / "bomb.yaml"
    path.write_text(BILLION)
    sentence(lambda: load(path, Typed), "bomb.yaml", "aliases")
    assert built == []


# Wrong profiles: case, old text, new text, what the sentence must say.
WRONG_PROFILES: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("unknown_top_field", "tier: smoke", "tier: smoke\nteir: short", ("teir: unknown field",)),
    ("unknown_hardware_field", "threads: 1", "thread: 1", ("hardware.thread: unknown field",)),
    ("unknown_entry_field", "steps: 10", "step: 10", ("entries.nice_digits.step: unknown field",)),
    ("missing_field", "tier: smoke\n", "", ("tier: missing",)),
    ("missing_nested", "    task: digits\n", "", ("entries.nice_digits.task: missing",)),
    ("no_entries", PROFILE[PROFILE.index("entries") :], "entries: {}\n", ("entries: found {}", "at least 1")),
    ("entries_list", PROFILE[PROFILE.index("entries") :], "entries: [a]\n", ("entries: found ['a']", "dictionary")),
    ("number_for_text", "profile: tiny", "profile: 7", ("profile: found 7", "string")),
    ("text_for_number", "samples: 5", 'samples: "5"', ("entries.container.samples: found '5'", "integer")),
    ("float_for_integer", "steps: 10", "steps: 10.0", ("entries.nice_digits.steps: found 10.0", "integer")),
    ("truth_for_integer", "samples: 5", "samples: true", ("entries.container.samples: found True", "integer")),
    ("truth_for_number", "memory_gib: 1", "memory_gib: true", ("hardware.memory_gib: found True", "number")),
    ("tier", "tier: smoke", "tier: huge", ("tier: found 'huge'", "'smoke', 'short' or 'paper'")),
    ("other_name", "profile: tiny", "profile: small", ("profile: found small", "must be the file's name, tiny")),
    ("dash_in_entry", "  container:", "  con-tainer:", ("con-tainer", "^[a-z0-9_]+$")),
    ("at_in_entry", "  container:", '  "con@tainer":', ("con@tainer", "^[a-z0-9_]+$")),
    ("capital_in_entry", "  container:", "  Container:", ("Container", "^[a-z0-9_]+$")),
    ("empty_entry_name", "  container:", '  "":', ("''", "^[a-z0-9_]+$")),
    ("number_as_entry", "  container:", "  7:", ("entries.7", "found 7", "string")),
    ("negative_seed", "seeds: [0, 1]", "seeds: [0, -1]", ("entries.container.seeds.1: found -1", "equal to 0")),
    ("large_seed", "seeds: [0]", "seeds: [2147483648]", ("entries.nice_digits.seeds.0: found 2147483648", "less than")),
    ("seed_twice", "seeds: [0, 1]", "seeds: [3, 3]", ("entries.container", "seeds must differ")),
    ("no_seeds", "seeds: [0]", "seeds: []", ("entries.nice_digits.seeds: found []", "at least 1")),
    ("truth_as_seed", "seeds: [0]", "seeds: [false]", ("entries.nice_digits.seeds.0: found False", "integer")),
    ("steps_alone", "    validate_every: 5\n", "", ("entries.nice_digits", "validate_every come together")),
    ("validate_alone", "    steps: 10\n", "", ("entries.nice_digits", "steps and validate_every")),
    ("no_steps", "steps: 10", "steps: 0", ("entries.nice_digits.steps: found 0", "equal to 1")),
    ("no_samples", "samples: 5", "samples: 0", ("entries.container.samples: found 0", "equal to 1")),
    ("no_time", "steps: 10", "steps: 10\n    timeout_minutes: 0", ("timeout_minutes: found 0", "greater than 0")),
    ("reserved_setting", "{hidden_units: 32}", "{steps: 5}", ("entries.nice_digits", "steps stands beside settings")),
    ("setting_name", "{hidden_units: 32}", "{hidden-units: 32}", ("hidden-units", "^[a-z0-9_]+$")),
    ("unknown_method", "method: nice", "method: ncie", ("entries.nice_digits.method: found ncie", "nice")),
    ("unknown_task", "task: digits", "task: digit", ("entries.nice_digits.task: found digit", "digits, mnist")),
    (
        "task_of_other_family",
        "task: digits",
        "task: container",
        ("entries.nice_digits.task: found container", "digits"),
    ),
    (
        "unknown_setting",
        "{hidden_units: 32}",
        "{hidden_unit: 32}",
        ("entries.nice_digits.settings.hidden_unit", "hidden_units"),
    ),
    (
        "setting_where_none",
        "    seeds: [0, 1]",
        "    seeds: [0, 1]\n    settings: {a: 1}",
        ("entries.container.settings.a", "settings of container"),
    ),
    ("need", "steps: 10", "steps: 10\n    needs: [ddpm]", ("entries.nice_digits.needs: found ddpm", "container")),
    ("device", "device: cpu", "device: tpu", ("hardware.device: found 'tpu'", "'cpu' or 'cuda'")),
    ("no_memory", "memory_gib: 1", "memory_gib: 0", ("hardware.memory_gib: found 0", "greater than 0")),
    ("no_threads", "threads: 1", "threads: 0", ("hardware.threads: found 0", "equal to 1")),
    ("no_devices", "threads: 1", "count: 0", ("hardware.count: found 0", "equal to 1")),
    ("precision", "threads: 1", "precision: fp8", ("hardware.precision: found 'fp8'", "'bfloat16'")),
    ("name_no_pattern", "threads: 1", 'name: "H100["', ("hardware.name: found 'H100['", "regular expression")),
]


@pytest.mark.parametrize(("old", "new", "said"), [c[1:] for c in WRONG_PROFILES], ids=[c[0] for c in WRONG_PROFILES])
def test_wrong_profile(root: Path, old: str, new: str, said: tuple[str, ...]) -> None:
    (root / "benchmarks/profiles/tiny.yaml").write_text(edited(PROFILE, old, new))
    sentence(lambda: profiles.read("tiny", root), "benchmarks/profiles/tiny.yaml: ", *said)


@pytest.mark.parametrize(
    "name", ["../tiny", "/etc/passwd", "benchmarks/profiles/tiny", "tiny.yaml", "", ".", "*", "TINY", "ti-ny", "ti\nny"]
)
def test_profile_names_are_no_paths(root: Path, name: str) -> None:
    (root / "benchmarks/tiny.yaml").write_text(PROFILE)  # what ../tiny would reach
    sentence(lambda: profiles.read(name, root), "profile ", "benchmarks/profiles/", "there are tiny")


WRONG_SETTINGS = [
    ("text", {"hidden_units": "many"}, "hidden_units: found 'many'", "integer"),
    ("fraction", {"hidden_units": 1.5}, "hidden_units: found 1.5", "integer"),
    ("truth", {"hidden_units": True}, "hidden_units: found True", "integer"),
    ("none", {"hidden_units": None}, "hidden_units: found None", "integer"),
    ("list", {"learning_rate": [1e-3]}, "learning_rate: found [0.001]", "number"),
    ("choice", {"prior": "cauchy"}, "prior: found 'cauchy'", "'logistic' or 'gaussian'"),
    ("unknown", {"hidden": 3}, "hidden: found hidden", "hidden_units"),
]


@pytest.mark.parametrize(
    ("given", "found", "allowed"), [c[1:] for c in WRONG_SETTINGS], ids=[c[0] for c in WRONG_SETTINGS]
)
def test_setting_of_wrong_type(given: dict[str, Any], found: str, allowed: str) -> None:
    method = find_method("nice", REPOSITORY)
    sentence(
        lambda: profiles.typed_settings(method, given, "params.yaml: entries.x"),
        f"params.yaml: entries.x: settings.{found}",
        allowed,
    )


def test_settings_of_the_right_type_pass() -> None:
    settings = profiles.typed_settings(find_method("nice", REPOSITORY), {"hidden_units": 7, "learning_rate": 1}, "here")
    assert (settings.hidden_units, settings.learning_rate, settings.couplings) == (7, 1, 4)


# Wrong claims: case, old text, new text, what the sentence must say.
ORDER = CLAIMS[CLAIMS.index("    better:") : CLAIMS.index("    equal:")]
WRONG_CLAIMS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("no_citation", ', arxiv: "1410.8516"', "", ("paper: found", "a citation is needed: arxiv, doi, isbn or venue")),
    ("empty_citation", 'arxiv: "1410.8516"', 'venue: " "', ("paper.venue: found ' '", "at least 1 character")),
    ("arxiv_malformed", '"1410.8516"', '"14108516"', ("paper.arxiv: found '14108516'", "pattern")),
    ("arxiv_number", '"1410.8516"', "1410.8516", ("paper.arxiv: found 1410.8516", "string")),
    ("year_early", "year: 2014", "year: 214", ("paper.year: found 214", "equal to 1900")),
    ("year_late", "year: 2014", "year: 20140", ("paper.year: found 20140", "equal to 2100")),
    ("year_text", "year: 2014", 'year: "2014"', ("paper.year: found '2014'", "integer")),
    ("paper_key", "key: made_up", "key: nice", ("paper.key: found nice", "must be the file's name, made_up")),
    ("unknown_top_field", "claims:", "note: x\nclaims:", ("note: unknown field",)),
    (
        "unknown_field",
        "    evidence: verified",
        "    evidence: verified\n    proof: x",
        ("claims.number.proof: unknown",),
    ),
    ("unknown_tolerance_field", "reason: spread", "reasons: spread", ("claims.number.tolerance",)),
    (
        "unknown_measurement_field",
        "value: 2.5",
        "value: 2.5\n    measurement: {sample: 5}",
        ("measurement.sample: unknown",),
    ),
    (
        "empty_measurement",
        "value: 2.5",
        "value: 2.5\n    measurement: {}",
        ("measurement: found {}", "at least one field"),
    ),
    ("no_claims", CLAIMS[CLAIMS.index("claims:") :], "claims: []\n", ("claims: found []", "at least 1")),
    ("no_unit", "    unit: looks\n", "", ("claims.number.unit: missing",)),
    ("blank_unit", "unit: looks", 'unit: " "', ("claims.number.unit: found ' '",)),
    ("no_direction", "    direction: lower\n", "", ("claims.number.direction: missing",)),
    (
        "direction",
        "direction: lower",
        "direction: down",
        ("claims.number.direction: found 'down'", "'higher' or 'lower'"),
    ),
    (
        "no_tolerance",
        "    tolerance: {absolute: 0.5, reason: spread}\n",
        "",
        ("claims.number.tolerance: missing",),
    ),
    (
        "negative_tolerance",
        "absolute: 0.5",
        "absolute: -0.5",
        ("claims.number.tolerance.absolute: found -0.5", "equal to 0"),
    ),
    ("tolerance_without_reason", ", reason: spread", "", ("claims.number.tolerance.reason: missing",)),
    ("value_text", "value: 2.5", "value: low", ("claims.number.value: found 'low'", "number")),
    ("value_nan", "value: 2.5", "value: .nan", ("claims.0.value: found nan", "finite")),
    ("unknown_kind", "kind: value", "kind: hunch", ("claims.number.kind: found 'hunch'", "'value', 'exact'")),
    ("kind_with_line_break", "kind: value", 'kind: "a\\nb"', ("claims.number.kind: found 'a\\nb'",)),
    ("no_kind", "    kind: value\n", "", ("claims.number.kind: missing",)),
    (
        "evidence",
        "evidence: verified",
        "evidence: hearsay",
        ("claims.number.evidence: found 'hearsay'", "'from_memory'"),
    ),
    ("scope", "scope: paper", "scope: world", ("claims.number.scope: found 'world'", "'paper' or 'method'")),
    ("paper_with_method", "entry: container", "method: container", ("claims.number", "scope paper names its entry")),
    ("paper_with_both", "entry: container", "entry: container\n    method: nice", ("claims.number", "and no method")),
    ("method_with_entry", "scope: paper", "scope: method", ("claims.number", "scope method names its method")),
    ("id_twice", "id: order", "id: number", ("claims.number.id: found number", "made_up.yaml", "unique")),
    ("id_with_dash", "id: number", "id: num-ber", ("claims.num-ber.id: found 'num-ber'", "pattern")),
    ("id_with_line_break", "id: number", 'id: "num\\nber"', ("num\\nber", "pattern")),
    ("unknown_entry", "entry: container", "entry: containr", ("claims.number.entry: found containr", "no profile has")),
    ("unknown_method", "method: nice", "method: ncie", ("claims.shape.method: found ncie", "no such method")),
    (
        "unknown_method_of_a_side",
        "worse: {method: container",
        "worse: {method: containr",
        ("claims.order.worse.method: found containr", "no such method"),
    ),
    (
        "unknown_entry_of_a_side",
        "better: {method: container",
        "better: {entry: x",
        ("claims.order.better.entry: found x",),
    ),
    ("sides_equal", "brute_force", "two_pointers", ("claims.order", "better and worse are the same")),
    (
        "both_literature",
        ORDER,
        "    better: {literature: RNADE, value: 1.0}\n    worse: {literature: MADE, value: 2.0}\n",
        ("claims.order", "one of the sides must be something we run"),
    ),
    (
        "literature_without_value",
        "worse: {method: container, variant: {algorithm: brute_force}}",
        "worse: {literature: RNADE}",
        ("claims.order.worse", "literature and value come together"),
    ),
    (
        "value_without_literature",
        "better: {method: container",
        "better: {value: 1.0, method: container",
        ("order.better",),
    ),
    (
        "side_without_subject",
        "better: {method: container, ",
        "better: {",
        ("claims.order.better", "exactly one of method"),
    ),
    (
        "side_with_two_subjects",
        "worse: {",
        "worse: {entry: container, ",
        ("claims.order.worse", "exactly one of method"),
    ),
    ("equal_fixed", "equal: [n]", "equal: [algorithm]", ("claims.order", "equal names algorithm", "already fixes")),
    (
        "varies_unknown",
        "varies: [samples]",
        "varies: [sample]",
        ("claims.order", "varies names sample", "split, reference"),
    ),
    ("point_missing", "    point: 3.0\n", "", ("claims.shape", "point is given with shape changes_at")),
    ("point_too_many", "shape: changes_at", "shape: rises", ("claims.shape", "only with it")),
    ("shape", "shape: changes_at", "shape: wiggles", ("claims.shape.shape: found 'wiggles'", "'saturates'")),
]


@pytest.mark.parametrize(("old", "new", "said"), [c[1:] for c in WRONG_CLAIMS], ids=[c[0] for c in WRONG_CLAIMS])
def test_wrong_claim(root: Path, old: str, new: str, said: tuple[str, ...]) -> None:
    (root / "benchmarks/claims/made_up.yaml").write_text(edited(CLAIMS, old, new))
    sentence(lambda: claims.read_all(root), "benchmarks/claims/made_up.yaml: ", *said)


def test_claim_id_in_two_files(root: Path) -> None:
    (root / "benchmarks/claims/other.yaml").write_text(edited(CLAIMS, "key: made_up", "key: other"))
    sentence(
        lambda: claims.read_all(root),
        "benchmarks/claims/other.yaml: claims.number.id: found number",
        "already in benchmarks/claims/made_up.yaml",
    )


def test_malformed_profile_is_told_when_claims_are_read(root: Path) -> None:
    (root / "benchmarks/profiles/tiny.yaml").write_text("profile: [")
    sentence(lambda: claims.read_all(root), "benchmarks/profiles/tiny.yaml: line 1")


def test_unknown_claim(root: Path) -> None:
    sentence(lambda: claims.find("nothing", root), "claim nothing", "benchmarks/claims/")


# Records and receipts: a change to the plain data of a good one.
MEASUREMENT = {"split": "test", "samples": 5}
METRIC = {
    "name": "looks",
    "value": 1.0,
    "unit": "looks",
    "direction": "lower",
    "n": 5,
    "measurement": MEASUREMENT,
    "fingerprint": Measurement(split="test", samples=5).fingerprint(),
}
RECORD = {
    "profile": "tiny",
    "entry": "container",
    "method": "container",
    "family": "puzzles",
    "task": "container",
    "tier": "smoke",
    "source": "0",
    "settings_hash": "0",
    "runs": [{"seed": 0, "status": "done", "metrics": [METRIC]}, {"seed": 1, "status": "failed", "reason": "no"}],
}
RECEIPT: dict[str, Any] = {"profile": "tiny", "entry": "container", "stages": []}


def changed(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `data` with the dotted place set."""
    copy = json.loads(json.dumps(data))
    place = copy
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        place = place[step]
    place[last] = value
    return copy


WRONG_RECORDS: list[tuple[str, str, Any, tuple[str, ...]]] = [
    (
        "fingerprint",
        "runs.0.metrics.0.fingerprint",
        "0123456789abcdef",
        ("runs.0.metrics.0", "fingerprint 0123456789abcdef"),
    ),
    ("measurement_changed", "runs.0.metrics.0.measurement.samples", 6, ("runs.0.metrics.0", "that of its measurement")),
    ("status", "runs.0.status", "perfect", ("runs.0.status: found 'perfect'", "'done', 'diverged'")),
    ("no_reason", "runs.1.reason", "", ("runs.1", "not done states its reason")),
    ("two_runs_of_a_seed", "runs.1.seed", 0, ("each seed has one run",)),
    ("no_runs", "runs", [], ("runs: found []", "at least 1")),
    ("negative_seed", "runs.1.seed", -1, ("runs.1.seed: found -1",)),
    ("nan", "runs.0.metrics.0.value", float("nan"), ("runs.0.metrics.0.value: found nan", "finite")),
    ("inf", "runs.0.metrics.0.low", float("-inf"), ("runs.0.metrics.0.low: found -inf", "finite")),
    ("value_text", "runs.0.metrics.0.value", "1.0", ("runs.0.metrics.0.value: found '1.0'", "number")),
    ("no_items", "runs.0.metrics.0.n", 0, ("runs.0.metrics.0.n: found 0",)),
    ("unit", "runs.0.metrics.0.unit", "", ("runs.0.metrics.0.unit: found ''",)),
    ("unknown_field", "runs.0.luck", 1, ("runs.0.luck: unknown field",)),
    ("schema", "schema_version", 2, ("schema_version: found 2",)),
    ("tier", "tier", "huge", ("tier: found 'huge'",)),
    ("entry_name", "entry", "../x", ("entry: found '../x'", "pattern")),
]


@pytest.mark.parametrize(("place", "value", "said"), [c[1:] for c in WRONG_RECORDS], ids=[c[0] for c in WRONG_RECORDS])
def test_wrong_record(tmp_path: Path, place: str, value: Any, said: tuple[str, ...]) -> None:
    path = tmp_path / "container.json"
    path.write_text(json.dumps(RECORD))
    assert read_record(path).runs[0].metrics[0].value == 1.0
    path.write_text(json.dumps(changed(RECORD, place, value)))
    sentence(lambda: read_record(path), "container.json: ", *said)


BROKEN_JSON: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("truncated", json.dumps(RECORD).encode()[:-40], ("not readable as JSON", "line 1 column")),
    ("conflict", b'{\n<<<<<<< HEAD\n"a": 1\n}', ("not readable as JSON", "line 2 column 1")),
    ("empty", b"", ("empty",)),
    ("blank", b"\n", ("empty",)),
    ("list", b"[]", ("found list", "a mapping")),
    ("null", b"null", ("found NoneType", "a mapping")),
    ("nan", b'{"profile": NaN}', ("profile: found nan", "finite")),
    ("overflow", b'{"profile": 1e999}', ("profile: found inf", "finite")),
    ("key_twice", b'{"profile": "a", "profile": "b"}', ("'profile' stands twice",)),
    ("endless_number", b'{"profile": ' + b"9" * 5000 + b"}", ("not readable as JSON", "4300")),
    ("far_too_deep", b"[" * 200_000, ("not readable as JSON",)),
    ("too_deep", b"[" * 25 + b"]" * 25, ("more than 20 levels",)),
    ("not_utf8", b'{"profile": "\xe9"}', ("byte 13", "UTF-8")),
    ("too_large", b" " * (LARGEST_FILE + 1), (f"at most {LARGEST_FILE} bytes",)),
]


@pytest.mark.parametrize(("content", "said"), [c[1:] for c in BROKEN_JSON], ids=[c[0] for c in BROKEN_JSON])
@pytest.mark.parametrize("read", [read_record, read_receipt])
def test_broken_json(tmp_path: Path, read: Callable[[Path], Any], content: bytes, said: tuple[str, ...]) -> None:
    path = tmp_path / "container.json"
    path.write_bytes(content)
    sentence(lambda: read(path), "container.json: ", *said)


WRONG_RECEIPTS: list[tuple[str, str, Any, tuple[str, ...]]] = [
    ("unknown_field", "luck", 1, ("luck: unknown field",)),
    ("stages", "stages", {}, ("stages: found {}", "list")),
    ("empty_stage", "stages", [{}], ("stages.0.stage: missing",)),
    ("stage", "stages", [{"stage": "guess"}], ("stages.0.stage: found 'guess'", "'train' or 'evaluate'")),
]


@pytest.mark.parametrize(
    ("place", "value", "said"), [c[1:] for c in WRONG_RECEIPTS], ids=[c[0] for c in WRONG_RECEIPTS]
)
def test_wrong_receipt(tmp_path: Path, place: str, value: Any, said: tuple[str, ...]) -> None:
    path = tmp_path / "container.json"
    path.write_text(json.dumps(RECEIPT))
    assert read_receipt(path).stages == []
    path.write_text(json.dumps(changed(RECEIPT, place, value)))
    sentence(lambda: read_receipt(path), "container.json: ", *said)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("nan")]], ids=str)
def test_a_metric_made_in_memory_is_finite_too(value: Any) -> None:
    with pytest.raises(ValidationError, match="finite"):
        metric("looks", value, "looks", "lower", 5, Measurement(split="test"))


def test_absent_files(root: Path) -> None:
    sentence(lambda: read_record(root / "none.json"), "none.json: no such file")
    sentence(lambda: load(root, Typed), "no such file")  # a folder
    sentence(lambda: profiles.read_params(root), "params.yaml: no such file")


# params.yaml
def composed(root: Path) -> str:
    """The text of params.yaml, composed for profile tiny."""
    profiles.write_params(profiles.compose(profiles.read("tiny", root), root), root / "params.yaml")
    return (root / "params.yaml").read_text()


def test_params_switched_without_composing(root: Path) -> None:
    text = composed(root)
    (root / "params.yaml").write_text(edited(text, "profile: tiny", "profile: cpu"))
    sentence(
        lambda: profiles.read_params(root),
        "params.yaml: profile: found cpu",
        "composed for tiny",
        "claimbench profile cpu",
    )


def test_params_of_an_edited_profile(root: Path) -> None:
    composed(root)
    assert profiles.read_params(root).profile == "tiny"
    (root / "benchmarks/profiles/tiny.yaml").write_text(edited(PROFILE, "steps: 10", "steps: 11"))
    sentence(
        lambda: profiles.read_params(root),
        "params.yaml: composed_for.hash",
        "tiny.yaml, or a task it names, has been edited",
    )


def test_a_comment_in_the_profile_is_no_edit(root: Path) -> None:
    composed(root)
    (root / "benchmarks/profiles/tiny.yaml").write_text(PROFILE + "# a note\n")
    assert profiles.read_params(root).profile == "tiny"


WRONG_PARAMS = [
    ("unknown_field", "datasets:", "extra: 1\ndatasets:", "extra: unknown field"),
    ("nested", "      seed: 0", "      sed: 0", "runs.flows.tiny_nice_digits_s0.seed: missing"),
    ("type", "samples: 5", "samples: many", "entries.container.samples: found 'many'"),
    ("conflict", "datasets:", "<<<<<<< HEAD\ndatasets:", "line 15"),
]


@pytest.mark.parametrize(("old", "new", "said"), [c[1:] for c in WRONG_PARAMS], ids=[c[0] for c in WRONG_PARAMS])
def test_wrong_params(root: Path, old: str, new: str, said: str) -> None:
    (root / "params.yaml").write_text(edited(composed(root), old, new))
    sentence(lambda: profiles.read_params(root), "params.yaml: ", said)


# The same through the command line, in a copy of the code.
@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("implementations", "benchmarks"):
        shutil.copytree(REPOSITORY / package, root / package, ignore=ignored)
    (root / "benchmarks/profiles/tiny.yaml").write_text(PROFILE)
    composed(root)
    return root


def command(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", *words], cwd=root, env=environment, capture_output=True, text=True
    )


COMMANDS = [
    ("broken_yaml", "bad", b"profile: [bad", ("bad.yaml", "line 1")),
    ("not_utf8", "bad", b"\xff\xfe", ("bad.yaml", "UTF-8")),
    ("bomb", "bad", BILLION.encode(), ("bad.yaml", "aliases")),
    ("wrong_name", "bad", PROFILE.encode(), ("bad.yaml", "profile: found tiny")),
    ("setting", "bad", edited(PROFILE, "hidden_units", "hidden").replace("tiny", "bad").encode(), ("settings.hidden",)),
    ("path", "../bad", b"", ("profile ../bad: no file",)),
    ("absolute", "/etc/passwd", b"", ("profile /etc/passwd: no file",)),
]


@pytest.mark.parametrize(("name", "content", "said"), [c[1:] for c in COMMANDS], ids=[c[0] for c in COMMANDS])
def test_command_line(copied: Path, name: str, content: bytes, said: tuple[str, ...]) -> None:
    before = (copied / "params.yaml").read_bytes()
    (copied / "benchmarks/profiles/bad.yaml").write_bytes(content)
    ended = command(copied, "profile", name)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    for fragment in said:
        assert fragment in ended.stderr
    assert (copied / "params.yaml").read_bytes() == before


def test_command_line_accepts_the_good_profile(copied: Path) -> None:
    (copied / "params.yaml").unlink()
    (copied / "benchmarks/profiles/bad.yaml").unlink(missing_ok=True)
    ended = command(copied, "profile", "tiny")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (copied / "params.yaml").read_text() == composed(copied)
