"""What a command may tell its caller: bad input (exit 2) or a check that said no (exit 1)."""

import errno
import os
from pathlib import Path

# What the system may refuse of a path. An absent file is not among them: whoever may miss one says so, or has a bug.
_OF_A_PATH = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EBUSY, errno.ESTALE),
}
_OF_A_DEVICE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # of a write, which knows no name


class InputError(Exception):
    """Bad input, a line for each error: the file, the field, what was found and what it must be; exit code 2."""


class CheckFailed(Exception):
    """A check said no (verify, a gate, a failed run); one sentence a finding; exit code 1."""


def refusal(error: OSError) -> str | None:
    """What the system said no to and why, in a sentence; None of an error that is no refusal."""
    if error.errno in _OF_A_DEVICE or (error.errno in _OF_A_PATH and error.filename is not None):
        named = isinstance(error.filename, str | bytes | os.PathLike)
        where = os.fsdecode(error.filename) if named else "a file, or the output, could not be written"
        return f"{where}: {os.strerror(error.errno)}"
    return None


def input_error(file: Path | str, field: str, found: object, allowed: str) -> InputError:
    """One line in the common form; `field` is dotted, empty when the file as a whole is meant."""
    where = f"{file}: {field}" if field else f"{file}"
    text = str(found)
    return InputError(f"{where}: found {text[:80] + '...' if len(text) > 80 else text}; {allowed}")
