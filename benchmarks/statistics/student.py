"""Student's t: tail and quantile of one number.

By the functions that `scipy.stats.t` calls itself, so the same bits, without its checks and broadcasting of arrays,
which take most of the time of a comparison.
"""

from scipy import special


def tail(t: float, degrees: float) -> float:
    """The probability that T > t, T being Student's t with the given degrees of freedom."""
    return float(special.stdtr(degrees, -t))


def quantile(level: float, degrees: float) -> float:
    """The t for which |T| <= t has probability `level`."""
    return float(-special.stdtrit(degrees, (1.0 - level) / 2.0))
