"""Drawing responses from a language model, a token at a time, each row from uniform numbers of its own."""

import torch
from torch import Tensor

from implementations.preferences.parts.models import LanguageModel
from implementations.preferences.parts.sequences import Sequences, wide


def draw(logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """Tokens (batch,), int64, by the inverse of the distribution function of softmax(logits / temperature).

    Row i gets the first token at which its sum of probabilities, in the order of the vocabulary, exceeds u_i: the same
    number, whatever else is in the batch, and never a token of probability 0.

    Args:
        logits: (batch, vocabulary).
        uniforms: (batch,), float64 in [0, 1).
        temperature: 0 takes the likeliest token, the first of several.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(wide(logits) / temperature, dim=-1)
    sums = probabilities.cumsum(dim=-1, dtype=torch.float64)
    # A number below 1 times the total is below the total in float64 too, so that a token is always found; where logits
    # are not numbers there is none, and the last is given.
    tokens = torch.searchsorted(sums, uniforms[:, None] * sums[:, -1:], right=True).squeeze(1)
    return tokens.clamp_(max=logits.shape[-1] - 1)


def _checked(model: LanguageModel, prompts: Tensor, lengths: Tensor, most: int, temperature: float) -> None:
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1 or longest > prompts.shape[1]:
        raise ValueError(f"a prompt has 1 to {prompts.shape[1]} tokens here, not {shortest} or {longest}")
    if most < 1:
        raise ValueError(f"a response has room for at least one token, not {most}")
    if longest + most > model.context:
        raise ValueError(
            f"a prompt of {longest} tokens and a response of {most} do not fit a context of {model.context}"
        )
    if temperature < 0:
        raise ValueError(f"temperature {temperature} is not at least 0")


def _uniforms(rows: int, most: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(rows, most) float64, drawn where the generator lives."""
    drawn = torch.rand(rows, most, dtype=torch.float64, generator=generator, device=generator.device)
    return drawn.to(device)


@torch.no_grad()
def generate(
    model: LanguageModel,
    prompts: Tensor,
    lengths: Tensor,
    most: int,
    end: int,
    temperature: float,
    generator: torch.Generator,
) -> Sequences:
    """A response to each prompt, all drawn side by side with a cache of keys and values.

    Rows go in lock-step from the shortest prompt on: where a row still has prompt, that token is taken and nothing is
    drawn, so that positions are those of training and no padding stands before a prompt.

    Args:
        model: on the device of `prompts`.
        prompts: (batch, most_prompt) int64, padded on the right with anything.
        lengths: (batch,) int64, tokens of each prompt, at least 1.
        most: tokens a response may have; one that reaches it without `end` has none.
        end: the token that ends a response, and pads after it.
        temperature: divides the logits; 0 takes the likeliest token.
        generator: gives a row `most` uniform numbers at once, the k-th for its k-th token, used or not, so that what a
            row gets depends on no other row; on any device.

    Raises:
        ValueError: a prompt without tokens or longer than its row, prompts and responses beyond the context, or
            settings out of range.
        ArithmeticError: the model's logits are not numbers.
    """
    _checked(model, prompts, lengths, most, temperature)
    rows, start, longest = len(prompts), int(lengths.min()), int(lengths.max())
    uniforms = _uniforms(rows, most, generator, prompts.device)
    # Per place and row, so that a step reads its own: tokens, the number to draw with, whether it is of the response.
    tokens = torch.full((longest + most, rows), end, dtype=torch.int64, device=prompts.device)
    places = torch.arange(longest + most, device=prompts.device)[:, None]
    number = places - lengths  # of the response's token there, from 0
    within = (number >= 0) & (number < most)
    tokens[:longest] = torch.where(number[:longest] < 0, prompts[:, :longest].t(), end)
    numbers = uniforms.t().gather(0, number.clamp(0, most - 1))
    alive = torch.ones(rows, dtype=torch.bool, device=prompts.device)
    ends = lengths + most
    cache = model.new_cache()
    new = tokens[:start].t()
    for place in range(start, longest + most):
        logits = model.logits(model.hidden(new, cache)[:, -1])
        if place == start and not logits.logsumexp(dim=-1).isfinite().all():
            raise ArithmeticError("the model's logits are not finite")
        drawing = alive & within[place]
        drawn = draw(logits, numbers[place], temperature)
        tokens[place] = torch.where(drawing, drawn, tokens[place])
        ended = drawing & (drawn == end)
        ends = torch.where(ended, place + 1, ends)
        alive &= ~ended & (place + 1 < lengths + most)
        if not alive.any():
            break
        new = tokens[place][:, None]
    return Sequences(tokens[: int(ends.max())].t().contiguous(), lengths, ends)
