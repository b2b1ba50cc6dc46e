"""ImageNet at 32x32: 1,331,167 colour photographs of 1,000 kinds of things, downsampled by Chrabaszcz et al.

Licence: the terms of ImageNet, non-commercial research; it has to be asked for, so there is only a local folder.
Levels: red, green and blue 0 .. 255, 256 levels, as (3, 32, 32). Labels are the published ones less 1, so 0 .. 999.
Split: the last 10,000 of the 1,281,167 training images are valid, those before them train; the 50,000 published
validation images, on which papers report, are test. The cut is ours; the authors' code shuffles before it writes the
ten training files, so it is a random one. Flow matching reports on these images; RealNVP and Glow report on another
downsampled ImageNet, that of van den Oord et al. 2016 (arXiv 1601.06759): bits per dimension of the two do not compare.
No MD5 is checked: of the eleven files, public code states two sets that disagree, and a third that belongs to 16x16.
Fetching holds the images in memory twice, 8 GB.
"""

from pathlib import Path

import numpy as np

from benchmarks.data.parts import pickles
from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.published import Arrays, Files
from benchmarks.data.parts.sources import LocalFolder

SHAPE = (3, 32, 32)
TRAIN, TEST = [f"train_data_batch_{number}" for number in range(1, 11)], "val_data"


def decode(folder: Path) -> Arrays:
    """Ten pickled batches for training, one for testing, labels 1 .. 1,000."""
    arrays: Arrays = {}
    for split, names in (("train", TRAIN), ("test", [TEST])):
        images, labels = zip(*(pickles.read_batch(folder / name, SHAPE, 1, 1000) for name in names), strict=True)
        arrays[f"{split}_images"] = np.concatenate(images)
        arrays[f"{split}_labels"] = (np.concatenate(labels) - 1).astype(np.uint16)
    return arrays


DATASET = Dataset(
    name="imagenet32",
    sources=(LocalFolder("imagenet32", (Files(md5=dict.fromkeys([*TRAIN, TEST]), decode=decode),)),),
    sha256=None,
    splits={"train": 1_271_167, "valid": 10_000, "test": 50_000},
    shape=SHAPE,
    levels=256,
    label_type=np.uint16,
    licence="terms of ImageNet, non-commercial research",
    citation="P. Chrabaszcz, I. Loshchilov and F. Hutter, A downsampled variant of ImageNet as an alternative to the "
    "CIFAR datasets, arXiv:1707.08819, 2017",
)
