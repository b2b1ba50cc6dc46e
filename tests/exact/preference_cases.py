"""A language model that is a table, small batches, and what the exact tests of the preferences ask of them."""

import torch
from torch import Tensor, nn

from implementations.networks.gpt import GPT
from implementations.preferences.parts.batches import Pairs, Rollouts
from implementations.preferences.parts.models import language_model
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, padded

VOCABULARY, CONTEXT, END = 7, 12, 0
ROUNDING = 1e-12  # float64, values of about 1


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def close(found: Tensor | float, expected: Tensor | float | list, tolerance: float = ROUNDING) -> None:
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=torch.float64),
        torch.as_tensor(expected, dtype=torch.float64),
        rtol=0.0,
        atol=tolerance,
    )


class Table(nn.Module):
    """Logits of the next token that depend on the present one alone: row `token` of a matrix, float64."""

    context = 1000

    def __init__(self, logits: Tensor):
        super().__init__()
        self.vocabulary = self.width = len(logits)
        self.table = nn.Parameter(logits.clone())

    def hidden(self, tokens: Tensor, cache: None = None) -> Tensor:
        return nn.functional.one_hot(tokens, self.vocabulary).to(self.table)

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden @ self.table

    def forward(self, tokens: Tensor, cache: None = None) -> Tensor:
        return self.logits(self.hidden(tokens))


def table(seed: int = 0) -> Table:
    return Table(normal(VOCABULARY, VOCABULARY, seed=seed))


def gpt(seed: int = 0) -> GPT:
    return language_model("gpt_nano", VOCABULARY, CONTEXT, generator(seed)).double()


def ragged() -> Sequences:
    """Prompts of 1 to 3 tokens, responses of 1 to 5; the last one has no end, the longest row no padding."""
    return padded([[3], [2, 5, 1], [4, 4], [6]], [[1, 2, END], [2, 3, 4, 5, END], [END], [5, 5]], END)


def other_ragged() -> Sequences:
    """The same prompts with other responses, in rows of another length."""
    return padded([[3], [2, 5, 1], [4, 4], [6]], [[4, END], [END], [1, 1, 2, END], [3, END]], END)


def with_other_padding(sequences: Sequences, by: int = 1) -> Sequences:
    """Every token past the end of its row replaced by another one."""
    tokens = sequences.tokens
    past = torch.arange(tokens.shape[1]) >= sequences.end[:, None]
    return Sequences(torch.where(past, (tokens + by) % VOCABULARY, tokens), sequences.prompt, sequences.end)


def with_a_column_more(sequences: Sequences) -> Sequences:
    """Padding in every row, also in the longest."""
    tokens = torch.cat([sequences.tokens, torch.full_like(sequences.tokens[:, :1], 5)], dim=1)
    return Sequences(tokens, sequences.prompt, sequences.end)


def pairs(model: nn.Module) -> Pairs:
    """With the model itself as the reference."""
    chosen, rejected = ragged(), other_ragged()
    with torch.no_grad():
        return Pairs(chosen, rejected, log_probs(model, chosen).sum(1), log_probs(model, rejected).sum(1))


def rollouts(model: nn.Module, rewards: tuple[float, ...] = (1.0, 0.0, 0.0, 1.0), group: int = 2) -> Rollouts:
    """As the model drew them, which is the reference too; with values of 0."""
    sequences = ragged()
    with torch.no_grad():
        found = log_probs(model, sequences)
    kind = found.dtype
    return Rollouts(sequences, torch.tensor(rewards, dtype=kind), found, found.clone(), torch.zeros_like(found), group)
