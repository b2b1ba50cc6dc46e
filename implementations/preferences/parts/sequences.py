"""Prompts with their responses, and what logits say of the responses' tokens.

Everything per place is (batch, length - 1): place t reads the tokens up to t and predicts token t + 1. A place belongs
to the response where prompt <= t + 1 < end; everywhere else what is said of it is 0, and so is the gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sequences:
    """A batch of prompts and responses, padded on the right, so that causal attention needs no mask."""

    tokens: Tensor  # (batch, length), int64; what stands past `end` is never read
    prompt: Tensor  # (batch,), int64: tokens of the prompt, at least 1
    end: Tensor  # (batch,), int64: one past the response's last token, which is the end-of-text token where it has one

    def mask(self) -> Tensor:
        """Places that predict a token of the response, (batch, length - 1), bool."""
        predicted = torch.arange(1, self.tokens.shape[1], device=self.tokens.device)
        return (self.prompt[:, None] <= predicted) & (predicted < self.end[:, None])

    def lengths(self) -> Tensor:
        """Tokens of each response, (batch,), int64."""
        return self.end - self.prompt

    def rows(self, index: Tensor | slice) -> "Sequences":
        """Those rows, in that order."""
        return Sequences(self.tokens[index], self.prompt[index], self.end[index])

    def to(self, device: torch.device | str) -> "Sequences":
        """The same on another device."""
        return Sequences(self.tokens.to(device), self.prompt.to(device), self.end.to(device))


def padded(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], pad: int) -> Sequences:
    """One row a prompt and its response, as long as the longest; `pad` fills the others.

    Raises:
        ValueError: there are not as many responses as prompts, or one of them has no token.
    """
    if len(prompts) != len(responses) or not prompts:
        raise ValueError(f"each prompt has one response: there are {len(prompts)} and {len(responses)}")
    if not all(len(part) > 0 for part in (*prompts, *responses)):
        raise ValueError("a prompt and a response have at least one token each")
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    tokens = torch.full((len(rows), max(map(len, rows))), pad, dtype=torch.int64)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return Sequences(
        tokens, torch.tensor([len(prompt) for prompt in prompts]), torch.tensor([len(row) for row in rows])
    )


def wide(logits: Tensor) -> Tensor:
    """In float32 at least: sums over a vocabulary in half precision are off by whole nats."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def log_probs_of(logits: Tensor, tokens: Tensor) -> Tensor:
    """ln p of each token under its logits, (..., vocabulary) and (...) to (...).

    Gathered less the log-sum-exp: the logits of the whole vocabulary are never normalised.
    """
    logits = wide(logits)
    return logits.gather(-1, tokens[..., None]).squeeze(-1) - logits.logsumexp(-1)


def token_log_probs(logits: Tensor, sequences: Sequences) -> Tensor:
    """ln p of each token of the response, (batch, length - 1), 0 off the response.

    `logits` are (batch, length - 1, vocabulary), those of all tokens but the last; one more place is not read.
    """
    found = log_probs_of(_predicting(logits, sequences), sequences.tokens[:, 1:])
    return found.masked_fill(~sequences.mask(), 0.0)


def entropies(logits: Tensor, sequences: Sequences) -> Tensor:
    """Entropy of the next token in nats, (batch, length - 1), over the whole vocabulary; 0 off the response."""
    log_probs = wide(_predicting(logits, sequences)).log_softmax(-1)
    return (log_probs.exp() * -log_probs).sum(-1).masked_fill(~sequences.mask(), 0.0)


def kl_divergences(logits: Tensor, reference_logits: Tensor, sequences: Sequences) -> Tensor:
    """KL(policy || reference) of the next token in nats, (batch, length - 1), over the vocabulary; 0 off the response.

    Summed along responses that the policy drew it estimates the KL of whole responses, without bias and with less
    variance than ln p - ln p_ref.
    """
    log_probs = wide(_predicting(logits, sequences)).log_softmax(-1)
    reference = wide(_predicting(reference_logits, sequences)).log_softmax(-1)
    return (log_probs.exp() * (log_probs - reference)).sum(-1).masked_fill(~sequences.mask(), 0.0)


def _predicting(logits: Tensor, sequences: Sequences) -> Tensor:
    return logits[:, : sequences.tokens.shape[1] - 1]
