"""Stage evaluate: an entry, all its seeds -> its record and receipt in results/."""

from pathlib import Path

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import load as load_typed
from benchmarks.files.typed_files import read_json, validate, write_json
from benchmarks.plan import composition, hardware
from benchmarks.plan.family import family
from benchmarks.plan.params import Params, entry_file
from benchmarks.plan.pipelines import pipeline, stage_of, training_receipt
from benchmarks.provenance.identity import Identities
from benchmarks.record.evaluated import Drawing, Passages
from benchmarks.record.receipts import Stopwatch, receipt
from benchmarks.record.records import (
    ENTRIES,
    RECEIPTS,
    EntryReceipt,
    EntryRecord,
    Picture,
    RunRecord,
    Trained,
    metric_of,
)
from benchmarks.run.files import evaluation_files, model_folder
from benchmarks.run.job import EvaluationJob
from benchmarks.stages.train import of_entry, trainer_of


def run(profile: str, entry: str, off_profile: bool, results: Path = Path()) -> None:
    """Raises InputError when params, profile, hardware, models or data are not as they must be."""
    from implementations.common.errors import Unsupported

    stopwatch = Stopwatch()
    params = composition.read_params_of(profile)
    composed = composition.run_of(params, entry)
    off = hardware.check(params.hardware, profile, off_profile)
    models_of = composed.models_of(entry)
    source = Identities().evaluation(params, entry)
    take = family(composed.family).evaluator()
    runs: list[RunRecord] = []
    pictures: list[Picture] | None = None
    drawings: list[Drawing | Passages] = []
    timings: dict[str, float] = {}
    for seed in composed.seeds:
        run_record = _of_training(params, entry, seed)
        if run_record.status != "done":
            runs.append(run_record)
            continue
        job = EvaluationJob(
            **of_entry(params, entry, seed),
            files=evaluation_files(params, entry, seed),
            samples=composed.samples,
            trainer=trainer_of(params, models_of or entry),
            curve=[point.numbers() for point in run_record.curve],
        )
        try:
            taken = take(job)
        except ArithmeticError as error:  # of an adaptive solver that finds no step small enough
            runs.append(run_record.model_copy(update={"status": "diverged", "reason": f"in evaluation: {error}"}))
            continue
        except Unsupported as error:  # of the method or a metric, for what the entry asks of it
            raise InputError(f"{entry_file(profile, entry)}: {error}") from error
        runs.append(run_record.model_copy(update={"metrics": [metric_of(row) for row in taken.rows]}))
        timings |= {f"{name} s{seed}": seconds for name, seconds in taken.timings.items()}
        if pictures is None:
            pictures = [Picture.of(picture) for picture in taken.pictures]
            drawings = [*taken.drawings, *taken.passages]
    if Identities().evaluation(params, entry) != source:
        raise InputError(f"entry {entry}: its code was edited while it was evaluated; run: dvc repro")
    fields = {
        "profile": profile,
        "entry": entry,
        "method": composed.method,
        "family": composed.family,
        "task": composed.task,
        "tier": composed.tier,
        "source": source,
        "settings_hash": params.settings_hash(entry),
        "modified": entry in composition.modified_entries(params),
        "off_profile": off,
        "runs": runs,
        "pictures": pictures or [],
        "drawings": drawings,
    }
    place = ENTRIES / profile / f"{entry}.json"
    record = validate(place, fields, EntryRecord)
    write_json(results / place, record.model_dump())
    made = receipt("evaluate", None, stopwatch, params.hardware, {place: results / place}, off, timings=timings)
    trained = composed.seeds if models_of == entry else []
    stages = [read_json(training_receipt(profile, entry, seed)) for seed in trained]
    whole = EntryReceipt.model_validate({"profile": profile, "entry": entry, "stages": [*stages, made.model_dump()]})
    write_json(results / RECEIPTS / profile / f"{entry}.json", whole.model_dump())


def _of_training(params: Params, entry: str, seed: int) -> RunRecord:
    """How the training of an entry's models went, so far as it decides the run."""
    models_of = params.entries[entry].models_of(entry)
    if models_of is None:
        return RunRecord(seed=seed, status="done")
    found = trained(params, models_of, seed)
    if models_of == entry:
        return RunRecord(seed=seed, status=found.status, reason=found.reason, curve=found.curve)
    return RunRecord(seed=seed, status=found.status, reason=f"of {models_of}: {found.reason}" if found.reason else "")


def trained(params: Params, entry: str, seed: int) -> Trained:
    """How training went.

    Raises:
        InputError: there are no weights.
    """
    folder = model_folder(params.profile, entry, seed)
    file, weights = folder / "trained.json", folder / "model.pt"
    found = load_typed(file, Trained) if file.is_file() else None
    if found is None or (found.status != "skipped" and not weights.is_file()):
        stage = f"{pipeline(params.entries[entry].family)}:{stage_of('train', params.profile, entry, f's{seed}')}"
        raise InputError(f"{weights if found else file}: no such file; run: dvc repro -f -s {stage}")
    return found
