"""Stage features: what runs and evaluations read of a data set besides the data -> features/<dataset>/.

Of images `pixels.json`: what a model that knows no more than each pixel's frequencies needs. Of texts `tokenizer.json`:
the pieces that language models read and write, from the split train alone.
"""

import json
from pathlib import Path

from benchmarks.data.parts import dataset, texts, tokenizer
from benchmarks.files.typed_files import write_text
from benchmarks.metrics.pixels import independent_pixels_bits

FOLDER = Path("features")
DATA = Path("data")
PIECES = 2_000  # of a tokeniser, its end token among them; with 1,000 a small model spells more words than it knows


def run(name: str) -> None:
    """Raises InputError when the data are not at hand or damaged."""
    found = dataset.find(name)
    if isinstance(found, dataset.Dataset):
        _pixels(name, found.levels)
    else:
        _tokenizer(name)


def _pixels(name: str, levels: int) -> None:
    train, test = (dataset.load(DATA / name, split)[0] for split in ("train", "test"))
    bits = independent_pixels_bits(train, test, levels)
    # Not by `write_json`: training depends on these bytes, and another layout of records must train nothing anew.
    text = json.dumps({"levels": levels, "independent_pixels_bits_per_dim": bits}, sort_keys=True, indent=1) + "\n"
    write_text(FOLDER / name / "pixels.json", text)
    print(f"features/{name}/pixels.json: independent pixels need {bits:.3f} bits/dim on test")


def _tokenizer(name: str) -> None:
    train = texts.load(DATA / name, "train")
    write_text(FOLDER / name / "tokenizer.json", tokenizer.trained(train, PIECES))
    print(f"features/{name}/tokenizer.json: up to {PIECES} pieces, from {len(train)} texts of train")
