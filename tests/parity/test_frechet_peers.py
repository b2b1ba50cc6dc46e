"""Our distances against torch-fidelity, torchmetrics, pytorch-fid and clean-fid, from the same features."""

import importlib
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from benchmarks.metrics.extractors.small_classifier import MNIST, SmallClassifier, extractor
from benchmarks.metrics.fidelity import from_features, kid, reference
from benchmarks.metrics.frechet import Statistics, frechet, frechet_distance, statistics
from tests.parity.conftest import require

D = 64
Distance = Callable[[Statistics, Statistics], float]


def rows(n: int, seed: int) -> np.ndarray:
    """Correlated features, not centred, whose spreads fall by a thousand."""
    random = np.random.default_rng(seed)
    return 3.0 + random.normal(size=(n, D)) @ (random.normal(size=(D, D)) * np.logspace(0, -3, D)[:, None])


def torch_fidelity() -> Distance:
    metric = pytest.importorskip("torch_fidelity.metric_fid")

    def distance(one: Statistics, two: Statistics) -> float:
        both = ({"mu": side.mean, "sigma": side.covariance} for side in (one, two))
        return metric.fid_statistics_to_metric(*both, verbose=False)["frechet_inception_distance"]

    return distance


def torchmetrics() -> Distance:
    compute = pytest.importorskip("torchmetrics.image.fid")._compute_fid
    return lambda *both: float(compute(*(torch.from_numpy(a) for side in both for a in (side.mean, side.covariance))))


def scipys(distribution: str, version: str, module: str, name: str) -> Distance:
    require(distribution, version)
    function = getattr(importlib.import_module(module), name)

    def distance(one: Statistics, two: Statistics) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # scipy.linalg.sqrtm(disp=...)
            return float(function(one.mean, one.covariance, two.mean, two.covariance))

    return distance


@pytest.fixture(params=["torch_fidelity", "torchmetrics", "pytorch_fid", "clean_fid"])
def theirs(request) -> Distance:
    match request.param:
        case "torch_fidelity":
            return torch_fidelity()
        case "torchmetrics":
            return torchmetrics()
        case "pytorch_fid":
            return scipys("pytorch-fid", "0.3.0", "pytorch_fid.fid_score", "calculate_frechet_distance")
        case _:
            return scipys("clean-fid", "0.1.35", "cleanfid.fid", "frechet_distance")


def test_covariances_of_full_rank(theirs):
    one, two = statistics(rows(500, 0)), statistics(rows(400, 1))
    # They take eigenvalues of a matrix that is not symmetric: 1e-16 of the largest, in roots of the smallest.
    assert frechet(one, two) == pytest.approx(theirs(one, two), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 400), (400, 20)])
def test_fewer_rows_than_features(theirs, n, m):
    """They know the covariances alone: roots of what ought to be 0 stay in their traces, each 1e-8 of the largest."""
    one, two = statistics(rows(n, 0)), statistics(rows(m, 1))
    scale = np.trace(one.covariance) + np.trace(two.covariance)
    assert frechet(one, two) == pytest.approx(theirs(one, two), abs=1e-6 * scale)


def test_moments_alone(theirs):
    one, two = statistics(rows(500, 0)), statistics(rows(400, 1))
    found = frechet_distance(one.mean, one.covariance, two.mean, two.covariance)
    assert found == pytest.approx(theirs(one, two), rel=1e-9)


def test_kid_of_whole_sets_is_torch_fidelitys():
    metric = pytest.importorskip("torch_fidelity.metric_kid")
    x, y = rows(300, 0), rows(300, 1)
    both = (torch.from_numpy(x), torch.from_numpy(y))
    theirs = metric.kid_features_to_metric(*both, kid_subsets=1, kid_subset_size=300, rng_seed=0, verbose=False)
    assert kid(x, y) == pytest.approx(theirs[metric.KEY_METRIC_KID_MEAN], rel=1e-9)  # a difference of large means


def test_kid_is_what_means_over_subsets_tend_to():
    metric = pytest.importorskip("torch_fidelity.metric_kid")
    x, y = rows(120, 0), rows(150, 1)
    both = (torch.from_numpy(x), torch.from_numpy(y))
    theirs = metric.kid_features_to_metric(*both, kid_subsets=400, kid_subset_size=60, rng_seed=0, verbose=False)
    error = theirs[metric.KEY_METRIC_KID_STD] / np.sqrt(400)
    assert abs(kid(x, y) - theirs[metric.KEY_METRIC_KID_MEAN]) < 4 * error


class Levels(Dataset):
    """Images as torch-fidelity takes them."""

    def __init__(self, images: np.ndarray):
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.images[place]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_whole_way_with_our_network_as_its_registered_extractor():
    """Images to rows: the same numbers, although it takes other batches."""
    peer = pytest.importorskip("torch_fidelity")
    base = importlib.import_module("torch_fidelity.feature_extractor_base").FeatureExtractorBase
    model = SmallClassifier(MNIST, torch.Generator().manual_seed(0)).requires_grad_(False)

    class Registered(base):
        def __init__(self, name: str, wanted: list[str], **_):
            super().__init__(name, wanted)
            self.model = model

        @staticmethod
        def get_provided_features_list():
            return "pool", "logits"

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str):
            return "logits" if metric == "isc" else "pool"

        @staticmethod
        def can_be_compiled():
            return False

        @staticmethod
        def get_dummy_input_for_compile():
            return torch.zeros(1, 28, 28, dtype=torch.uint8)

        def forward(self, images: torch.Tensor):
            both = dict(zip(("pool", "logits"), self.model(images), strict=True))
            return tuple(both[name] for name in self.features_list)

    peer.register_feature_extractor("claimbench-small-classifier", Registered)
    random = np.random.default_rng(0)
    data, samples = (random.integers(0, high, (300, 28, 28)).astype(np.uint8) for high in (256, 200))
    theirs = peer.calculate_metrics(
        input1=Levels(samples),
        input2=Levels(data),
        feature_extractor="claimbench-small-classifier",
        **dict.fromkeys(("fid", "kid", "isc", "prc"), True),
        **dict.fromkeys(("cuda", "cache", "verbose"), False),
        kid_subsets=1,
        kid_subset_size=300,
        rng_seed=5,
    )
    taking = extractor(model)
    compared = reference(data, "noise", "train", taking)
    ours = {row.name: row.value for row in from_features(taking(samples), compared, seed=5)}
    names = {
        "fid": "frechet_inception_distance",
        "kid": "kernel_inception_distance_mean",
        "inception_score": "inception_score_mean",
        "precision": "precision",
        "recall": "recall",
    }
    # Features in float32 differ in their last digit with the batch; a ball's edge may be crossed by one image in 300.
    for name, key in names.items():
        step = 1 / 300 if name in ("precision", "recall") else 1e-6
        assert ours[name] == pytest.approx(theirs[key], abs=1.01 * step), name
