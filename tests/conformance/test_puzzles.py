"""Every method of the family puzzles, through its protocol, on each task that it answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.plan.methods import Method, all_methods, tasks

ROOT = Path(__file__).parents[2]
METHODS = {name: method for name, method in all_methods(ROOT).items() if method.family == "puzzles"}
TASKS = tasks("puzzles")


def answered(method: Method) -> list[str]:
    """Tasks that an entry of a profile pairs with the method; where there is none, all of them."""
    names = set()
    for path in (ROOT / "benchmarks/profiles").glob("*.yaml"):
        entries = yaml.safe_load(path.read_text())["entries"].values()
        names |= {entry["task"] for entry in entries if entry["method"] == method.name}
    return sorted(names & set(TASKS)) or sorted(TASKS)


CASES = [
    pytest.param(algorithm, TASKS[task], id=f"{name}-{algorithm.__name__}-{task}")
    for name, method in METHODS.items()
    for task in answered(method)
    for algorithm in method.declaration().algorithms
]
every_algorithm = pytest.mark.parametrize(("algorithm", "task"), CASES)


def instances(task: Any) -> list[np.ndarray]:
    """Of the task's own law and lengths up to 200; narrower laws beside it, for ties and zeros."""
    random = np.random.default_rng(0)
    drawn = [task.draw(int(length), random) for length in np.minimum(task.lengths_drawn(60, random), 200)]
    narrow = [random.integers(0, min(2, task.largest), size=n, endpoint=True) for n in range(2, 30)]
    return [*drawn, *narrow, np.zeros(7, np.int64), np.full(7, task.largest)]


def test_there_is_a_case_of_every_method():
    assert len(CASES) >= len(METHODS) > 0


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_algorithms_have_names_of_their_own(method):
    names = [algorithm.__name__ for algorithm in method.declaration().algorithms]
    assert len(set(names)) == len(names) > 0


@every_algorithm
def test_printed_examples(algorithm, task):
    assert task.examples
    for numbers, answer in task.examples:
        assert algorithm(np.array(numbers)).value == answer


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_reference_is_no_methods_code_and_gives_the_printed_answers(task):
    assert not task.reference.__module__.startswith("implementations")
    for numbers, answer in task.examples:
        found = task.reference(np.array(numbers))
        assert found == answer
        assert type(found) is int


@every_algorithm
def test_agrees_with_the_reference_of_the_task(algorithm, task):
    for numbers in instances(task):
        assert algorithm(numbers).value == task.reference(numbers), numbers.tolist()


@every_algorithm
def test_input_is_not_modified(algorithm, task):
    for numbers in instances(task)[::10]:
        given = numbers.copy()
        algorithm(given)
        assert np.array_equal(given, numbers)


@every_algorithm
def test_answers_and_looks_repeat_and_looks_are_counted(algorithm, task):
    for numbers in instances(task)[::10]:
        first = algorithm(numbers)
        assert algorithm(numbers) == first
        assert first.looks > 0
        assert type(first.looks) is type(first.value) is int  # a numpy integer would not be written to a record


@every_algorithm
@pytest.mark.parametrize(
    "bad",
    [[], [3], [3, -1], [1.0, 2.0], [[1, 2], [3, 4]]],
    ids=["none", "one number", "negative", "floats", "two dimensions"],
)
def test_bad_input_is_refused(algorithm, task, bad):
    with pytest.raises(ValueError, match=r"\w"):
        algorithm(np.array(bad))
