"""Extractors: the small classifier learns, repeats and is named by its weights; Inception takes weights from a file."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from benchmarks.metrics.extractors.extractor import BATCH, hash_weights
from benchmarks.metrics.extractors.small_classifier import DIGITS, MNIST, SmallClassifier, extractor
from benchmarks.metrics.extractors.training import train_classifier

SHORT = dataclasses.replace(DIGITS, epochs=1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def levels(*shape: int, below: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, below, shape).astype(np.uint8)


@pytest.fixture(scope="module")
def digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Split as the data set's file has it."""
    found = load_digits()
    images, labels, place = found.images.astype(np.uint8), found.target, np.arange(len(found.target)) % 6
    return {"train": (images[place > 1], labels[place > 1]), "test": (images[place == 0], labels[place == 0])}


@pytest.fixture(scope="module")
def trained(digits) -> SmallClassifier:
    return train_classifier(*digits["train"], DIGITS, generator())


# the small classifier


def test_it_reads_digits_that_it_has_not_seen(digits, trained):
    images, labels = digits["test"]
    found = extractor(trained)(images)
    assert (found.logits.argmax(1) == labels).mean() > 0.95  # 0.98 to 0.99 on three seeds; a share of 300 spreads 0.01
    assert found.pool.shape == (300, 64)


def test_its_features_have_a_covariance_of_full_rank(digits, trained):
    """A unit that never fires, or repeats another, would be a dimension lost to every distance."""
    spread = np.linalg.eigvalsh(np.cov(extractor(trained)(digits["train"][0]).pool, rowvar=False))
    assert spread[0] > 1e-6 * spread[-1]


def test_the_same_generator_gives_the_same_bits_and_another_another_name(digits):
    one, again, other = (train_classifier(*digits["train"], SHORT, generator(seed)) for seed in (1, 1, 2))
    assert extractor(one).name == extractor(again).name != extractor(other).name


def test_training_leaves_global_generators_alone(digits):
    before = torch.get_rng_state()
    train_classifier(*digits["train"], SHORT, generator())
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_the_name_tells_weights_apart():
    model = SmallClassifier(DIGITS, generator())
    before = extractor(model).name
    assert before == f"small_classifier_64_{hash_weights(model.state_dict())}"
    with torch.no_grad():
        model.output.bias[3] = torch.nextafter(model.output.bias[3], torch.tensor(1.0))
    assert extractor(model).name != before


def test_the_hash_tells_names_types_and_shapes_apart_and_not_orders():
    a, b = torch.zeros(2), torch.ones(3)
    hashes = [hash_weights(weights) for weights in ({"a": a}, {"b": a}, {"a": a.double()}, {"a": a[None]})]
    assert len(set(hashes)) == 4
    assert hash_weights({"a": a, "b": b}) == hash_weights({"b": b, "a": a})


def test_weights_from_a_file_give_the_same_extractor(tmp_path, trained, digits):
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    loaded = SmallClassifier(DIGITS, generator(9))
    loaded.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    one, two = extractor(trained), extractor(loaded)
    assert one.name == two.name
    np.testing.assert_array_equal(one(digits["test"][0]).pool, two(digits["test"][0]).pool)


@pytest.mark.parametrize(("settings", "count"), [(DIGITS, 13_706), (MNIST, 206_922)])
def test_parameter_counts(settings, count):
    """160 + 4,640 in the convolutions, (32 h w / 16 + 1) f in the hidden layer, (f + 1) 10 in the output."""
    assert sum(parameter.numel() for parameter in SmallClassifier(settings, generator()).parameters()) == count


def test_colour_images():
    settings = dataclasses.replace(MNIST, shape=(3, 32, 32))
    found = extractor(SmallClassifier(settings, generator()))(levels(5, 3, 32, 32))
    assert (found.pool.shape, found.logits.shape) == ((5, 128), (5, 10))


def test_an_image_has_the_same_features_in_any_company():
    taking = extractor(SmallClassifier(DIGITS, generator()))
    images = levels(BATCH + 20, 8, 8, below=17)
    whole, part = taking(images), taking(images[-20:])
    assert len(whole) == BATCH + 20
    # The last batch holds just these 20, so nothing is rounded otherwise.
    np.testing.assert_array_equal(whole.pool[-20:], part.pool)
    # In a batch of another size sums may be taken in another order.
    np.testing.assert_allclose(whole.pool[:20], taking(images[:20]).pool, rtol=0, atol=1e-5)


def test_data_that_do_not_fit_are_refused(digits):
    images, labels = digits["train"]
    with pytest.raises(ValueError, match="images and labels: found"):
        train_classifier(images, labels[1:], DIGITS, generator())
    with pytest.raises(ValueError, match="found level 16"):
        train_classifier(images, labels, dataclasses.replace(DIGITS, levels=16), generator())
    with pytest.raises(ValueError, match="found shape"):
        extractor(SmallClassifier(MNIST, generator()))(images)


@pytest.mark.parametrize("images", [np.zeros((3, 8, 8)), np.zeros((0, 8, 8), np.uint8)])
def test_only_grey_levels_have_features(images):
    with pytest.raises(ValueError, match="images: found"):
        extractor(SmallClassifier(DIGITS, generator()))(images)
