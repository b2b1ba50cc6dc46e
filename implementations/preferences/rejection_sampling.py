"""Rejection sampling: fine-tuning on one's own responses that are good. Yuan et al. 2023, arXiv 2308.01825.

The policy draws G responses to each prompt, those whose reward is at least a threshold are kept, and their likelihood
is raised:

    loss = - mean over the tokens of the kept responses of ln p(y_t | x, y_<t)

For rewards of 0 and 1 this is the policy gradient of a reward without a baseline, up to the average: bad responses
teach nothing, where GRPO takes them down. It is the RFT of arXiv 2402.03300, section 5.2, on-line.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from implementations.common.settings import require_positive
from implementations.preferences.parts.batches import Rollouts
from implementations.preferences.parts.models import LanguageModel, Network
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName, trunk_alone, whole_model
from implementations.preferences.parts.responses import log_probs


@dataclass(frozen=True)
class Settings:
    """A baseline at equal samples: what both have in common is GRPO's, arXiv 2402.03300."""

    threshold: float = 1.0  # ours: a correct answer's reward; those with as much are kept
    batch: int = 16  # prompts a rollout; arXiv 2402.03300, section 4.2: 1024 responses
    group: int = 64  # G; likewise
    temperature: float = 1.0  # arXiv 2501.12948
    updates: int = 1  # steps a rollout; arXiv 2402.03300, section 4.2
    minibatch: int = 1024  # rows a step; likewise
    network: Network = "pretrained"  # likewise
    optimiser: OptimiserName = "adamw"  # ours
    learning_rate: float = 1e-6  # arXiv 2402.03300, section 4.2
    warmup: int = 0  # prompts, as many as `batch` a step; ours
    gradient_clip: float | None = 1.0  # largest norm; ours
    ema_half_life: int | None = None  # prompts, likewise; the papers name none

    def __post_init__(self) -> None:
        require_positive(self, "batch", "group", "temperature", "updates", "minibatch")
        require_positive(self, "learning_rate", "gradient_clip", "ema_half_life")
        if self.warmup < 0 or self.minibatch > self.batch * self.group:
            raise ValueError("warmup is at least 0, minibatch at most batch times group")


def kept(rewards: Tensor, threshold: float) -> Tensor:
    """Which of the responses are learned, (batch,), bool."""
    return rewards >= threshold


def kept_loss(log_probs: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
    """-ln p a token of the kept responses, (), of ln p per place (batch, length - 1); 0 where none is kept."""
    learned = mask & kept[:, None]
    return -(log_probs * learned).sum() / learned.sum().clamp(min=1)


def loss(model: LanguageModel, settings: Settings, batch: Rollouts, generator: torch.Generator) -> Tensor:
    """Of a minibatch; where no response is kept 0, and so is every gradient. Nothing is drawn."""
    found = log_probs(model, batch.sequences)
    return kept_loss(found, batch.sequences.mask(), kept(batch.rewards, settings.threshold))


METHOD = PreferenceMethod(
    settings=Settings, learns_from="rollouts", build=trunk_alone, loss=loss, recipe=NAMED, policy=whole_model,
    varies=("network",),
)  # fmt: skip
