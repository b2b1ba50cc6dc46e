"""Inception by torch-fidelity, whose own network it is: weights come from a file and name the extractor."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.metrics.extractors import inception
from benchmarks.metrics.extractors.extractor import Extractor
from benchmarks.metrics.extractors.inception import inception_v3_2015


def levels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """torch-fidelity's network with weights that torch drew, and a file of them."""
    peer = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(peer, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
        network = peer.FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"])
    torch.save(network.state_dict(), path)
    return network, path


@pytest.fixture(scope="module")
def taking(untrained) -> Extractor:
    return inception_v3_2015(untrained[1])


def test_features_and_logits_are_torch_fidelitys(untrained, taking):
    images = levels(2, 3, 32, 32)
    found = taking(images)
    pool, logits = untrained[0](torch.from_numpy(images))
    assert found.pool.shape == (2, 2048)
    np.testing.assert_array_equal(found.pool, pool.numpy())
    np.testing.assert_array_equal(found.logits, logits.numpy())
    assert found.pool.std() > 0


def test_other_weights_than_the_published_are_in_the_name(untrained, taking):
    assert taking.name == "inception_v3_2015_weights_" + hashlib.sha256(untrained[1].read_bytes()).hexdigest()[:16]


def test_the_published_weights_have_the_plain_name(untrained, monkeypatch):
    begins = hashlib.sha256(untrained[1].read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(inception, "WEIGHTS", begins)
    assert inception_v3_2015(untrained[1]).name == "inception_v3_2015"


def test_absent_weights_are_fetched_and_checked(untrained, monkeypatch, tmp_path):
    asked = []

    def fetch(url: str, place: str, hash_prefix: str, progress: bool) -> None:
        asked.append((url.rsplit("/", 1)[1], hash_prefix))
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(RuntimeError, match="hash"):
        inception_v3_2015(tmp_path / "new" / "weights.pth")
    assert asked == [("weights-inception-2015-12-05-6726825d.pth", "6726825d")]


class Code:
    def __reduce__(self):
        return print, ("run",)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save({"weight": Code()}, tmp_path / "weights.pth")
    with pytest.raises(pickle.UnpicklingError):
        inception_v3_2015(tmp_path / "weights.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("shape", [(2, 32, 32), (2, 1, 32, 32), (2, 4, 32, 32)])
def test_images_without_three_channels_are_refused(taking, shape):
    with pytest.raises(ValueError, match="images: found shape"):
        taking(levels(*shape))
