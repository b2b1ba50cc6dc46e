"""Stage evaluate: an entry, all its seeds -> evals/<profile>/<entry>/{record,receipt}.json."""

import importlib
import math
import shutil
from pathlib import Path
from typing import Any

from benchmarks import profiles
from benchmarks.data.parts.corpus import Corpus
from benchmarks.data.parts.dataset import load
from benchmarks.errors import InputError
from benchmarks.judging.protocols import Measurement
from benchmarks.methods import Method, find_method, tasks
from benchmarks.metrics.drawings import Drawing, Drawn
from benchmarks.metrics.given import Trainer
from benchmarks.metrics.measured import Evaluated, Measured
from benchmarks.metrics.passages import Passages, Written
from benchmarks.metrics.started import Started
from benchmarks.provenance import entry_source, training_source
from benchmarks.receipts import Stopwatch, receipt
from benchmarks.records import EntryReceipt, EntryRecord, Metric, Picture, RunRecord, Trained, flat, metric
from benchmarks.stages.extractors import FOLDER as EXTRACTORS
from benchmarks.stages.train import check_hardware, corpus_of, model_folder, receipt_file, trainer_of
from benchmarks.typed_files import load as load_typed
from benchmarks.typed_files import read_json, validate, write_json

EVALS = Path("evals")


def run(profile: str, entry: str, off_profile: bool, evals: Path = EVALS) -> None:
    """Raises InputError when params, profile, hardware, models or data are not as they must be."""
    stopwatch = Stopwatch()
    params = profiles.read_params_of(profile)
    composed = profiles.run_of(params, entry)
    method = find_method(composed.method)
    off = check_hardware(params.hardware, profile, off_profile)
    models_of = composed.models_of(entry)
    source = entry_source(method, needed=profiles.needed_methods(params, entry))
    settings = profiles.typed_settings(method, composed.method_settings(), f"{profiles.PARAMS}: entries.{entry}")
    task = tasks(method.family)[composed.task]
    take = importlib.import_module(f"benchmarks.families.{method.family}.evaluate").evaluate
    runs: list[RunRecord] = []
    pictures: list[Picture] | None = None
    drawings: list[Drawing | Passages] = []
    timings: dict[str, float] = {}
    for seed in composed.seeds:
        run_record = RunRecord(seed=seed, status="done")
        if models_of == entry:
            told = trained(method, profile, entry, seed)
            run_record = RunRecord(seed=seed, status=told.status, reason=told.reason, curve=told.curve)
        elif models_of is not None:
            told = trained(find_method(params.entries[models_of].method), profile, models_of, seed)
            reason = f"of {models_of}: {told.reason}" if told.reason else ""
            run_record = RunRecord(seed=seed, status=told.status, reason=reason)
        if run_record.status == "done":
            inputs = _inputs(params, entry, run_record, task, Trainer(method.module(), settings))
            try:
                taken: Evaluated = take(method.module(), settings, task, inputs)
            except ArithmeticError as error:  # of an adaptive solver that finds no step small enough
                told_why = {"status": "diverged", "reason": f"in evaluation: {error}"}
                runs.append(run_record.model_copy(update=told_why))
                continue
            except ValueError as error:  # of the method or a metric, for what the entry asks of it
                raise InputError(f"{profiles.PARAMS}: entries.{entry}: {error}") from error
            run_record = run_record.model_copy(update={"metrics": [_metric(row) for row in taken.rows]})
            timings |= {f"{name} s{seed}": seconds for name, seconds in taken.timings.items()}
            if pictures is None:
                pictures = [Picture.of(picture) for picture in taken.pictures]
                drawings = [*taken.drawings] if isinstance(taken, Drawn) else []
                drawings += taken.passages if isinstance(taken, Written) else []
        runs.append(run_record)
    target = evals / profile / entry
    fields = {
        "profile": profile,
        "entry": entry,
        "method": method.name,
        "family": method.family,
        "task": composed.task,
        "tier": composed.tier,
        "source": source,
        "settings_hash": params.settings_hash(entry),
        "modified": entry in profiles.modified_entries(params),
        "off_profile": off,
        "runs": runs,
        "pictures": pictures or [],
        "drawings": drawings,
    }
    record = validate(target / "record.json", fields, EntryRecord)
    shutil.rmtree(target, ignore_errors=True)
    write_json(target / "record.json", record.model_dump())
    made = receipt("evaluate", None, stopwatch, params.hardware, [target / "record.json"], off, timings=timings)
    stages = [read_json(receipt_file(profile, entry, seed)) for seed in composed.seeds] if models_of == entry else []
    whole = EntryReceipt.model_validate({"profile": profile, "entry": entry, "stages": [*stages, made.model_dump()]})
    write_json(target / "receipt.json", whole.model_dump())


def trained(method: Method, profile: str, entry: str, seed: int) -> Trained:
    """How training went.

    Raises:
        InputError: there are no weights; the code was edited while the run trained, so nobody can say what made them.
    """
    file, weights = (model_folder(profile, entry, seed) / name for name in ("trained.json", "model.pt"))
    again = f"run: dvc repro -f -s benchmarks/families/{method.family}/dvc.yaml:train@{profile}_{entry}_s{seed}"
    for needed in (file, weights):
        if not needed.is_file():
            raise InputError(f"{needed}: no such file; {again}")
    told = load_typed(file, Trained)
    if told.source != training_source(method):
        raise InputError(f"{file}: source: {method.name} was edited while this run trained; {again}")
    return told


def _inputs(params: profiles.Params, entry: str, run_record: RunRecord, task: Any, trainer: Trainer) -> Started:
    """`trainer` is the entry's own method."""
    composed = params.entries[entry]
    models_of = composed.models_of(entry) or entry
    dataset: str | None = task.dataset

    def weights_of(trained: str) -> dict[str, Any]:
        import torch

        file = model_folder(params.profile, trained, run_record.seed) / "model.pt"
        if not file.is_file():
            raise InputError(f"{file}: no such file; entry {trained} has no weights")
        state: dict[str, Any] = torch.load(file, "cpu", weights_only=True)
        return state

    def corpus() -> Corpus:
        if dataset is None:
            raise InputError(f"entry {entry}: its task has no data set, so that there are no texts")
        return corpus_of(dataset)

    def of_dataset(folder: str) -> Path:
        if dataset is None:
            raise InputError(f"entry {entry}: its task has no data set, so that there are no {folder}")
        return Path(folder) / dataset

    def extractor() -> Path:
        name: str | None = getattr(task, "extractor", None)
        if name is None or not (EXTRACTORS / name).is_dir():
            raise InputError(f"entry {entry}: there is no extractor {EXTRACTORS / str(name)}; run: dvc repro")
        return EXTRACTORS / name

    whose = params.entries[models_of]
    starts = whose.budget() is not None and bool(whose.needs)
    return Started(
        seed=run_record.seed,
        samples=composed.samples,
        arithmetic=params.hardware.arithmetic(),
        images=lambda split: load(of_dataset("data"), split)[0],
        features=lambda: read_json(of_dataset("features") / "pixels.json"),
        weights=lambda: weights_of(models_of),
        curve=lambda: [point.numbers() for point in run_record.curve],
        trainer=trainer if models_of == entry else trainer_of(params, models_of),
        extractor=extractor,
        start=(lambda: weights_of(whose.needs[0])) if starts else None,
        corpus=corpus,
    )


def _metric(row: Measured) -> Metric:
    return metric(
        row.name,
        row.value if all(map(math.isfinite, flat(row.value))) else None,
        row.unit,
        row.direction,
        row.n,
        Measurement.model_validate(row.measurement),
        row.variant,
        row.interval,
    )
