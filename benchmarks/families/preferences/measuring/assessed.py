"""A policy as measured, beside the one that it started from, and responses drawn from either."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.families.preferences.models import decoded, drawn_at_once, padded_prompts, read_at_once
from benchmarks.families.preferences.problems import Problem
from benchmarks.families.preferences.worlds import Prompt, World
from benchmarks.metrics.measured import Measured, Value
from benchmarks.metrics.started import Started
from benchmarks.seeds import torch_generator
from implementations.preferences.parts.generation import generate
from implementations.preferences.parts.sequences import Sequences, entropies, kl_divergences

BATCH = 256  # responses drawn at once
VARIED = ("network", "beta", "reward", "objective", "normalisation", "alpha")
PROTOCOL: dict[str, Value] = {"checkpoint": "best validation value", "arithmetic": "float32"}


@dataclass(frozen=True)
class Assessed:
    """A trained policy and its reference: the model that it started from, or itself where it started afresh."""

    policy: Any
    reference: Any
    method: Any  # the module
    method_settings: Any  # its own
    settings: Any  # of the method that trained the policy
    task: Problem
    here: World
    inputs: Started

    @property
    def device(self) -> str:
        return str(self.inputs.arithmetic["device"])

    def variant(self, **of_the_row: Value) -> dict[str, Value]:
        """How a row is named: settings of the training along which papers compare, and what is the row's own."""
        told = {name: getattr(self.settings, name) for name in VARIED if hasattr(self.settings, name)}
        if hasattr(self.settings, "responses"):
            told["learned"] = "texts" if self.settings.pairs is None else f"{self.settings.responses} responses"
        return {**told, **of_the_row}

    def row(
        self,
        name: str,
        value: float,
        unit: str,
        direction: str,
        n: int,
        protocol: dict[str, Value],
        /,
        **variant: Value,
    ) -> Measured:
        """A number of this policy, with what all numbers of this family state."""
        return Measured(name, value, unit, direction, n, {**protocol, **PROTOCOL}, self.variant(**variant))  # type: ignore[arg-type]

    def parts(self, batch: Sequences) -> Iterator[Sequences]:
        """What can be read at once of it."""
        most = read_at_once(self.task, self.here.vocabulary)
        for first in range(0, len(batch.tokens), most):
            yield batch.rows(slice(first, first + most))

    def drawn(self, policy: Any, prompts: Sequence[Prompt], temperature: float, purpose: str) -> list[Sequences]:
        """A response to each prompt, in batches; the numbers they are drawn with hang on the run's seed and purpose."""
        found, end = [], self.here.vocabulary.end
        most = min(BATCH, drawn_at_once(self.task))
        for first in range(0, len(prompts), most):
            tokens, lengths = padded_prompts(prompts[first : first + most], end, self.device)
            draws = torch_generator(self.inputs.seed, f"{purpose} from {first}", self.device)
            found.append(generate(policy, tokens, lengths, self.task.most, end, temperature, draws))
        return found


def responses(drawn: Sequence[Sequences]) -> list[list[int]]:
    """The tokens of each, in order."""
    return [tokens for batch in drawn for tokens in decoded(batch)]


@torch.no_grad()
def distances(assessed: Assessed, drawn: Sequence[Sequences]) -> dict[str, float]:
    """Of responses that the policy drew at temperature 1: means of KL(policy || reference) a response, summed over its
    tokens with the whole vocabulary at each, of the entropy a token, and of the length in tokens, the end included."""
    kl, entropy, tokens, count = 0.0, 0.0, 0, 0
    for batch in (part for whole in drawn for part in assessed.parts(whole)):
        logits: Tensor = assessed.policy(batch.tokens[:, :-1])
        if assessed.reference is not assessed.policy:
            kl += float(kl_divergences(logits, assessed.reference(batch.tokens[:, :-1]), batch).double().sum())
        entropy += float(entropies(logits, batch).double().sum())
        tokens += int(batch.lengths().sum())
        count += len(batch.tokens)
    return {"kl": kl / count, "entropy": entropy / tokens, "response_length": tokens / count}


def spread_of(
    assessed: Assessed, drawn: Sequence[Sequences], protocol: dict[str, Value], **variant: Value
) -> list[Measured]:
    """Rows of `distances`."""
    found, n = distances(assessed, drawn), sum(len(batch.tokens) for batch in drawn)
    return [
        assessed.row("kl", found["kl"], "nats", "lower", n, protocol, **variant),
        assessed.row("entropy", found["entropy"], "nats/token", "higher", n, protocol, **variant),
        assessed.row("response_length", found["response_length"], "tokens", "higher", n, protocol, **variant),
    ]
