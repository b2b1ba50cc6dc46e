"""What is minimised: for texts, pairs and rollouts, a loss of the examples at some indices, and a validation value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.families.preferences.models import read_at_once
from benchmarks.families.preferences.pairs import Origin
from benchmarks.families.preferences.problems import Problem
from benchmarks.families.preferences.worlds import World
from benchmarks.seeds import torch_generator
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, padded

VALIDATION_BATCH = 256
CORRECT = 1.0  # least reward of a response that a student learns from its teacher


@dataclass(frozen=True)
class Run:
    """A method with its settings, on a task, with one seed and one device."""

    method: Any
    settings: Any
    task: Problem
    here: World
    model: nn.Module
    seed: int
    device: str

    def generator(self, purpose: str) -> torch.Generator:
        """For draws on the device."""
        return torch_generator(self.seed, purpose, self.device)

    def batch(self) -> int:
        """Examples that are validated at once."""
        return min(VALIDATION_BATCH, read_at_once(self.task, self.here.vocabulary))

    def padded(self, documents: list[tuple[list[int], list[int]]]) -> Sequences:
        """Prompts with responses, on the device."""
        prompts, responses = zip(*documents, strict=True)
        return padded(prompts, responses, self.here.vocabulary.end).to(self.device)


@dataclass(frozen=True)
class Learning:
    """What `fit` is handed; the validation value is lower for a better model."""

    examples: int
    loss: Callable[[Tensor, torch.Generator], Tensor]
    validate: Callable[[], float]
    note: Callable[[], dict[str, float]] = dict
    state: dict[str, Any] = field(default_factory=dict)  # what else a checkpoint holds; has get_state and set_state


def of_texts(run: Run) -> Learning:
    """Maximum likelihood of the task's documents."""
    return _of_sequences(run, run.padded(run.here.documents("train")), run.padded(run.here.documents("valid")))


def of_responses(run: Run, origin: Origin) -> Learning:
    """Maximum likelihood of responses that a model drew: the preferred of pairs, or all that were rewarded in full."""

    def chosen(split: str) -> Sequences:
        if run.settings.responses == "preferred":
            return _pairs(origin, split).chosen
        rewarded = origin.completions(split).rewarded(CORRECT)
        if len(rewarded.tokens) == 0:
            raise ValueError(f"no response to the prompts of {split} is rewarded in full: more pairs are needed")
        return rewarded

    train, valid = (chosen(split).to(run.device) for split in ("train", "valid"))
    return _of_sequences(run, train, valid)


def _pairs(origin: Origin, split: str) -> Pairs:
    """Raises ValueError when the split has none: the mean of no losses would look like a training that diverged."""
    found = origin.completions(split).pairs()
    if len(found.chosen_reference) == 0:
        raise ValueError(f"no two responses to a prompt of {split} differ in reward: more pairs are needed")
    return found


def _of_sequences(run: Run, train: Sequences, valid: Sequences) -> Learning:
    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        found: Tensor = run.method.loss(run.model, run.settings, train.rows(indices.to(run.device)), draws)
        return found

    return Learning(len(train.tokens), loss, lambda: _mean_loss(run, valid, len(valid.tokens)))


def of_pairs(run: Run, origin: Origin) -> Learning:
    """The method's loss of pairs; along training it is noted how far both responses' log-probabilities have moved.

    Both may fall while their distance grows, which the loss does not show.
    """
    train, valid = (_pairs(origin, split).to(run.device) for split in ("train", "valid"))
    noted: dict[str, float] = {}

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        found: Tensor = run.method.loss(run.model, run.settings, train.rows(indices.to(run.device)), draws)
        return found

    def validate() -> float:
        if hasattr(run.method, "policy"):
            noted.update(_moved(run, valid))
        return _mean_loss(run, valid, len(valid.chosen_reference))

    return Learning(len(train.chosen_reference), loss, validate, lambda: dict(noted))


def _moved(run: Run, pairs: Pairs) -> dict[str, float]:
    """Mean change in nats of ln p of the chosen and of the rejected response, and how often that of the chosen is
    larger."""
    policy, moved = run.method.policy(run.model), []
    with torch.no_grad():
        for rows in torch.arange(len(pairs.chosen_reference)).split(run.batch()):
            part = pairs.rows(rows.to(run.device))
            one = log_probs(policy, part.chosen).sum(1) - part.chosen_reference
            other = log_probs(policy, part.rejected).sum(1) - part.rejected_reference
            moved.append(torch.stack([one, other, (one > other).to(one)]))
    chosen, rejected, right = torch.cat(moved, 1).double().mean(1).tolist()
    return {"chosen": chosen, "rejected": rejected, "accuracy": right}


def _mean_loss(run: Run, examples: Any, count: int) -> float:
    """Over all examples, batch by batch; the methods' losses draw nothing."""
    total, draws = 0.0, run.generator("validation draws")
    with torch.no_grad():
        for rows in torch.arange(count).split(run.batch()):
            part = examples.rows(rows.to(run.device))
            total += float(run.method.loss(run.model, run.settings, part, draws)) * len(rows)
    return total / count
