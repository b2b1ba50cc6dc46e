"""Models of a task, and prompts and responses between lists of tokens and tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.families.preferences.problems import Problem
from benchmarks.families.preferences.vocabulary import Vocabulary
from benchmarks.families.preferences.worlds import Prompt
from implementations.preferences.parts.sequences import Sequences


def untrained(
    method: Any, settings: Any, task: Problem, vocabulary: Vocabulary, generator: torch.Generator
) -> nn.Module:
    """The model that a method trains for a task, with its initial weights."""
    model: nn.Module = method.build(settings, vocabulary.size, task.context, generator)
    return model


def trunk(model: nn.Module) -> nn.Module:
    """The language model in it: itself, or what its head stands on."""
    return getattr(model, "trunk", model)


def padded_prompts(prompts: Sequence[Prompt], pad: int, device: str) -> tuple[Tensor, Tensor]:
    """Tokens (prompts, longest), padded on the right, and their lengths (prompts,), on the device."""
    lengths = torch.tensor([len(prompt.tokens) for prompt in prompts])
    tokens = torch.full((len(prompts), int(lengths.max())), pad, dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt.tokens)] = torch.tensor(prompt.tokens)
    return tokens.to(device), lengths.to(device)


def decoded(sequences: Sequences) -> list[list[int]]:
    """The tokens of each response."""
    rows = zip(sequences.tokens.tolist(), sequences.prompt.tolist(), sequences.end.tolist(), strict=True)
    return [tokens[prompt:end] for tokens, prompt, end in rows]
