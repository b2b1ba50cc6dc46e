"""PPO on a reward with a KL penalty. Schulman et al. 2017, arXiv 1707.06347; Ziegler et al. 2019, arXiv 1909.08593.

Policy and value head share one trunk. Each token of a response that pi_old drew is an action, with the reward

    r_t = -beta (ln pi_old(y_t) - ln pi_ref(y_t)), to which the response's own reward is added at its last token
    delta_t = r_t + gamma V_(t+1) - V_t,    A_t = sum over l of (gamma lambda)^l delta_(t+l),    R_t = A_t + V_t

with V = 0 after the last token, also of a response that was cut. A is then normalised, and with q = pi / pi_old

    loss = - mean of min(q A, clip(q, 1 - eps, 1 + eps) A) + c / 2 mean of max((V - R)^2, (V clipped to V_old - R)^2)

over the response tokens of a minibatch. A and R are the same in each step of a rollout: they hang on V_old alone.
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from implementations.common.settings import require_positive
from implementations.preferences.parts import responses
from implementations.preferences.parts.batches import Rollouts
from implementations.preferences.parts.models import LanguageModel, Network, Scored
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName
from implementations.preferences.parts.sequences import Sequences, wide


@dataclass(frozen=True)
class Settings:
    """The baseline of DPO's IMDb study as far as the facts go; the papers of PPO, from memory; the rest ours."""

    reward: Literal["learned", "true"] = "learned"  # arXiv 2305.18290, section 6.1, has both
    beta: float = 0.1  # ours: there a controller aims at KLs of 3, 6, 9 and 12
    clip: float = 0.2  # eps; 1707.06347, section 3 (from memory)
    value_clip: float | None = 0.2  # CleanRL, ppo.py; None: values are not clipped
    value_coefficient: float = 0.1  # c; 1909.08593, author code (from memory)
    gae_lambda: float = 0.95  # 1707.06347, table 3 (from memory)
    discount: float = 1.0  # gamma; 1909.08593, author code (from memory)
    batch: int = 1024  # prompts a rollout; 2305.18290, section 6.1: samples a step
    group: int = 1  # responses a prompt; ours
    temperature: float = 1.0  # ours: the policy itself; pi_old is always read at 1
    updates: int = 16  # steps a rollout; ours: 4 epochs of 4 minibatches
    minibatch: int = 256  # rows a step; ours
    network: Network = "gpt2_large"  # 2305.18290, section 6.1
    optimiser: OptimiserName = "adamw"  # Adam in the papers; ours has no weight decay either
    learning_rate: float = 1e-5  # ours
    warmup: int = 0  # prompts, as many as `batch` a step; ours
    gradient_clip: float | None = 0.5  # largest norm; CleanRL, ppo.py
    ema_half_life: int | None = None  # prompts, likewise; the papers name none

    def __post_init__(self) -> None:
        require_positive(self, "clip", "value_clip", "batch", "group", "temperature", "updates", "minibatch")
        require_positive(self, "learning_rate", "gradient_clip", "ema_half_life")
        if not (0 <= self.gae_lambda <= 1 and 0 <= self.discount <= 1) or self.reward not in ("learned", "true"):
            raise ValueError("gae_lambda and discount are in [0, 1], reward is learned or true")
        if min(self.beta, self.value_coefficient, self.warmup) < 0 or self.minibatch > self.batch * self.group:
            raise ValueError("beta, value_coefficient and warmup are at least 0, minibatch at most batch times group")


# Per place is (batch, length - 1), 0 off the response; `mask` says where the response is.


def shaped_rewards(rewards: Tensor, log_probs: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    """r_t per place, of rewards (batch,) and ln p under pi_old and pi_ref, per place."""
    last = mask & (mask.flip(1).cumsum(1).flip(1) == 1)
    return (-beta * (log_probs - reference)).masked_fill(~mask, 0.0) + rewards[:, None] * last


def advantages(rewards: Tensor, values: Tensor, mask: Tensor, discount: float, gae_lambda: float) -> Tensor:
    """A_t per place, of r_t and V_old per place."""
    found, after, value_after = torch.zeros_like(values), torch.zeros_like(values[:, 0]), torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        after = rewards[:, t] + discount * value_after - values[:, t] + discount * gae_lambda * after
        found[:, t], value_after = after, values[:, t]
    return found * mask


def normalised(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 (unbiased, plus 1e-8) over the response tokens of the batch."""
    count = mask.sum()
    centred = (values - (values * mask).sum() / count) * mask
    return centred / ((centred.square().sum() / (count - 1).clamp(min=1)).sqrt() + 1e-8)


def policy_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> Tensor:
    """-min(q A, clip(q) A), the mean over response tokens, ()."""
    ratio = (log_probs - old).exp()
    gained = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -(gained * mask).sum() / mask.sum()


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float | None) -> Tensor:
    """Half the larger square of V - R and of V no farther than `clip` from V_old, mean over response tokens, ()."""
    squares = (values - returns).square()
    if clip is not None:
        squares = torch.maximum(squares, (old + (values - old).clamp(-clip, clip) - returns).square())
    return 0.5 * (squares * mask).sum() / mask.sum()


def build(settings: Settings, trunk: LanguageModel) -> Scored:
    """The trunk, whose weights to start from are the reference's, with a value head."""
    return Scored(trunk)


def assessed(model: Scored, sequences: Sequences) -> tuple[Tensor, Tensor]:
    """ln p and V per place, from one forward pass: those of a rollout, too, are had by it before its first step."""
    hidden = policy(model).hidden(responses.read(sequences))
    values = wide(model.head(hidden).squeeze(-1))
    return responses.log_probs_from_hidden(policy(model), hidden, sequences), responses.spread(values, sequences)


def loss(model: Scored, settings: Settings, batch: Rollouts, generator: torch.Generator) -> Tensor:
    """Of a minibatch; ValueError where the rollout has no values. Nothing is drawn."""
    if batch.values is None:
        raise ValueError("PPO learns from rollouts with values")
    mask, old = batch.sequences.mask(), batch.values
    rewards = shaped_rewards(batch.rewards, batch.log_probs, batch.reference, mask, settings.beta)
    gained = advantages(rewards, old, mask, settings.discount, settings.gae_lambda)
    log_probs, values = assessed(model, batch.sequences)
    lost = policy_loss(log_probs, batch.log_probs, normalised(gained, mask), mask, settings.clip)
    return lost + settings.value_coefficient * value_loss(values, old, gained + old, mask, settings.value_clip)


def policy(model: Scored) -> LanguageModel:
    """The trunk."""
    return cast(LanguageModel, model.trunk)


METHOD = PreferenceMethod(
    settings=Settings, learns_from="rollouts", build=build, loss=loss, recipe=NAMED, policy=policy, assessed=assessed,
    varies=("network", "beta", "reward"),
)  # fmt: skip
