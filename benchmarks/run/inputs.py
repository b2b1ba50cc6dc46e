"""Readers of a job's files. Accessing an unavailable input raises InputError."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.parts import texts
from benchmarks.data.parts.corpus import Corpus
from benchmarks.data.parts.dataset import load
from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import read_json
from benchmarks.run.job import Job


def path(job: Job, name: str) -> Path:
    """Raises InputError when the job has no file of that name, or when it is not there."""
    if name not in job.files:
        raise InputError(f"entry {job.entry}: there is no {name} for it")
    if not job.files[name].exists():
        raise InputError(f"{job.files[name]}: no such file; run: dvc repro")
    return job.files[name]


def images(job: Job, split: str) -> NDArray[np.uint8]:
    """Grey levels (n, *shape) of a split of the task's data set."""
    return load(path(job, "data"), split)[0]


def features(job: Job) -> dict[str, Any]:
    """What the features stage left for the data set."""
    found: dict[str, Any] = read_json(path(job, "features") / "pixels.json")
    return found


def corpus(job: Job) -> Corpus:
    """The texts of the task's data set and its tokenizer, each read when it is asked for."""
    data = path(job, "data")
    return Corpus(cache(lambda split: texts.records(data, split)), lambda: tokenizer(job))


def tokenizer(job: Job) -> str:
    """What the features stage made of the train split: a JSON text."""
    file = path(job, "features") / "tokenizer.json"
    if not file.is_file():
        raise InputError(f"{file}: no such file; run: claimbench features {file.parent.name}")
    return file.read_text(encoding="utf-8")


def weights(job: Job, name: str) -> dict[str, Any]:
    """The state of a model, on the CPU."""
    import torch

    state: dict[str, Any] = torch.load(path(job, name), "cpu", weights_only=True)
    return state
