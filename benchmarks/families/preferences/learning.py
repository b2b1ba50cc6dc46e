"""What is minimised: for texts, pairs and rollouts, a loss of the examples at some indices, and a validation value."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.families.preferences.models import read_at_once
from benchmarks.families.preferences.pairs import Completions, read
from benchmarks.families.preferences.worlds import World
from benchmarks.run import inputs
from benchmarks.run.job import TrainingJob
from benchmarks.run.training import Objective
from implementations.common.errors import Unsupported
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, padded

VALIDATION_BATCH = 256
CORRECT = 1.0  # least reward of a response that a student learns from its teacher


@dataclass(frozen=True)
class Learner:
    """A job on its task's world, with the model that is trained."""

    job: TrainingJob
    here: World
    model: nn.Module

    def loss(self, batch: Any, draws: torch.Generator) -> Tensor:
        """The method's."""
        found: Tensor = self.job.method.loss(self.model, self.job.settings, batch, draws)
        return found

    def made(self, split: str) -> Completions:
        """What the entry that it starts from has answered."""
        return read(inputs.path(self.job, "pairs"), self.job.settings.pairs, split)

    def batch(self) -> int:
        """Examples that are validated at once."""
        return min(VALIDATION_BATCH, read_at_once(self.job.task, self.here.vocabulary))

    def padded(self, documents: list[tuple[list[int], list[int]]]) -> Sequences:
        """Prompts with responses, on the device."""
        prompts, responses = zip(*documents, strict=True)
        return padded(prompts, responses, self.here.vocabulary.end).to(self.job.device)


def of_texts(learner: Learner) -> Objective:
    """Maximum likelihood of the task's documents."""
    train, valid = (learner.padded(learner.here.documents(split)) for split in ("train", "valid"))
    return _of_sequences(learner, train, valid)


def of_responses(learner: Learner) -> Objective:
    """Maximum likelihood of responses that a model drew: the preferred of pairs, or all that were rewarded in full."""

    def chosen(split: str) -> Sequences:
        if learner.job.settings.responses == "preferred":
            return _pairs(learner, split).chosen
        rewarded = learner.made(split).rewarded(CORRECT)
        if len(rewarded.tokens) == 0:
            raise Unsupported(f"no response to the prompts of {split} is rewarded in full: more pairs are needed")
        return rewarded

    train, valid = (chosen(split).to(learner.job.device) for split in ("train", "valid"))
    return _of_sequences(learner, train, valid)


def _pairs(learner: Learner, split: str) -> Pairs:
    """Raises Unsupported when the split has none: the mean of no losses would look like a training that diverged."""
    found = learner.made(split).pairs()
    if len(found.chosen_reference) == 0:
        raise Unsupported(f"no two responses to a prompt of {split} differ in reward: more pairs are needed")
    return found


def _of_sequences(learner: Learner, train: Sequences, valid: Sequences) -> Objective:
    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        return learner.loss(train.rows(indices.to(learner.job.device)), draws)

    return Objective(learner.model, len(train.tokens), loss, lambda: _mean_loss(learner, valid, len(valid.tokens)))


def of_pairs(learner: Learner) -> Objective:
    """The method's loss of pairs; along training it is noted how far both responses' log-probabilities have moved.

    Both may fall while their distance grows, which the loss does not show.
    """
    train, valid = (_pairs(learner, split).to(learner.job.device) for split in ("train", "valid"))
    noted: dict[str, float] = {}

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        return learner.loss(train.rows(indices.to(learner.job.device)), draws)

    def validate() -> float:
        if learner.job.method.policy is not None:
            noted.update(_moved(learner, valid))
        return _mean_loss(learner, valid, len(valid.chosen_reference))

    return Objective(learner.model, len(train.chosen_reference), loss, validate, lambda: dict(noted))


def _moved(learner: Learner, pairs: Pairs) -> dict[str, float]:
    """Mean change in nats of ln p of the chosen and the rejected response; how often that of the chosen is larger."""
    policy, moved = learner.job.method.policy(learner.model), []
    with torch.no_grad():
        for rows in torch.arange(len(pairs.chosen_reference)).split(learner.batch()):
            part = pairs.rows(rows.to(learner.job.device))
            one = log_probs(policy, part.chosen).sum(1) - part.chosen_reference
            other = log_probs(policy, part.rejected).sum(1) - part.rejected_reference
            moved.append(torch.stack([one, other, (one > other).to(one)]))
    chosen, rejected, right = torch.cat(moved, 1).double().mean(1).tolist()
    return {"chosen": chosen, "rejected": rejected, "accuracy": right}


def _mean_loss(learner: Learner, examples: Any, count: int) -> float:
    """Over all examples, batch by batch; the methods' losses draw nothing."""
    total, draws = 0.0, learner.job.generator("validation draws")
    with torch.no_grad():
        for rows in torch.arange(count).split(learner.batch()):
            part = examples.rows(rows.to(learner.job.device))
            total += float(learner.loss(part, draws)) * len(rows)
    return total / count
