"""Which files a job reads, by the names of `run.job`."""

from pathlib import Path

from benchmarks.files.errors import InputError
from benchmarks.files.listing import files_in
from benchmarks.plan.params import ComposedEntry, Params
from benchmarks.plan.pipelines import models_of, pairs_of

DATA = Path("data")
FEATURES = Path("features")
EXTRACTORS = Path("extractors")


def model_folder(profile: str, entry: str, seed: int) -> Path:
    """Weights, and how their training went."""
    return models_of(profile, entry) / f"s{seed}"


def training_files(params: Params, entry: str, seed: int) -> dict[str, Path]:
    """Of an entry that is trained; raises InputError when what other entries leave for it is not there."""
    composed = params.entries[entry]
    files = {}
    for name, need in zip(("start", "other"), composed.needs, strict=False):
        files[name] = model_folder(params.profile, need, seed) / "model.pt"
    if (count := composed.settings.get("pairs")) is not None:
        files["pairs"] = pairs_of(params.profile, composed.needs[-1], seed, int(str(count)))
    return {**_of_the_task(composed), **files}


def pairs_files(params: Params, entry: str, seed: int) -> dict[str, Path]:
    """Of a trained entry that makes pairs."""
    model = model_folder(params.profile, entry, seed) / "model.pt"
    return {**_of_the_task(params.entries[entry]), "model": model}


def evaluation_files(params: Params, entry: str, seed: int) -> dict[str, Path]:
    """Of an entry to evaluate."""
    composed = params.entries[entry]
    files = _of_the_task(composed)
    if composed.extractor is not None:
        files["extractor"] = EXTRACTORS / composed.extractor
    if (trained := composed.models_of(entry)) is not None:
        files["model"] = model_folder(params.profile, trained, seed) / "model.pt"
        whose = params.entries[trained]
        if whose.steps is not None and whose.needs:
            files["start"] = model_folder(params.profile, whose.needs[0], seed) / "model.pt"
    return files


def _of_the_task(composed: ComposedEntry) -> dict[str, Path]:
    if composed.dataset is None:
        return {}
    return {"data": DATA / composed.dataset, "features": FEATURES / composed.dataset}


def left_by_others(files: dict[str, Path]) -> list[Path]:
    """Every file that another entry left for a training; raises InputError when some of it is not there."""
    needed = [files[name] for name in ("start", "pairs", "other") if name in files]
    for path in needed:
        if not path.exists():
            raise InputError(f"{path}: no such file; run: dvc repro")
    return [file for path in needed for file in (files_in(path, "") if path.is_dir() else [path])]


def of_the_dataset(composed: ComposedEntry) -> list[Path]:
    """The files of its data set, and the tokenizer of one of texts; InputError when the data set is not there."""
    if composed.dataset is None:
        return []
    folder, tokenizer = DATA / composed.dataset, FEATURES / composed.dataset / "tokenizer.json"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; run: claimbench fetch {composed.dataset}")
    return [*files_in(folder, ""), *([tokenizer] if tokenizer.is_file() else [])]
