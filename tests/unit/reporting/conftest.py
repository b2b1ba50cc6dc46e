"""A small results/ tree: a flow that diverged once, a puzzle, a stale row, and names that must be escaped."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.judging.protocols import Measurement, describe
from benchmarks.metrics import measured
from benchmarks.metrics.drawings import Board, Histogram, Line, Lines
from benchmarks.records import (
    CurvePoint,
    EntryReceipt,
    EntryRecord,
    Metric,
    Picture,
    RunRecord,
    StageReceipt,
    metric,
)
from benchmarks.reporting import read
from benchmarks.typed_files import write_json, write_text

HOSTILE = "<script>alert(1)</script> 50 % & a_b | $x$ #1"


def table(header: str, rows: list[dict[str, Any]]) -> str:
    """A CSV as the judge writes it; fields left out are empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, header.split(","), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


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


def scores(record: EntryRecord, stale: str = "") -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for run in record.runs:
        for found in run.metrics:
            row = rows.setdefault(
                (describe(found.variant), found.name),
                {
                    **{name: getattr(record, name) for name in ("entry", "method", "task", "tier", "source")},
                    **{name: getattr(found, name) for name in ("unit", "direction", "fingerprint")},
                    "variant": describe(found.variant),
                    "metric": found.name,
                    "stale": stale,
                    "values": [],
                },
            )
            row["values"].append(found.value)
    for row in rows.values():
        values = row.pop("values")
        mean = float(np.mean(values))
        row |= {"seeds": f"{len(values)} of {len(record.runs)}", "mean": mean, "low": mean - 1.5, "high": mean + 1.5}
        row["interval"] = "95 % Student t"
    return list(rows.values())


def judged(stale: str) -> list[dict[str, Any]]:
    common = {"paper": "NICE (2014) & others", "evidence": "verified", "scope": "paper", "kind": "value"}
    numbers = {"task": "digits", "metric": "log_likelihood", "ours": -69.0, "low": -70.5, "high": -67.5}
    return [
        {**common, **numbers, "claim": "nice_ll", "where": "Table 1", "paper_value": -69.25, "seeds": "3 of 4"}
        | {"verdict": "undecided", "reason": f"seed 3 diverged: {HOSTILE}", "stale": stale},
        {**common, "claim": "container_looks", "where": "p. 3", "paper_value": 1, "ours": 1, "seeds": "2 of 2"}
        | {"verdict": "reproduced", "reason": "as printed", "task": "container", "metric": "looks"},
        {**common, "claim": "nice_order", "where": "sec. 2", "ours": 3, "seeds": "1 of 1", "low": 1, "high": 5}
        | {"verdict": "fails at short scale", "reason": "p = 0.9"},
        {**common, "claim": "nice_mnist", "where": "Table 1", "paper_value": 1980.5, "evidence": "from_memory"}
        | {"verdict": "not run", "reason": "entry nice_mnist belongs to h100_1"},
        {**common, "claim": "container_cost", "where": "p. 3", "kind": "trend", "seeds": "2 of 2", "ours": 960}
        | {"verdict": "holds at short scale", "reason": "along n", "task": "container", "metric": "looks"},
        {**common, "claim": HOSTILE, "where": "x_y", "paper_value": "[[1, 2], [3, 4]]", "seeds": "2 of 2"}
        | {"verdict": "not comparable: split", "reason": "ours was taken on another split"},
    ]


def write_results(root: Path, profile: str = "cpu", tier: str = "short", stale: str = "stale") -> None:
    """Records, receipts and tables of one profile."""
    records = [puzzle(profile, tier), flow(profile, tier)]
    receipts = [receipt(profile, "container", (None,)), receipt(profile, "nice_digits", (0, 1, 2, 3, None))]
    for record, of in zip(records, receipts, strict=True):
        write_json(root / f"results/entries/{profile}/{record.entry}.json", record.model_dump())
        write_json(root / f"results/receipts/{profile}/{record.entry}.json", of.model_dump())
    scored = [*scores(records[0]), *scores(records[1], stale)]
    places = [
        {name: row[name] for name in ("task", "metric", "entry", "variant", "mean", "low", "high", "stale")}
        | dict(zip(("rank_low", "rank_high"), ranks, strict=True))
        for row, ranks in [(row, (2, 2) if "script" in row["variant"] else (1, 1)) for row in scored]
    ]
    for name in ("twin", "third"):  # two more on the flow's board, not told apart from it
        rival = {**scored[-1], "entry": name, "stale": ""}
        scored.append(rival)
        places.append({**places[-1], "entry": name, "stale": ""})
    for place in places[-3:]:
        place |= {"rank_low": 1, "rank_high": 3}
    folder = root / "results/tables" / profile
    write_text(folder / "scores.csv", table(read.SCORES, scored))
    write_text(folder / "leaderboard.csv", table(read.LEADERBOARD, places))
    write_text(folder / "verdicts.csv", table(read.JUDGED, judged(stale)))


@pytest.fixture(scope="session")
def results_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Profiles cpu (short) and smoke; read only."""
    root = tmp_path_factory.mktemp("root")
    write_results(root, "cpu", "short")
    write_results(root, "smoke", "smoke", stale="stale+off-profile")
    return root


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
        spec = re.match(r"\{([lr]+)\}", block)
        assert spec
        rows = [row for row in block.split("\n") if row.endswith(r"\\") and "multicolumn" not in row]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(spec[1])}
        assert [r"\toprule" in block, r"\midrule" in block, r"\bottomrule" in block] == [True] * 3
        assert r"\hline" not in block


@pytest.fixture(scope="session")
def assert_latex() -> Callable[[str], None]:
    return check_latex
