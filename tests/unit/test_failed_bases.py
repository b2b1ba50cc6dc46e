"""What starts from a model whose training failed is a row with its reason, and not a broken pipeline."""

from pathlib import Path

import pytest

from benchmarks.files.typed_files import write_json
from benchmarks.plan import composition, profiles
from benchmarks.plan.pipelines import pairs_of
from benchmarks.record.records import ENTRIES, Trained, read_record
from benchmarks.run.files import model_folder
from benchmarks.stages import evaluate, pairs, train

REPOSITORY = Path(__file__).parents[2]
BASE, REFLOW = "rectified_flow_digits", "rectified_flow_2_digits"


def test_a_reflow_of_a_flow_that_diverged_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = composition.compose(profiles.read("smoke", REPOSITORY), REPOSITORY)
    monkeypatch.setattr(composition, "read_params_of", lambda _: params)
    monkeypatch.setattr(composition, "modified_entries", lambda _: set())
    for name in ("implementations", "benchmarks", "numerics.txt", "requirements.lock"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    count = params.entries[REFLOW].pairs()
    assert count is not None
    for seed in params.entries[BASE].seeds:
        folder = model_folder("smoke", BASE, seed)
        folder.mkdir(parents=True)
        (folder / "model.pt").touch()
        found = Trained(status="diverged", reason="loss is nan", step=3, best_step=0, curve=[])
        write_json(folder / "trained.json", found.model_dump())
        pairs.run("smoke", BASE, seed, count, True)
        assert f"{BASE} s{seed}: no pairs of a model whose training diverged: loss is nan" in capsys.readouterr().out
        assert [path.name for path in pairs_of("smoke", BASE, seed, count).iterdir()] == ["none.json"]
        train.run("smoke", REFLOW, seed, True)
    evaluate.run("smoke", REFLOW, True)
    record = read_record(ENTRIES / "smoke" / f"{REFLOW}.json")
    reason = f"starts from {BASE}, whose training diverged: loss is nan"
    assert {(run.status, run.reason) for run in record.runs} == {("skipped", reason)}
