"""Stage extractors: the network in whose features samples of a data set are compared -> extractors/<name>/.

Of a data set, the small classifier, trained here with a seed of its own, so that every method is judged by the same
one; otherwise the published Inception v3, whose file is fetched.
"""

import shutil
from pathlib import Path

from benchmarks.data.parts import dataset
from benchmarks.files.errors import InputError

FOLDER = Path("extractors")
DATA = Path("data")
SEED = 0


def run(name: str) -> None:
    """Raises InputError when no classifier fits the data set, or its data are not at hand or damaged."""
    from benchmarks.metrics.extractors import inception, kept

    folder = FOLDER / name
    partial = folder.with_name(f".{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if name == inception.NAME:
        try:
            inception.inception_v3_2015(partial / kept.INCEPTION)
        except OSError as error:
            raise InputError(f"{folder}: the weights cannot be fetched ({error}); put the file there by hand") from None
        told = inception.NAME
    else:
        told = _train(name, partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    print(f"{folder} holds {told}")


def _train(name: str, folder: Path) -> str:
    """The extractor's name, with the classifier's share of right answers on test."""
    from benchmarks.metrics.extractors import kept, small_classifier
    from benchmarks.metrics.extractors.training import train_classifier
    from benchmarks.run.seeds import torch_generator
    from benchmarks.run.torch_flags import TorchFlags

    found = dataset.find(name)
    if not isinstance(found, dataset.Dataset):
        raise InputError(f"extractor {name}: no small classifier is made for texts")
    fitting = [
        settings
        for settings in (small_classifier.DIGITS, small_classifier.MNIST)
        if (settings.shape, settings.levels) == (found.shape, found.levels)
    ]
    if not fitting:
        raise InputError(f"extractor {name}: no small classifier is made for {found.levels} levels of {found.shape}")
    TorchFlags(device="cpu", threads=1, precision="float32", deterministic=True).apply()
    images, labels = dataset.load(DATA / name, "train")
    model = train_classifier(images, labels, fitting[0], torch_generator(SEED, f"extractor of {name}"))
    kept.keep(model, folder)
    own = kept.read(folder)
    images, labels = dataset.load(DATA / name, "test")
    right = float((own(images).logits.argmax(1) == labels).mean())
    return f"{own.name}, right on {right:.1%} of test"
