"""Models of a task, and prompts and responses between lists of tokens and tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.families.preferences import pretrained
from benchmarks.families.preferences.problems import Task
from benchmarks.families.preferences.vocabulary import Vocabulary
from benchmarks.families.preferences.worlds import Prompt
from implementations.common.errors import Unsupported
from implementations.preferences.parts.models import language_model
from implementations.preferences.parts.sequences import Sequences

# What the small tasks never come near.
LOGITS = 2**30  # 4 GiB in float32
CACHED = 2**17


def untrained(
    method: Any, settings: Any, task: Task, vocabulary: Vocabulary, generator: torch.Generator, device: str
) -> nn.Module:
    """The model that a method trains for a task, with its initial weights or the published ones, on the device.

    Raises:
        Unsupported: the network is a published model, and the task names none or one of a shorter context.
        InputError: the published model cannot be had.
    """
    if settings.network != "pretrained":
        built = language_model(settings.network, vocabulary.size, task.context, generator)
        model: nn.Module = method.build(settings, built)
        return model.to(device)
    if task.pretrained is None:
        raise Unsupported("network pretrained: the task names no published model")
    published = pretrained.language_model(task.pretrained, device=device)
    if published.context < task.context:
        raise Unsupported(f"{task.pretrained} has a context of {published.context} tokens, not {task.context}")
    on_it: nn.Module = method.build(settings, published)  # a head is made where the trunk lies
    return on_it


def read_at_once(task: Task, vocabulary: Vocabulary) -> int:
    """Sequences whose logits at every place are `LOGITS` numbers at most."""
    return max(1, LOGITS // (task.context * vocabulary.size))


def drawn_at_once(task: Task) -> int:
    """Responses that are drawn side by side, so that there are keys and values of `CACHED` tokens at most."""
    return max(1, CACHED // task.context)


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


def joined(parts: Sequence[Sequences], pad: int) -> Sequences:
    """One after the other, as wide as the widest."""
    if len(parts) == 1:
        return parts[0]
    most = max(part.tokens.shape[1] for part in parts)
    rows = [nn.functional.pad(part.tokens, (0, most - part.tokens.shape[1]), value=pad) for part in parts]
    return Sequences(torch.cat(rows), torch.cat([p.prompt for p in parts]), torch.cat([p.end for p in parts]))
