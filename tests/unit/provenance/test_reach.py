"""What runs when an entry is trained and evaluated is what its hashes are of."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plan.params import Params
from benchmarks.provenance import identity
from benchmarks.provenance.definitions import Token, Unit
from benchmarks.provenance.identity import Identities
from benchmarks.stages import evaluate, pairs, train
from tests.unit.plan.tiny import written
from tests.unit.provenance.running import REPOSITORY, definitions, recording

# What decides no number, though a stage runs it: which entries there are, how a run is kept, noted and told.
NO_NUMBER = (
    "benchmarks.stages", "benchmarks.plan", "benchmarks.provenance", "benchmarks.files", "benchmarks.families.checks",
    "benchmarks.record.records", "benchmarks.record.receipts",
    "benchmarks.run.checkpoints", "benchmarks.run.progress", "benchmarks.run.stopping",
    "benchmarks.record.measurement", "benchmarks.record.strict_drawings",
    "benchmarks.run.files:left_by_others", "benchmarks.run.files:of_the_dataset",  # of a checkpoint's identity
    "implementations.common.fit:NullCheckpoint",  # of short runs that are thrown away
)  # fmt: skip

STEPS = {"steps": 3, "validate_every": 2}
SMALL = {"network": "mlp", "width": 8, "dropout": 0.0}
FLOW = {"method": "rectified_flow", "task": "ring", "seeds": [0], **STEPS, "samples": 10}
SFT = {"method": "sft", "task": "arithmetic", "seeds": [0], **STEPS, "samples": 3}
NANO = {"network": "gpt_nano", "batch": 4, "learning_rate": 1.0e-3}
GRPO = {**NANO, "group": 2, "minibatch": 4, "updates": 1, "most": 4}
LEARNT = {**SMALL, "batch": 10, "tolerance": 0.1}
PROFILES = {
    "puzzles": {"container": {"method": "container", "task": "container", "seeds": [0], "samples": 2}},
    "tabular": {
        "one_hand": {
            "method": "monte_carlo", "task": "blackjack_one_hand", "seeds": [0], "samples": 2,
            "settings": {"algorithm": "ordinary_importance_sampling", "episode_length": 25},
        },
        "iterative": {
            "method": "dynamic_programming", "task": "random_walk_4x4", "seeds": [0], "samples": 3,
            "settings": {"algorithm": "iterative_policy_evaluation"},
        },
        "horizon": {
            "method": "monte_carlo", "task": "grid_horizon", "seeds": [0], "samples": 5,
            "settings": {"algorithm": "mc_basic", "episodes_per_pair": 1},
        },
    },
    "stochastic_approximation": {
        "root": {
            "method": "robbins_monro", "task": "linear_root", "seeds": [0], "samples": 3,
            "settings": {"gain": "power", "scale": 0.5, "exponent": 0.7, "average_from": 1},
        },
        "mean": {"method": "sgd", "task": "mean", "seeds": [0], "samples": 3, "settings": {"batch": 5}},
    },
    "flows": {
        "planar": {
            "method": "planar", "task": "energy_1", "seeds": [0], **STEPS, "samples": 10,
            "settings": {"flow_length": 2, "batch": 10},
        },
        "cnf": {
            "method": "cnf", "task": "mixture", "seeds": [0], **STEPS, "samples": 5,
            "settings": {"hidden_units": 4, "batch": 10, "training_tolerance": 0.1, "tolerance": 0.1},
        },
    },
    "diffusion": {
        "first": {**FLOW, "settings": LEARNT},
        "second": {**FLOW, "settings": {**LEARNT, "reflows": 1, "pairs": 20}, "needs": ["first"]},
        "trained": {
            "method": "ddpm", "task": "ring", "seeds": [0], **STEPS, "samples": 10,
            "settings": {**SMALL, "levels": 40, "grey_levels": None, "denoised_limit": None, "batch": 10},
        },
        "taking": {
            "method": "ddim", "task": "ring", "seeds": [0], "needs": ["trained"], "samples": 10,
            "settings": {"levels": 40, "denoised_limit": None},
        },
    },
    "preferences": {
        "base": {**SFT, "settings": NANO},
        "learner": {**SFT, "method": "grpo", "settings": GRPO, "needs": ["base"]},
        "student": {
            **SFT, "settings": {**NANO, "pairs": 60, "responses": "rewarded"}, "needs": ["base", "learner"],
        },
    },
}  # fmt: skip
UNREWARDED = {"student"}  # untrained models earn nothing, so that nobody can learn from their pairs


@pytest.mark.parametrize("family", PROFILES)
def test_all_that_runs_is_in_the_hash(code: Path, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    missed = missed_of(code, PROFILES[family], monkeypatch)
    assert not missed, "\n".join(missed)


def test_a_hole_is_seen(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "EVALUATION_CORE", ())
    missed = missed_of(code, PROFILES["puzzles"], monkeypatch)
    assert "evaluate container: benchmarks.run.files:evaluation_files" in missed


def missed_of(code: Path, entries: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As `check`, of a profile of these entries, in the root that is given."""
    params = written(code, entries)
    shutil.copy(REPOSITORY / "numerics.txt", code)
    monkeypatch.chdir(code)
    return check(params)


def check(params: Params) -> list[str]:
    """Runs every stage of every entry; what ran and is in no hash, a line each with the stage."""
    today, missed = Identities(), []
    # Of the tuple of tasks only the entry's own is hashed; test_identity.py asks for that.
    tasks = {Unit(f"benchmarks.families.{one.family}.tasks", "TASKS") for one in params.entries.values()}

    def ran(stage: str, hashed: list[Token], run: Callable[[], None]) -> None:
        with recording() as lines:
            run()
        reach = today.code.reach(hashed) | tasks
        units = [found for line in lines if not str(min(found := definitions(*line), key=str)).startswith(NO_NUMBER)]
        assert any(found & reach for found in units), f"{stage}: nothing of it was seen"
        missed.extend(sorted({f"{stage}: {_named(found)}" for found in units if not found & reach}))

    behind: dict[str, list[Token]] = {}  # of the weights of an entry
    for entry in sorted(params.entries, key=lambda name: len(params.needed(name))):
        composed = params.entries[entry]
        found = [token for need in composed.needs for token in behind.get(need, [])]
        if composed.steps is not None:
            count = composed.pairs()
            if count is not None:
                by = composed.needs[-1]
                made = [*behind[by], *today.pairs_code(params, by)]
                ran(f"pairs of {by}", made, partial(pairs.run, params.profile, by, 0, count, True))
                found += made
            if entry in UNREWARDED:
                continue
            found += today.training_code(params, entry)
            ran(f"train {entry}", found, partial(train.run, params.profile, entry, 0, True))
        behind[entry] = found
        whole = [*found, *today.evaluation_code(params, entry)]
        ran(f"evaluate {entry}", whole, partial(evaluate.run, params.profile, entry, True))
    return missed


def _named(units: set[Unit]) -> str:
    return ", ".join(sorted(map(str, units)))
