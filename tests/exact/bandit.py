"""A world of one prompt and a few responses, in which the answers are known (arXiv 2305.18290, section 4).

Maximising E_pi r - beta KL(pi || pi_ref) over all distributions pi has one solution,

    pi* = pi_ref exp(r / beta) / Z,    Z = sum pi_ref exp(r / beta),    J(pi*) = beta ln Z

A judge of the Bradley-Terry model prefers i to j with probability sigmoid(r_i - r_j). Of pairs that pi_ref draws, the
maximum likelihood of a reward is r itself up to a constant, and of DPO's implicit reward, beta ln pi / pi_ref, it is
had by pi*; both losses are then the judge's entropy. Three methods, one policy.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Bandit:
    """Responses 1 ... n to the one prompt. Everything is a sum over all of them: nothing is drawn."""

    reference: Tensor  # (n,), float64: ln pi_ref
    rewards: Tensor  # (n,), float64
    beta: float

    def __post_init__(self) -> None:
        if self.reference.shape != self.rewards.shape or self.reference.dim() != 1 or self.beta <= 0:
            raise ValueError("reference and rewards are vectors of one length, and beta is above 0")
        if abs(float(self.reference.logsumexp(0))) > 1e-9:
            raise ValueError("the reference is a vector of log-probabilities, whose exponentials sum to 1")

    def log_partition(self) -> Tensor:
        """ln Z, ()."""
        return (self.reference + self.rewards / self.beta).logsumexp(0)

    def optimum(self) -> Tensor:
        """ln pi*, (n,)."""
        return self.reference + self.rewards / self.beta - self.log_partition()

    def objective(self, policy: Tensor) -> Tensor:
        """J = E r - beta KL(pi || pi_ref) of ln pi, ()."""
        return (policy.exp() * (self.rewards - self.beta * (policy - self.reference))).sum()

    def judged(self) -> Tensor:
        """How often the judge prefers i to j, (n, n), over independent pairs of the reference's; the sum is 1.

        A pair has two orders, each drawn with probability pi_ref(i) pi_ref(j); i with i is a pair that teaches nothing.
        """
        drawn = self.reference.exp()
        return 2 * drawn[:, None] * drawn * torch.sigmoid(self.rewards[:, None] - self.rewards)

    def reward_loss(self, scores: Tensor) -> Tensor:
        """Negative log-likelihood of a reward model's scores (n,) under all the judge's answers, ()."""
        return -(self.judged() * functional.logsigmoid(scores[:, None] - scores)).sum()

    def dpo_loss(self, policy: Tensor) -> Tensor:
        """DPO's loss of ln pi (n,) over all pairs and answers, (): that of its implicit reward."""
        return self.reward_loss(self.beta * (policy - self.reference))

    def least_loss(self) -> Tensor:
        """The judge's entropy, (): no model of its answers does better."""
        return self.reward_loss(self.rewards)
