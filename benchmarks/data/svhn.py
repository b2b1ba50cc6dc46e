"""SVHN: 99,289 colour images of house number digits, 32x32, cropped from photographs of streets ("format 2").

Licence: non-commercial use only, as the authors' page says. Citation: below.
Levels: red, green and blue 0 .. 255, 256 levels, as (3, 32, 32). Labels are the digits; the published label of 0 is 10.
Split: the last 6,000 of the 73,257 images of the published training file are valid, the 67,257 before them are train,
the published test file of 26,032 is test. The further 531,131 images of the published file `extra` are not used.
That is our split. The NICE authors' code (laurent-dinh/nice, exp/nice_svhn.yaml, with pylearn2's SVHN) trains on all
73,257 and selects on 6,000 images, of which 4,000 are among those it trains on and 2,000 are from `extra`.
The MD5 of both files are the ones that torchvision states.
"""

from pathlib import Path

import numpy as np

from benchmarks.data.parts import matlab
from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.published import Arrays, Files, image_array, label_array
from benchmarks.data.parts.sources import LocalFolder, Torchvision


def decode(folder: Path) -> Arrays:
    """X (row, column, colour, image) and y (image, 1), 1 .. 10, of both files."""
    arrays: Arrays = {}
    for split in ("train", "test"):
        path = folder / f"{split}_32x32.mat"
        images, labels = matlab.read(path, "X", "y")
        images = image_array(path, images, (32, 32, 3, None)).transpose(3, 2, 0, 1)
        digits = label_array(path, labels, len(images), 1, 10) % 10
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images, digits.astype(np.uint8)
    return arrays


FILES = Files(
    md5={
        "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
        "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
    },
    decode=decode,
)

DATASET = Dataset(
    name="svhn",
    sources=(LocalFolder("svhn", (FILES,)), Torchvision("SVHN", FILES, splits=("train", "test"), megabytes=247)),
    sha256=None,
    splits={"train": 67_257, "valid": 6_000, "test": 26_032},
    shape=(3, 32, 32),
    levels=256,
    licence="non-commercial use only",
    citation="Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu and A. Y. Ng, Reading digits in natural images with "
    "unsupervised feature learning, NIPS Workshop on Deep Learning and Unsupervised Feature Learning, 2011",
)
