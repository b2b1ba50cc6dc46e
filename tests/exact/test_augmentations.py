"""Augmentations: the filter, maps whose outcome is known, shares, and labels that say what was done."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from implementations.diffusion import ddpm, edm, rectified_flow, score_sde
from implementations.diffusion.parts.augmentations import LABELS, SYM6, augmented, changed, mirrored, warped
from tests.exact.noisy_networks import generator, moved, normal

ROUNDING = 3e-11  # float64, positions too; the filter is known to 1e-12 and applied four times over 12 values
IDENTITY = [[1.0, 0.0], [0.0, 1.0]]
LAG = sum(k * h for k, h in enumerate(SYM6)) / math.sqrt(2) - 5  # of the filter's centroid behind the author code's 5


def drawn(*shape: int):
    return normal(*shape, seed=1)


def by(matrix, move=(0.0, 0.0), shape=(2, 3, 6, 6)):
    x = drawn(*shape)
    linear = torch.tensor(matrix, dtype=torch.float64).expand(len(x), 2, 2)
    return x, warped(x, linear, torch.tensor(move, dtype=torch.float64).expand(len(x), 2))


def turn(angle: float):
    return [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]


def origins(places, matrix):
    """Where a linear map finds what it puts at `places` (..., 2).

    The author code has a pixel at coefficient 5 of its filter, which has its centroid a little later: LAG, in pixels of
    twice the size. It is the centroids that go where the map says.
    """
    return (places + LAG / 2) @ torch.linalg.inv(matrix).T - LAG / 2


def bilinear(x, matrix):
    """x under a linear map about its centre without the filter."""
    inverse = torch.linalg.inv(matrix)
    theta = torch.cat([inverse, inverse.new_zeros(2, 1)], dim=1).expand(len(x), 2, 3)
    grid = affine_grid(theta, list(x.shape), align_corners=False)
    return grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def test_the_filter_is_orthonormal_with_six_vanishing_moments():
    """The twelve conditions that Daubechies' filters of 12 coefficients solve; tables give these to about 1e-12."""
    h, k = np.array(SYM6), np.arange(12)
    assert h.shape == (12,)
    assert abs(h.sum() - math.sqrt(2)) < 1e-14
    for m in range(6):
        assert abs(h[2 * m :] @ h[: 12 - 2 * m] - (m == 0)) < 2e-12
    for p in range(6):
        assert abs(((-1.0) ** k * (k / 11) ** p) @ h) < 5e-12  # places in [0, 1], so that one tolerance fits all


def test_the_filter_is_the_symlet_among_daubechies_filters():
    """Of the choices of roots, the one whose phase is nearest to linear, in the order with the earlier centroid."""
    # |H|^2 is ((1 + cos w) / 2)^6 P((1 - cos w) / 2); each root of P is a pair z, 1/z, of which H has one.
    roots = np.roots([math.comb(5 + j, j) for j in range(5, -1, -1)])
    pairs = [[sorted(np.roots([1, 4 * y - 2, 1]), key=abs) for y in {r, r.conjugate()}] for r in roots if r.imag >= 0]
    k = np.arange(12)
    wave = np.exp(-1j * np.linspace(0, 3.1, 200)[:, None] * k)
    found = []
    for sides in itertools.product([0, 1], repeat=len(pairs)):
        chosen = [pair[side] for group, side in zip(pairs, sides, strict=True) for pair in group]
        h = np.poly(chosen + [-1.0] * 6).real
        h *= math.sqrt(2) / h.sum()
        response = wave @ h
        delay, power = ((wave @ (k * h)) / response).real, np.abs(response) ** 2
        middle = (delay @ power) / power.sum()
        found.append((round(float((delay - middle) ** 2 @ power), 6), float(k @ h), h))
    assert len(found) == 8
    _, _, best = min(found, key=lambda one: one[:2])  # a filter and its reverse tie
    np.testing.assert_allclose(SYM6, best, rtol=0.0, atol=1e-11)
    assert 0 < LAG < 0.1


@pytest.mark.parametrize("shape", [(2, 3, 6, 6), (2, 5, 8), (1, 2, 4, 9), (3, 32, 32)])
def test_what_is_not_moved_stays_as_it_was(shape):
    x, found = by(IDENTITY, shape=shape)
    torch.testing.assert_close(found, x, rtol=0.0, atol=ROUNDING)


@pytest.mark.parametrize("shape", [(2, 3, 6, 6), (2, 5, 8), (1, 2, 8, 6)])
def test_a_move_goes_right_and_down_and_reflects_at_the_border(shape):
    x, found = by(IDENTITY, (2.0, 1.0), shape)
    torch.testing.assert_close(found[..., 1:, 2:], x[..., :-1, :-2], rtol=0.0, atol=ROUNDING)
    torch.testing.assert_close(found[..., 1:, :2], x[..., :-1, 1:3].flip(-1), rtol=0.0, atol=ROUNDING)  # about pixel 0


def test_beyond_one_reflection_all_is_0():
    _, found = by(IDENTITY, (40.0, 0.0), (2, 3, 8, 8))
    assert not found.any()


@pytest.mark.parametrize("axis", [-1, -2])
def test_half_a_pixel_is_interpolated_by_a_polynomial_of_degree_11(axis):
    """The filter's correlation with itself is Deslauriers and Dubuc's: at midpoints, Lagrange's of 12 neighbours."""
    move = (0.5, 0.0) if axis == -1 else (0.0, 0.5)
    x, found = by(IDENTITY, move, (1, 24, 24))
    places = np.arange(12) - 5.5
    weights = [math.prod(-q / (p - q) for q in places if q != p) for p in places]
    expected = sum(w * x.roll(6 - k, axis) for k, w in enumerate(weights))  # from 6 to the left to 5 to the right
    inner = slice(6, -6)
    torch.testing.assert_close(found[:, inner, inner], expected[:, inner, inner], rtol=0.0, atol=ROUNDING)


def test_a_turn_and_a_stretch_of_a_ramp():
    """Of an image that is linear in its position, the outcome is linear too, where nothing is reflected."""
    matrix = torch.tensor([[math.cos(0.4), -1.3 * math.sin(0.4)], [math.sin(0.4), 1.3 * math.cos(0.4)]]).double()
    places = torch.arange(40).double() - 19.5
    right, down = places.expand(40, 40), places[:, None].expand(40, 40)
    ramp, move = 0.3 * right - 0.2 * down, torch.tensor([0.7, -1.1]).double()
    found = warped(ramp[None], matrix[None], move[None])[0]
    came = origins(torch.stack([right, down], dim=-1) - move, matrix)
    expected = 0.3 * came[..., 0] - 0.2 * came[..., 1]
    inner = slice(16, 24)
    torch.testing.assert_close(found[inner, inner], expected[inner, inner], rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("angle", [0.4, math.pi / 4, -1.0])
def test_turned_waves_are_nearer_than_without_the_filter(angle):
    """40 waves of 4 pixels and more, whose turned values are known: less than half the error, root mean square.

    Beyond a quarter turn the filter's lag, which is the author code's too, costs more.
    """
    matrix = torch.tensor(turn(angle)).double()
    places = torch.arange(48).double() - 23.5
    points = torch.stack([places.expand(48, 48), places[:, None].expand(48, 48)], dim=-1)
    waves, phases = math.tau / 8 * normal(40, 2, seed=2).clamp(-1.4, 1.4), normal(40, seed=3)
    x, expected = (torch.cos(q @ waves.T + phases).mean(-1)[None] for q in (points, points @ matrix))  # R^-1 = R^T
    inner = (slice(None), slice(14, 34), slice(14, 34))
    error = (warped(x, matrix[None], torch.zeros(1, 2)) - expected)[inner].square().mean()
    without = (bilinear(x[None], matrix)[0] - expected)[inner].square().mean()
    assert error < 0.25 * without


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_dtypes_are_filtered_in_float32_or_above(dtype):
    x = drawn(4, 3, 8, 8).to(dtype)
    found, labels = augmented(x, 0.5, generator(9))
    expected, told = augmented(x.double(), 0.5, generator(9))
    assert found.dtype == dtype
    assert torch.equal(labels, told)
    torch.testing.assert_close(found.double(), expected, rtol=torch.finfo(dtype).eps, atol=1e-5)


def test_autocast_rounds_neither_images_nor_positions():
    x = drawn(8, 3, 8, 8).float()
    expected, told = augmented(x, 0.5, generator(10))
    with torch.autocast("cpu", torch.bfloat16):
        found, labels = augmented(x, 0.5, generator(10))
    assert torch.equal(found, expected)
    assert torch.equal(labels, told)


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 3, 2, 2), (4, 3, 5), (4, 1, 4, 4)])
def test_small_images_are_changed_too(shape):
    x = drawn(*shape)
    found, _ = augmented(x, 1.0, generator(11))
    assert found.shape == shape
    assert torch.isfinite(found).all()
    assert not torch.equal(found, x)


def test_an_image_comes_out_alike_whatever_else_is_in_its_batch():
    x, linear = drawn(3, 2, 8, 8), torch.tensor([turn(0.3), turn(2.0), [[3.0, 0.0], [0.0, 0.3]]]).double()
    move = torch.tensor([[0.0, 0.2], [1.0, 0.0], [7.0, -9.0]]).double()
    alone = [warped(x[i : i + 1], linear[i : i + 1], move[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(warped(x, linear, move), torch.cat(alone), rtol=0.0, atol=1e-12)


def test_without_a_share_images_are_mirrored_or_as_they_were():
    x = drawn(200, 8, 8)
    found, labels = augmented(x, 0.0, generator(2))
    assert labels.shape == (200, LABELS)
    assert not labels[:, 1:].any()
    sideways = labels[:, 0].bool()
    assert abs(float(sideways.double().mean()) - 0.5) < 5 * 0.5 / math.sqrt(200)  # five standard errors
    expected = torch.where(sideways[:, None, None], x.flip(-1), x)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=ROUNDING)


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
