"""scikit-learn's digits: 1,797 images of handwritten digits, 8x8, the test part of a UCI data set; needs no fetch.

Licence: CC BY 4.0 (UCI Machine Learning Repository). Citation: below.
Levels: each value counts the dark pixels in a 4x4 block of a 32x32 black-and-white scan, so 0 .. 16, 17 levels.
Split: image i is test when i mod 6 is 0, valid when it is 1, train otherwise: 300, 300, 1,197. There is no official
split. The published order goes writer by writer, so a cut in one place would give test other writers than train; this
rule spreads the 13 writers over all splits, and a score here says nothing about unseen writers.
"""

from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.sources import Bundled

DATASET = Dataset(
    name="digits",
    sources=(Bundled(),),
    sha256={
        "train_images": "eb6a6f27cbc5c1ed95727fb85b8e65750eeee4260df071e2143b2ff2809c0c07",
        "train_labels": "bc9e4b32c28dc377072fae72c79c309155e56e4ab78f8bec75c75fdcf2a36587",
        "valid_images": "9fcdb5b7bea4ce85f0bc7b199c979721fc00441bd4037d1beca12032d2e64ea1",
        "valid_labels": "6a42f1f4cdff3390f4c6e1e71cf2a5d04fd232a3c724b8d4bbb3a0ca17e89dbd",
        "test_images": "b1311755b71392eb1b2f1ac64f40f3ca896eb0e31e0a74ef4b82574a24022749",
        "test_labels": "71e794744520cce302b71e7c915d6f0fa8987d816adbddd3fd7b498aff3ff797",
    },
    splits={"train": 1_197, "valid": 300, "test": 300},
    shape=(8, 8),
    levels=17,
    licence="CC BY 4.0",
    citation="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
    "Repository, 1998",
)
