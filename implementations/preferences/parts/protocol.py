"""What a method of `implementations/preferences/` declares. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from implementations.common.recipes import Recipe
    from implementations.preferences.parts.models import LanguageModel
    from implementations.preferences.parts.sequences import Sequences


@dataclass(frozen=True, kw_only=True)
class PreferenceMethod:
    """Tokens are int64; sequences are padded on the right.

    What trains has `build`, `loss` and `recipe`; its settings have `network`, `batch`, `learning_rate`, `warmup`
    (examples), `gradient_clip` and `ema_half_life`. Settings of a method that learns from rollouts say how these are
    drawn: `batch` prompts a rollout, `group` responses to each, at `temperature`; then `updates` steps, each on
    `minibatch` of the rollout's rows. What else they hold, such as log-probabilities under the policy that drew them,
    is computed once, before the first of those steps.
    """

    settings: type[Any]
    """Frozen dataclass; each field says where its value comes from."""

    learns_from: Literal["texts", "pairs", "rollouts", "nothing"]
    """What a batch is: `texts` are `Sequences`, `pairs` are `Pairs`, `rollouts` are `Rollouts`; what learns from
    `nothing` samples another one's model. `sft` learns from texts or, with a number in its setting `pairs`, from
    responses of so many pairs; both are `Sequences`."""

    build: Callable[[Any, LanguageModel], nn.Module] | None = None
    """(settings, trunk) to what is trained: the trunk itself, or with a head on it. The trunk is one of
    `models.language_model` or a published model in an adapter; to start from another model's weights, load its state
    into the trunk."""

    loss: Callable[[Any, Any, Any, torch.Generator], Tensor] | None = None
    """(model, settings, batch, generator) to the scalar training loss."""

    recipe: Recipe | None = None

    policy: Callable[[Any], LanguageModel] | None = None
    """(model) to what responses are drawn from, of every method whose model is or holds a policy."""

    assessed: Callable[[Any, Sequences], tuple[Tensor, Tensor]] | None = None
    """(model, sequences) to ln p and values per place, of a policy with a value head."""

    scores: Callable[[Any, Sequences], Tensor] | None = None
    """(model, sequences) to the rewards of responses, (batch,), of a reward model."""

    best_of: Callable[[Tensor, int], Tensor] | None = None
    """(rewards (prompts, most), n) to the place of the best of the first n responses, (prompts,)."""

    kl_bound: Callable[[int], float] | None = None
    """(n) to the largest KL from the policy that the best of n can have, nats."""

    varies: tuple[str, ...] = ()
    """Settings along which papers compare: they name the rows, so that trends can be judged."""

    EVALUATION: ClassVar[frozenset[str]] = frozenset({"best_of", "kl_bound", "varies"})
