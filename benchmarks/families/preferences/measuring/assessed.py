"""A policy as measured, beside the one that it started from, and responses drawn from either."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.families.preferences.models import decoded, drawn_at_once, padded_prompts, read_at_once
from benchmarks.families.preferences.worlds import Prompt, World
from benchmarks.record.evaluated import Measured, Value
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import torch_generator
from implementations.preferences.parts.generation import generate
from implementations.preferences.parts.sequences import Sequences, entropies, kl_divergences

BATCH = 256  # responses drawn at once
PROTOCOL: dict[str, Value] = {"checkpoint": "best validation value", "arithmetic": "float32"}


@dataclass(frozen=True)
class Assessed:
    """A trained policy and its reference: the model that it started from, or itself where it started afresh."""

    policy: Any
    reference: Any
    here: World
    job: EvaluationJob

    def variant(self, **of_the_row: Value) -> dict[str, Value]:
        """How a row is named: settings of the training along which papers compare, and what is the row's own."""
        settings = self.job.trainer.settings
        named = {name: getattr(settings, name) for name in self.job.trainer.method.varies}
        if hasattr(settings, "responses"):
            named["learned"] = "texts" if settings.pairs is None else f"{settings.responses} responses"
        return {**named, **of_the_row}

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
        most = read_at_once(self.job.task, self.here.vocabulary)
        for first in range(0, len(batch.tokens), most):
            yield batch.rows(slice(first, first + most))

    def drawn(self, policy: Any, prompts: Sequence[Prompt], temperature: float, purpose: str) -> list[Sequences]:
        """A response to each prompt, in batches; the numbers they are drawn with hang on the run's seed and purpose."""
        found, end = [], self.here.vocabulary.end
        most = min(BATCH, drawn_at_once(self.job.task))
        for first in range(0, len(prompts), most):
            tokens, lengths = padded_prompts(prompts[first : first + most], end, self.job.device)
            draws = torch_generator(self.job.seed, f"{purpose} from {first}", self.job.device)
            found.append(generate(policy, tokens, lengths, self.job.task.most, end, temperature, draws))
        return found


def responses(drawn: Sequence[Sequences]) -> list[list[int]]:
    """The tokens of each, in order."""
    return [tokens for batch in drawn for tokens in decoded(batch)]


@torch.no_grad()
def distances(assessed: Assessed, drawn: Sequence[Sequences]) -> dict[str, float]:
    """Means over responses that the policy drew at temperature 1.

    Of KL(policy || reference) a response, summed over its tokens with the whole vocabulary at each, of the entropy a
    token, and of the length in tokens, the end included.
    """
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
