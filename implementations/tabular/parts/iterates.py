"""Iterates of an algorithm: which of them are told, and how fast they approach each other.

A Bellman operator T contracts: ||T v - T w|| <= gamma ||v - w|| in the largest absolute difference (Zhao 2024, chapter
3; Sutton and Barto 2018, chapter 4), so that ||v_{k+1} - v_k|| <= gamma ||v_k - v_{k-1}||.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from implementations.common.errors import Unsupported
from implementations.tabular.parts.mdp import Floats
from implementations.tabular.parts.protocol import Controlled, Predicted

Iterate = TypeVar("Iterate", Controlled, Predicted)

TOO_SMALL = 1e-8  # a change below this part of the values; rounding could move its ratio to another by 1e-7


def told(iterates: Iterator[Iterate], checkpoints: Sequence[int]) -> Iterator[Iterate]:
    """The iterates that reach or pass a checkpoint, and the last one where there is none for the last checkpoint."""
    due, untold = list(checkpoints), None
    while due and (iterate := next(iterates, None)):
        untold = iterate
        if iterate.spent >= due[0]:
            yield iterate
            due, untold = [checkpoint for checkpoint in due if checkpoint > iterate.spent], None
    if untold:
        yield untold


def contraction(values: Sequence[Floats]) -> float:
    """Largest ratio of successive changes, in max norm, of the values v_0, v_1, ... after one sweep each.

    `values` are arrays of one shape. Changes that are down to rounding are left out; 0 where nothing ever changes.

    Raises:
        ValueError: there is no ratio to take, of fewer than three iterates that differ.
    """
    changes = np.array([np.abs(after - before).max() for before, after in pairwise(values)])
    if len(changes) and not changes.any():
        return 0.0
    large = changes[:-1] > TOO_SMALL * max((np.abs(each).max() for each in values), default=0.0)
    if not large.any():
        raise Unsupported("a rate of contraction takes three iterates or more")
    return float((changes[1:][large] / changes[:-1][large]).max())
