"""Which algorithm an entry asks for, how its rows are named, and how often it is asked where it stands."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.families.tabular.places import Place
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Value
from implementations.common.errors import Unsupported
from implementations.tabular.parts.mdp import MDP, Floats, evaluate_policy
from implementations.tabular.parts.protocol import algorithm


def chosen(offered: Sequence[Callable[..., Iterator[Any]]], settings: Any, task: str) -> Callable[..., Iterator[Any]]:
    """The entry's algorithm; raises InputError when it is none of those that do such a task."""
    found = algorithm(offered, settings.algorithm)
    if found is None:
        fitting = ", ".join(one.__name__ for one in offered) or "none of this method"
        raise InputError(f"task {task}: settings.algorithm: found {settings.algorithm}; those that do it: {fitting}")
    return found


def told(task: str, algorithm: Callable[..., Iterator[Any]], *given: Any) -> list[Any]:
    """All iterates; raises InputError with the method's own sentence when it cannot do with what it is given."""
    try:
        return list(algorithm(*given))
    except Unsupported as error:
        raise InputError(f"task {task}: settings: {error}") from None


def changed(task: str, settings: Any, **fields: Any) -> Any:
    """The settings with other values, which the task varies; raises InputError when the method has no such settings."""
    varied = f"task {task}: it varies {' and '.join(fields)}"
    if lacking := sorted(set(fields) - {field.name for field in dataclasses.fields(settings)}):
        raise InputError(f"{varied}, which does not fit: the method has no setting {lacking[0]}")
    try:
        return dataclasses.replace(settings, **fields)
    except ValueError as error:  # of the settings' own checks
        raise InputError(f"{varied}, which does not fit: {error}") from None


def variant(settings: Any) -> dict[str, Value]:
    """Fields that name a row."""
    named: dict[str, Value] = {"algorithm": settings.algorithm}
    return named | ({"epsilon": settings.epsilon} if settings.epsilon else {})


def checkpoints(limit: int, spends: str) -> list[int]:
    """Every sweep; episodes at 1, 2, 5, 10, 20, 50 and so on; the limit."""
    if spends == "sweeps":
        return list(range(1, limit + 1))
    steps = [one * 10**power for power in range(len(str(limit))) for one in (1, 2, 5)]
    return sorted({step for step in steps if step < limit} | {limit})


def exact(place: Place) -> dict[str, Value]:
    """The measurement of what is held against the solved MDP."""
    return {"instances": place.law, "reference": "exact values of the MDP", "arithmetic": "float64"}


def returned(mdp: MDP, policy: Floats) -> float:
    """Expected return of a policy from the first states; -inf where it may go on for ever and gamma is 1."""
    try:
        return float(evaluate_policy(mdp, policy) @ mdp.start)
    except Unsupported:
        return float("-inf")
