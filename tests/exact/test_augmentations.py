"""Augmentations: maps whose outcome is known pixel by pixel, shares, and labels that say what was done."""

import math

import pytest
import torch

from implementations.diffusion import ddpm, edm, rectified_flow, score_sde
from implementations.diffusion.parts.augmentations import LABELS, augmented, changed, mirrored, warped
from tests.exact.noisy_networks import generator, moved, normal

ROUNDING = 1e-12  # float64, a few operations on values of about 1; positions are of float64 too
IDENTITY = [[1.0, 0.0], [0.0, 1.0]]


def drawn(*shape: int):
    return normal(*shape, seed=1)


def by(matrix, move=(0.0, 0.0), shape=(2, 3, 6, 6)):
    x = drawn(*shape)
    linear = torch.tensor(matrix, dtype=torch.float64).expand(len(x), 2, 2)
    return x, warped(x, linear, torch.tensor(move, dtype=torch.float64).expand(len(x), 2))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (IDENTITY, lambda x: x),
        ([[-1.0, 0.0], [0.0, 1.0]], lambda x: x.flip(-1)),
        ([[1.0, 0.0], [0.0, -1.0]], lambda x: x.flip(-2)),
        ([[0.0, -1.0], [1.0, 0.0]], lambda x: torch.rot90(x, -1, (-2, -1))),  # right goes down
    ],
)
def test_maps_of_the_grid_to_itself_move_pixels(matrix, expected):
    x, found = by(matrix)
    torch.testing.assert_close(found, expected(x), rtol=0.0, atol=ROUNDING)


@pytest.mark.parametrize("shape", [(2, 3, 6, 6), (2, 5, 8), (1, 2, 8, 4)])
def test_a_move_goes_right_and_down_and_reflects_at_the_border(shape):
    x, found = by(IDENTITY, (2.0, 1.0), shape)
    torch.testing.assert_close(found[..., 1:, 2:], x[..., :-1, :-2], rtol=0.0, atol=ROUNDING)
    torch.testing.assert_close(found[..., 1:, :2], x[..., :-1, :2].flip(-1), rtol=0.0, atol=ROUNDING)


def test_a_turn_and_a_stretch_of_a_ramp():
    """Of an image that is linear in its position, the outcome is linear too, where nothing is reflected."""
    matrix = torch.tensor([[math.cos(0.4), -1.3 * math.sin(0.4)], [math.sin(0.4), 1.3 * math.cos(0.4)]]).double()
    places = torch.arange(20).double() - 9.5
    right, down = places.expand(20, 20), places[:, None].expand(20, 20)
    ramp, move = 0.3 * right - 0.2 * down, torch.tensor([0.7, -1.1]).double()
    found = warped(ramp[None], matrix[None], move[None])[0]
    inverse = torch.linalg.inv(matrix)
    came = torch.stack([right - move[0], down - move[1]], dim=-1) @ inverse.T
    expected = 0.3 * came[..., 0] - 0.2 * came[..., 1]
    inner = slice(6, 14)
    torch.testing.assert_close(found[inner, inner], expected[inner, inner], rtol=0.0, atol=1e-11)


def test_without_a_share_images_are_mirrored_or_as_they_were():
    x = drawn(200, 8, 8)
    found, labels = augmented(x, 0.0, generator(2))
    assert labels.shape == (200, LABELS)
    assert not labels[:, 1:].any()
    sideways = labels[:, 0].bool()
    assert abs(float(sideways.double().mean()) - 0.5) < 5 * 0.5 / math.sqrt(200)  # five standard errors
    expected = torch.where(sideways[:, None, None], x.flip(-1), x)
    # A turn by an axis and back, of float32 draws, leaves 1e-7 of a side; neighbours differ by some units.
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-5)


def test_labels_have_the_laws_of_their_changes():
    many = 20_000
    _, labels = augmented(torch.zeros(many, 2, 2), 0.3, generator(3))
    sideways, over, grown, cosine, sine, _, _, right, down = labels.double().unbind(1)
    error = 5 / math.sqrt(many)  # five standard errors of a deviation of 1
    assert abs(float(sideways.mean()) - 0.5) < error
    assert abs(float(over.mean()) - 0.15) < error
    for label in (grown, sine, right, down):
        assert abs(float((label != 0).double().mean()) - 0.3) < error
        assert abs(float(label.mean())) < error
    torch.testing.assert_close((cosine + 1).square() + sine.square(), torch.ones(many).double(), rtol=0.0, atol=1e-6)
    assert abs(float(grown[grown != 0].var()) - 1) < math.sqrt(2 / 0.3) * error
    assert torch.equal(right != 0, down != 0)  # one move


def test_changes_repeat_with_their_generator_and_leave_the_data_alone():
    x = drawn(16, 3, 8, 8)
    given = x.clone()
    (first, told), (again, _), (other, _) = (changed(x, 0.0, 0.5, generator(seed)) for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, given)
    assert torch.isfinite(first).all()
    assert set(told) == {"augment"}
    plain, none = changed(x, 1.0, 0.0, generator(4))
    assert torch.equal(plain, x.flip(-1))
    assert none == {}
    assert torch.equal(mirrored(x, 0.0, generator(6)), x)


@pytest.mark.parametrize("method", [ddpm, edm, rectified_flow, score_sde])
def test_vectors_are_not_mirrored(method):
    with pytest.raises(ValueError, match="not of vectors"):
        method.build(method.Settings(network="mlp", width=16, dropout=0.0, flips=0.5), (3,), generator(0))


def test_edm_tells_its_network_in_training_and_nothing_in_sampling():
    settings = edm.Settings(network="mlp", width=16, dropout=0.0, augmentation=0.5)
    model = moved(edm.build(settings, (4, 4), generator(0))).eval()
    seen = []
    hook = model.network.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs.get("augment")), with_kwargs=True
    )
    x = drawn(64, 4, 4)
    with torch.no_grad():
        edm.loss(model, settings, x, generator(7))
        edm.heun(model, settings, 3, edm.Streams(range(2)))
    hook.remove()
    assert seen[0].shape == (64, LABELS)
    assert seen[0].any()
    assert len(seen) == 6
    assert all(told is None for told in seen[1:])


def test_edm_learns_of_changed_images_as_such():
    """The loss of augmented images is that of their outcome, as data, with their labels."""
    settings = edm.Settings(network="mlp", width=16, dropout=0.0, augmentation=0.5)
    model = moved(edm.build(settings, (4, 4), generator(0))).eval()
    x, random = drawn(32, 4, 4), generator(8)
    y, told = changed(x, 0.0, 0.5, random)
    sigma = edm.noise_levels(settings, 32, random)
    noised = y + sigma[:, None, None] * torch.randn(x.shape, generator=random).to(x)
    with torch.no_grad():
        d = model(noised, torch.ones_like(sigma), sigma, **told)
        weight = (sigma.square() + 0.25) / (0.5 * sigma).square()
        expected = (weight[:, None, None] * (d - y).square()).mean()
        found = edm.loss(model, settings, x, generator(8))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize(("share", "parameters"), [(0.0, 55_732_739), (0.12, 55_732_739 + 9 * 128)])
def test_edms_network_has_an_input_for_the_labels_where_it_is_told_any(share, parameters):
    with torch.device("meta"):
        model = edm.build(edm.Settings(augmentation=share), (3, 32, 32), None)
    assert sum(value.numel() for value in model.parameters()) == parameters


@pytest.mark.parametrize("settings", [{"flips": 1.1}, {"flips": -0.1}, {"augmentation": 1.1}, {"augmentation": -0.1}])
def test_shares_outside_0_and_1_are_refused(settings):
    with pytest.raises(ValueError, match="flips and augmentation"):
        edm.Settings(**settings)
