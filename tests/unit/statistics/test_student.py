"""Student's t against the distribution of scipy, whose bits committed results have."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import student


@pytest.mark.parametrize("degrees", [1, 2, 9, 0.7, 3.3, 58.1])
def test_the_bits_are_those_of_scipys_distribution(degrees: float) -> None:
    generator = np.random.default_rng(4)
    for t in (0.0, *(generator.normal(size=50) * 10.0 ** generator.uniform(-3, 3, size=50)).tolist()):
        assert student.tail(t, degrees) == float(stats.t.sf(t, degrees))
        assert student.tail(-t, degrees) == float(stats.t.cdf(t, degrees))
    for level in (0.9, 0.95, 0.98, *generator.uniform(0.01, 0.999, size=20).tolist()):
        assert student.quantile(level, degrees) == float(stats.t.isf((1.0 - level) / 2.0, degrees))


def test_a_few_printed_quantiles() -> None:
    """Of any table of t, which gives three decimals."""
    for level, degrees, printed in ((0.9, 2, 2.920), (0.95, 2, 4.303), (0.9, 9, 1.833), (0.95, 9, 2.262)):
        assert student.quantile(level, degrees) == pytest.approx(printed, abs=5e-4)
        assert student.tail(printed, degrees) == pytest.approx((1.0 - level) / 2.0, abs=5e-5)
