"""Which noise goes with which example: the joint law of (x_0, eps) that a path is drawn between.

Flow matching and rectified flow learn from pairs; any coupling with the right marginals is one to learn from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

EXACT = "donot_use_mm_for_euclid_dist"  # of cdist: differences, which do not cancel

Coupling = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(x_0, eps), both (batch, ...), to the same examples in the same order, each with its noise."""


def independent(x0: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """As drawn."""
    return x0, noise


def minibatch_optimal_transport(x0: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The noise permuted so that the sum of |x_0 - eps|^2 over the batch is least (arXiv 2302.00482, section 3.2).

    Between as many points of equal weight a permutation is an optimal plan, so that nothing is drawn and no point is
    left out. O(batch^3); on the CPU.
    """
    cost = torch.cdist(x0.flatten(1).double(), noise.flatten(1).double(), compute_mode=EXACT).square()
    _, columns = linear_sum_assignment(cost.cpu().numpy())
    return x0, noise[torch.as_tensor(columns, device=noise.device)]


@dataclass(frozen=True)
class Recorded:
    """Pairs kept from a flow, the data of a reflow (rectified flow, arXiv 2209.03003, algorithm 1)."""

    x0: Tensor  # (count, ...)
    noise: Tensor  # (count, ...), the noise whose flow ended at x0

    def __post_init__(self) -> None:
        if self.x0.shape != self.noise.shape:
            raise ValueError(f"pairs are of one shape, not {tuple(self.x0.shape)} and {tuple(self.noise.shape)}")

    def __len__(self) -> int:
        return len(self.x0)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs at `indices`, (batch,) int64."""
        return self.x0[indices], self.noise[indices]


def transport_cost(x0: Tensor, noise: Tensor) -> Tensor:
    """|x_0 - eps|^2 of each pair, (batch,); its mean never rises by a reflow (arXiv 2209.03003, theorem 3.5)."""
    return (x0 - noise).flatten(1).square().sum(1)
