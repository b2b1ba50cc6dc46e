"""Generation without a cache: the plain form of what `generate` does, and its reference."""

import torch
from torch import Tensor

from implementations.preferences.parts.generation import _checked, _uniforms, draw
from implementations.preferences.parts.models import LanguageModel
from implementations.preferences.parts.sequences import Sequences, padded


@torch.no_grad()
def uncached(
    model: LanguageModel,
    prompts: Tensor,
    lengths: Tensor,
    most: int,
    end: int,
    temperature: float,
    generator: torch.Generator,
) -> Sequences:
    """What `generate` gives, row by row and with the whole sequence read again for each token: a reference for it."""
    _checked(model, prompts, lengths, most, temperature)
    uniforms = _uniforms(len(prompts), most, generator, prompts.device)
    asked = [prompt[:length].tolist() for prompt, length in zip(prompts, lengths.tolist(), strict=True)]
    responses: list[list[int]] = []
    for prompt, row in zip(asked, uniforms, strict=True):
        response: list[int] = []
        for uniform in row:
            logits = model(torch.tensor([prompt + response], device=prompts.device))[:, -1]
            response.append(int(draw(logits, uniform[None], temperature)))
            if response[-1] == end:
                break
        responses.append(response)
    return padded(asked, responses, end).to(prompts.device)
