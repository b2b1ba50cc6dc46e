"""Best of N: draw N responses, say the best. Stiennon et al. 2020, arXiv 2009.01325; baseline of arXiv 2305.18290.

Trains nothing: it costs N samples an answer instead. If no two rewards are equal, the law of the best of N has

    KL(best of N || policy) = ln N - (N - 1) / N

of one continuous reward, and for any policy and reward at most that (arXiv 2401.01879), so that its place on a frontier
of reward against KL is known without a model of it. The best of the first n of `most` responses are had from one draw.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from implementations.common.settings import require_positive
from implementations.preferences.parts.protocol import PreferenceMethod


@dataclass(frozen=True)
class Settings:
    """Of the DPO paper's baseline."""

    most: int = 128  # N at most; arXiv 2305.18290, section 6.2
    temperature: float = 1.0  # ours: the policy itself; section 6.2 sweeps it

    def __post_init__(self) -> None:
        require_positive(self, "most", "temperature")


def best_of(rewards: Tensor, n: int) -> Tensor:
    """Where the best of the first n responses stands, (prompts,), int64, of rewards (prompts, most); of ties the first.

    Raises:
        ValueError: n is not from 1 to `most`, or a reward is no number.
    """
    if not 1 <= n <= rewards.shape[1]:
        raise ValueError(f"the best of {n} cannot be chosen from {rewards.shape[1]} responses")
    if rewards.isnan().any():
        raise ValueError("a reward is not a number")
    first = rewards[:, :n]
    # argmax may name any of several largest values; the first among them is the first that is true.
    return (first == first.amax(1, keepdim=True)).int().cumsum(1).eq(0).sum(1)


def kl_bound(n: int) -> float:
    """ln n - (n - 1) / n, nats: the largest KL from the policy that the best of n can have; ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"n is at least 1, not {n}")
    return math.log(n) - (n - 1) / n


METHOD = PreferenceMethod(settings=Settings, learns_from="nothing", best_of=best_of, kl_bound=kl_bound)
