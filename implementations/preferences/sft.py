"""SFT: supervised fine-tuning, and the pretraining before it. Ouyang et al. 2022, arXiv 2203.02155.

A language model p learns to say a response y to a prompt x, by maximum likelihood of its tokens:

    loss = - sum over t of ln p(y_t | x, y_<t)

averaged over the tokens of a batch, or over its sequences. The prompt is read and not learned; a text to pretrain on
has a prompt of one token. With `pairs`, the responses are a model's: the preferred ones of so many pairs, Preferred-FT,
a baseline of arXiv 2305.18290, section 6; or those rewarded in full, of a stronger model (distillation, 2501.12948).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from implementations.common.settings import require_positive
from implementations.preferences.parts.models import LanguageModel, Network
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName, trunk_alone, whole_model
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences

Per = Literal["token", "sequence"]
Responses = Literal["preferred", "rewarded"]


@dataclass(frozen=True)
class Settings:
    """The papers give no recipe for small models: the defaults are those of DPO's training, but for the average."""

    pairs: int | None = None  # ours; None: learns from texts, a number: from the preferred responses of so many pairs
    responses: Responses = "preferred"  # ours; which of a model's, with `pairs`: "rewarded" are those rewarded in full
    per: Per = "token"  # ours; "sequence": the author code of DPO, whose learning rates do not carry over
    network: Network = "gpt2_large"  # of the IMDb study; arXiv 2305.18290, section 6
    batch: int = 64  # sequences; arXiv 2305.18290, appendix B, of DPO
    optimiser: OptimiserName = "rmsprop"  # likewise
    learning_rate: float = 1e-6  # likewise
    warmup: int = 9_600  # sequences; likewise: 150 updates of 64
    gradient_clip: float | None = 10.0  # largest norm; author code of DPO
    ema_half_life: int | None = None  # sequences; the papers name none

    def __post_init__(self) -> None:
        require_positive(self, "pairs", "batch", "learning_rate", "gradient_clip", "ema_half_life")
        if self.responses not in get_args(Responses):
            raise ValueError(f"responses are preferred or rewarded, not {self.responses}")
        if self.per not in get_args(Per) or self.warmup < 0:
            raise ValueError(f"per is token or sequence and warmup at least 0, not {self.per} and {self.warmup}")


def mean_of_tokens(log_probs: Tensor, mask: Tensor) -> Tensor:
    """-ln p a token of the batch's responses, (), of ln p per place and the mask of responses: long ones weigh more."""
    return -(log_probs * mask).sum() / mask.sum()


def mean_of_sequences(log_probs: Tensor, mask: Tensor) -> Tensor:
    """-ln p a response, summed over its tokens, (): the larger, the longer they are."""
    return -(log_probs * mask).sum(1).mean()


def loss(model: LanguageModel, settings: Settings, batch: Sequences, generator: torch.Generator) -> Tensor:
    """Negative log-likelihood of the responses, nats a token or a sequence. Nothing is drawn."""
    mean = mean_of_tokens if settings.per == "token" else mean_of_sequences
    return mean(log_probs(model, batch), batch.mask())


METHOD = PreferenceMethod(
    settings=Settings, learns_from="texts", build=trunk_alone, loss=loss, recipe=NAMED, policy=whole_model,
    varies=("network",),
)  # fmt: skip
