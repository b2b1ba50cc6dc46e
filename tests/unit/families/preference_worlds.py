"""Made-up reviews and small sums, and entries trained on them as the pipeline would, for tests of the preferences."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.data.parts import tokenizer
from benchmarks.data.parts.corpus import Corpus
from benchmarks.families.preferences import pairs
from benchmarks.families.preferences.problems import Arithmetic, Continuation, Task
from benchmarks.families.preferences.train import train
from benchmarks.families.preferences.worlds import World, world
from benchmarks.run.job import PairsJob, Trainer
from implementations.preferences.dpo import METHOD as dpo
from implementations.preferences.grpo import METHOD as grpo
from implementations.preferences.parts.sequences import padded
from implementations.preferences.ppo import METHOD as ppo
from implementations.preferences.rejection_sampling import METHOD as rejection_sampling
from implementations.preferences.reward_model import METHOD as reward_model
from implementations.preferences.sft import METHOD as sft
from implementations.preferences.unlikelihood import METHOD as unlikelihood
from tests.checkpoints import Killed, MemoryCheckpoint
from tests.unit.families.jobs import FLAGS, Origin, in_memory, training_job

REVIEWS = Continuation("reviews", "reviews", shortest=2, longest=4, most=6, held_out=3, temperatures=(0.0, 0.5, 1.0))
SUMS = Arithmetic(
    "sums",
    digits=1,
    train=60,
    valid=12,
    test=12,
    styles={"direct": 0.8, "careless": 0.2},
    format_weight=0.1,
    most=12,
    answers=4,
)
COUNT = 120  # pairs: of 20 prompts
WORDS = ("good", "great", "awful", "bad", "the", "film", "plot", "is", "and", "not", "love", "hate")


@cache
def corpus() -> Corpus:
    """Sentences of 9 of twelve words, all different."""
    draws = np.random.default_rng(0)
    texts = [" ".join(draws.choice(WORDS, 9)) for _ in range(120)]
    assert len(set(texts)) == len(texts)
    split = {"train": texts[:90], "valid": texts[90:105], "test": texts[105:]}
    whole = tokenizer.trained(split["train"], 300)
    return Corpus(lambda name: [{"text": text} for text in split[name]], lambda: whole)


@cache
def world_of(task: Task) -> World:
    return world(task, corpus)


@dataclass
class Learnt:
    """How a training went."""

    model: Any = None
    fitted: Any = None
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)

    @property
    def notes(self) -> list[dict[str, float]]:
        """What was noted at each validation."""
        return [
            {name: value for name, value in row.items() if name not in ("step", "images", "train", "valid")}
            for row in self.fitted.curve
        ]

    def weights(self) -> dict[str, Any]:
        return copy.deepcopy(self.model.state_dict())


def trained(
    method: Any,
    settings: Any,
    task: Task,
    origin: Origin | None = None,
    steps: int = 5,
    seed: int = 0,
    validate_every: int = 3,
    checkpoint: MemoryCheckpoint | None = None,
    stop_at: int | None = None,
    kill_at: int | None = None,
    precision: str = "float32",
) -> Learnt:
    learnt, last = Learnt(), 0

    def report(step: int, value: float, norm: float) -> None:
        nonlocal last
        last = step
        learnt.losses.append(value)
        learnt.norms.append(norm)
        if step == kill_at:
            raise Killed

    job = training_job(
        method,
        settings,
        task,
        steps,
        validate_every,
        seed,
        arithmetic={**FLAGS, "precision": precision},
        files=origin.files() if origin else {},
        checkpoint=checkpoint or MemoryCheckpoint(),
        report=report,
        stop=lambda: last == stop_at,
        other=origin.other[1] if origin and origin.other else None,
    )
    weights = {} if origin is None else {"start": origin.weights}
    weights |= {"other": origin.other[0]} if origin and origin.other else {}
    with in_memory(corpus=corpus, completions=origin.completions if origin else None, **weights):
        learnt.model, learnt.fitted = train(job)
    return learnt


def settings_of(method: Any, **given: Any) -> Any:
    """Small and quick to learn."""
    small = {"network": "gpt_nano", "batch": 4, "optimiser": "adamw", "learning_rate": 3e-3, "warmup": 0}
    return method.settings(**(small | given))


@cache
def started(task: Task) -> Learnt:
    """A language model that has learned the task in part, so that its responses earn different rewards."""
    return trained(sft, settings_of(sft, batch=16, learning_rate=1e-2), task, steps=60, validate_every=20)


def pairs_job(task: Task, seed: int, count: int, folder: Path, report: Callable[[int], None]) -> PairsJob:
    """Of `sft`."""
    return PairsJob(
        entry="it",
        method_name="sft",
        method=sft,
        settings=settings_of(sft),
        task=task,
        seed=seed,
        arithmetic=FLAGS,
        count=count,
        folder=folder,
        report=report,
    )


def made(task: Task, folder: Path, count: int = COUNT, seed: int = 0) -> Path:
    """Completions of the model that has learned the task in part."""
    folder.mkdir()
    told: list[int] = []
    base = started(task)
    job = pairs_job(task, seed, count, folder, told.append)
    with in_memory(corpus=corpus, model=base.weights):
        pairs.make(job)
    assert told[-1] == count
    return folder


@cache
def completions(task: Task) -> Callable[[str], pairs.Completions]:
    """Of reviews those that the model makes; of sums written ones, a fourth of them right: the model is seldom."""
    if task is SUMS:
        return {split: _written(split) for split in ("train", "valid")}.__getitem__
    with TemporaryDirectory() as folder:
        made(task, Path(folder) / "pairs")
        found = {split: pairs.read(Path(folder) / "pairs", COUNT, split) for split in ("train", "valid")}
    return found.__getitem__


def _written(split: str) -> pairs.Completions:
    here, draws = world_of(SUMS), np.random.default_rng(1)
    asked = [prompt for prompt in here.prompts(split, 12) for _ in range(4)]
    told = [
        [*here.vocabulary.encode(f"<think></think><answer>{answer}</answer>"), here.vocabulary.end]
        for prompt in asked[::4]
        for answer in draws.permutation([prompt.truth, 20, 21, 22])
    ]
    rewards = torch.tensor(here.rewards(asked, told), dtype=torch.float64)
    written = padded([prompt.tokens for prompt in asked], told, here.vocabulary.end)
    return pairs.Completions(written, rewards, torch.zeros_like(rewards), 4)


@cache
def origin(task: Task, judged: bool = False) -> Origin:
    """What entries that start from `started` are handed; `judged` adds a reward model."""
    base = started(task)
    if not judged:
        return Origin(base.weights, completions(task))
    settings = settings_of(reward_model, pairs=COUNT)
    scorer = trained(reward_model, settings, task, origin(task), steps=10)
    return Origin(base.weights, completions(task), (scorer.weights, Trainer(reward_model, settings)))


ROLLOUTS = {"minibatch": 8, "updates": 3}
GROUPS = {**ROLLOUTS, "group": 4}


@dataclass(frozen=True)
class Case:
    """A method on a task, as the profiles have them."""

    method: Any
    task: Task
    given: dict[str, Any]
    afresh: bool = False
    judged: bool = False

    @property
    def settings(self) -> Any:
        return settings_of(self.method, **self.given)

    def origin(self) -> Origin | None:
        return None if self.afresh else origin(self.task, self.judged)

    def run(self, **given: Any) -> Learnt:
        return trained(self.method, self.settings, self.task, self.origin(), **given)


CASES = {
    "sft_reviews": Case(sft, REVIEWS, {}, afresh=True),
    "sft_sums": Case(sft, SUMS, {"ema_half_life": 8}, afresh=True),
    "sft_reviews_preferred": Case(sft, REVIEWS, {"pairs": COUNT}),
    "sft_sums_rewarded": Case(sft, SUMS, {"pairs": COUNT, "responses": "rewarded"}),
    "reward_model_reviews": Case(reward_model, REVIEWS, {"pairs": COUNT}),
    "dpo_reviews": Case(dpo, REVIEWS, {"pairs": COUNT}),
    "unlikelihood_reviews": Case(unlikelihood, REVIEWS, {"pairs": COUNT}),
    "ppo_reviews": Case(ppo, REVIEWS, {**ROLLOUTS, "batch": 12}, judged=True),
    "ppo_reviews_true": Case(ppo, REVIEWS, {**ROLLOUTS, "batch": 12, "reward": "true"}),
    "ppo_sums": Case(ppo, SUMS, {**ROLLOUTS, "batch": 12, "reward": "true"}),
    "grpo_sums": Case(grpo, SUMS, {**GROUPS, "most": 12}),
    "grpo_reviews": Case(grpo, REVIEWS, GROUPS),
    "rejection_sampling_sums": Case(rejection_sampling, SUMS, GROUPS),
}


def names_of(*learns: str) -> Sequence[str]:
    """Cases that learn from these."""
    return [name for name, case in CASES.items() if case.method.learns_from in learns]
