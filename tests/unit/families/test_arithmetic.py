"""Sums: every step and answer right, slips wrong, splits apart, and the rewards that each style earns."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.families.preferences.arithmetic import STYLES, Sum, corpus, response, splits, steps
from benchmarks.families.preferences.vocabulary import arithmetic_vocabulary
from benchmarks.files.errors import InputError
from implementations.preferences.parts.rewards import answer_in, exact_answer, has_format

ALL = [Sum(first, second) for first in range(100) for second in range(100)]
EVEN = dict.fromkeys(STYLES, 0.25)
SIZES = {"train": 6_000, "valid": 500, "test": 500}


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_stated_example():
    problem = Sum(37, 85)
    assert problem.prompt == "37+85="
    assert response(problem, "worked", draws()) == "<think>7+5=12 3+8+1=12</think><answer>122</answer>"
    assert response(problem, "direct", draws()) == "<think></think><answer>122</answer>"
    assert response(problem, "untagged", draws()) == "7+5=12 3+8+1=12 122"
    assert response(Sum(5, 37), "worked", draws()) == "<think>5+7=12 0+3+1=4</think><answer>42</answer>"
    assert response(Sum(0, 0), "worked", draws()) == "<think>0+0=0</think><answer>0</answer>"
    assert response(Sum(999, 1), "untagged", draws()) == "9+1=10 9+0+1=10 9+0+1=10 1000"


def test_every_step_and_answer_up_to_two_digits():
    for problem in ALL:
        told, answer = steps(problem)
        assert answer == problem.first + problem.second
        sums = [step.split("=") for step in told.split(" ")]
        assert len(sums) == problem.columns
        carry = 0
        for column, (asked, total) in enumerate(sums):
            numbers = [int(number) for number in asked.split("+")]
            assert sum(numbers) == int(total)
            assert numbers[0] == problem.first // 10**column % 10
            assert numbers[1] == problem.second // 10**column % 10
            assert numbers[2:] == ([carry] if carry else [])
            carry = int(total) // 10
        # What is written is what the answer is made of: the units of each step, and all of the last.
        assert str(answer).zfill(len(sums)) == sums[-1][1] + "".join(total[-1] for _, total in sums[-2::-1])


def test_a_careless_answer_is_wrong_by_one_slip():
    random = draws()
    for problem in ALL:
        text = response(problem, "careless", random)
        assert has_format(text) == 1.0
        assert exact_answer(text, str(problem.answer)) == 0.0
        told = text.removeprefix("<think>").split("</think>")[0].split(" ")
        off = [int(total) - sum(map(int, asked.split("+"))) for asked, total in (step.split("=") for step in told)]
        assert sorted(map(abs, off)) == [0] * (len(off) - 1) + [1]
        carries = [int(step.split("=")[1]) // 10 for step in told]
        for carry, step in zip(carries, told[1:], strict=False):
            assert step.split("=")[0].split("+")[2:] == ([str(carry)] if carry else [])  # carried on as it is


def test_rewards_agree_with_the_styles():
    earned = {"worked": (1, 1), "direct": (1, 1), "untagged": (0, 0), "careless": (0, 1)}
    random = draws(1)
    for problem in ALL[::7]:
        for style, expected in earned.items():
            text = response(problem, style, random)
            assert (exact_answer(text, str(problem.answer)), has_format(text)) == expected
            assert (answer_in(text) is None) == (style == "untagged")


def test_vocabulary_round_trip_of_every_document():
    vocabulary = arithmetic_vocabulary()
    assert (vocabulary.size, vocabulary.end) == (18, 0)
    for document in corpus(ALL, EVEN, 0):
        for text in (document.prompt, document.response):
            tokens = vocabulary.encode(text)
            assert vocabulary.decode(tokens) == text
            assert vocabulary.decode([*tokens, vocabulary.end, vocabulary.end]) == text
            assert min(tokens) > 0
            assert max(tokens) < vocabulary.size
    assert len(vocabulary.encode("<think>7+5=12</think>")) == 8
    assert vocabulary.encode("") == []


@pytest.mark.parametrize("text", ["a", "1-1", "<end>", "<thin>", "1<", "１"])
def test_what_has_no_token_is_told(text):
    with pytest.raises(ValueError, match="begins with no token of arithmetic"):
        arithmetic_vocabulary().encode(text)


@pytest.mark.parametrize(
    ("digits", "sizes"), [(2, SIZES), (2, {"train": 9_000, "valid": 900}), (3, SIZES), (1, {"a": 7})]
)
def test_splits_are_apart_in_either_order(digits, sizes):
    found = splits(digits, sizes, 0)
    assert {split: len(problems) for split, problems in found.items()} == dict(sizes)
    pairs = {split: {frozenset((p.first, p.second)) for p in problems} for split, problems in found.items()}
    for one, other in pairwise(sorted(sizes)):
        assert not pairs[one] & pairs[other]
    for problems in found.values():
        assert len(set(problems)) == len(problems)
        assert all(0 <= number < 10**digits for problem in problems for number in (problem.first, problem.second))


def test_splits_are_drawn_evenly():
    numbers = Counter(problem.first // 10 for problem in splits(2, SIZES, 0)["train"])
    # 600 of each ten, with a standard deviation of 15 (600 of 1,000, without putting back): six of them either way.
    assert set(numbers) == set(range(10))
    assert all(abs(count - 600) < 90 for count in numbers.values())


def test_seeds_decide():
    assert splits(2, SIZES, 0) == splits(2, SIZES, 0)
    assert splits(2, SIZES, 0) != splits(2, SIZES, 1)
    assert corpus(ALL, EVEN, 0) == corpus(ALL, EVEN, 0)
    assert corpus(ALL, EVEN, 0) != corpus(ALL, EVEN, 1)


def test_too_many_sums_are_refused():
    with pytest.raises(InputError, match="found 51 of 1 digits; there are 100 in all"):
        splits(1, {"train": 50, "test": 51}, 0)


def test_styles_come_in_their_shares():
    shares = {"worked": 0.5, "untagged": 0.3, "careless": 0.2}
    counts = Counter(document.style for document in corpus(ALL, shares, 0))
    # Of 10,000 draws a share has a standard deviation of at most 0.005; five of them.
    assert {style: pytest.approx(counts[style] / len(ALL), abs=0.025) for style in STYLES} == {"direct": 0.0} | shares


@pytest.mark.parametrize(
    ("styles", "told"),
    [
        ({"worked": 0.5}, "add up to 1"),
        ({}, "add up to 1"),
        ({"worked": 1.5, "direct": -0.5}, "add up to 1"),
        ({"worked": 0.5, "sloppy": 0.5}, "known are worked, direct, untagged, careless"),
    ],
)
def test_wrong_styles_are_refused(styles, told):
    with pytest.raises(InputError, match=told):
        corpus(ALL, styles, 0)
