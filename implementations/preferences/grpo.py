"""GRPO: Group Relative Policy Optimization. Shao et al. 2024, arXiv 2402.03300; R1-Zero, 2025, arXiv 2501.12948.

PPO without a value head: pi_old draws G responses to each prompt, and a response is as good as it is better than those
beside it. With rewards r_1 ... r_G, q = pi / pi_old and x = pi_ref / pi, all of one token (equations 3 and 4),

    A_i = (r_i - mean r) / std r
    loss = mean over i and t of -min(q A_i, clip(q, 1 - eps_low, 1 + eps_high) A_i) + beta (x - ln x - 1)

where x - ln x - 1, at least 0, has the mean KL(pi || pi_ref) under pi. Which mean is a choice:

    grpo       over a response's tokens, then over responses                                  (2402.03300, equation 3)
    dr_grpo    sum over tokens / (responses * most): each token alike; beside it A without std  (arXiv 2503.20783)
    dapo       over all tokens of the step                                                      (arXiv 2503.14476)
    bnpo       over all tokens of what is in memory: the same, where a step is one batch        (as trl names it)

Since the mean of a group contains r_i itself, the expected gradient without std is (1 - 1 / G) times the true one.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.settings import require_positive
from implementations.preferences.parts.batches import Rollouts
from implementations.preferences.parts.models import LanguageModel, Network
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName, trunk_alone, whole_model
from implementations.preferences.parts.responses import log_probs

Normalisation = Literal["grpo", "bnpo", "dr_grpo", "dapo"]


@dataclass(frozen=True)
class Settings:
    """Defaults are those of DeepSeekMath-RL 7B; R1-Zero's, where it gives one, stand behind them."""

    beta: float = 0.04  # of the KL term; section 4.2; R1-Zero 0.001
    clip_low: float = 0.2  # eps below; the paper states none, 0.2 is a guess of others; R1's first stage 10
    clip_high: float = 0.2  # eps above; likewise
    normalisation: Normalisation = "grpo"  # equation 3
    scale: Literal["std", "none"] = "std"  # of advantages; section 4.1; "none": arXiv 2503.20783
    ddof: int = 0  # of that std; ours: the paper does not say; trl has 1
    epsilon: float = 0.0  # added to that std; the paper adds none; trl has 1e-4
    most: int = 1024  # tokens of a response, for dr_grpo; section 4.2
    batch: int = 16  # prompts a rollout; section 4.2: 1024 responses; R1-Zero 32
    group: int = 64  # G; section 4.2; R1-Zero 16
    temperature: float = 1.0  # R1-Zero; pi_old is always read at 1
    updates: int = 1  # steps a rollout; section 4.2; R1-Zero 16
    minibatch: int = 1024  # rows a step, whole groups; section 4.2; R1-Zero 512
    network: Network = "pretrained"  # section 4: DeepSeekMath-Instruct 7B
    optimiser: OptimiserName = "adamw"  # ours
    learning_rate: float = 1e-6  # section 4.2; R1-Zero 3e-6
    warmup: int = 0  # prompts, as many as `batch` a step; ours
    gradient_clip: float | None = 1.0  # largest norm; ours
    ema_half_life: int | None = None  # prompts, likewise; the papers name none

    def __post_init__(self) -> None:
        require_positive(self, "clip_low", "clip_high", "most", "batch", "temperature", "updates", "minibatch")
        require_positive(self, "learning_rate", "gradient_clip", "ema_half_life")
        if self.normalisation not in get_args(Normalisation) or self.scale not in ("std", "none"):
            raise ValueError(f"no normalisation {self.normalisation} with scale {self.scale}")
        if self.ddof not in (0, 1) or min(self.beta, self.epsilon, self.warmup) < 0 or self.group < 2:
            raise ValueError("ddof is 0 or 1, beta, epsilon and warmup are at least 0, group at least 2")
        if self.minibatch % self.group or self.minibatch > self.batch * self.group:
            raise ValueError("minibatch is a number of whole groups, at most batch times group")


def group_advantages(rewards: Tensor, group: int, scale: str, ddof: int, epsilon: float) -> Tensor:
    """A_i, (rows,), of rewards (rows,) whose groups stand together; exactly 0 where all of a group are equal.

    Raises:
        ValueError: the rows are not a number of whole groups.
    """
    if len(rewards) % group:
        raise ValueError(f"{len(rewards)} rows are no whole groups of {group}")
    grouped = rewards.unflatten(0, (-1, group))
    centred = grouped - grouped.mean(1, keepdim=True)
    if scale == "std":
        centred = centred / (grouped.std(1, correction=ddof, keepdim=True) + epsilon)
    return torch.where(grouped.amax(1, keepdim=True) > grouped.amin(1, keepdim=True), centred, 0.0).flatten()


def k3(log_probs: Tensor, reference: Tensor) -> Tensor:
    """x - ln x - 1 with x = pi_ref / pi, per token: never below 0, and under pi with the mean KL(pi || pi_ref)."""
    return torch.expm1(reference - log_probs) - (reference - log_probs)


def clipped_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """-min(q A, clip(q) A) per place (batch, length - 1), of advantages (batch,)."""
    ratio, gained = (log_probs - old).exp(), advantages[:, None]
    return -torch.minimum(ratio * gained, ratio.clamp(1 - clip_low, 1 + clip_high) * gained)


def averaged(losses: Tensor, mask: Tensor, normalisation: str, most: int) -> Tensor:
    """One number of losses per place, (), as `normalisation` has it; a batch is one step, so dapo and bnpo agree."""
    losses = losses.masked_fill(~mask, 0.0)
    if normalisation == "grpo":
        return (losses.sum(1) / mask.sum(1)).mean()
    if normalisation == "dr_grpo":
        return losses.sum() / (len(losses) * most)
    return losses.sum() / mask.sum()


def loss(model: LanguageModel, settings: Settings, batch: Rollouts, generator: torch.Generator) -> Tensor:
    """Of a minibatch of whole groups; ValueError otherwise. Nothing is drawn."""
    gained = group_advantages(batch.rewards, batch.group, settings.scale, settings.ddof, settings.epsilon)
    found = log_probs(model, batch.sequences)
    losses = clipped_loss(found, batch.log_probs, gained, settings.clip_low, settings.clip_high)
    if settings.beta > 0:
        losses = losses + settings.beta * k3(found, batch.reference)
    return averaged(losses, batch.sequences.mask(), settings.normalisation, settings.most)


METHOD = PreferenceMethod(
    settings=Settings, learns_from="rollouts", build=trunk_alone, loss=loss, recipe=NAMED, policy=whole_model,
    varies=("network", "beta", "normalisation"),
)  # fmt: skip
