"""A task as training and evaluation meet it: texts to learn from, prompts to answer, and the true reward of an answer.

Prompts are the same for every method and seed. Training imports this file, so that its hash covers what is learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Any, Protocol

import numpy as np

from benchmarks.data.parts.corpus import Corpus
from benchmarks.families.preferences import arithmetic
from benchmarks.families.preferences.problems import Arithmetic, Continuation, Problem
from benchmarks.families.preferences.vocabulary import Vocabulary, arithmetic_vocabulary, bpe
from benchmarks.seeds import derive
from implementations.preferences.parts.rewards import Sentiment, exact_answer, has_format

Tokens = list[int]


@dataclass(frozen=True)
class Prompt:
    """What is asked, and what an answer is held against: the text's own continuation, or the answer of the sum."""

    tokens: Tokens
    truth: Any


class World(Protocol):
    """What a task offers."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What its texts are made of."""

    def documents(self, split: str) -> list[tuple[Tokens, Tokens]]:
        """Prompts with responses for supervised training, split train or valid."""

    def prompts(self, split: str, count: int) -> list[Prompt]:
        """The first so many of the split's own order, which goes round where it has fewer."""

    def rewards(self, prompts: Sequence[Prompt], responses: Sequence[Tokens]) -> list[float]:
        """The true reward of each response; the end token need not be there."""


@singledispatch
def world(task: Problem, corpus: Callable[[], Corpus]) -> World:
    """The task's world; `corpus` is asked for only by a task whose data set holds texts."""
    raise TypeError(f"no such problem: {type(task).__name__}")


@dataclass(frozen=True)
class Reviews:
    """The world of a `Continuation`. A document is a whole text, its first token the prompt."""

    task: Continuation
    corpus: Corpus

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return bpe(self.corpus.tokenizer())

    @cached_property
    def _sentiment(self) -> Callable[[Sequence[str]], list[float]]:
        return Sentiment()

    def _texts(self, split: str, held_out: bool) -> list[Tokens]:
        """Of train, either those kept from supervised training or the others; those too short to be parted left out."""
        texts = self.corpus(split)
        if split == "train":
            texts = [text for place, text in enumerate(texts) if (place % self.task.held_out == 0) == held_out]
        encoded = (self.vocabulary.encode(text) for text in texts)
        return [tokens for tokens in encoded if len(tokens) > self.task.longest]

    def documents(self, split: str) -> list[tuple[Tokens, Tokens]]:
        whole = ([*tokens, self.vocabulary.end][: self.task.context] for tokens in self._texts(split, held_out=False))
        return [(tokens[:1], tokens[1:]) for tokens in whole]

    def prompts(self, split: str, count: int) -> list[Prompt]:
        texts = self._texts(split, held_out=True)
        lengths = np.random.default_rng(derive(0, f"lengths of prompts of {split}"))
        parts = lengths.integers(self.task.shortest, self.task.longest, size=count, endpoint=True).tolist()
        asked = [(texts[place % len(texts)], part) for place, part in enumerate(parts)]
        return [Prompt(tokens[:part], tokens[part : part + self.task.most]) for tokens, part in asked]

    def rewards(self, prompts: Sequence[Prompt], responses: Sequence[Tokens]) -> list[float]:
        whole = zip(prompts, responses, strict=True)
        return self._sentiment([self.vocabulary.decode([*prompt.tokens, *response]) for prompt, response in whole])


@dataclass(frozen=True)
class Sums:
    """The world of an `Arithmetic`."""

    task: Arithmetic

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return arithmetic_vocabulary()

    @cached_property
    def _splits(self) -> dict[str, list[arithmetic.Problem]]:
        sizes = {"train": self.task.train, "valid": self.task.valid, "test": self.task.test}
        return arithmetic.splits(self.task.digits, sizes, self.task.seed)

    def documents(self, split: str) -> list[tuple[Tokens, Tokens]]:
        problems = self._splits[split]
        texts = arithmetic.corpus(problems, self.task.styles, derive(self.task.seed, f"styles of {split}"))
        encode, end = self.vocabulary.encode, self.vocabulary.end
        return [(encode(document.prompt), [*encode(document.response), end]) for document in texts]

    def prompts(self, split: str, count: int) -> list[Prompt]:
        problems = self._splits[split]
        asked = [problems[place % len(problems)] for place in range(count)]
        return [Prompt(self.vocabulary.encode(problem.prompt), str(problem.answer)) for problem in asked]

    def rewards(self, prompts: Sequence[Prompt], responses: Sequence[Tokens]) -> list[float]:
        return [right + self.task.format_weight * formed for right, formed in map(self.judged, prompts, responses)]

    def judged(self, prompt: Prompt, response: Tokens) -> tuple[float, float]:
        """Whether the answer is right, and whether the response has the format: 0 or 1 each."""
        text = self.vocabulary.decode(response)
        return exact_answer(text, prompt.truth), has_format(text)


@world.register
def _(task: Continuation, corpus: Callable[[], Corpus]) -> World:
    return Reviews(task, corpus())


@world.register
def _(task: Arithmetic, corpus: Callable[[], Corpus]) -> World:
    return Sums(task)
