"""Learning from responses that the policy draws as it learns: drawn, judged, used for some steps, drawn anew."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from benchmarks.families.preferences.learning import Learner
from benchmarks.families.preferences.models import (
    decoded,
    drawn_at_once,
    joined,
    padded_prompts,
    read_at_once,
    trunk,
    untrained,
)
from benchmarks.families.preferences.worlds import Asked, Comparisons, Prompt, Sums
from benchmarks.run import inputs
from benchmarks.run.seeds import torch_generator
from benchmarks.run.training import Objective
from implementations.common.errors import Unsupported
from implementations.preferences.parts.batches import Rollouts
from implementations.preferences.parts.generation import generate
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, entropies, kl_divergences

PROMPTS = 8192  # that training goes round, at most
VALIDATION_PROMPTS = 128

Judge = Callable[[Sequence[Prompt], Sequences], Tensor]
"""The rewards of responses, (rows,), float32, on their device."""


def of_rollouts(learner: Learner) -> Objective:
    """The method's loss of responses that its policy draws; where it starts is the reference.

    The validation value is the negative of what the method maximises, E r - beta KL, on prompts of the valid split.
    """
    reference = copy.deepcopy(trunk(learner.model)).eval().requires_grad_(False)
    judge = _learned(learner) if getattr(learner.job.settings, "reward", "true") == "learned" else _true(learner)
    experience = Experience(learner, reference, judge)
    prompts = learner.here.prompts("valid", VALIDATION_PROMPTS)
    noted: dict[str, float] = {}

    def validate() -> float:
        noted.clear()
        noted.update(_validated(learner, reference, judge, prompts) | experience.told())
        return getattr(learner.job.settings, "beta", 0.0) * noted["kl"] - noted["reward"]

    state = {"experience": experience}
    return Objective(learner.model, len(experience.prompts), experience.loss, validate, lambda: dict(noted), state)


def _true(learner: Learner) -> Judge:
    def judge(prompts: Sequence[Prompt], drawn: Sequences) -> Tensor:
        return torch.tensor(learner.here.rewards(prompts, decoded(drawn)), device=learner.job.device)

    return judge


def _learned(learner: Learner) -> Judge:
    """The scores of the second model that the entry needs."""
    job, trainer = learner.job, learner.job.other
    if trainer is None:
        raise Unsupported("reward learned: name in needs, after the entry to start from, the one that has the rewards")
    if trainer.method.scores is None:
        raise Unsupported("reward learned: the second entry of needs must be a reward model")
    unused = torch_generator(0, "unused")
    scorer = untrained(trainer.method, trainer.settings, job.task, learner.here.vocabulary, unused, job.device)
    scorer.load_state_dict(inputs.weights(job, "other"))
    scorer.eval().requires_grad_(False)

    def judge(prompts: Sequence[Prompt], drawn: Sequences) -> Tensor:
        with torch.no_grad():
            return torch.cat([trainer.method.scores(scorer, part) for part in _parts(learner, drawn)])

    return judge


class Experience:
    """Rollouts and how much of them is used up. Its state travels with the checkpoint."""

    def __init__(self, learner: Learner, reference: Any, judge: Judge):
        self.learner, self.reference, self.judge = learner, reference, judge
        count = max(learner.job.settings.batch, PROMPTS)
        self.prompts = learner.here.prompts("train", count)
        self.draws = learner.job.generator("rollouts")
        self.rollouts: Rollouts | None = None
        self.order = torch.empty(0, dtype=torch.int64)  # groups, as the steps to come take them
        self.sums = {"drawn": 0.0, "train_reward": 0.0, "zero_advantage": 0.0}  # since they were last told

    def loss(self, indices: Tensor, draws: torch.Generator) -> Tensor:
        """Of the next rows; draws new responses, to the prompts at these indices, when all have been used."""
        if len(self.order) == 0:
            self._draw([self.prompts[place] for place in indices.tolist()])
        assert self.rollouts is not None
        group, count = self.rollouts.group, max(1, self.learner.job.settings.minibatch // self.rollouts.group)
        groups, self.order = self.order[:count], self.order[count:]
        rows = (groups[:, None] * group + torch.arange(group)).flatten().to(self.learner.job.device)
        return self.learner.loss(self.rollouts.rows(rows), draws)

    def _draw(self, prompts: Sequence[Prompt]) -> None:
        learner, settings = self.learner, self.learner.job.settings
        group = settings.group
        asked = [prompt for prompt in prompts for _ in range(group)]
        policy = learner.job.method.policy(learner.model)
        drawn = _drawn(learner, policy, asked, settings.temperature, self.draws)
        with torch.no_grad():
            rewards, values = self.judge(asked, drawn), None
            if learner.job.method.assessed is not None:  # a value head beside the policy
                both = (learner.job.method.assessed(learner.model, part) for part in _parts(learner, drawn))
                under, values = (torch.cat(of) for of in zip(*both, strict=True))
            else:
                under = torch.cat([log_probs(policy, part) for part in _parts(learner, drawn)])
            reference = torch.cat([log_probs(self.reference, part) for part in _parts(learner, drawn)])
        self.rollouts = Rollouts(drawn, rewards, under, reference, values, group)
        wanted = settings.updates * max(1, settings.minibatch // group)
        rounds = -(-wanted // len(prompts))
        orders = [torch.randperm(len(prompts), generator=self.draws, device=self.draws.device) for _ in range(rounds)]
        self.order = torch.cat(orders)[:wanted].cpu()
        grouped = rewards.view(-1, group)
        self.sums["drawn"] += len(prompts)
        self.sums["train_reward"] += float(grouped.mean(1).sum())
        self.sums["zero_advantage"] += float((grouped.amax(1) == grouped.amin(1)).sum())

    def told(self) -> dict[str, float]:
        """Means a prompt since this was last asked: the reward, and how often all its responses had the same."""
        drawn = self.sums.pop("drawn")
        told = {name: total / drawn for name, total in self.sums.items() if drawn}
        if self.learner.job.settings.group == 1:
            told.pop("zero_advantage", None)
        self.sums = {"drawn": 0.0, "train_reward": 0.0, "zero_advantage": 0.0}
        return told

    def get_state(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        kept = None if self.rollouts is None else asdict(self.rollouts)
        return {"draws": self.draws.get_state(), "order": self.order, "sums": dict(self.sums), "rollouts": kept}

    def set_state(self, state: dict[str, Any]) -> None:
        """What `get_state` gave."""
        self.draws.set_state(state["draws"])
        self.order, self.sums = state["order"], dict(state["sums"])
        if (kept := state["rollouts"]) is not None:
            rollouts = Rollouts(**(kept | {"sequences": Sequences(**kept["sequences"])}))
            self.rollouts = rollouts.to(self.learner.job.device)


def _drawn(
    learner: Learner, policy: Any, asked: Sequence[Prompt], temperature: float, draws: torch.Generator
) -> Sequences:
    end, most, found = learner.here.vocabulary.end, drawn_at_once(learner.job.task), []
    for first in range(0, len(asked), most):
        tokens, lengths = padded_prompts(asked[first : first + most], end, learner.job.device)
        found.append(generate(policy, tokens, lengths, learner.job.task.most, end, temperature, draws))
    return joined(found, end)


def _parts(learner: Learner, drawn: Sequences) -> Iterator[Sequences]:
    """All of it where it can be read at once."""
    most = read_at_once(learner.job.task, learner.here.vocabulary)
    for first in range(0, len(drawn.tokens), most):
        yield drawn.rows(slice(first, first + most))


def _validated(learner: Learner, reference: Any, judge: Judge, prompts: Sequence[Prompt]) -> dict[str, float]:
    """Means over one response to each prompt, drawn at temperature 1 with the same numbers at every validation."""
    policy = learner.job.method.policy(learner.model)
    drawn = _drawn(learner, policy, prompts, 1.0, learner.job.generator("validation rollouts"))
    with torch.no_grad():
        kls, summed = [], torch.zeros((), device=learner.job.device)
        for part in _parts(learner, drawn):
            logits = policy(part.tokens[:, :-1])
            kls.append(kl_divergences(logits, reference(part.tokens[:, :-1]), part).sum(1))
            summed = summed + entropies(logits, part).sum()
        entropy = summed / drawn.lengths().sum()
        rewards = judge(prompts, drawn)
    told = {
        "reward": rewards.mean(),
        "kl": torch.cat(kls).mean(),
        "entropy": entropy,
        "length": drawn.lengths().double().mean(),
    }
    found = {name: float(value) for name, value in told.items()}
    if isinstance(learner.here, Sums | Asked):
        judged = [learner.here.judged(*pair) for pair in zip(prompts, decoded(drawn), strict=True)]
        found["right"], found["formed"] = (sum(column) / len(judged) for column in zip(*judged, strict=True))
    elif getattr(learner.job.settings, "reward", "true") == "learned" and not isinstance(learner.here, Comparisons):
        found["true_reward"] = sum(learner.here.rewards(prompts, decoded(drawn))) / len(prompts)
    return found
