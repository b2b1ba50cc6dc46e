"""Profiles, claims, records and parameters that are refused: by which file and which field; typed_files has the rest.

What the main refusals say stands word for word in messages.txt; after a change that is meant, write it anew with
CLAIMBENCH_UPDATE_MESSAGES=1 and read the difference.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks import cli
from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import read_json, read_yaml, validate
from benchmarks.judging import claims
from benchmarks.plan import composition, profiles
from benchmarks.plan.methods import find_method
from benchmarks.plan.params import ComposedEntry, Head
from benchmarks.record.measurement import Measurement
from benchmarks.record.records import EntryReceipt, EntryRecord, Metric, read_receipt, read_record

REPOSITORY = Path(__file__).parents[2]
MESSAGES = Path(__file__).parent / "messages.txt"
TINY, MADE_UP = "benchmarks/profiles/tiny.yaml", "benchmarks/claims/made_up.yaml"
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


def edited(text: str, old: str, new: str) -> str:
    """`text` with one place changed; a case breaks when that place is gone."""
    assert old in text, old
    return text.replace(old, new, 1)


@pytest.fixture
def root(code: Path) -> Path:
    """A root with one good profile and one good claims file."""
    (code / TINY).write_text(PROFILE)
    (code / MADE_UP).write_text(CLAIMS)
    return code


def refused(call: Callable[[], Any], file: str, field: str = "") -> None:
    """A reader refuses a file, naming it and the field."""
    with pytest.raises(InputError) as caught:
        call()
    begins = f"{file}: {field}: " if field else f"{file}: "
    lines = str(caught.value).splitlines()
    assert any(begins in line for line in lines), f"{begins!r} is not in: {caught.value}"
    assert all(len(line) < 600 for line in lines)  # sentences, not a dump of the file


def test_the_good_files_are_good(root: Path) -> None:
    assert list(profiles.read("tiny", root).entries) == ["container", "nice_digits"]
    assert [claim.id for _, claim in claims.read_all(root)] == ["number", "order", "shape"]


# Profiles: old text, new text, the field that is named; a few that the types refuse, and every rule of ours.
ENTRY, NICE = "entries.container", "entries.nice_digits"
WRONG_PROFILES: dict[str, tuple[str, str, str]] = {
    "unknown_field": ("threads: 1", "thread: 1", "hardware.thread"),
    "wrong_type": ("samples: 5", 'samples: "5"', f"{ENTRY}.samples"),
    "not_a_number": ("memory_gib: 1", "memory_gib: .nan", "hardware.memory_gib"),
    "no_entries": (PROFILE[PROFILE.index("entries") :], "entries: {}\n", "entries"),
    "name": ("  container:", "  con-tainer:", "entries.con-tainer.[key]"),
    "not_the_files_name": ("profile: tiny", "profile: small", "profile"),
    "no_expression": ("threads: 1", 'name: "H100["', "hardware.name"),
    "seed_twice": ("seeds: [0, 1]", "seeds: [3, 3]", ENTRY),
    "steps_alone": ("    validate_every: 5\n", "", NICE),
    "unknown_method": ("method: nice", "method: ncie", f"{NICE}.method"),
    "unknown_task": ("task: digits", "task: digit", f"{NICE}.task"),
    "task_of_another_family": ("task: digits", "task: container", f"{NICE}.task"),
    "unknown_setting": ("{hidden_units: 32}", "{hidden_unit: 32}", f"{NICE}.settings.hidden_unit"),
    "unknown_need": ("steps: 10", "steps: 10\n    needs: [ddpm]", f"{NICE}.needs"),
}


@pytest.mark.parametrize("case", WRONG_PROFILES)
def test_wrong_profile(root: Path, case: str) -> None:
    old, new, field = WRONG_PROFILES[case]
    (root / TINY).write_text(edited(PROFILE, old, new))
    refused(lambda: profiles.read("tiny", root), TINY, field)


@pytest.mark.parametrize("name", ["../tiny", "/etc/passwd", "", "*", "ti\nny"])
def test_profile_names_are_no_paths(root: Path, name: str) -> None:
    (root / "benchmarks/tiny.yaml").write_text(PROFILE)  # what ../tiny would reach
    with pytest.raises(InputError, match=r"there are tiny$") as caught:
        profiles.read(name, root)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"hidden_units": 1.5}, "hidden_units"), ({"prior": "cauchy"}, "prior"), ({"hidden": 3}, "hidden")],
    ids=["type", "choice", "unknown"],
)
def test_wrong_settings(settings: dict[str, Any], field: str) -> None:
    method = find_method("nice", REPOSITORY)
    refused(lambda: profiles.typed_settings(method, settings, "here.yaml"), "here.yaml", f"settings.{field}")


def test_settings_of_the_right_type_pass() -> None:
    settings = profiles.typed_settings(find_method("nice", REPOSITORY), {"hidden_units": 7, "learning_rate": 1}, "here")
    assert (settings.hidden_units, settings.learning_rate, settings.couplings) == (7, 1, 4)


# Claims, likewise.
ORDER = CLAIMS[CLAIMS.index("    better:") : CLAIMS.index("    equal:")]
NUMBER, SIDES, TREND = "claims.number", "claims.order", "claims.shape"
WRONG_CLAIMS: dict[str, tuple[str, str, str]] = {
    "unknown_field": ("    evidence: verified", "    evidence: verified\n    proof: x", f"{NUMBER}.proof"),
    "name": ("id: number", "id: num-ber", "claims.num-ber.id"),
    "kind": ("kind: value", "kind: hunch", f"{NUMBER}.kind"),
    "no_kind": ("    kind: value\n", "", f"{NUMBER}.kind"),
    "no_citation": (', arxiv: "1410.8516"', "", "paper"),
    "not_the_files_name": ("key: made_up", "key: nice", "paper.key"),
    "empty_measurement": ("value: 2.5", "value: 2.5\n    measurement: {}", f"{NUMBER}.measurement"),
    "paper_with_method": ("entry: container", "method: container", NUMBER),
    "method_with_entry": ("scope: paper", "scope: method", NUMBER),
    "id_twice": ("id: order", "id: number", f"{NUMBER}.id"),
    "unknown_entry": ("entry: container", "entry: containr", f"{NUMBER}.entry"),
    "unknown_method": ("method: nice", "method: ncie", f"{TREND}.method"),
    "unknown_method_of_a_side": ("worse: {method: container", "worse: {method: x", f"{SIDES}.worse.method"),
    "sides_equal": ("brute_force", "two_pointers", SIDES),
    "both_literature": (
        ORDER,
        "    better: {literature: A, value: 1.0}\n    worse: {literature: B, value: 2.0}\n",
        SIDES,
    ),
    "literature_without_value": (ORDER[ORDER.index("    worse") :], "    worse: {literature: A}\n", f"{SIDES}.worse"),
    "side_without_subject": ("better: {method: container, ", "better: {", f"{SIDES}.better"),
    "equal_fixed": ("equal: [n]", "equal: [algorithm]", SIDES),
    "varies_unknown": ("varies: [samples]", "varies: [sample]", SIDES),
    "point_missing": ("    point: 3.0\n", "", TREND),
    "point_too_many": ("shape: changes_at", "shape: rises", TREND),
}


@pytest.mark.parametrize("case", WRONG_CLAIMS)
def test_wrong_claim(root: Path, case: str) -> None:
    old, new, field = WRONG_CLAIMS[case]
    (root / MADE_UP).write_text(edited(CLAIMS, old, new))
    refused(lambda: claims.read_all(root), MADE_UP, field)


def test_claim_id_in_two_files(root: Path) -> None:
    (root / "benchmarks/claims/other.yaml").write_text(edited(CLAIMS, "key: made_up", "key: other"))
    refused(lambda: claims.read_all(root), "benchmarks/claims/other.yaml", f"{NUMBER}.id")


def test_claims_are_not_read_beside_a_malformed_profile(root: Path) -> None:
    (root / TINY).write_text("profile: [")
    refused(lambda: claims.read_all(root), TINY)


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


def changed(data: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy of `data` with the dotted place set."""
    copy = json.loads(json.dumps(data))
    node = copy
    *steps, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    for step in steps:
        node = node[step]
    node[last] = value
    return copy


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ("runs.0.metrics.0.measurement.samples", 6, "runs.0.metrics.0"),
        ("runs.1.reason", "", "runs.1"),
        ("runs.1.seed", 0, ""),
        ("runs.0.metrics.0.value", float("nan"), "runs.0.metrics.0.value"),
        ("entry", "../x", "entry"),
    ],
    ids=["fingerprint", "no_reason", "seed_twice", "nan", "name"],
)
def test_wrong_record(tmp_path: Path, place: str, value: Any, field: str) -> None:
    path = tmp_path / "container.json"
    path.write_text(json.dumps(RECORD))
    assert read_record(path).runs[0].metrics[0].value == 1.0
    path.write_text(json.dumps(changed(RECORD, place, value)))
    refused(lambda: read_record(path), str(path), field)


def test_wrong_receipt(tmp_path: Path) -> None:
    path = tmp_path / "container.json"
    path.write_text(json.dumps(RECEIPT))
    assert read_receipt(path).stages == []
    path.write_text(json.dumps(changed(RECEIPT, "stages", [{"stage": "guess"}])))
    refused(lambda: read_receipt(path), str(path), "stages.0.stage")


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")]], ids=str)
def test_a_metric_made_in_memory_is_finite_too(value: Any) -> None:
    with pytest.raises(ValidationError):
        Metric.model_validate({**METRIC, "value": value})


# params.yaml and the files of its entries
PARAMS, NICE_FILE = "params.yaml", "pipelines/params/tiny/nice_digits.json"


def composed(root: Path, file: str = PARAMS) -> str:
    """The text of a file that composing profile tiny writes."""
    composition.write_params(composition.compose(profiles.read("tiny", root), root), root)
    return (root / file).read_text()


# File, old text (None: all), new text (None: the file is gone), what is named.
WRONG_PARAMS: dict[str, tuple[str, str | None, str | None, str]] = {
    "absent": (PARAMS, None, None, PARAMS),
    "list": (PARAMS, None, "- profile: tiny\n", PARAMS),
    "conflict": (PARAMS, "datasets:", "<<<<<<< HEAD\ndatasets:", PARAMS),
    "switched": (PARAMS, "profile: tiny", "profile: cpu", f"{PARAMS}: profile"),
    "no_name": (PARAMS, "profile: tiny", "profile: [tiny]", f"{PARAMS}: profile"),
    "path": (PARAMS, "profile: tiny", "profile: ../tiny", f"{PARAMS}: profile"),
    "misspelt": (PARAMS, "profile: tiny", "profile: tinny", f"{PARAMS}: profile"),
    "missing_field": (PARAMS, "  device: cpu\n", "", f"{PARAMS}: hardware.device"),
    "entries_of_old": (PARAMS, "datasets:", "entries: {}\ndatasets:", f"{PARAMS}: entries"),
    "entry_absent": (NICE_FILE, None, None, NICE_FILE),
    "entry_empty": (NICE_FILE, None, "", NICE_FILE),
    "entry_truncated": (NICE_FILE, None, '{"steps": 10, "set', NICE_FILE),
    "entry_list": (NICE_FILE, None, "[]", NICE_FILE),
    "entry_missing_field": (NICE_FILE, ' "steps": 10,\n', "", f"{NICE_FILE}: steps"),
    "entry_wrong_type": (NICE_FILE, '"steps": 10', '"steps": "10"', f"{NICE_FILE}: steps"),
    "entry_out_of_range": (NICE_FILE, '"samples": 5', '"samples": 0', f"{NICE_FILE}: samples"),
}


def spoil(root: Path, case: str) -> None:
    file, old, new, _ = WRONG_PARAMS[case]
    text = composed(root, file)
    (root / "benchmarks/profiles/cpu.yaml").touch()  # to be switched to
    if new is None:
        (root / file).unlink()
    else:
        (root / file).write_text(new if old is None else edited(text, old, new))


@pytest.mark.parametrize("case", WRONG_PARAMS)
def test_wrong_params(root: Path, case: str) -> None:
    spoil(root, case)
    refused(lambda: composition.read_params(root), WRONG_PARAMS[case][-1])


def test_files_that_are_of_no_entry_of_the_profile(root: Path) -> None:
    composed(root)
    for name in ("extra", "no-name"):
        (root / NICE_FILE).with_name(f"{name}.json").write_text("{")
        refused(lambda name=name: composition.read_params(root), f"pipelines/params/tiny/{name}.json")


def test_all_entries_files_that_are_wrong_are_named_at_once_and_a_folder_that_is_gone_in_one_line(root: Path) -> None:
    composed(root)
    folder = (root / NICE_FILE).parent
    for path in folder.iterdir():
        path.write_text("[]")
    with pytest.raises(InputError) as caught:
        composition.read_params(root)
    assert len(str(caught.value).splitlines()) == 2
    for path in [*folder.iterdir()]:
        path.unlink()
    with pytest.raises(InputError, match=r"^pipelines/params/tiny: .*$"):
        composition.read_params(root)


def test_params_of_an_edited_profile(root: Path) -> None:
    composed(root)
    (root / TINY).write_text(PROFILE + "# a note\n")
    assert composition.read_params(root).profile == "tiny"
    (root / TINY).write_text(edited(PROFILE, "steps: 10", "steps: 11"))
    refused(lambda: composition.read_params(root), "params.yaml", "composed_for.hash")


# The same through the command line.
def test_the_command_line_refuses_in_one_sentence_and_writes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = composed(root)
    monkeypatch.chdir(root)
    for name, content in (("bad", b"profile: [bad"), ("../bad", b""), ("bad", PROFILE.encode())):
        (root / "benchmarks/profiles/bad.yaml").write_bytes(content)
        monkeypatch.setattr(sys, "argv", ["claimbench", "profile", name])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert (ended.value.code, shown.out) == (2, "")
        assert shown.err.startswith("claimbench: ")
        assert len(shown.err.splitlines()) == 1
        assert (root / "params.yaml").read_text() == before


# Wording: of our own sentences alone; libraries' words and lists of what there is change without us.
WORDED = {
    "profile": ["unknown_field", "not_the_files_name", "seed_twice", "steps_alone", "unknown_need"],
    "claims": ["no_citation", "paper_with_method", "id_twice", "unknown_entry", "unknown_method", "sides_equal"],
    "params": ["switched", "misspelt", "entry_absent", "entry_missing_field"],
}


def message(root: Path, kind: str, case: str) -> str:
    """What is said of a malformed file, all others being good."""
    (root / TINY).write_text(PROFILE)
    if kind == "params":
        spoil(root, case)
    elif kind == "claims":
        (root / MADE_UP).write_text(edited(CLAIMS, *WRONG_CLAIMS[case][:2]))
    else:
        (root / TINY).write_text(edited(PROFILE, *WRONG_PROFILES[case][:2]))
    with pytest.raises(InputError) as caught:
        composition.read_params(root) if kind == "params" else claims.read_all(root)
    return str(caught.value).replace(f"{root}/", "")


def test_what_the_main_refusals_say(root: Path) -> None:
    """The only test here that asks for words."""
    said = [f"{kind} {case}: {message(root, kind, case)}\n" for kind, cases in WORDED.items() for case in cases]
    if os.environ.get("CLAIMBENCH_UPDATE_MESSAGES") == "1":
        MESSAGES.write_text("".join(said))
    assert "".join(said) == MESSAGES.read_text()


# Whatever a file holds, it is read or refused: no traceback.
NAMES = st.sampled_from(
    ["paper", "claims", "kind", "id", "value", "better", "entries", "runs", "metrics", "hardware", "name", "variant"]
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("ordering"))
DATA = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(NAMES, st.text(max_size=3)), inner)),
    max_leaves=12,
)
MODELS = [claims.ClaimFile, profiles.Profile, Head, ComposedEntry, EntryRecord, EntryReceipt]


@settings(max_examples=60, deadline=None)
@given(data=DATA, good=st.sampled_from([RECORD, RECEIPT, yaml.safe_load(CLAIMS), yaml.safe_load(PROFILE)]), key=NAMES)
def test_any_data_are_read_or_refused(data: Any, good: dict[str, Any], key: str) -> None:
    for model in MODELS:
        for whole in (data, {**good, key: data}, {**good, key: [data, {"kind": data, "id": data}]}):
            with suppress(InputError):
                validate("here", whole, model)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=40), st.text("ab:-[]{}&*!?|>'\"# \n\t%@01.", max_size=40).map(str.encode)))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    for name, read in (("it.yaml", read_yaml), ("it.json", read_json)):
        (tmp_path / name).write_bytes(content)
        with suppress(InputError):
            read(tmp_path / name)
