"""Both algorithms of the container puzzle give the largest area, at the cost that they claim."""

import itertools

import numpy as np
import pytest

from benchmarks.families.puzzles.tasks import largest_area
from implementations.puzzles.container import METHOD, brute_force, two_pointers

EXAMPLES = [([1, 8, 6, 2, 5, 4, 8, 3, 7], 49), ([1, 1], 1)]


def oracle(heights: list[int]) -> int:
    """The definition."""
    pairs = itertools.combinations(enumerate(heights), 2)
    return max(min(low, high) * (j - i) for (i, low), (j, high) in pairs)


def random_arrays() -> list[list[int]]:
    """Short and long, with many ties, zeros, equal and sorted numbers."""
    random = np.random.default_rng(0)
    arrays = []
    for largest, longest in [(1, 8), (3, 12), (10, 30), (10_000, 60)]:
        for _ in range(60):
            heights = random.integers(0, largest, size=random.integers(2, longest), endpoint=True).tolist()
            arrays += [heights, sorted(heights), sorted(heights, reverse=True)]
    return arrays


SMALL = [list(heights) for n in range(2, 6) for heights in itertools.product(range(4), repeat=n)]
SHAPED = [
    [0, 0],
    [0] * 9,
    [5] * 9,
    [0, 7, 0],
    [7, 0, 0, 0, 7],
    list(range(20)),
    list(range(20, 0, -1)),
    [9, 1, 1, 9, 0],
]


@pytest.mark.parametrize("algorithm", METHOD.algorithms)
@pytest.mark.parametrize(("heights", "area"), EXAMPLES)
def test_printed_examples(algorithm, heights, area):
    assert algorithm(np.array(heights)).value == area


@pytest.mark.parametrize("algorithm", METHOD.algorithms)
@pytest.mark.parametrize("arrays", [SMALL, SHAPED, random_arrays()], ids=["all small", "shaped", "random"])
def test_agrees_with_the_definition(algorithm, arrays):
    wrong = [heights for heights in arrays if algorithm(np.array(heights)).value != oracle(heights)]
    assert wrong == []


@pytest.mark.parametrize("arrays", [SMALL, SHAPED, random_arrays()], ids=["all small", "shaped", "random"])
def test_the_benchmarks_own_answer_agrees_with_the_definition(arrays):
    wrong = [heights for heights in arrays if largest_area(np.array(heights)) != oracle(heights)]
    assert wrong == []
    assert type(largest_area(np.array(arrays[0]))) is int


def test_the_algorithms_agree_where_the_definition_is_too_slow():
    random = np.random.default_rng(1)
    for n in (500, 1500, 3000):
        heights = random.integers(0, 10_000, size=n, endpoint=True)
        assert two_pointers(heights).value == brute_force(heights).value


@pytest.mark.parametrize("heights", [*SHAPED, *random_arrays()[::7]], ids=len)
def test_looks_are_exact(heights):
    n = len(heights)
    assert two_pointers(np.array(heights)).looks == n - 1
    assert brute_force(np.array(heights)).looks == n * (n - 1) // 2


@pytest.mark.parametrize("algorithm", METHOD.algorithms)
def test_input_is_not_modified(algorithm):
    heights = np.array(EXAMPLES[0][0])
    heights.setflags(write=False)
    algorithm(heights)
    assert heights.tolist() == EXAMPLES[0][0]


@pytest.mark.parametrize("algorithm", METHOD.algorithms)
@pytest.mark.parametrize(
    "bad",
    [[], [3], [3, -1], [1.0, 2.0], [[1, 2], [3, 4]], [True, False], ["1", "2"], 5],
    ids=["none", "one line", "negative", "floats", "two dimensions", "booleans", "strings", "a number"],
)
def test_bad_input_is_refused(algorithm, bad):
    with pytest.raises(ValueError, match=r"needed|negative"):
        algorithm(np.array(bad))


def test_the_largest_instance_of_the_source():
    assert two_pointers(np.full(100_000, 10_000)).value == 10_000 * 99_999


@pytest.mark.parametrize("algorithm", METHOD.algorithms)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
def test_areas_do_not_overflow_the_type_of_the_heights(algorithm, dtype):
    highest = np.iinfo(dtype).max // (1 if dtype != np.int64 else 2)
    assert algorithm(np.full(1000, highest, dtype)).value == int(highest) * 999
