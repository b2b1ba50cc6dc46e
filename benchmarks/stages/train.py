"""Stage train: one entry, one seed -> runs/<profile>/<entry>/{models,receipts}/."""

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import load as load_typed
from benchmarks.files.typed_files import write_json
from benchmarks.plan import composition, hardware, profiles
from benchmarks.plan.family import family
from benchmarks.plan.methods import find_method
from benchmarks.plan.params import Params, entry_file
from benchmarks.plan.pipelines import training_receipt
from benchmarks.provenance.identity import Identities
from benchmarks.record.receipts import Stopwatch, file_hash, receipt
from benchmarks.record.records import CurvePoint, Trained
from benchmarks.run.checkpoints import DiskCheckpoint
from benchmarks.run.files import left_by_others, model_folder, of_the_dataset, training_files
from benchmarks.run.job import Trainer, TrainingJob
from benchmarks.run.progress import Progress
from benchmarks.run.stopping import Stopped, TimeLimit, stopping

NUMERICS = Path("numerics.txt")
PROBE_STEPS = 3


def run(profile: str, entry: str, seed: int, off_profile: bool) -> None:
    """Trains and writes the weights, how training went, and the receipt.

    Raises:
        InputError: params, profile, hardware, settings or data are not as they must be; code was edited meanwhile.
        CheckFailed: the run took longer than allowed or was stopped; its checkpoint is kept.
    """
    stopwatch = Stopwatch()
    params = composition.read_params_of(profile)
    composed = composition.run_of(params, entry)
    where = str(entry_file(profile, entry))
    if composed.steps is None or composed.validate_every is None:
        raise InputError(f"entry {entry}: nothing of it is trained; run: claimbench evaluate {profile} {entry}")
    if seed not in composed.seeds:
        raise InputError(f"entry {entry}: seed {seed} is none of its seeds, {composed.seeds}; add it to the profile")
    off = hardware.check(params.hardware, profile, off_profile)
    batch = trainer_of(params, entry).settings.batch
    source = Identities().training(params, entry)
    files = training_files(params, entry, seed)
    folder = model_folder(profile, entry, seed)
    if (reason := _base_failed(files)) is not None:
        skipped = Trained(status="skipped", reason=reason, step=0, best_step=0, curve=[])
        told = _write(folder, skipped, None)
        made = receipt("train", seed, stopwatch, params.hardware, {told: told}, off)
        write_json(training_receipt(profile, entry, seed), made.model_dump())
        return
    identity = {
        "entry": composed.model_dump(include={"hardware", "method", "task", "settings", "steps", "validate_every"}),
        "seed": seed,
        "source": source,
        "numerics": NUMERICS.read_text(),
        "data": {path.name: file_hash(path) for path in of_the_dataset(composed)},
        "origin": {str(path): file_hash(path) for path in left_by_others(files)},
    }
    train = family(composed.family).trainer()
    from implementations.common.errors import Unsupported
    from implementations.common.fit import Interrupted, NullCheckpoint

    job = TrainingJob(
        **of_entry(params, entry, seed),
        files=files,
        steps=composed.steps,
        validate_every=composed.validate_every,
        checkpoint=NullCheckpoint(),
        other=trainer_of(params, composed.needs[1]) if len(composed.needs) > 1 else None,
    )
    try:
        probes = [_weights(train(replace(job, steps=PROBE_STEPS))) for _ in range(2)]
    except Unsupported as error:
        raise InputError(f"{where}: method {composed.method} on task {composed.task}: {error}") from error
    repeats = _same_weights(*probes)
    del probes
    checkpoint = DiskCheckpoint(identity)
    limit = composed.timeout_minutes
    with (
        stopping(limit * 60 if limit else math.inf) as stop,
        Progress(f"{profile} {entry} s{seed}", job.steps, batch) as progress,
    ):
        began = time.monotonic()
        try:
            model, outcome = train(replace(job, checkpoint=checkpoint, report=progress.step, stop=stop))
        except Interrupted as error:
            kind = TimeLimit if stop.out_of_time() else Stopped
            raise kind(f"{entry} s{seed}: {error}; the checkpoint is kept, run again to go on") from None
        rate = progress.made * batch / (time.monotonic() - began)
    if Identities().training(params, entry) != source:
        raise InputError(f"entry {entry}: code of {composed.method} was edited while it trained; run: dvc repro")
    trained = Trained(
        status=outcome.status,
        reason=outcome.reason,
        step=outcome.step,
        best_step=outcome.best_step,
        curve=[_curve_point(row) for row in outcome.curve],
    )
    weights = _write(folder, trained, model)
    made = receipt(
        "train", seed, stopwatch, params.hardware, {weights: weights}, off, rate, repeats, checkpoint.resumed
    )
    write_json(training_receipt(profile, entry, seed), made.model_dump())
    checkpoint.done()


def of_entry(params: Params, entry: str, seed: int) -> dict[str, Any]:
    """What every job of an entry says."""
    composed, own = params.entries[entry], trainer_of(params, entry)
    return {
        "entry": entry,
        "method_name": composed.method,
        "method": own.method,
        "settings": own.settings,
        "task": family(composed.family).task(composed.task),
        "seed": seed,
        "arithmetic": composed.hardware,
    }


def trainer_of(params: Params, entry: str) -> Trainer:
    """An entry's method, and its settings with the types that the method declares."""
    composed = params.entries[entry]
    method = find_method(composed.method)
    settings = profiles.typed_settings(method, composed.settings, str(entry_file(params.profile, entry)))
    return Trainer(method.declaration(), settings)


def _write(folder: Path, trained: Trained, model: Any | None) -> Path:
    """How training went and the weights, where there are any; returns the file that the receipt vouches for."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if model is not None:
        import torch

        torch.save(model.state_dict(), folder / "model.pt")
    write_json(folder / "trained.json", trained.model_dump())
    return folder / ("trained.json" if model is None else "model.pt")


def _base_failed(files: Mapping[str, Path]) -> str | None:
    """Why an entry cannot start, where a model that it starts from was not trained to its end."""
    for name in ("start", "other"):
        if name in files and (folder := files[name].parent).joinpath("trained.json").is_file():
            found = load_typed(folder / "trained.json", Trained)
            if found.status != "done":
                return f"starts from {folder.parent.parent.name}, whose training {found.status}: {found.reason}"
    return None


def _curve_point(row: dict[str, float]) -> CurvePoint:
    """A row of `fit`'s curve; what it has beside the losses is noted."""
    rest = dict(row)
    step, images, train, valid = (rest.pop(name) for name in ("step", "images", "train", "valid"))
    return CurvePoint(step=int(step), images=int(images), train=train, valid=valid, noted=rest)


def _weights(trained: Any) -> dict[str, Any]:
    """Of a short run, off the device: a large model has no room there beside the next one."""
    return {name: value.cpu() for name, value in trained[0].state_dict().items()}


def _same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two short runs ended with the same bits: the determinism that was achieved."""
    import torch

    return all(torch.equal(one[name], other[name]) for name in one)
