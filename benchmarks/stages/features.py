"""Stage features: what evaluations read of a data set besides the data -> features/<dataset>/pixels.json."""

from pathlib import Path

from benchmarks.data.parts import dataset
from benchmarks.metrics.pixels import independent_pixels_bits
from benchmarks.typed_files import write_json

FOLDER = Path("features")


def run(name: str) -> None:
    """Raises InputError when the data are not at hand or damaged."""
    levels = dataset.find(name).levels
    train, test = (dataset.load(Path("data") / name, split)[0] for split in ("train", "test"))
    bits = independent_pixels_bits(train, test, levels)
    write_json(FOLDER / name / "pixels.json", {"levels": levels, "independent_pixels_bits_per_dim": bits})
    print(f"features/{name}/pixels.json: independent pixels need {bits:.3f} bits/dim on test")
