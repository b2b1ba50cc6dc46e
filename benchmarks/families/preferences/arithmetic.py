"""Sums of two numbers: the problems, how they are worked out, and texts for a base that has mastered them in part.

A worked text adds column by column from the units, the carry written out, then tells the answer:

    37+85=    <think>7+5=12 3+8+1=12</think><answer>122</answer>

A number that has no digit in a column counts as 0 there, so that there is a step for each digit of the longer one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.files.errors import input_error
from benchmarks.run.seeds import derive

STYLES = ("worked", "direct", "untagged", "careless")


@dataclass(frozen=True)
class Sum:
    """One sum."""

    first: int
    second: int

    @property
    def prompt(self) -> str:
        """As it is asked."""
        return f"{self.first}+{self.second}="

    @property
    def answer(self) -> int:
        """What is right."""
        return self.first + self.second

    @property
    def columns(self) -> int:
        """Digits of the longer number, which is how many steps there are."""
        return max(len(str(self.first)), len(str(self.second)))


@dataclass(frozen=True)
class Document:
    """A prompt with a response in one of the styles."""

    prompt: str
    response: str
    style: str


def steps(problem: Sum, slip: tuple[int, int] | None = None) -> tuple[str, int]:
    """The steps as text, and the answer that they come to; with the slip (column, by how much) carried on."""
    told, carry, digits = [], 0, []
    for column in range(problem.columns):
        one, other = (number // 10**column % 10 for number in (problem.first, problem.second))
        total = one + other + carry
        if slip is not None and slip[0] == column:
            total += slip[1]
        told.append(f"{one}+{other}{f'+{carry}' if carry else ''}={total}")
        carry, digit = divmod(total, 10)
        digits.append(digit)
    answer = sum(digit * 10**column for column, digit in enumerate([*digits, carry]))
    return " ".join(told), answer


def response(problem: Sum, style: str, draws: np.random.Generator) -> str:
    """A response in the style; only a careless one draws.

    worked: the steps and the answer, in tags.
    direct: the same tags with nothing in the first: right, well formed, and no thinking.
    untagged: the steps and the answer, right, without tags.
    careless: as worked, but one column's sum is one too many or too few and carried on, so that the answer is wrong.
    """
    if style == "direct":
        return _tagged("", problem.answer)
    if style == "untagged":
        worked, answer = steps(problem)
        return f"{worked} {answer}"
    if style == "worked":
        return _tagged(*steps(problem))
    if style != "careless":
        raise input_error("styles", "", style, f"known are {', '.join(STYLES)}")
    column, up = int(draws.integers(problem.columns)), bool(draws.integers(2))
    wrong = steps(problem, (column, 1 if up else -1))
    if "=-" in wrong[0]:  # 0+0 cannot be one too few
        wrong = steps(problem, (column, 1))
    return _tagged(*wrong)


def splits(digits: int, sizes: Mapping[str, int], seed: int) -> dict[str, list[Sum]]:
    """Sums of numbers of 1 to `digits` digits, so many for each split; none is in two, in either order.

    All pairs are equally likely: 0 to 10^digits - 1 each. The order of a split is random. Raises InputError when there
    are fewer sums than asked for.
    """
    most = 10**digits
    draws = np.random.default_rng(derive(seed, f"splits of sums of {digits} digits"))
    # A sum and the same with its numbers exchanged go to the same split, so it is the pairs first <= second that mix.
    first, second = np.triu_indices(most)
    order = iter(draws.permutation(len(first)).tolist())
    found: dict[str, list[Sum]] = {}
    for split, size in sizes.items():
        problems: list[Sum] = []
        while len(problems) < size:
            place = next(order, None)
            if place is None:
                told = f"there are {most**2} in all, and a split may lose one"
                raise input_error("sums", split, f"{size} of {digits} digits", told)
            one, other = int(first[place]), int(second[place])
            problems.append(Sum(one, other))
            if one != other:
                problems.append(Sum(other, one))
        # The last pair may be one order too many; which goes is as random as the order.
        found[split] = [problems[place] for place in draws.permutation(len(problems))[:size]]
    return found


def corpus(problems: Sequence[Sum], styles: Mapping[str, float], seed: int) -> list[Document]:
    """A document for each problem, in a style drawn with these probabilities.

    Raises InputError when a style is not known or the probabilities do not add up to 1.
    """
    unknown = sorted(set(styles) - set(STYLES))
    if unknown:
        raise input_error("styles", unknown[0], styles[unknown[0]], f"known are {', '.join(STYLES)}")
    chances = list(styles.values())
    if min(chances, default=0.0) < 0 or abs(sum(chances) - 1) > 1e-9:
        raise input_error("styles", "", dict(styles), "probabilities that add up to 1 are needed")
    draws = np.random.default_rng(derive(seed, "styles"))
    drawn = draws.choice(len(styles), size=len(problems), p=np.array(chances) / sum(chances)).tolist()
    names = list(styles)
    return [
        Document(problem.prompt, response(problem, names[place], draws), names[place])
        for problem, place in zip(problems, drawn, strict=True)
    ]


def _tagged(thought: str, answer: int) -> str:
    return f"<think>{thought}</think><answer>{answer}</answer>"
