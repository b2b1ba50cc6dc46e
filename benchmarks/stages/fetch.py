"""Stage fetch: a data set into data/<name>."""

from pathlib import Path

from benchmarks.data.parts import dataset


def run(name: str) -> None:
    """Raises InputError that names every source tried and why it failed."""
    source = dataset.fetch(dataset.find(name), Path("data") / name, print)
    print(f"data/{name} is in place, from {source}")
