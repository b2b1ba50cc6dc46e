"""DVC's stages of the entries of a profile: a file `pipelines/<family>/dvc.yaml` a family.

They are written out, not made by DVC's templates, since these can leave out no dependency that an entry does not have.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.plan.params import Params, entry_file

FOLDER = Path("pipelines")
HEAD = "# Written by `claimbench profile NAME`; edit the profile or benchmarks/plan/pipelines.py and run that again.\n"
# What of an entry's file decides models.
TRAINED_BY = ["hardware", "method", "task", "settings", "steps", "validate_every"]

Stage = dict[str, Any]


def pipeline(family: str) -> Path:
    """The file of a family's pipeline."""
    return FOLDER / family / "dvc.yaml"


def stage_of(kind: str, profile: str, entry: str, rest: str = "") -> str:
    """Name of a stage: `train_cpu_nice_digits_s0`."""
    return "_".join(part for part in (kind, profile, entry, rest) if part)


def models_of(profile: str, entry: str) -> Path:
    """The folder of an entry's trained models."""
    return Path("runs") / profile / entry / "models"


def pairs_of(profile: str, entry: str, seed: int, count: int) -> Path:
    """What a trained entry makes for others to learn from."""
    return Path("runs") / profile / entry / "pairs" / f"n{count}_s{seed}"


def training_receipt(profile: str, entry: str, seed: int) -> Path:
    """The receipt of one run's training."""
    return Path("runs") / profile / entry / "receipts" / f"s{seed}.json"


def texts(params: Params, families: Iterable[str]) -> dict[Path, str]:
    """The text of the pipeline of each family."""
    stages: dict[str, dict[str, Stage]] = {family: {} for family in families}
    for entry, composed in params.entries.items():
        made = _Stages(params, entry)
        for seed in composed.seeds if composed.steps is not None else ():
            stages[composed.family] |= made.pairs(seed)
            stages[composed.family][stage_of("train", params.profile, entry, f"s{seed}")] = made.train(seed)
        stages[composed.family][stage_of("evaluate", params.profile, entry)] = made.evaluate()
    return {
        pipeline(family): HEAD
        + yaml.dump({"stages": made}, Dumper=_Dumper, sort_keys=False, width=10_000, default_flow_style=None)
        for family, made in stages.items()
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Stages:
    """The stages of an entry."""

    def __init__(self, params: Params, entry: str):
        self.params, self.entry, self.composed = params, entry, params.entries[entry]
        self.profile = params.profile
        dataset, extractor = self.composed.dataset, self.composed.extractor
        self.data = [f"data/{dataset}", f"features/{dataset}"] if dataset else []
        self.extractor = [f"extractors/{extractor}"] if extractor else []

    def train(self, seed: int) -> Stage:
        starts = [models_of(self.profile, need) / f"s{seed}" for need in self.composed.needs]
        count = self.composed.pairs()
        learned = [pairs_of(self.profile, self.composed.needs[-1], seed, count)] if count else []
        return self._stage(
            f"train {self.profile} {self.entry} {seed}",
            [self._source("train"), *self.data, *starts, *learned],
            {self.entry: TRAINED_BY},
            [models_of(self.profile, self.entry) / f"s{seed}", training_receipt(self.profile, self.entry, seed)],
        )

    def pairs(self, seed: int) -> dict[str, Stage]:
        """Of what the entry learns from; entries that need the same pairs of one entry name the same stage."""
        count = self.composed.pairs()
        if not count:
            return {}
        by = self.composed.needs[-1]
        folder = pairs_of(self.profile, by, seed, count)
        stage = self._stage(
            f"pairs {self.profile} {by} {seed} {count}",
            [f"sources/{self.profile}/{by}/pairs.txt", *self.data, models_of(self.profile, by) / f"s{seed}"],
            {by: TRAINED_BY},
            [folder],
        )
        return {stage_of("pairs", self.profile, by, f"n{count}_s{seed}"): stage}

    def evaluate(self) -> Stage:
        trained = self.composed.models_of(self.entry)
        models = [models_of(self.profile, trained)] if trained else []
        whose = self.params.entries[trained] if trained else self.composed
        starts = [models_of(self.profile, whose.needs[0])] if whose.steps is not None and whose.needs else []
        read = {self.entry: [*TRAINED_BY, "tier", "seeds", "samples", "needs"]}
        read |= dict.fromkeys(self.params.needed(self.entry), TRAINED_BY)  # as in the hash of its settings
        stage = self._stage(
            f"evaluate {self.profile} {self.entry}",
            [self._source("evaluate"), *self.data, *self.extractor, *models, *starts],
            read,
            [],
        )
        kept = {"cache": False, "persist": True}  # in git, not in DVC's cache
        stage["outs"] = [{f"results/{kind}/{self.profile}/{self.entry}.json": kept} for kind in ("entries", "receipts")]
        return stage

    def _source(self, kind: str) -> str:
        return f"sources/{self.profile}/{self.entry}/{kind}.txt"

    def _stage(
        self, command: str, deps: Iterable[str | Path], read: Mapping[str, list[str]], outs: list[Path]
    ) -> Stage:
        return {
            "wdir": "../..",
            "cmd": f"python -m benchmarks.cli {command}",
            "deps": sorted({"numerics.txt", *map(str, deps)}),
            "params": [{str(entry_file(self.profile, entry)): fields} for entry, fields in read.items()],
            "outs": sorted(map(str, outs)),
        }
