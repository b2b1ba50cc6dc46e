"""What every file in `implementations/preferences/` offers; the conformance tests take each method through it.

`LEARNS_FROM` says what a batch is: `texts` are `Sequences`, `pairs` are `Pairs`, `rollouts` are `Rollouts`. A method
that learns from `nothing` samples another one's model and has no `build`, `optimiser` and `loss`. `sft` learns from
texts or, with a number in its setting `pairs`, from the preferred responses of so many pairs; both are `Sequences`.

Settings of a method that learns from rollouts say how these are drawn: `batch` prompts a rollout, `group` responses to
each, at `temperature`; then `updates` steps, each on `minibatch` of the rollout's rows. What else they hold, such as
log-probabilities under the policy that drew them, is computed once, before the first of those steps.

A method may also offer
- `learning_rate_factor(settings, examples)`: a float that multiplies the learning rate after so many examples;
- `policy(model)`: the `LanguageModel` to sample from; all do whose model is one or holds one to sample.

`build` makes the model that is trained of a language model, the trunk: one of `models.language_model`, or a published
one in an adapter. To start from another model's weights, load its state into the trunk.
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from implementations.preferences.parts.models import LanguageModel


class PreferenceMethod(Protocol):
    """A method file, as a module. Tokens are int64; sequences are padded on the right."""

    LEARNS_FROM: str
    """A literal: "texts", "pairs", "rollouts" or "nothing"."""

    Settings: Any
    """Frozen dataclass; each field says where its value comes from. What trains has `network`, `batch`,
    `learning_rate`, `warmup` (examples), `gradient_clip`, `ema_half_life`."""

    def build(self, settings: Any, trunk: LanguageModel) -> nn.Module:
        """The trunk itself, or with a head on it: what an optimiser is given."""

    def optimiser(self, model: nn.Module, settings: Any) -> torch.optim.Optimizer:
        """The recipe's optimiser over the model's parameters."""

    def loss(self, model: nn.Module, settings: Any, batch: Any, generator: torch.Generator) -> Tensor:
        """Scalar training loss of a batch."""
