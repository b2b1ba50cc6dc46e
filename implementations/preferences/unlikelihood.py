"""Unlikelihood training on preferences. Welleck et al. 2019, arXiv 1908.04319; a baseline of DPO, arXiv 2305.18290.

The preferred response is made likelier, and each token of the other one less likely:

    loss = - mean over the chosen tokens of ln p(y_w,t) - alpha mean over the rejected tokens of ln(1 - p(y_l,t))

Unlike -ln p subtracted, the second term is bounded below, but nothing holds the policy to a reference: a token that
both responses share is pushed both ways. Section 6 of the DPO paper describes it in one sentence and names no
formula; this is the first source's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from implementations.common.settings import require_positive
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.models import LanguageModel, Network
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName, trunk_alone, whole_model
from implementations.preferences.parts.responses import log_probs

SURE = -1e-6  # ln p of a rejected token is taken to be at most this: ln(1 - p) has no value at p = 1


@dataclass(frozen=True)
class Settings:
    """Of the paper's IMDb study we know the data; the training is that of its DPO."""

    alpha: float = 1.0  # ours: weight of the rejected responses
    pairs: int = 150_000  # arXiv 2305.18290, section 6.1: 6 of each of 25,000 prefixes
    network: Network = "gpt2_large"  # arXiv 2305.18290, section 6.1
    batch: int = 64  # pairs; arXiv 2305.18290, appendix B, of DPO
    optimiser: OptimiserName = "rmsprop"  # likewise
    learning_rate: float = 1e-6  # likewise
    warmup: int = 9_600  # pairs; likewise: 150 updates of 64
    gradient_clip: float | None = 10.0  # largest norm; author code of DPO
    ema_half_life: int | None = None  # pairs; the paper names none

    def __post_init__(self) -> None:
        require_positive(self, "pairs", "batch", "learning_rate", "gradient_clip", "ema_half_life")
        if self.alpha < 0 or self.warmup < 0:
            raise ValueError(f"alpha and warmup are at least 0, not {self.alpha} and {self.warmup}")


def unlikelihood_loss(
    chosen: Tensor, rejected: Tensor, chosen_mask: Tensor, rejected_mask: Tensor, alpha: float
) -> Tensor:
    """The loss, (), of ln p per place (batch, length - 1) and the masks of the responses; lengths may differ."""
    likelihood = -(chosen * chosen_mask).sum() / chosen_mask.sum()
    doubt = torch.log(-torch.expm1(rejected.clamp(max=SURE)))  # ln(1 - p)
    return likelihood - alpha * (doubt * rejected_mask).sum() / rejected_mask.sum()


def loss(model: LanguageModel, settings: Settings, batch: Pairs, generator: torch.Generator) -> Tensor:
    """Of the batch's pairs; their references are not read. Nothing is drawn."""
    chosen, rejected = log_probs(model, batch.chosen), log_probs(model, batch.rejected)
    return unlikelihood_loss(chosen, rejected, batch.chosen.mask(), batch.rejected.mask(), settings.alpha)


METHOD = PreferenceMethod(
    settings=Settings, learns_from="pairs", build=trunk_alone, loss=loss, recipe=NAMED, policy=whole_model,
    varies=("network", "alpha"),
)  # fmt: skip
