"""Maps that mix the channels, the same at every position: on images 1x1 convolutions, on vectors matrices.

All take (batch, c, h, w) or (batch, c). Glow, arXiv 1807.03039, section 3.2. Determinants, inverses and products of the
learned c x c matrices are taken in float64, as in openai/glow, model.py: it costs little, and no autocast rounds them.
"""

import torch
from torch import Tensor, nn


def mixed(weight: Tensor, x: Tensor) -> Tensor:
    """y = W x at every position, in the precision of x: autocast would round x itself, not only a network's answer."""
    with torch.autocast(x.device.type, enabled=False):
        return x @ weight.T if x.dim() == 2 else (weight @ x.flatten(2)).view_as(x)


def positions(x: Tensor) -> int:
    """Where the map is applied in each example: h w times, or once."""
    return x[0, 0].numel()


def random_rotation(size: int, generator: torch.Generator) -> Tensor:
    """(size, size): the orthogonal factor of a standard normal matrix; on the meta device nothing is drawn."""
    rotation = torch.empty(size, size)
    if not rotation.is_meta:
        rotation, _ = torch.linalg.qr(rotation.normal_(generator=generator))
    return rotation


class InvertibleLinear(nn.Module):
    """y = W x with W learned entry by entry from a random rotation. logdet = h w log |det W|, equation 9."""

    def __init__(self, channels: int, generator: torch.Generator):
        super().__init__()
        self.weight = nn.Parameter(random_rotation(channels, generator))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return mixed(self.weight, x), self._log_determinant(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        inverse: Tensor = torch.linalg.inv(self.weight.double())
        return mixed(inverse.to(y.dtype), y), -self._log_determinant(y)

    def _log_determinant(self, like: Tensor) -> Tensor:
        logdet: Tensor = torch.linalg.slogdet(self.weight.double()).logabsdet
        return (positions(like) * logdet).to(like.dtype).expand(len(like))


class InvertibleLinearLU(nn.Module):
    """y = P L (U + diag(s)) x, equation 10: P a fixed permutation, L and U unit lower and strictly upper triangular.

    logdet = h w sum log |s|, equation 11. The learned matrix `factors` holds L below its diagonal, U above it and
    log |s| on it; the signs of s are fixed. It starts at the factors of a random rotation.
    """

    permutation: Tensor
    signs: Tensor

    def __init__(self, channels: int, generator: torch.Generator):
        super().__init__()
        permutation, lower, upper = torch.linalg.lu(random_rotation(channels, generator))
        pivots = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("signs", pivots.sign())
        self.factors = nn.Parameter(lower.tril(-1) + upper.triu(1) + pivots.abs().log().diag())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        lower, upper = self._triangles()
        weight = self.permutation.double() @ lower @ upper
        return mixed(weight.to(x.dtype), x), self._log_determinant(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        lower, upper = self._triangles()
        half = torch.linalg.solve_triangular(lower, self.permutation.double().T, upper=False, unitriangular=True)
        inverse = torch.linalg.solve_triangular(upper, half, upper=True)
        return mixed(inverse.to(y.dtype), y), -self._log_determinant(y)

    def _triangles(self) -> tuple[Tensor, Tensor]:
        """L and U + diag(s), float64."""
        factors = self.factors.double()
        lower = factors.tril(-1) + torch.eye(len(factors), dtype=factors.dtype, device=factors.device)
        return lower, factors.triu(1) + (self.signs * factors.diagonal().exp()).diag()

    def _log_determinant(self, like: Tensor) -> Tensor:
        logdet = self.factors.diagonal().double().sum()
        return (positions(like) * logdet).to(like.dtype).expand(len(like))


class Permutation(nn.Module):
    """y_i = x_order(i), fixed; keeps volume. What Glow's 1x1 convolution is compared with, section 5.1."""

    order: Tensor

    def __init__(self, order: Tensor):
        """`order` (c,) names every channel once."""
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y[:, self.order.argsort()], y.new_zeros(len(y))


def reversal(channels: int) -> Permutation:
    """The last channel first."""
    return Permutation(torch.arange(channels).flip(0))


def shuffle(channels: int, generator: torch.Generator) -> Permutation:
    """An order drawn once; on the meta device nothing is drawn."""
    order = torch.arange(channels)
    return Permutation(order if order.is_meta else torch.randperm(channels, generator=generator))
