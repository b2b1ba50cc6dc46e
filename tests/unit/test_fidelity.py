"""Metrics of sets of images: conventions in toy cases, statistics of estimates, quantisation, protocols, refusals."""

import math

import numpy as np
import pytest
import torch

from benchmarks.metrics.extractors.extractor import Extractor, Features
from benchmarks.metrics.fidelity import (
    COPY_SHARE,
    Reference,
    copying,
    fid_at_counts,
    from_features,
    inception_score,
    kid,
    nearest_distances,
    precision_recall,
    quantise,
    reference,
    scaled,
)
from benchmarks.metrics.frechet import frechet, statistics
from benchmarks.record.measurement import Measurement


def normal(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def levels(*shape: int, seed: int, below: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, below, shape).astype(np.uint8)


def drawn(n: int, seed: int, shift: float = 0.0) -> Features:
    """Standard normal features in 4 dimensions, and logits of 3 classes."""
    return Features("toy", normal(n, 4, seed=seed).astype(np.float32) + np.float32(shift), normal(n, 3, seed=seed + 1))


def compared(n: int, seed: int) -> Reference:
    features = drawn(n, seed)
    return Reference("toy train", "train", "toy", statistics(features.pool), features)


def pixels(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = images.flatten(1).float() / 255
    return x, x[:, :3]


TOY = Extractor("pixels", pixels, torch.device("cpu"))


def values(rows) -> dict[str, float]:
    return {row.name: row.value for row in rows}


# conventions: toy cases whose answer is known


@pytest.mark.parametrize("classes", [2, 10])
def test_inception_score_of_certain_and_balanced_classes_is_their_number(classes):
    logits = 1000.0 * np.tile(np.eye(classes), (30, 1))
    assert inception_score(logits, seed=0, splits=1) == pytest.approx(classes, rel=1e-12)


@pytest.mark.parametrize("logits", [np.zeros((100, 10)), 1000.0 * np.eye(10)[np.zeros(100, int)]])
def test_inception_score_is_one_without_certainty_and_without_variety(logits):
    assert inception_score(logits, seed=0) == pytest.approx(1.0, abs=1e-12)


def test_inception_score_on_a_hand_example():
    """Two classes, p = (3/4, 1/4) and (1/4, 3/4): KL to (1/2, 1/2) is ln 2 - H(1/4)."""
    p = np.array([[0.75, 0.25], [0.25, 0.75]])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert inception_score(np.log(p), seed=0, splits=1) == pytest.approx(2.0 * math.exp(-entropy), rel=1e-12)


def test_narrow_samples_in_a_wide_reference_are_precise_and_lack_recall():
    precision, recall = precision_recall(0.3 * normal(500, 4, seed=0), normal(500, 4, seed=1))
    assert precision > 0.95
    assert recall < 0.4


def test_a_wide_set_of_samples_has_recall_and_lacks_precision():
    precision, recall = precision_recall(normal(500, 4, seed=0), 0.3 * normal(500, 4, seed=1))
    assert precision < 0.4
    assert recall > 0.95


def test_the_reference_itself_is_precise_and_complete():
    x = normal(50, 4, seed=0)
    assert precision_recall(x, x) == (1.0, 1.0)


def test_far_apart_nothing_is_precise():
    assert precision_recall(normal(50, 4, seed=0), normal(50, 4, seed=1) + 100.0) == (0.0, 0.0)


def test_kid_of_two_points_by_hand():
    """Each set twice one point: k(x, x) + k(y, y) - 2 k(x, y) with k = (x y / d + 1)^3."""
    x, y = np.full((2, 2), 1.0), np.array([[2.0, 0.0], [2.0, 0.0]])
    assert kid(x, y) == pytest.approx(2.0**3 + 3.0**3 - 2.0 * 2.0**3, rel=1e-14)


def test_kid_is_unbiased_on_equal_distributions():
    """Mean over 200 pairs of sets within 4 standard errors of 0, and about as often below it as above."""
    found = np.array([kid(normal(60, 4, seed=2 * i), normal(40, 4, seed=2 * i + 1)) for i in range(200)])
    assert abs(found.mean()) < 4.0 * found.std(ddof=1) / math.sqrt(len(found))
    assert 0.3 < (found < 0.0).mean() < 0.8


def test_every_metric_prefers_the_better_samples():
    against = compared(600, 0)
    near, far = values(from_features(drawn(500, 5), against, 0)), values(from_features(drawn(500, 5, 1.0), against, 0))
    assert near["fid"] < far["fid"]
    assert near["kid"] < far["kid"]
    assert near["precision"] > far["precision"]
    assert near["recall"] > far["recall"]
    assert far["fid"] == pytest.approx(4.0, abs=0.8)  # a shift of 1 in each of 4 dimensions, and the noise of 500 draws


# against moments and features taken by hand


def test_the_rows_are_those_of_the_features():
    images, data = levels(300, 2, 2, seed=0), levels(400, 2, 2, seed=1)
    against = reference(data, "toy train", "train", TOY)
    found = values(from_features(TOY(images), against, seed=3))
    x, y = (array.reshape(len(array), -1).astype(np.float32) / np.float32(255) for array in (images, data))
    assert found["fid"] == frechet(statistics(x), statistics(y))
    assert found["kid"] == kid(x, y)
    assert found["inception_score"] == inception_score(x[:, :3], 3)
    assert (found["precision"], found["recall"]) == precision_recall(x, y)


def test_seeds_decide_what_is_drawn_and_nothing_else():
    against = compared(600, 0)
    one, again, other = (values(from_features(drawn(500, 5), against, seed)) for seed in (1, 1, 2))
    assert one == again
    assert {name for name in one if one[name] != other[name]} == {"inception_score"}


def test_global_generators_are_left_alone():
    numpys, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()
    from_features(drawn(100, 5), compared(100, 0), 0)
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)
    torch.testing.assert_close(torch.get_rng_state(), torchs, rtol=0, atol=0)


# protocols


def test_each_row_states_how_it_was_taken():
    rows = {row.name: row for row in from_features(drawn(500, 5), compared(600, 0), 7, {"sampler": "heun"})}
    assert set(rows) == {"fid", "inception_score", "kid", "precision", "recall"}
    taken = Measurement(**rows["fid"].measurement)
    assert taken.stated() == {
        "split": "train",
        "reference": "toy train",
        "extractor": "toy",
        "samples": 500,
        "quantisation": "rounded to the nearest level",
    }
    assert rows["inception_score"].measurement["noise_seed"] == 7
    assert "reference" not in rows["inception_score"].measurement
    assert [rows[name].direction for name in ("fid", "kid", "recall")] == ["lower", "lower", "higher"]
    assert all(row.n == 500 and row.variant == {"sampler": "heun"} for row in rows.values())


@pytest.mark.parametrize("change", ["name", "split", "samples"])
def test_another_protocol_has_another_fingerprint(change):
    base = compared(600, 0)
    other = {
        "name": (drawn(500, 5), Reference("other", "train", "toy", base.statistics, base.features)),
        "split": (drawn(500, 5), Reference("toy train", "test", "toy", base.statistics, base.features)),
        "samples": (drawn(499, 5), base),
    }[change]

    def prints(samples: Features, against: Reference) -> str:
        return Measurement(**from_features(samples, against, 0)[0].measurement).fingerprint()

    assert prints(*other) != prints(drawn(500, 5), base)


def test_moments_alone_give_no_row_that_needs_features():
    moments = Reference("toy train", "train", "toy", compared(600, 0).statistics, None)
    assert set(values(from_features(drawn(500, 5), moments, 0))) == {"fid", "inception_score"}


# FID at several counts


def test_fid_falls_with_the_count_and_its_limit_is_nearer_the_truth():
    """Both laws equal, the reference's moments exact: the truth is 0."""
    exact = statistics(np.concatenate([np.eye(4), -np.eye(4)]) * math.sqrt(7 / 2))
    np.testing.assert_allclose(exact.covariance, np.eye(4), atol=1e-15)
    against = Reference("normal", "train", "toy", exact, None)
    rows = fid_at_counts([drawn(800, seed) for seed in range(0, 60, 2)], against, [25, 50, 100, 200], seed=0)
    curve, limit = [row.value for row in rows[:-1]], rows[-1]
    assert curve == sorted(curve, reverse=True)
    # To first order in 1/N the bias is d for the mean and E|sqrt(S) - 1|^2 = d (d + 1) / 4 for the covariance.
    assert curve[2] == pytest.approx((4 + 4 * 5 / 4) / 100, rel=0.15)  # 240 draws of a spread of about 40 %, 1/N^2
    assert abs(limit.value) < 0.5 * curve[-1]
    low, high = limit.interval
    assert low < limit.value < high


def test_counts_are_variants_and_samples_of_their_protocol():
    rows = fid_at_counts([drawn(300, 5)], compared(600, 0), [100, 300], seed=2, variant={"nfe": 8})
    assert [row.variant for row in rows] == [{"nfe": 8, "images": 100}, {"nfe": 8, "images": 300}, {"nfe": 8}]
    assert [(row.name, row.n, row.measurement["samples"]) for row in rows] == [
        ("fid", 100, 100),
        ("fid", 300, 300),
        ("fid_infinity", 300, 300),
    ]
    assert all(row.interval is None and row.measurement["draws"] == 1 for row in rows)
    whole = from_features(drawn(300, 5), compared(600, 0), 0)[0]
    assert rows[1].value == pytest.approx(whole.value, rel=1e-10)  # the same rows in another order


@pytest.mark.parametrize("counts", [[100], [100, 100], [4, 100], [100, 301]])
def test_counts_without_a_line_are_refused(counts):
    with pytest.raises(ValueError, match="counts: found"):
        fid_at_counts([drawn(300, 5)], compared(600, 0), counts, seed=0)


# copies


def test_nearest_distances_by_hand():
    known = np.array([[0, 0], [10, 0]], np.uint8)
    np.testing.assert_array_equal(
        nearest_distances(np.array([[3, 4], [10, 0], [255, 0]], np.uint8), known), [5, 0, 245]
    )


def test_nearest_distances_of_many_are_exact():
    one, two = levels(1100, 3, 4, 4, seed=0), levels(50, 3, 4, 4, seed=1)
    apart = one.reshape(1100, 1, -1).astype(int) - two.reshape(1, 50, -1)
    np.testing.assert_array_equal(nearest_distances(one, two), np.sqrt((apart**2).sum(-1).min(1)))


def test_new_images_are_no_copies():
    train, fresh, apart = levels(500, 4, 4, seed=0), levels(2000, 4, 4, seed=1), levels(2000, 4, 4, seed=2)
    found = values(copying(fresh, train, apart, "noise", 256))
    assert found["nearest_distance_ratio"] == pytest.approx(1.0, abs=0.03)
    error = math.sqrt(2 * COPY_SHARE * (1 - COPY_SHARE) / 2000)  # of a share of samples below a quantile of as many
    assert abs(found["copies"] - COPY_SHARE) < 4 * error


def test_copies_are_found_when_they_are_few():
    train, apart = levels(500, 4, 4, seed=0), levels(500, 4, 4, seed=2)
    mixed = np.concatenate([levels(300, 4, 4, seed=1), train[:100]])
    assert values(copying(train[:100], train, apart, "noise", 256)) == {"nearest_distance_ratio": 0.0, "copies": 1.0}
    assert values(copying(mixed, train, apart, "noise", 256))["copies"] > 0.25


def test_a_held_out_set_of_training_images_says_nothing():
    train = levels(100, 4, 4, seed=0)
    with pytest.raises(ValueError, match="half of them"):
        copying(train, train, train, "noise", 256)


# quantisation


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [(-1.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize("count", [2, 17, 256])
def test_every_level_comes_back(count, scale, dtype):
    every = np.arange(count, dtype=np.uint8)
    continuous = scaled(every, count, scale)
    assert (continuous[0], continuous[-1]) == scale
    np.testing.assert_array_equal(quantise(continuous.astype(dtype), count, scale), every)


def test_a_value_goes_to_the_nearest_level():
    every, step = np.arange(17), 1 / 16
    for shift in (-0.49, 0.49):
        np.testing.assert_array_equal(quantise((every + shift) * step, 17, (0.0, 1.0)), every)


def test_values_beyond_the_scale_go_to_its_ends():
    x = np.array([-np.inf, -7.0, -1.001, 1.001, 300.0, np.inf])
    np.testing.assert_array_equal(quantise(x, 256), [0, 0, 0, 255, 255, 255])


def test_quantise_refuses_nan_and_too_many_levels():
    with pytest.raises(ValueError, match="NaN"):
        quantise(np.array([0.0, np.nan]), 256)
    with pytest.raises(ValueError, match="found 257"):
        quantise(np.zeros(2), 257)


# refusals


def test_features_of_two_extractors_are_not_compared():
    other = Features("other", drawn(100, 5).pool, drawn(100, 5).logits)
    with pytest.raises(ValueError, match="extractor: found other"):
        from_features(other, compared(100, 0), 0)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="pairs need"):
        kid(np.zeros((1, 2)), np.zeros((10, 2)))
    with pytest.raises(ValueError, match="10 splits"):
        inception_score(np.zeros((9, 3)), seed=0)
    with pytest.raises(ValueError, match="more than 3"):
        precision_recall(np.zeros((3, 2)), np.zeros((10, 2)))
