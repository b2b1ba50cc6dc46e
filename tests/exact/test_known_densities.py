"""The densities that tasks of the flows know in full: energies normalised by quadrature, and the mixture."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad

from benchmarks.families.flows import energies
from benchmarks.families.flows.mixtures import mixture, points
from benchmarks.families.flows.problems import MixtureDensity

TASK = MixtureDensity("small", dimensions=3, components=4, seed=1, train=50, valid=20, test=40_000)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def density(number: int, z1: float, z2: float) -> float:
    """exp(-U), written out once more, number by number."""
    w1 = math.sin(2 * math.pi * z1 / 4)
    w2 = 3 * math.exp(-0.5 * ((z1 - 1) / 0.6) ** 2)
    w3 = 3 / (1 + math.exp(-(z1 - 1) / 0.3))
    wall = math.exp(-0.5 * (max(abs(z1) - 4, 0) / 0.2) ** 2)
    if number == 1:
        ring = math.exp(-0.5 * ((math.hypot(z1, z2) - 2) / 0.4) ** 2)
        return ring * (math.exp(-0.5 * ((z1 - 2) / 0.6) ** 2) + math.exp(-0.5 * ((z1 + 2) / 0.6) ** 2))
    if number == 2:
        return wall * math.exp(-0.5 * ((z2 - w1) / 0.4) ** 2)
    first = math.exp(-0.5 * ((z2 - w1) / (0.35 if number == 3 else 0.4)) ** 2)
    return wall * (first + math.exp(-0.5 * ((z2 - w1 + (w2 if number == 3 else w3)) / 0.35) ** 2))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_energy_is_the_written_out_formula(number):
    z = 3 * torch.randn(200, 2, dtype=torch.float64, generator=generator(0))
    written = [density(number, *point) for point in z.tolist()]
    torch.testing.assert_close((-energies.potential(number, z)).exp(), torch.tensor(written, dtype=z.dtype))


@pytest.mark.parametrize("number", [1, 2])
def test_the_normaliser_agrees_with_adaptive_quadrature(number):
    """Energy 2 has a closed form: a normal ridge over the walled axis."""
    if number == 2:
        expected = 0.4 * math.sqrt(2 * math.pi) * (8 + 0.2 * math.sqrt(2 * math.pi))
        assert energies.log_normaliser(2) == pytest.approx(math.log(expected), abs=1e-6)  # the wall's kink, cells 0.01
        return
    # By symmetry one quarter; splitting it keeps the adaptive rule accurate.
    quarter, _ = dblquad(lambda y, x: density(1, x, y), 0, 6, 0, 6, epsabs=1e-9)
    assert energies.log_normaliser(1) == pytest.approx(math.log(4 * quarter), abs=1e-7)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_draws_of_an_energy_have_its_mean_energy(number):
    """E[U] over draws against E[U] over the quadrature's cells, within five standard errors at a fixed seed."""
    z = energies.sample(number, 50_000, generator(3))
    drawn = energies.potential(number, z)
    centres = energies.cell_centres(energies.REACH, energies.CELLS)
    inner = energies.potential(number, centres)
    expected = float((torch.softmax(-inner, 0) * inner).sum())
    assert abs(float(drawn.mean()) - expected) < 5 * float(drawn.std()) / math.sqrt(len(drawn))


def test_cells_are_listed_row_by_row_from_the_top():
    centres = energies.cell_centres(1.0, 2)
    assert centres.tolist() == [[-0.5, 0.5], [0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]]


def test_points_of_the_mixture_repeat_and_differ_by_split_and_seed():
    train, valid = points(TASK, "train"), points(TASK, "valid")
    assert (train.shape, valid.shape, train.dtype) == ((50, 3), (20, 3), torch.float64)
    assert torch.equal(train, points(TASK, "train"))
    assert not torch.equal(train[:20], valid)
    assert not torch.equal(train, points(replace(TASK, seed=2), "train"))


def test_points_of_the_mixture_follow_it():
    """The score of the true density has mean zero under it: five standard errors at a fixed seed."""
    test, truth = points(TASK, "test"), mixture(TASK)
    score = truth.score(test)
    assert (score.mean(0).abs() < 5 * score.std(0) / math.sqrt(len(test))).all()
    assert float(truth.weights.sum()) == pytest.approx(1.0)
    widths = np.sqrt(torch.linalg.eigvalsh(truth.factors @ truth.factors.mT).numpy())
    assert (widths > 0.2).all()
    assert (widths < 1.0).all()
