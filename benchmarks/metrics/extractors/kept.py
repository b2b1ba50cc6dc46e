"""An extractor in a folder: the small classifier, as weights with their settings, or the file of Inception v3."""

import json
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.metrics.extractors.extractor import Extractor
from benchmarks.metrics.extractors.inception import inception_v3_2015
from benchmarks.metrics.extractors.small_classifier import ClassifierSettings, SmallClassifier, extractor

SETTINGS, WEIGHTS = "settings.json", "weights.pt"
INCEPTION = "inception_v3_2015.pth"


def keep(model: SmallClassifier, folder: Path) -> None:
    """Writes both files into the folder, which is there."""
    (folder / SETTINGS).write_text(json.dumps(asdict(model.settings), indent=2, sort_keys=True) + "\n")
    torch.save(model.state_dict(), folder / WEIGHTS)


def read(folder: Path, device: torch.device | str = "cpu") -> Extractor:
    """What the folder holds, on the device; FileNotFoundError where it holds neither."""
    if (folder / INCEPTION).is_file():
        return inception_v3_2015(folder / INCEPTION, device)
    told = json.loads((folder / SETTINGS).read_text())
    settings = ClassifierSettings(**{**told, "shape": tuple(told["shape"])})
    model = SmallClassifier(settings, torch.Generator().manual_seed(0))  # whose weights are replaced at once
    model.load_state_dict(torch.load(folder / WEIGHTS, "cpu", weights_only=True))
    return extractor(model, device)
