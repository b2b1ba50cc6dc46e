"""What every log-determinant is held against."""

from collections.abc import Callable

import torch
from torch import Tensor


def log_abs_determinants(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """log |det dy/dx| of each row of `x` (batch, d) by automatic differentiation and an LU factorisation."""
    rows = [torch.autograd.functional.jacobian(lambda row: function(row[None])[0], row) for row in x]
    return torch.linalg.slogdet(torch.stack(rows)).logabsdet
