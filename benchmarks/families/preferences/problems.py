"""What a language model can be asked to learn. Plain values: `claimbench list` reads them without importing torch."""

from dataclasses import dataclass, field
from typing import Literal


class _Task:
    """What every kind of problem has in common."""


@dataclass(frozen=True)
class Continuation(_Task):
    """Reviews to go on with from their first tokens, to be of positive sentiment (the DPO paper's section 6.1).

    Every `held_out`-th training text is kept from supervised training: their beginnings are the prompts that pairs and
    rollouts start from. Validation and test prompts are beginnings of the texts of those splits.
    """

    name: str
    dataset: str
    shortest: int  # tokens of a prompt, drawn evenly between both (paper: 2 to 8)
    longest: int
    most: int  # tokens of a response, its end included
    held_out: int
    judge: str = "lexicon"  # of sentiment, whose score is the true reward; or a published classifier
    temperatures: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)  # at which win rates are taken
    completions: int = 4  # of each prompt that pairs are made of (paper: 4, which give 6 pairs)
    pretrained: str | None = None  # a published model, by name or folder: its vocabulary, and the network `pretrained`

    @property
    def context(self) -> int:
        """Tokens of the longest sequence; longer texts are cut."""
        return self.longest + self.most


@dataclass(frozen=True)
class Arithmetic(_Task):
    """Sums to work out, from rules alone: an exact answer, and the format of R1-Zero's template (section 2.2).

    The texts that a base model learns from mix styles, with these probabilities, so that it knows some of them and has
    mastered none; sums of the splits differ.
    """

    name: str
    digits: int  # of a summand, at most
    train: int  # sums
    valid: int
    test: int
    styles: dict[str, float] = field(hash=False)
    format_weight: float  # of the reward for the format, beside 1 for the answer
    most: int  # tokens of a response, its end included
    answers: int = 16  # drawn for each test question
    completions: int = 4  # of each prompt that another model learns from
    seed: int = 0
    dataset: None = None  # nothing is fetched
    pretrained: None = None

    @property
    def context(self) -> int:
        """Tokens of the longest sequence."""
        return 2 * self.digits + 2 + self.most


@dataclass(frozen=True)
class Compared(_Task):
    """Prompts with two responses each, of which people preferred one (the DPO paper's sections 6.1 and 6.2).

    There is no true reward: a policy is judged by how often another model prefers its responses to those that people
    preferred. Prompts that are too long are left out, responses are cut.
    """

    name: str
    dataset: str
    pretrained: str
    question: Literal["summaries", "dialogues"]  # that the judge is asked
    judge: str  # a published model
    longest: int  # tokens of a prompt, at most
    most: int  # tokens of a response, its end included
    begins: str = ""  # texts that begin otherwise are left out
    turns: int | None = None  # of a dialogue: others are left out
    temperatures: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    order_seed: int = 0  # of which candidate the judge reads first

    @property
    def completions(self) -> int:
        """Responses of each prompt that pairs are made of."""
        return 2

    @property
    def context(self) -> int:
        """Tokens of the longest sequence."""
        return self.longest + self.most


@dataclass(frozen=True)
class Questions(_Task):
    """Questions with a number for an answer, from rules alone, in a template. Too long questions are left out.

    The template is that of R1-Zero (arXiv 2501.12948, table 1), or asks for a chain of thought that ends with a boxed
    number, as DeepSeekMath is asked.
    """

    name: str
    dataset: str
    pretrained: str
    template: Literal["r1_zero", "chain_of_thought"]
    format_weight: float  # of the reward for the format, beside 1 for the answer
    longest: int  # tokens of a prompt, at most
    most: int  # tokens of a response, its end included
    answers: int = 16  # drawn for each test question
    completions: int = 4  # of each prompt that another model learns from

    @property
    def context(self) -> int:
        """Tokens of the longest sequence."""
        return self.longest + self.most


Task = Continuation | Arithmetic | Compared | Questions
