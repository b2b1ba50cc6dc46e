"""A task as training and evaluation meet it: texts to learn from, prompts to answer, and the true reward of an answer.

Prompts are the same for every method and seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np
import torch

from benchmarks.data.parts.corpus import Corpus
from benchmarks.families.preferences import arithmetic, pretrained
from benchmarks.families.preferences.problems import Arithmetic, Compared, Continuation, Questions, Task
from benchmarks.families.preferences.vocabulary import Vocabulary, arithmetic_vocabulary, bpe
from benchmarks.run.seeds import derive
from implementations.common.errors import Unsupported
from implementations.preferences.parts.answers import boxed_in, number_in
from implementations.preferences.parts.rewards import Sentiment, answer_in, exact_answer, has_format

Tokens = list[int]


@dataclass(frozen=True)
class Prompt:
    """What is asked, and what an answer is held against: the text's rest, the preferred response, or the sum."""

    tokens: Tokens
    truth: Any


class World(Protocol):
    """What a task offers. Published models that judge are made when first asked, and never trained."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What its texts are made of."""

    def documents(self, split: str) -> list[tuple[Tokens, Tokens]]:
        """Prompts with responses for supervised training, split train or valid."""

    def prompts(self, split: str, count: int) -> list[Prompt]:
        """The first so many of the split's own order, which goes round where it has fewer."""

    def rewards(self, prompts: Sequence[Prompt], responses: Sequence[Tokens]) -> list[float]:
        """The true reward of each response; the end token need not be there."""


@dataclass(frozen=True)
class Reviews:
    """The world of a `Continuation`. A document is a whole text, its first token the prompt."""

    task: Continuation
    corpus: Corpus
    device: str

    @cached_property
    def vocabulary(self) -> Vocabulary:
        if self.task.pretrained is not None:
            return pretrained.vocabulary(self.task.pretrained)
        return bpe(self.corpus.tokenizer())

    @cached_property
    def _sentiment(self) -> Callable[[Sequence[str]], list[float]]:
        if self.task.judge == "lexicon":
            return Sentiment()
        return pretrained.sentiment_classifier(self.task.judge, device=self.device)

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
    def _splits(self) -> dict[str, list[arithmetic.Sum]]:
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

    def answer(self, response: Tokens) -> str | None:
        """What is taken for the answer."""
        return answer_in(self.vocabulary.decode(response))

    def is_right(self, prompt: Prompt, answer: str | None) -> bool:
        """Whether it is the sum's."""
        return bool(answer == prompt.truth)


@dataclass(frozen=True)
class Comparisons:
    """The world of a `Compared`. A document is a prompt and its preferred response."""

    task: Compared
    corpus: Corpus
    device: str

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return pretrained.vocabulary(self.task.pretrained)

    @cached_property
    def judge(self) -> pretrained.PairwiseJudge:
        """Says which of two responses is better; which of them it reads first is drawn."""
        question = {"summaries": pretrained.SUMMARIES, "dialogues": pretrained.DIALOGUES}[self.task.question]
        return pretrained.PairwiseJudge(self.task.judge, question, self.task.order_seed, torch.bfloat16, self.device)

    @cached_property
    def pairs(self) -> Callable[[str], list[tuple[Tokens, Tokens, Tokens]]]:
        """Prompt, preferred and other response of all of a split that fit."""
        return cache(self._pairs)

    def _pairs(self, split: str) -> list[tuple[Tokens, Tokens, Tokens]]:
        encode, end, task = self.vocabulary.encode, self.vocabulary.end, self.task
        found = []
        for record in self.corpus.records(split):
            if record["text"].startswith(task.begins) and task.turns in (None, record.get("turns")):
                prompt = [*self.vocabulary.begin, *encode(record["text"])]
                if len(prompt) <= task.longest:
                    chosen, rejected = ([*encode(record[side]), end][: task.most] for side in ("chosen", "rejected"))
                    found.append((prompt, chosen, rejected))
        return found

    def documents(self, split: str) -> list[tuple[Tokens, Tokens]]:
        return [(prompt, chosen) for prompt, chosen, _ in self.pairs(split)]

    def prompts(self, split: str, count: int) -> list[Prompt]:
        first: dict[tuple[int, ...], Tokens] = {}  # of several pairs of one prompt
        for prompt, chosen in self.documents(split):
            first.setdefault(tuple(prompt), chosen)
        asked = [Prompt(list(prompt), chosen) for prompt, chosen in first.items()]
        return [asked[place % len(asked)] for place in range(count)]

    def rewards(self, prompts: Sequence[Prompt], responses: Sequence[Tokens]) -> list[float]:
        raise Unsupported(f"task {self.task.name} has no true reward; learn one")


R1_ZERO = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant "
    "first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning "
    "process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> "
    "reasoning process here </think> <answer> answer here </answer>. User: {question}. Assistant:"
)  # arXiv 2501.12948, table 1
# As the card of deepseek-ai/deepseek-math-7b-instruct asks, in that model's form of chat.
CHAIN_OF_THOUGHT = (
    "User: {question}\nPlease reason step by step, and put your final answer within \\boxed{}.\n\nAssistant:"
)


@dataclass(frozen=True)
class Asked:
    """The world of a `Questions`. A document is a question in its template and the published solution."""

    task: Questions
    corpus: Corpus

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return pretrained.vocabulary(self.task.pretrained)

    def _fitting(self, split: str) -> list[tuple[Tokens, dict[str, Any]]]:
        form = R1_ZERO if self.task.template == "r1_zero" else CHAIN_OF_THOUGHT
        texts = ((form.replace("{question}", record["text"]), record) for record in self.corpus.records(split))
        asked = (([*self.vocabulary.begin, *self.vocabulary.encode(text)], record) for text, record in texts)
        return [(prompt, record) for prompt, record in asked if len(prompt) <= self.task.longest]

    def documents(self, split: str) -> list[tuple[Tokens, Tokens]]:
        form = " <think> {} </think> <answer> {} </answer>" if self.task.template == "r1_zero" else " {} \\boxed{{{}}}"
        worked = (
            (prompt, self.vocabulary.encode(form.format(record["solution"], record["answer"])))
            for prompt, record in self._fitting(split)
        )
        return [(prompt, [*response, self.vocabulary.end][: self.task.most]) for prompt, response in worked]

    def prompts(self, split: str, count: int) -> list[Prompt]:
        asked = self._fitting(split)
        return [Prompt(prompt, record["answer"]) for prompt, record in (asked[i % len(asked)] for i in range(count))]

    def rewards(self, prompts: Sequence[Prompt], responses: Sequence[Tokens]) -> list[float]:
        return [right + self.task.format_weight * formed for right, formed in map(self.judged, prompts, responses)]

    def judged(self, prompt: Prompt, response: Tokens) -> tuple[float, float]:
        """Whether the answer is right, as a number, and whether the response has the format: 0 or 1 each."""
        text = self.vocabulary.decode(response)
        formed = has_format(text) if self.task.template == "r1_zero" else float(boxed_in(text) is not None)
        return float(self.is_right(prompt, self.answer(response))), formed

    def is_right(self, prompt: Prompt, answer: str | None) -> bool:
        """Whether it is the question's, as a number."""
        return answer is not None and answer == number_in(prompt.truth)

    def answer(self, response: Tokens) -> str | None:
        """What is taken for the answer: the number in the answer block, or the boxed or last one of a chain."""
        text = self.vocabulary.decode(response)
        said = answer_in(text) if self.task.template == "r1_zero" else text
        return None if said is None else number_in(said)


def world(task: Task, corpus: Callable[[], Corpus], device: str = "cpu") -> World:
    """The task's world; `corpus` is asked for only by a task whose data set holds texts. Judges are on the device."""
    match task:
        case Continuation():
            return Reviews(task, corpus(), device)
        case Arithmetic():
            return Sums(task)
        case Compared():
            return Comparisons(task, corpus(), device)
        case Questions():
            return Asked(task, corpus())
