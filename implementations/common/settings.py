"""Checks of settings, for the `__post_init__` of a method's frozen dataclass."""

from typing import Any


def require_positive(settings: Any, *names: str) -> None:
    """Each named field is above 0, or None where it may be.

    Raises:
        ValueError: naming the field and what it holds.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}")
