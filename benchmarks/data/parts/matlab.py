"""MATLAB files up to version 7, in which SVHN and the Toronto Face Database are published."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from benchmarks.files.errors import input_error


def read(path: Path, *names: str) -> list[npt.NDArray[Any]]:
    """The variables of these names, in this order.

    Raises InputError, naming the file, when it is damaged or lacks one of them.
    """
    from scipy.io import loadmat  # here, because finding a data set shall import nothing heavy

    try:
        variables = loadmat(path, variable_names=names)
    # A damaged header can make scipy fail in many ways; every one of them means the same to the caller.
    except Exception as error:
        raise input_error(path, "", f"no MATLAB file ({error})", "a whole file as published is needed") from error
    for name in names:
        if name not in variables:
            found = ", ".join(key for key in variables if not key.startswith("__")) or "none of them"
            raise input_error(path, "variables", found, f"{', '.join(names)} are needed")
    return [variables[name] for name in names]
