"""Small results: a flow that diverged once, a puzzle, a stale row, and names that must be escaped."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.judging import tables
from benchmarks.judging.results import Results
from benchmarks.judging.verdicts import Verdict
from benchmarks.record import evaluated as measured
from benchmarks.record.evaluated import Board, Histogram, Line, Lines
from benchmarks.record.measurement import Measurement
from benchmarks.record.records import (
    CurvePoint,
    EntryReceipt,
    EntryRecord,
    Metric,
    Picture,
    RunRecord,
    StageReceipt,
)
from tests.unit.judged import PAPER, claim, metric

HOSTILE = "<script>alert(1)</script> 50 % & a_b | $x$ #1"


def curve(seed: int) -> list[CurvePoint]:
    steps = range(100, 2001, 100)
    return [
        CurvePoint(
            step=step,
            images=100 * step,
            train=300 * np.exp(-step / 400) + 20 + seed,
            valid=300 * np.exp(-step / 400) + 24 + seed + step / 800,
            noted={"evaluations": 14.0 + step // 500 * 6},
        )
        for step in steps
    ]


def flow(profile: str, tier: Any) -> EntryRecord:
    protocol = Measurement(split="test", samples=300)
    runs = [
        RunRecord(
            seed=seed,
            status="done",
            metrics=[metric("log_likelihood", -70.0 + seed, "nats/image", "higher", 300, protocol)],
            curve=curve(seed),
        )
        for seed in (0, 1, 2)
    ]
    runs.append(RunRecord(seed=3, status="diverged", reason=f"loss is not finite {HOSTILE}", curve=curve(3)[:4]))
    generator = np.random.default_rng(0)
    digits = generator.integers(0, 17, (20, 8, 8)).astype(np.uint8)
    colours = generator.integers(0, 256, (6, 3, 5, 4)).astype(np.uint8)
    density = generator.integers(0, 256, (1, 64, 64)).astype(np.uint8)
    return EntryRecord(
        profile=profile,
        entry="nice_digits",
        method="nice",
        family="flows",
        task="digits",
        tier=tier,
        source="c7b9e584167f0d93",
        settings_hash="e91bf751e3ae3dfb",
        runs=runs,
        pictures=[
            Picture.of(measured.Picture("samples", "draws of the trained model", digits, 16)),
            Picture.of(measured.Picture("interpolation", f"between images {HOSTILE}", colours, 255, 3)),
            Picture.of(measured.Picture("density", "the density on the plane", density)),
        ],
    )


def puzzle(profile: str, tier: Any) -> EntryRecord:
    runs = []
    for seed in (0, 1):
        metrics: list[Metric] = []
        for algorithm, power in (("two_pointers", 1), ("<script>", 2)):
            for n in (64, 256, 1024):
                law = Measurement(instances=f"heights uniform, n = {n}")
                variant = {"algorithm": algorithm, "n": n}
                metrics.append(metric("looks", float(n**power - seed), "looks", "lower", 1, law, variant))
        runs.append(RunRecord(seed=seed, status="done", metrics=metrics))
    return EntryRecord(
        profile=profile,
        entry="container",
        method="container",
        family="puzzles",
        task="container",
        tier=tier,
        source="2c0b8cbb61cf871f",
        settings_hash="4c94e098f2d06fa8",
        runs=runs,
        drawings=[
            Board("policy", f"policy {HOSTILE}", [[0.5, -1.25], [0.0, 2.0]], [["→", "↓"], ["<b>", ""]], decimals=2),
            Lines("errors", "errors", "n", "error", [Line(HOSTILE, [1, 10, 100], [1, 0.1, 0])], "xy"),
            Histogram("ends", "ends", "heights", [0, 1, 3], [0.5, 0.25], Line("law", [0, 3], [0.4, 0.3], theory=True)),
        ],
    )


def receipt(profile: str, entry: str, seeds: tuple[int | None, ...]) -> EntryReceipt:
    stages = [
        StageReceipt(
            stage="evaluate" if seed is None else "train",
            seed=seed,
            commit="2c8e7d16c0ffee2c8e7d16c0ffee2c8e7d16c0ff",
            dirty=seed == 1,
            wall_seconds=12.5,
            cpu_seconds=12.0,
            peak_memory_mib=512.25,
            per_second=None if seed is None else 70000.0,
            hardware={"device": "cpu", "name": "Processor & Co <X_1>", "count": 1, "driver": "", "system": "Linux"},
            versions={"python": "3.11.7", "torch": "2.14.1"},
            lock_hash="ab" * 32,
            determinism_asked=True,
            determinism_achieved=None if seed is None else True,
            artefacts={f"runs/{profile}/{entry}/models/s{seed}/model.safetensors": "cd" * 32},
        )
        for seed in seeds
    ]
    return EntryReceipt(profile=profile, entry=entry, stages=stages)


def verdict(word: str, records: list[EntryRecord], **fields: Any) -> Verdict:
    """A verdict with a claim of its own; of `fields`, those that no Verdict has are of the claim."""
    told = {"task": "", "ours": None, "low": None, "high": None, "seeds": "", "reason": "", **fields}
    of_verdict = {name: told.pop(name) for name in ("task", "ours", "low", "high", "seeds", "reason")}
    return Verdict(claim(**{"kind": "value", **told}), PAPER, verdict=word, records=tuple(records), **of_verdict)


def results(profile: str = "cpu", tier: str = "short", stale: tuple[str, ...] = ("nice_digits",)) -> Results:
    """A profile as the judge gives it, with a verdict of each kind; `twin` and `third` are rivals of the flow."""
    made = flow(profile, tier)
    looks = puzzle(profile, tier)
    records = [looks, made, *(made.model_copy(update={"entry": name, "drawings": []}) for name in ("third", "twin"))]
    numbers: dict[str, Any] = {"task": "digits", "metric": "log_likelihood", "ours": -69.0, "low": -70.5, "high": -67.5}
    reason = f"seed 3 diverged: {HOSTILE}"
    along: dict[str, Any] = {"kind": "trend", "along": "n", "shape": "rises", "metric": "looks", "entry": "container"}
    memory = {"evidence": "from_memory", "value": 1980.5}
    verdicts = [
        verdict(
            "undecided", [made], id="nice_ll", where="Table 1", seeds="3 of 4", reason=reason, value=-69.25, **numbers
        ),
        verdict("reproduced", [looks], id="container_looks", where=HOSTILE, ours=1.0, seeds="2 of 2", value=1.0),
        verdict("fails at short scale", [looks], id="nice_order", where="sec. 2", ours=3.0, low=1.0, high=5.0),
        verdict("not run", [], id="nice_mnist", reason="entry nice_mnist belongs to h100_1", **memory),
        verdict("holds at short scale", [looks], id="container_cost", task="container", ours=960.0, **along),
        verdict("not comparable: split", [looks], id="container_split", reason="ours was taken on another split"),
    ]
    receipts = {
        "container": receipt(profile, "container", (None,)),
        "nice_digits": receipt(profile, "nice_digits", (0, 1, 2, 3, None)),
    }
    return Results(profile, records, verdicts, tables.scores(records, stale), frozenset(stale), receipts)


@pytest.fixture(scope="session")
def everything() -> list[Results]:
    """Profiles cpu (short) and smoke."""
    return [results(), results("smoke", "smoke")]


def check_latex(text: str) -> None:
    """Every brace, dollar and environment is closed, every row has its columns, rules are those of booktabs."""
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\\\|\\[&%$#_{}]", "", code)  # without row ends and escaped characters
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%#<>|^~\"]", bare)
    for environment in re.findall(r"\\begin\{(\w+)\}", code):
        assert environment in ("tabular", "longtable")
    for block in re.findall(r"\\begin\{\w+\}(.*?)\\end\{\w+\}", code, re.S):
        spec = re.match(r"\{((?:[lr]|p\{[\d.]+\\linewidth\})+)\}\n", block)
        assert spec
        rows = [row for row in block.split("\n") if row.endswith(r"\\") and "multicolumn" not in row]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(re.findall(r"[lr](?!i)|p\{", spec[1]))}
        assert [r"\toprule" in block, r"\midrule" in block, r"\bottomrule" in block] == [True] * 3
        assert r"\hline" not in block


@pytest.fixture(scope="session")
def assert_latex() -> Callable[[str], None]:
    return check_latex
