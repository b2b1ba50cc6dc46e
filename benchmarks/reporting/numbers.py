"""How numbers are written: as many digits as the interval supports."""

import math

NOTHING = "–"
LARGEST_PLAIN = 1e7
SMALLEST_PLAIN = 1e-4


def plain(value: float | None) -> str:
    """A number by itself, to five significant digits; whole numbers whole."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if not SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        return f"{value:.4g}"
    if value == int(value):
        return str(int(value))
    return _trimmed(f"{value:.{max(0, 4 - math.floor(math.log10(abs(value))))}f}")


def with_interval(mean: float | None, low: float | None, high: float | None, seeds: int) -> str:
    """`1980.5 [1979, 1982]`: the ends to the first digit in which they differ, the mean to one more.

    Where the width begins with 1 or 2, all get another digit, else rounding could double the width. Fewer than two
    seeds show no interval: nothing is known of their spread. Nor does an interval without width add anything.
    """
    if mean is None or low is None or high is None or seeds < 2 or low == mean == high:
        return plain(mean)
    width = high - low
    if not width > 0 or max(abs(low), abs(high)) >= LARGEST_PLAIN or width < SMALLEST_PLAIN**2:
        return f"{plain(mean)} [{plain(low)}, {plain(high)}]"
    exponent = math.floor(math.log10(width))
    digits = -exponent + (1 if width / 10**exponent < 3 else 0)
    return f"{fixed(mean, digits + 1)} [{fixed(low, digits)}, {fixed(high, digits)}]"


def rank(low: int, high: int) -> str:
    """`1`, or `1–3` where the seeds leave several places open."""
    return str(low) if low == high else f"{low}–{high}"


def seconds(value: float) -> str:
    """Seconds, minutes or hours."""
    if value < 120:
        return f"{plain(float(f'{value:.3g}'))} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def shortened(text: str, length: int = 60) -> str:
    """A text that fits a cell."""
    return text if len(text) <= length else text[: length - 1] + "…"


def fixed(value: float, digits: int) -> str:
    """So many digits after the point; no -0."""
    text = f"{value:.{max(0, digits)}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
