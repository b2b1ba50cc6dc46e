"""What losses are given: pairs of which one response is preferred, and responses that a policy drew, with rewards.

What does not change while the weights do (the reference's log-probabilities, those of the policy that drew a response)
is computed once and travels with the batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from implementations.preferences.parts.sequences import Sequences


@dataclass(frozen=True)
class Pairs:
    """Two responses to each prompt, of which the first is preferred."""

    chosen: Sequences
    rejected: Sequences
    chosen_reference: Tensor  # (batch,), nats: ln p of the chosen response under the reference, summed over its tokens
    rejected_reference: Tensor  # (batch,), likewise of the rejected one

    def rows(self, index: Tensor | slice) -> "Pairs":
        """Those pairs, in that order."""
        references = self.chosen_reference[index], self.rejected_reference[index]
        return Pairs(self.chosen.rows(index), self.rejected.rows(index), *references)

    def to(self, device: torch.device | str) -> "Pairs":
        """The same on another device."""
        references = self.chosen_reference.to(device), self.rejected_reference.to(device)
        return Pairs(self.chosen.to(device), self.rejected.to(device), *references)


@dataclass(frozen=True)
class Rollouts:
    """Responses that a policy drew. Per place: (batch, length - 1), 0 off the response, as in `sequences`."""

    sequences: Sequences
    rewards: Tensor  # (batch,), of whole responses
    log_probs: Tensor  # per place, nats: ln p of each token under the policy that drew it
    reference: Tensor  # per place, nats: ln p of each token under the reference
    values: Tensor | None  # per place: the value head's output when the response was drawn; None: there is no such head
    group: int  # rows k * group ... (k + 1) * group - 1 share a prompt

    def rows(self, index: Tensor | slice) -> "Rollouts":
        """Those rows, in that order; where their groups matter, whole groups."""
        return Rollouts(
            self.sequences.rows(index),
            self.rewards[index],
            self.log_probs[index],
            self.reference[index],
            None if self.values is None else self.values[index],
            self.group,
        )

    def to(self, device: torch.device | str) -> "Rollouts":
        """The same on another device."""
        return Rollouts(
            self.sequences.to(device),
            self.rewards.to(device),
            self.log_probs.to(device),
            self.reference.to(device),
            None if self.values is None else self.values.to(device),
            self.group,
        )
