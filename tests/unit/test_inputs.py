"""What a job is handed: readers of its files, one sentence where there is none, and the files that stages name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.files.errors import InputError
from benchmarks.plan import composition, profiles
from benchmarks.plan.methods import find_method, tasks
from benchmarks.run import inputs
from benchmarks.run.files import evaluation_files, training_files
from benchmarks.run.job import Job
from benchmarks.stages import train


def job(**files: Path) -> Job:
    return Job(entry="it", method_name="m", method=None, settings=None, task=None, seed=3, files=files)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda given: inputs.images(given, "test"), "data"),
        (inputs.features, "features"),
        (inputs.corpus, "data"),
        (inputs.tokenizer, "features"),
        (lambda given: inputs.weights(given, "model"), "model"),
        (lambda given: inputs.path(given, "extractor"), "extractor"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, read, name: str) -> None:
    with pytest.raises(InputError, match=f"^entry it: there is no {name} for it$"):
        read(job())
    with pytest.raises(InputError, match=r"absent: no such file; run: dvc repro$"):
        read(job(**{name: tmp_path / "absent"}))


def test_files_are_read_where_they_are(tmp_path: Path) -> None:
    images, state = np.arange(8, dtype=np.uint8).reshape(2, 2, 2), {"w": torch.arange(3.0)}
    np.save(tmp_path / "test_images.npy", images)
    np.save(tmp_path / "test_labels.npy", np.zeros(2, np.uint8))
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": "a film"}) + "\n")
    (tmp_path / "pixels.json").write_text('{"bits": 2.0}')
    torch.save(state, tmp_path / "model.pt")
    given = job(data=tmp_path, features=tmp_path, model=tmp_path / "model.pt")
    np.testing.assert_array_equal(inputs.images(given, "test"), images)
    assert inputs.features(given) == {"bits": 2.0}
    assert torch.equal(inputs.weights(given, "model")["w"], state["w"])
    corpus = inputs.corpus(given)
    assert corpus("train") == ["a film"]
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file; run: claimbench features"):
        corpus.tokenizer()
    (tmp_path / "tokenizer.json").write_text("{}")
    assert corpus.tokenizer() == "{}"


@pytest.mark.parametrize("name", ["smoke", "cpu"])
def test_stages_name_what_an_entry_needs(name: str) -> None:
    """Weights for what is trained, by itself or by another; a start for what starts from another."""
    params = composition.compose(profiles.read(name))
    seen = set()
    for entry, composed in params.entries.items():
        task = tasks(find_method(composed.method).family)[composed.task]
        found = evaluation_files(params, entry, composed.seeds[0])
        assert ("data" in found) == ("features" in found) == (task.dataset is not None)
        assert ("extractor" in found) == hasattr(task, "extractor")
        models_of = composed.models_of(entry)
        assert ("model" in found) == (models_of is not None)
        assert ("start" in found) == (models_of is not None and bool(params.entries[models_of].needs))
        seen |= set(found)
        if composed.steps is not None:
            learned = training_files(params, entry, composed.seeds[0])
            assert ("start" in learned) == bool(composed.needs)
            assert ("pairs" in learned) == isinstance(composed.settings.get("pairs"), int)
            assert ("other" in learned) == (len(composed.needs) == 2)
            seen |= set(learned)
    assert {"data", "features", "extractor", "model", "start", "pairs"} <= seen


def test_what_starts_from_a_model_that_was_not_trained_to_its_end_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "base/models/s0"
    folder.mkdir(parents=True)
    told = {"status": "diverged", "reason": "loss is nan", "step": 3, "best_step": 0, "curve": [], "source": ""}
    (folder / "trained.json").write_text(json.dumps(told))
    reason = train._base_failed({"start": folder / "model.pt"})
    assert reason == "starts from base, whose training diverged: loss is nan"
    (folder / "trained.json").write_text(json.dumps(told | {"status": "done"}))
    assert train._base_failed({"start": folder / "model.pt"}) is None
