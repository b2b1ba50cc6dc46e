"""The Frechet distance: against closed forms, against the nuclear norm of centred rows, invariances, refusals."""

import numpy as np
import pytest

from benchmarks.metrics.frechet import Statistics, frechet, frechet_distance, statistics, streamed

ROUNDING = 1e-10  # float64, sums of 64 square roots of eigenvalues of order 1


def normal(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def rotation(d: int, seed: int) -> np.ndarray:
    return np.linalg.qr(normal(d, d, seed=seed))[0]


def rows(n: int, d: int, seed: int) -> np.ndarray:
    """Correlated features, away from 0, of very different spreads."""
    return normal(n, d, seed=seed) @ (normal(d, d, seed=seed + 1) * np.logspace(0, -2, d)) + 3.0


# against closed forms


def test_one_dimension():
    """(m1 - m2)^2 + (s1 - s2)^2."""
    found = frechet_distance(np.array([1.0]), np.array([[4.0]]), np.array([-2.0]), np.array([[0.25]]))
    assert found == pytest.approx(9.0 + 1.5**2, abs=1e-14)


@pytest.mark.parametrize("d", [2, 64])
def test_covariances_that_commute(d):
    """In a common basis the distance is that of the standard deviations."""
    axes = rotation(d, 0)
    s1, s2 = np.logspace(0, -3, d), np.linspace(0.1, 2.0, d)
    m1, m2 = normal(d, seed=1), normal(d, seed=2)
    expected = np.square(m1 - m2).sum() + np.square(s1 - s2).sum()
    found = frechet_distance(m1, axes * s1**2 @ axes.T, m2, axes * s2**2 @ axes.T)
    assert found == pytest.approx(expected, abs=ROUNDING)


def test_two_dimensions_that_do_not_commute():
    """For 2 x 2 matrices tr sqrt(A) = sqrt(tr A + 2 sqrt(det A))."""
    c1, c2 = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    product = c1 @ c2
    root = np.sqrt(np.trace(product) + 2.0 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(c1) + np.trace(c2) - 2.0 * root
    assert frechet_distance(np.zeros(2), c1, np.zeros(2), c2) == pytest.approx(expected, abs=1e-13)


def test_a_linear_map_of_a_standard_normal():
    """From N(0, I) to N(0, C): the eigenvalues of C alone."""
    c = np.cov(rows(500, 32, 5), rowvar=False)
    expected = np.square(np.sqrt(np.linalg.eigvalsh(c)) - 1.0).sum()
    assert frechet_distance(np.zeros(32), np.eye(32), np.zeros(32), c) == pytest.approx(expected, abs=ROUNDING)


def test_equal_statistics_are_at_distance_zero():
    found = statistics(rows(500, 64, 3))
    assert abs(frechet(found, found)) < ROUNDING * np.trace(found.covariance)


def test_features_that_never_fire_count_for_nothing():
    """Units of a rectifier that are 0 on all images, other ones on either side: both covariances are singular."""
    one, two = rows(500, 8, 3), rows(400, 8, 7)
    one[:, 5], two[:, 6] = 0.0, 0.0
    found = frechet(statistics(one), statistics(two))
    alive = [0, 1, 2, 3, 4, 7]
    c1, c2 = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    # tr sqrt(C1 C2) with F1 zero in column 5 and F2 zero in column 6
    within = frechet_distance(np.zeros(6), c1[np.ix_(alive, alive)], np.zeros(6), c2[np.ix_(alive, alive)])
    expected = within + np.square(one.mean(0) - two.mean(0)).sum() + c1[6, 6] + c2[5, 5]
    assert found == pytest.approx(expected, abs=1e-7 * expected)  # square roots of eigenvalues that are 0 but for 1e-16


# against the nuclear norm of centred rows


def nuclear(x: np.ndarray, y: np.ndarray) -> float:
    """The distance from rows alone, without a covariance."""
    x0, y0 = x - x.mean(0), y - y.mean(0)
    root = np.linalg.norm(x0 @ y0.T, "nuc") / np.sqrt((len(x) - 1) * (len(y) - 1))
    spreads = np.square(x0).sum() / (len(x) - 1) + np.square(y0).sum() / (len(y) - 1)
    return float(np.square(x.mean(0) - y.mean(0)).sum() + spreads - 2.0 * root)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (64, 64), (65, 65), (20, 500), (500, 20), (500, 400)])
def test_rows_fewer_and_more_than_features(n, m):
    x, y = rows(n, 64, 3), rows(m, 64, 7)
    assert frechet(statistics(x), statistics(y)) == pytest.approx(nuclear(x, y), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 500), (500, 20)])
def test_singular_covariances_without_their_rows(n, m):
    """An eigenvalue of C1 C2 that ought to be 0 is rounding, about 1e-16 of the largest; its root is 1e-8 of its.

    Some 50 of them, half of them below 0 and left out, may add up to a few 1e-7 of the traces.
    """
    x, y = rows(n, 64, 3), rows(m, 64, 7)
    found = frechet_distance(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))
    assert found == pytest.approx(nuclear(x, y), rel=5e-7)


# invariances


def test_symmetric_in_its_arguments():
    one, two = statistics(rows(500, 64, 3)), statistics(rows(400, 64, 7))
    assert frechet(one, two) == pytest.approx(frechet(two, one), rel=1e-12)


@pytest.mark.parametrize("n", [50, 9000])
def test_the_order_of_rows_does_not_matter(n):
    x, other = rows(n, 64, 3), statistics(rows(400, 64, 7))
    mixed = x[np.random.default_rng(0).permutation(n)]
    assert frechet(statistics(mixed), other) == pytest.approx(frechet(statistics(x), other), rel=1e-12)


def test_a_common_rotation_and_shift_changes_nothing():
    x, y, turn = rows(500, 64, 3), rows(400, 64, 7), rotation(64, 1)
    moved = frechet(statistics(x @ turn + 5.0), statistics(y @ turn + 5.0))
    assert moved == pytest.approx(frechet(statistics(x), statistics(y)), rel=1e-10)


# statistics


@pytest.mark.parametrize("sizes", [[500], [1, 1, 498], [30, 0, 70, 400], [250, 250]])
def test_streamed_is_numpys_mean_and_covariance(sizes):
    x = rows(500, 64, 3)
    found = streamed(np.split(x, np.cumsum(sizes)[:-1]))
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(x, rowvar=False), rtol=0, atol=1e-12)
    assert found.count == 500
    assert found.factor is None


def test_a_mean_far_from_zero_costs_no_digits():
    x = normal(2000, 8, seed=1)
    found = streamed(np.split(x + 1e6, 10))
    np.testing.assert_allclose(found.covariance, np.cov(x, rowvar=False), rtol=0, atol=1e-8)  # 1e6 times 1e-16 a value


def test_covariance_is_exactly_symmetric():
    found = streamed(np.split(rows(500, 64, 3), 10))
    np.testing.assert_array_equal(found.covariance, found.covariance.T)


def test_the_factor_of_few_rows_gives_their_covariance():
    found = streamed(np.split(rows(60, 64, 3), 6))
    assert found.factor is not None
    np.testing.assert_allclose(found.factor.T @ found.factor, found.covariance, rtol=0, atol=1e-12)


def test_float32_features_are_summed_in_float64():
    x = (1000.0 + normal(5000, 4, seed=1)).astype(np.float32)
    np.testing.assert_allclose(statistics(x).covariance, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-11)


def test_arguments_are_left_alone():
    x = rows(500, 16, 3)
    before = x.copy()
    found = statistics(x)
    kept = found.covariance.copy()
    frechet(found, statistics(x + 1.0))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(found.covariance, kept)


# refusals


@pytest.mark.parametrize("chunks", [[], [np.zeros((1, 3))], [np.zeros((5, 3)), np.zeros((5, 2))], [np.zeros(5)]])
def test_what_has_no_covariance_is_refused(chunks):
    with pytest.raises(ValueError, match="features: found"):
        streamed(chunks)


def test_values_that_are_not_finite_are_refused():
    x = rows(10, 3, 0)
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        statistics(x)
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(np.zeros(2), np.full((2, 2), np.inf), np.zeros(2), np.eye(2))


def test_shapes_that_do_not_fit_are_refused():
    one, two = statistics(rows(10, 3, 0)), statistics(rows(10, 4, 0))
    with pytest.raises(ValueError, match="found shapes"):
        frechet(one, two)


def test_a_matrix_that_is_not_symmetric_is_refused():
    skew = Statistics(np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]]), 10)
    with pytest.raises(ValueError, match="not symmetric"):
        frechet(skew, skew)
