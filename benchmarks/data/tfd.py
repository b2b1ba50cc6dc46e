"""Toronto Face Database: 102,236 grey images of faces, 48x48, of which 4,178 carry one of seven expressions.

Licence: for research, from the authors on request; it may not be passed on, so there is only a local folder.
Levels: grey values 0 .. 255, 256 levels. Labels are the published expressions 1 .. 7; 0 is an image without one.
Split: the published file divides the labelled images into train, valid and test in five ways. As in the NICE authors'
code (laurent-dinh/nice, exp/nice_tfd.yaml, with pylearn2's TFD), train are the 98,058 images without a label, valid and
test are those of the first division, and its own train images are not used.
The sizes of valid and test are not known here and not checked; the recorded hashes hold them (see `parts/dataset.py`).
No MD5 is checked: one public loader states 9d113650c197719b750ecc6864faf87c, and no second source confirms it.
"""

from pathlib import Path

import numpy as np

from benchmarks.data.parts import matlab
from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.published import Arrays, Files, image_array, label_array
from benchmarks.data.parts.sources import LocalFolder

FILE = "TFD_48x48.mat"
DIVISION = {"train": 0, "valid": 2, "test": 3}  # the codes in `folds`; 1 are its labelled images for training


def decode(folder: Path) -> Arrays:
    """images (n, 48, 48), folds (n, 5), and labs_ex (n, 1), which is -1 for an image without a label."""
    path = folder / FILE
    images, folds, expressions = matlab.read(path, "images", "folds", "labs_ex")
    images = image_array(path, images, (None, 48, 48))
    labels = np.maximum(label_array(path, expressions, len(images), -1, 7), 0).astype(np.uint8)
    codes = label_array(path, folds[:, 0], len(images), 0, 3)
    arrays: Arrays = {}
    for split, code in DIVISION.items():
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[codes == code], labels[codes == code]
    return arrays


DATASET = Dataset(
    name="tfd",
    sources=(LocalFolder("tfd", (Files(md5={FILE: None}, decode=decode),)),),
    sha256=None,
    splits={"train": 98_058, "valid": None, "test": None},
    shape=(48, 48),
    levels=256,
    licence="research only, on request from the authors",
    citation="J. M. Susskind, A. K. Anderson and G. E. Hinton, The Toronto Face Database, technical report UTML TR "
    "2010-001, University of Toronto, 2010",
)
