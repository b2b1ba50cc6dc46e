"""Language models: what the family asks of one, those it can build by name, and one with a number for each place."""

from typing import Any, Literal, Protocol, cast, get_args

import torch
from torch import Tensor, nn

from implementations.common.errors import Unsupported
from implementations.networks.gpt import GPT, Size

Network = Literal[
    "gpt_nano", "gpt_micro", "gpt_mini", "gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl", "pretrained"
]  # fmt: skip

# Layers, heads and width. Those of GPT-2 are as published (Radford et al. 2019, table 2); the small ones are ours.
_SIZES: dict[str, tuple[int, int, int]] = {
    "gpt_nano": (2, 2, 64),
    "gpt_micro": (3, 4, 128),
    "gpt_mini": (4, 4, 192),
    "gpt2": (12, 12, 768),
    "gpt2_medium": (24, 16, 1024),
    "gpt2_large": (36, 20, 1280),
    "gpt2_xl": (48, 25, 1600),
}
GPT2_CONTEXT = 1024


class LanguageModel(Protocol):
    """What methods and generation use of a model: `GPT`, or a model of another library in an adapter.

    Tokens are (batch, length), int64, padded on the right, which must not change what comes before.
    """

    vocabulary: int
    width: int  # of the hidden state
    context: int  # the most tokens of a sequence

    def __call__(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits of each next token, (batch, length, vocabulary)."""

    def hidden(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """What `logits` takes, (batch, length, width); a cache from `new_cache` holds the tokens before these."""

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) to (..., vocabulary)."""

    def new_cache(self) -> Any:
        """An empty cache, for one batch."""


def language_model(network: Network, vocabulary: int, context: int, generator: torch.Generator | None) -> GPT:
    """An untrained GPT with learned positions.

    Args:
        network: `gpt_nano`, `gpt_micro` or `gpt_mini`, or a size of GPT-2, which has a context of 1,024 whatever is
            asked, so that published weights fit.
        vocabulary: tokens there are; GPT-2's has 50,257.
        context: the most tokens of a sequence.
        generator: draws the initial weights; None only on the meta device.

    Raises:
        ValueError: no such network, `pretrained`, which is not built here, or a context that GPT-2 has not.
    """
    if network == "pretrained":
        raise Unsupported("a pretrained network is not built: hand in the model, in an adapter if it is no GPT")
    if network not in _SIZES:
        raise Unsupported(f"no network {network!r}: there are {', '.join(get_args(Network))}")
    if network.startswith("gpt2"):
        if context > GPT2_CONTEXT:
            raise Unsupported(f"{network} has a context of {GPT2_CONTEXT} tokens, not {context}")
        context = GPT2_CONTEXT
    layers, heads, width = _SIZES[network]
    return GPT(Size(layers, heads, width, vocabulary, context), generator)


class Scored(nn.Module):
    """A language model and one number for each place, linear in its hidden state: a reward or a value.

    The head starts at zero, weights and bias: until it has learned something a value adds nothing to advantages, and a
    reward prefers no response, so that its loss starts at ln 2 exactly. Its own gradient is not zero then.
    """

    def __init__(self, trunk: LanguageModel):
        """`trunk` is also a module, on whose device and in whose dtype the head is made."""
        super().__init__()
        module = cast(nn.Module, trunk)
        like = next(module.parameters())
        self.trunk = module
        self.head: nn.Linear = nn.utils.skip_init(nn.Linear, trunk.width, 1, device=like.device, dtype=like.dtype)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def values(self, tokens: Tensor) -> Tensor:
        """(batch, length) int64 to (batch, length): a place's number has seen the tokens up to it, itself included."""
        return self._values(cast(LanguageModel, self.trunk).hidden(tokens))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, length, vocabulary) and values (batch, length), from one pass of the trunk."""
        trunk = cast(LanguageModel, self.trunk)
        hidden = trunk.hidden(tokens)
        return trunk.logits(hidden), self._values(hidden)

    def _values(self, hidden: Tensor) -> Tensor:
        found: Tensor = self.head(hidden)
        return found.squeeze(-1)
