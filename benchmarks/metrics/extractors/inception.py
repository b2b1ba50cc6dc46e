"""Inception v3 of 2015, the extractor of published FIDs, as torch-fidelity runs it."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.metrics.extractors.extractor import Extractor
from implementations.common.errors import Unsupported

NAME = "inception_v3_2015"
WEIGHTS = "6726825d"  # begins the SHA-256 of torch-fidelity's file of TensorFlow's weights of 2015-12-05


def inception_v3_2015(weights: Path, device: torch.device | str = "cpu") -> Extractor:
    """2048 features before the last layer, and its logits without biases; images resized bilinearly as by TensorFlow 1.

    `weights` is a file in torch-fidelity's form, fetched to that place when there is none. With the published weights
    the extractor is called `inception_v3_2015`, and that name stands for them, the layer and the resizing; with others
    the name has their hash. Images are uint8 (n, 3, h, w) with 256 levels, of any size.

    Raises RuntimeError when the fetched file is not the published one or the file does not fit the network, and
    pickle.UnpicklingError when it holds more than tensors.
    """
    # torch-fidelity takes 3 seconds to import
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

    if not weights.exists():
        weights.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(weights), hash_prefix=WEIGHTS, progress=False)
    torch.load(weights, weights_only=True)  # a file that would run code is refused here; torch-fidelity would run it
    place = torch.device(device)
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(weights)).to(place)

    def features(images: Tensor) -> tuple[Tensor, Tensor]:
        if images.ndim != 4 or images.shape[1] != 3:
            raise Unsupported(f"images: found shape {tuple(images.shape[1:])}; (3, h, w) is needed")
        pool, logits = network(images)
        return pool, logits

    return Extractor(_name(weights), features, place)


def _name(weights: Path) -> str:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return NAME if digest.startswith(WEIGHTS) else f"{NAME}_weights_{digest[:16]}"
