"""GPT-2's network: a stack of causal self-attention and perceptrons over tokens; it knows no method.

    h = token(x) + position;   each block: h <- h + O A(norm(h)),  h <- h + W_2 gelu(W_1 norm(h));   y = E norm(h)

as in Radford et al. (2019, section 2.3) with the author code's layout: norms before each branch, the tanh form of gelu,
biases everywhere, and as output matrix E the token embedding itself. Positions are learned vectors, or rotations of
queries and keys (RoFormer, arXiv 2104.09864), which know only differences of positions.

Sequences are padded on the right: causal attention then never looks at padding, and no mask is needed.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

SPREAD = 0.02  # standard deviation of initial weights (GPT, Radford et al. 2018, section 4.1; GPT-2's author code)
ROTARY_BASE = 10_000.0  # RoFormer, section 3.2.2
Rotations = tuple[Tensor, Tensor] | None
FIRST_CAPACITY = 64  # tokens that a cache has room for before it grows


@dataclass(frozen=True)
class Size:
    """`width` is a multiple of `heads`, an even one with rotary positions; ValueError from `GPT` otherwise."""

    layers: int
    heads: int
    width: int
    vocabulary: int
    context: int  # the most tokens of a sequence
    positions: Literal["learned", "rotary"] = "learned"


class Cache:
    """Keys and values of the tokens a model has seen, of every layer, in memory that doubles when it is full.

    For use without gradients, and for one batch: what `GPT.hidden` is given next continues each of its rows.
    """

    def __init__(self, context: int):
        self.context = context
        self.length = 0  # tokens seen
        self.kept: list[Tensor] = []  # of each layer, (2, batch, heads, capacity, width / heads)

    def extended(self, layer: int, new: Tensor) -> Tensor:
        """Takes keys and values (2, batch, heads, new, d) in, as those after `length`; all of them up to there."""
        end = self.length + new.shape[3]
        if layer == len(self.kept):
            self.kept.append(self._room(new, end))
        elif end > self.kept[layer].shape[3]:
            seen = self.kept[layer].narrow(3, 0, self.length)
            self.kept[layer] = self._room(new, end)
            self.kept[layer].narrow(3, 0, self.length).copy_(seen)
        self.kept[layer].narrow(3, self.length, new.shape[3]).copy_(new)
        return self.kept[layer].narrow(3, 0, end)

    def _room(self, like: Tensor, tokens: int) -> Tensor:
        two, batch, heads, _, width = like.shape
        capacity = min(self.context, max(FIRST_CAPACITY, 2 * tokens))
        return like.new_empty(two, batch, heads, capacity, width)


def _normal(parameter: Tensor, generator: torch.Generator | None, spread: float = SPREAD) -> None:
    if not parameter.is_meta:
        if generator is None:
            raise ValueError("initial weights need a generator, except on the meta device")
        with torch.no_grad():
            parameter.normal_(0.0, spread, generator=generator)


def _embedding(rows: int, width: int, generator: torch.Generator | None) -> nn.Embedding:
    table: nn.Embedding = nn.utils.skip_init(nn.Embedding, rows, width, device=torch.get_default_device())
    _normal(table.weight, generator)
    return table


class Dense(nn.Module):
    """(rows, inputs) to (rows, outputs), with GPT-2's layout of weights, (inputs, outputs).

    A processor multiplies the few rows of one step of generation by it in two thirds of the time that the transposed
    layout of `nn.Linear` takes.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator | None, spread: float = SPREAD):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        _normal(self.weight, generator, spread)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight)


def _attended(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention of the last tokens, (batch, heads, new, d), to all of them, (batch, heads, all, d)."""
    new, all_tokens = queries.shape[2], keys.shape[2]
    mask = None
    if 1 < new < all_tokens:
        mask = torch.ones(new, all_tokens, dtype=torch.bool, device=queries.device).tril(all_tokens - new)
    return scaled_dot_product_attention(queries, keys, values, mask, is_causal=1 < new == all_tokens)


def _rotations(start: int, length: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles of positions from `start`, each (length, width / 2); float64 until the end."""
    exponents = torch.arange(0, width, 2, dtype=torch.float64, device=like.device) / width
    positions = torch.arange(start, start + length, dtype=torch.float64, device=like.device)
    angles = positions[:, None] * ROTARY_BASE**-exponents
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _rotated(x: Tensor, rotations: tuple[Tensor, Tensor]) -> Tensor:
    """Feature i of the first half and feature i of the second, turned in their plane: (..., length, width)."""
    (cosine, sine), (one, two) = rotations, x.chunk(2, dim=-1)
    return torch.cat([one * cosine - two * sine, two * cosine + one * sine], dim=-1)


class Block(nn.Module):
    """(batch * length, width) to the same shape, by 12 w^2 + 13 w parameters for width w."""

    def __init__(self, size: Size, generator: torch.Generator | None):
        super().__init__()
        width = size.width
        onto_residual = SPREAD / math.sqrt(2 * size.layers)  # so that the sum of all branches keeps its size
        self.heads = size.heads
        self.attention_norm = nn.LayerNorm(width)
        self.attention_in = Dense(width, 3 * width, generator)  # queries, keys, values
        self.attention_out = Dense(width, width, generator, onto_residual)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron_in = Dense(width, 4 * width, generator)
        self.perceptron_out = Dense(4 * width, width, generator, onto_residual)

    def forward(
        self, h: Tensor, batch: int, rotations: Rotations = None, cache: Cache | None = None, layer: int = 0
    ) -> Tensor:
        """`cache` takes the new tokens' keys and values in as those of `layer`."""
        rows, width = h.shape
        joint = self.attention_in(self.attention_norm(h))
        joint = joint.view(batch, rows // batch, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        if rotations is not None:
            joint = torch.cat([_rotated(joint[:2], rotations), joint[2:]])
        keys, values = (joint[1:] if cache is None else cache.extended(layer, joint[1:])).unbind()
        h = h + self.attention_out(_attended(joint[0], keys, values).transpose(1, 2).reshape(rows, width))
        y: Tensor = h + self.perceptron_out(gelu(self.perceptron_in(self.perceptron_norm(h)), approximate="tanh"))
        return y


class GPT(nn.Module):
    """Tokens (batch, length), int64, to logits of each next token, (batch, length, vocabulary).

    Parameters: (vocabulary + context) w + layers (12 w^2 + 13 w) + 2 w for width w; 124,439,808 for GPT-2 small. With
    rotary positions there are none of `context`. Initial weights are N(0, 0.02^2), of the layers that add to the
    residual N(0, 0.02^2 / (2 layers)), biases 0.
    """

    def __init__(self, size: Size, generator: torch.Generator | None):
        """`generator` draws the initial weights; None only on the meta device. ValueError for sizes that do not fit."""
        super().__init__()
        parts = size.heads * (2 if size.positions == "rotary" else 1)
        if size.width % parts:
            raise ValueError(f"{size.heads} heads with {size.positions} positions do not divide width {size.width}")
        self.size = size
        self.vocabulary, self.width, self.context = size.vocabulary, size.width, size.context
        self.token = _embedding(size.vocabulary, size.width, generator)
        self.position = _embedding(size.context, size.width, generator) if size.positions == "learned" else None
        self.blocks = nn.ModuleList(Block(size, generator) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)

    def new_cache(self) -> Cache:
        """An empty one, for `hidden` or the call itself."""
        return Cache(self.context)

    def hidden(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """(batch, length) int64 to (batch, length, width), after the last norm.

        With a cache, positions continue after its tokens, which are attended to, and it takes the new ones in: for use
        under `torch.no_grad`. ValueError for more tokens than the context has.
        """
        start, length, rotations = 0 if cache is None else cache.length, tokens.shape[1], None
        if start + length > self.context:
            raise ValueError(f"{start + length} tokens do not fit a context of {self.context}")
        h: Tensor = self.token(tokens)
        if self.position is not None:
            h = h + self.position.weight[start : start + length]
        else:
            rotations = _rotations(start, length, self.width // self.size.heads, h)
        h = h.view(-1, self.width)  # without the division into rows layers are one product of matrices each
        for layer, block in enumerate(self.blocks):
            h = block(h, len(tokens), rotations, cache, layer)
        if cache is not None:
            cache.length += length
        y: Tensor = self.norm(h).view(*tokens.shape, self.width)
        return y

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) to (..., vocabulary)."""
        return linear(hidden, self.token.weight)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """`logits` of `hidden`."""
        return self.logits(self.hidden(tokens, cache))
