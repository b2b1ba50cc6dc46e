"""Fashion-MNIST: 70,000 images of clothing in 10 classes, 28x28, in the form of MNIST.

Licence: MIT (Zalando SE, 2017). Citation: below.
Levels: grey values 0 .. 255, 256 levels, 0 is the background.
Split: as for MNIST, the first 50,000 images of the published training file are train, its last 10,000 are valid, the
published test file of 10,000 is test. The paper itself has no validation split.
The files in the Debian package are the official ones less the name and time in the gzip header: with those put back,
their MD5 sums are the ones that torchvision checks.
"""

from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.sources import DebianPackage, LocalFolder, Torchvision

DATASET = Dataset(
    name="fashion_mnist",
    sources=(
        LocalFolder("fashion_mnist"),
        Torchvision("FashionMNIST"),
        DebianPackage("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
    ),
    sha256={
        "train_images": "861a061ad55f0ce6acaba0979ab3eb6a834049bb1409a56ef7997f95c1fb154d",
        "train_labels": "4756552df02834b7d78c471926172a59664b1637bb766ca49664a61bca8f48ba",
        "valid_images": "87987598c64bbd1075aa09495a19bd000d6af91fb65cf2578188b127c1c5e4c0",
        "valid_labels": "c72de38e6a902a7495e92f87152d46916505d14ea894ade57b80babb8606825e",
        "test_images": "6e605ee651bb6846b677777e1941ba2c1e05ccaaf958b44f769569f70ea5e767",
        "test_labels": "a7ebc3cca101959238dfbc8b12f53048d91a70056e1a88e170985b70413894b4",
    },
    splits={"train": 50_000, "valid": 10_000, "test": 10_000},
    shape=(28, 28),
    levels=256,
    licence="MIT",
    citation="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine "
    "learning algorithms, arXiv:1708.07747, 2017",
)
