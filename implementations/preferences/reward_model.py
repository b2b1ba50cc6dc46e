"""A reward model of preferences. Christiano et al. 2017, arXiv 1706.03741; Ouyang et al. 2022, arXiv 2203.02155.

A language model's trunk with one linear head gives each prompt x and response y a score r(x, y), read at the
response's last token. A judge of the Bradley-Terry model prefers y_w to y_l with probability sigmoid(r_w - r_l), so

    loss = - E ln sigmoid(r(x, y_w) - r(x, y_l))

Pairs say nothing of a constant that is added to every score of a prompt. It is equation 2 of arXiv 2305.18290, and the
learned reward of its PPO.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from implementations.common.settings import require_positive
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.models import LanguageModel, Network, Scored
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName
from implementations.preferences.parts.sequences import Sequences


@dataclass(frozen=True)
class Settings:
    """The facts of the DPO paper say little of its reward model; the rest is that paper's DPO."""

    pairs: int = 150_000  # arXiv 2305.18290, section 6.1: 6 of each of 25,000 prefixes
    network: Network = "gpt2_large"  # arXiv 2305.18290, section 6.1: that of the policy
    batch: int = 64  # pairs; arXiv 2305.18290, appendix B, of DPO
    optimiser: OptimiserName = "adamw"  # ours
    learning_rate: float = 2e-5  # arXiv 2402.03300, section 4.2, of its reward model
    warmup: int = 9_600  # pairs; arXiv 2305.18290, appendix B, of DPO: 150 updates of 64
    gradient_clip: float | None = 10.0  # largest norm; author code of DPO
    ema_half_life: int | None = None  # pairs; the papers name none

    def __post_init__(self) -> None:
        require_positive(self, "pairs", "batch", "learning_rate", "gradient_clip", "ema_half_life")
        if self.warmup < 0:
            raise ValueError(f"warmup is at least 0, not {self.warmup}")


def bradley_terry_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """-ln sigmoid(r_w - r_l) of the scores of pairs, (batch,); ln 2 where they are equal."""
    return -functional.logsigmoid(chosen - rejected)


def build(settings: Settings, trunk: LanguageModel) -> Scored:
    """The trunk with a head for the score."""
    return Scored(trunk)


def scores(model: Scored, sequences: Sequences) -> Tensor:
    """r(x, y), (batch,), float32 at least: the head at the last token of each response, which has read all of it."""
    values = model.values(sequences.tokens[:, : int(sequences.end.max())])
    found = values.gather(1, sequences.end[:, None] - 1).squeeze(1)
    return found.to(torch.promote_types(found.dtype, torch.float32))


def loss(model: Scored, settings: Settings, batch: Pairs, generator: torch.Generator) -> Tensor:
    """The mean over the batch's pairs. Nothing is drawn."""
    return bradley_terry_loss(scores(model, batch.chosen), scores(model, batch.rejected)).mean()


METHOD = PreferenceMethod(
    settings=Settings, learns_from="pairs", build=build, loss=loss, recipe=NAMED, scores=scores, varies=("network",)
)
