"""Profile tiny of a root, with the entries that a test asks for."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.files.errors import InputError
from benchmarks.plan import composition, profiles
from benchmarks.plan.params import Params

FILE = "benchmarks/profiles/tiny.yaml"
STEPS = {"steps": 10, "validate_every": 5}
NICE = {"method": "nice", "task": "digits", "seeds": [0, 3], "settings": {"hidden_units": 32}, **STEPS, "samples": 5}
CONTAINER = {"method": "container", "task": "container", "seeds": [1], "samples": 5}
DDPM = {
    "method": "ddpm", "task": "digits", "seeds": [0, 1], "settings": {"network": "mlp", "grey_levels": 17},
    **STEPS, "samples": 10,
}  # fmt: skip
DDIM = {"method": "ddim", "task": "digits_table", "seeds": [1], "needs": ["trained"], "samples": 10}
PLAIN = {"nice_digits": NICE, "container": CONTAINER}
TAKING = {"trained": DDPM, "taking": DDIM}

FLOW = {"method": "rectified_flow", "task": "digits", "seeds": [1], **STEPS, "samples": 10}
LEARNT = {"network": "mlp", "width": 8, "reflows": 1, "pairs": 100}
REFLOWS = {
    "first": {**FLOW, "seeds": [0, 1], "settings": {"network": "mlp", "width": 8}},
    "second": {**FLOW, "settings": LEARNT, "needs": ["first"]},
    "third": {**FLOW, "settings": {**LEARNT, "reflows": 2}, "needs": ["first"]},
}

NANO = {"task": "reviews", "seeds": [0, 1], "settings": {"network": "gpt_nano"}, **STEPS, "samples": 5}
MICRO = {**NANO, "settings": {"network": "gpt_micro"}}
PAIRED = {"network": "gpt_nano", "pairs": 60}
# A language model, what judges, what learns from either, and a student of a larger teacher.
PREFERENCES = {
    "base": {**NANO, "method": "sft"},
    "large": {**MICRO, "method": "sft"},
    "scorer": {**NANO, "method": "reward_model", "settings": PAIRED, "needs": ["base"]},
    "learner": {**NANO, "method": "dpo", "settings": PAIRED, "needs": ["base"]},
    "rollouts": {**NANO, "method": "ppo", "needs": ["base", "scorer"]},
    "teacher": {**MICRO, "method": "grpo", "needs": ["large"]},
    "student": {
        **NANO, "method": "sft", "settings": {**PAIRED, "responses": "rewarded"}, "needs": ["base", "teacher"]
    },
    "best": {"method": "best_of_n", "task": "reviews", "seeds": [1], "needs": ["learner"], "samples": 5},
}  # fmt: skip


def composed(
    root: Path, entries: dict[str, dict[str, Any]], hardware: dict[str, Any] | None = None, **edits: dict[str, Any]
) -> Params:
    """Of `entries` with fields replaced or entries added; None removes a field."""
    whole = {name: {**entries.get(name, {}), **edits.get(name, {})} for name in [*entries, *edits]}
    data = {
        "profile": "tiny",
        "tier": "smoke",
        "hardware": {"device": "cpu", "memory_gib": 1, **(hardware or {})},
        "entries": {
            name: {field: value for field, value in fields.items() if value is not None}
            for name, fields in whole.items()
        },
    }
    (root / FILE).write_text(yaml.dump(data, Dumper=_Dumper, sort_keys=False))
    return composition.compose(profiles.read("tiny", root), root)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def written(root: Path, entries: dict[str, dict[str, Any]]) -> Params:
    """The same, written for stages to read."""
    params = composed(root, entries)
    composition.write_params(params, root)
    return params


def refuses(root: Path, entries: dict[str, dict[str, Any]], place: str, **edits: dict[str, Any]) -> list[str]:
    """The lines of a refusal, one of which has `place`, as `entry.field: found value`, after the file's name."""
    with pytest.raises(InputError) as refused:
        composed(root, entries, **edits)
    lines = str(refused.value).splitlines()
    assert any(f"{FILE}: entries.{place}; " in line for line in lines), lines
    return lines
