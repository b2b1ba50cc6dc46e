"""Stage train: one entry, one seed -> runs/<profile>/<entry>/{models,receipts}/."""

import importlib
import math
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import hardware, profiles
from benchmarks.checkpoints import DiskCheckpoint
from benchmarks.data.parts import texts
from benchmarks.data.parts.corpus import Corpus
from benchmarks.data.parts.dataset import find, load
from benchmarks.data.parts.texts import TextDataset
from benchmarks.errors import CheckFailed, InputError
from benchmarks.methods import find_method, tasks
from benchmarks.metrics.given import Trainer
from benchmarks.progress import Progress
from benchmarks.provenance import training_source
from benchmarks.receipts import Stopwatch, file_hash, receipt
from benchmarks.records import CurvePoint, Trained
from benchmarks.typed_files import write_json

RUNS = Path("runs")
DATA = Path("data")
FEATURES = Path("features")
NUMERICS = Path("numerics.txt")
FAILURES = Path(".failures")
PROBE_STEPS = 3


class TimeLimit(CheckFailed):
    """The run used up its entry's timeout_minutes."""


def model_folder(profile: str, entry: str, seed: int) -> Path:
    return RUNS / profile / entry / "models" / f"s{seed}"


def receipt_file(profile: str, entry: str, seed: int) -> Path:
    return RUNS / profile / entry / "receipts" / f"s{seed}.json"


def check_hardware(required: hardware.Requirement, profile: str, off_profile: bool) -> bool:
    """Whether the run is off profile.

    Raises:
        InputError: it is, and that was not asked for.
    """
    found = hardware.mismatches(required, hardware.this_machine(required.device))
    if found and not off_profile:
        field, needed, here = found[0]
        raise InputError(
            f"{profiles.FOLDER}/{profile}.yaml: hardware.{field}: this machine has {here}; the profile needs {needed}; "
            "run on such a machine, or add --off-profile (its results will be marked)"
        )
    if found and any(field == "device" for field, _, _ in found):
        raise InputError(
            f"{profiles.FOLDER}/{profile}.yaml: hardware.device: no {required.device} here; --off-profile cannot help"
        )
    return bool(found)


def run(profile: str, entry: str, seed: int, off_profile: bool) -> None:
    """Trains and writes the weights, how training went, and the receipt.

    Raises:
        InputError: params, profile, hardware, settings or data are not as they must be.
        CheckFailed: the run took longer than allowed or was stopped; its checkpoint is kept.
    """
    stopwatch = Stopwatch()
    params = profiles.read_params_of(profile)
    composed = profiles.run_of(params, entry)
    budget = composed.budget()
    if budget is None:
        raise InputError(f"entry {entry}: nothing of it is trained; run: claimbench evaluate {profile} {entry}")
    if seed not in composed.seeds:
        raise InputError(f"entry {entry}: seed {seed} is none of its seeds, {composed.seeds}; add it to the profile")
    method = find_method(composed.method)
    off = check_hardware(params.hardware, profile, off_profile)
    settings = profiles.typed_settings(method, composed.method_settings(), f"{profiles.PARAMS}: entries.{entry}")
    task = tasks(method.family)[composed.task]
    examples = examples_of(task.dataset)
    if task.dataset and settings.batch > len(examples("train")):
        raise InputError(
            f"{profiles.PARAMS}: entries.{entry}.settings.batch: found {settings.batch}; "
            f"at most the {len(examples('train'))} training examples of {task.dataset}"
        )
    source = training_source(method)
    origin = _origin(params, entry, seed)
    identity = {
        "entry": composed.model_dump(include={"method", "task", "task_settings", "settings"}),
        "hardware": params.hardware.arithmetic(),
        "seed": seed,
        "source": source,
        "numerics": NUMERICS.read_text(),
        "data": _hashes_of(task.dataset) if task.dataset else {},
        "origin": {str(path): file_hash(path) for path in origin.files()} if origin else {},
    }
    train = importlib.import_module(f"benchmarks.families.{method.family}.train").train
    from benchmarks.torch_flags import TorchFlags
    from implementations.common.fit import Interrupted

    flags = TorchFlags(**params.hardware.arithmetic())

    def fitted(steps: int, checkpoint: Any, report: Any, stop: Any) -> Any:
        given = (method.module(), settings, task, steps, budget["validate_every"], seed, flags, examples)
        if origin is None:
            return train(*given, checkpoint, report, stop)
        return train(*given, checkpoint, report, stop, origin.opened(method.family, settings))

    try:
        probes = [_weights(fitted(PROBE_STEPS, _Nowhere(), _ignore, bool)) for _ in range(2)]
    except ValueError as error:  # of the method, for a task that it cannot learn
        raise InputError(f"{profiles.PARAMS}: entries.{entry}.task: {composed.task}: {error}") from error
    repeats = _same_weights(*probes)
    del probes
    steps = budget["steps"]
    checkpoint = DiskCheckpoint(identity)
    limit = composed.timeout_minutes
    with (
        _stopping(limit * 60 if limit else math.inf) as stop,
        Progress(f"{profile} {entry} s{seed}", steps, settings.batch) as progress,
    ):
        began = time.monotonic()
        try:
            model, outcome = fitted(steps, checkpoint, progress.step, stop)
        except Interrupted as error:
            kind = TimeLimit if stop.out_of_time() else CheckFailed
            raise kind(f"{entry} s{seed}: {error}; the checkpoint is kept, run again to go on") from None
        rate = progress.made * settings.batch / (time.monotonic() - began)
    folder = model_folder(profile, entry, seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    import torch

    torch.save(model.state_dict(), folder / "model.pt")
    trained = Trained(
        status=outcome.status,
        reason=outcome.reason,
        step=outcome.step,
        best_step=outcome.best_step,
        curve=[_curve_point(row) for row in outcome.curve],
        source=source,
    )
    write_json(folder / "trained.json", trained.model_dump())
    made = receipt(
        "train", seed, stopwatch, params.hardware, [folder / "model.pt"], off, rate, repeats, checkpoint.resumed
    )
    write_json(receipt_file(profile, entry, seed), made.model_dump())
    checkpoint.done()


@dataclass(frozen=True)
class _Origin:
    """Where an entry finds what it starts from; `other` is the model of a second entry, with what trained it."""

    start: Path
    pairs: Path | None
    other: tuple[Path, Trainer] | None

    def files(self) -> list[Path]:
        """Raises InputError when one is not there."""
        for needed in (self.start, self.pairs, self.other[0] if self.other else None):
            if needed is not None and not needed.exists():
                raise InputError(f"{needed}: not there; run: dvc repro")
        files = [self.start, *(sorted(self.pairs.iterdir()) if self.pairs else [])]
        return [*files, self.other[0]] if self.other else files

    def opened(self, family: str, settings: Any) -> Any:
        """The `Origin` of the family's pairs.py."""
        import torch

        module = importlib.import_module(f"benchmarks.families.{family}.pairs")

        def weights(file: Path) -> Callable[[], Any]:
            return lambda: torch.load(file, "cpu", weights_only=True)

        def pairs(split: str) -> Any:
            return module.read(self.pairs, settings.pairs, split)

        if self.other is None:
            return module.Origin(weights(self.start), pairs)
        return module.Origin(weights(self.start), pairs, (weights(self.other[0]), self.other[1]))


def _hashes_of(dataset: str) -> dict[str, str]:
    """Of the files of a data set, and of the tokeniser that was made of one of texts."""
    tokenizer = FEATURES / dataset / "tokenizer.json"
    files = [*sorted((DATA / dataset).iterdir()), *([tokenizer] if tokenizer.is_file() else [])]
    return {path.name: file_hash(path) for path in files}


def _origin(params: profiles.Params, entry: str, seed: int) -> _Origin | None:
    """Of an entry that starts from another; None of one that starts afresh."""
    composed = params.entries[entry]
    run = params.runs[find_method(composed.method).family][f"{params.profile}_{entry}_s{seed}"]
    if run.start == profiles.NO_DATA:
        return None
    other = None
    if run.other != profiles.NO_DATA:
        other = Path(run.other) / "model.pt", trainer_of(params, composed.needs[1])
    pairs = None if run.pairs == profiles.NO_DATA else Path(run.pairs)
    return _Origin(Path(run.start) / "model.pt", pairs, other)


def trainer_of(params: profiles.Params, entry: str) -> Trainer:
    """Of a trained entry: its method and settings."""
    composed = params.entries[entry]
    method = find_method(composed.method)
    where = f"{profiles.PARAMS}: entries.{entry}"
    return Trainer(method.module(), profiles.typed_settings(method, composed.method_settings(), where))


def examples_of(dataset: str | None) -> Callable[[str], Any]:
    """What a family is given of a data set: images by split, or a `Corpus`; of no data set nothing is asked for."""
    if dataset is not None and isinstance(find(dataset), TextDataset):
        return corpus_of(dataset)

    @cache
    def of(split: str) -> Any:
        assert dataset is not None
        return load(DATA / dataset, split)[0]

    return of


def corpus_of(dataset: str) -> Corpus:
    """The texts of a data set and its tokenizer, each read when it is asked for."""

    def tokenizer() -> str:
        file = FEATURES / dataset / "tokenizer.json"
        if not file.is_file():
            raise InputError(f"{file}: no such file; run: claimbench features {dataset}")
        return file.read_text(encoding="utf-8")

    return Corpus(cache(lambda split: texts.records(DATA / dataset, split)), tokenizer)


def _curve_point(row: dict[str, float]) -> CurvePoint:
    """A row of `fit`'s curve; what it has beside the losses is noted."""
    told = dict(row)
    step, images, train, valid = (told.pop(name) for name in ("step", "images", "train", "valid"))
    return CurvePoint(step=int(step), images=int(images), train=train, valid=valid, noted=told)


class _Nowhere:
    """A checkpoint for runs too short to keep."""

    def load(self) -> None:
        return None

    def due(self, step: int) -> bool:
        return False

    def save(self, state: dict[str, Any]) -> None:
        raise AssertionError("a probe is never interrupted")


def _ignore(step: int, loss: float, norm: float) -> None:
    pass


def _weights(trained: Any) -> dict[str, Any]:
    """Of a short run, off the device: a large model has no room there beside the next one."""
    return {name: value.cpu() for name, value in trained[0].state_dict().items()}


def _same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two short runs ended with the same bits: the determinism that was achieved."""
    import torch

    return all(torch.equal(one[name], other[name]) for name in one)


class _Stop:
    """Asked after each step whether to stop: a signal came, or the time is over."""

    def __init__(self, seconds: float):
        self.deadline, self.signals = time.monotonic() + seconds, 0

    def out_of_time(self) -> bool:
        return time.monotonic() >= self.deadline

    def __call__(self) -> bool:
        return self.signals > 0 or self.out_of_time()


@contextmanager
def _stopping(seconds: float) -> Iterator[_Stop]:
    """SIGINT and SIGTERM ask for a checkpoint and a clean exit; a second signal ends at once."""
    stop = _Stop(seconds)

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.signals:
            sys.exit(128 + number)
        stop.signals += 1

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def noting_failure(profile: str, entry: str, seed: int | None) -> Iterator[None]:
    """Keeps a note of a run that ended badly, for `claimbench collect --partial`; one that ends well removes it."""
    file = FAILURES / profile / (f"{entry}.json" if seed is None else f"{entry}_s{seed}.json")
    try:
        yield
    except InputError:
        raise
    except CheckFailed as error:
        status = "timeout" if isinstance(error, TimeLimit) else "failed"
        write_json(file, {"entry": entry, "seed": seed, "status": status, "reason": str(error)})
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        write_json(file, {"entry": entry, "seed": seed, "status": "failed", "reason": reason})
        traceback.print_exc()
        raise CheckFailed(f"{entry}: {reason}") from error
    file.unlink(missing_ok=True)
