"""What a command may tell its caller: bad input (exit 2) or a check that said no (exit 1)."""

from pathlib import Path


class InputError(Exception):
    """Bad input, a line for each error: the file, the field, what was found and what it must be; exit code 2."""


class CheckFailed(Exception):
    """A check said no (verify, a gate, a failed run); one sentence a finding; exit code 1."""


def input_error(file: Path | str, field: str, found: object, allowed: str) -> InputError:
    """One line in the common form; `field` is dotted, empty when the file as a whole is meant."""
    where = f"{file}: {field}" if field else f"{file}"
    text = str(found)
    return InputError(f"{where}: found {text[:80] + '...' if len(text) > 80 else text}; {allowed}")
