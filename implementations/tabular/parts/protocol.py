"""What a method of `implementations/tabular/` declares, and what its algorithms yield."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from implementations.tabular.parts.mdp import MDP, Floats, Ints


@dataclass(frozen=True)
class Controlled:
    """Where an algorithm that looks for a good policy stands after an iteration; nobody changes it afterwards."""

    spent: int  # sweeps over the states (dynamic programming) or episodes (Monte Carlo) so far
    improvements: int  # of the policy so far
    action_values: Floats  # (S, A), estimated
    policy: Floats  # (S, A), the one it would act by now
    visits: Ints | None = None  # (S, A), how many returns the estimates are means of


@dataclass(frozen=True)
class Predicted:
    """Where an algorithm that values a given policy stands."""

    spent: int
    values: Floats  # (S,), estimated; 0 where nothing is known yet
    visits: Ints | None = None  # (S,)


Control = Callable[[MDP, Any, np.random.Generator, Sequence[int]], Iterator[Controlled]]
"""(mdp, settings, generator, checkpoints) to iterates.

Checkpoints rise. An iterate is yielded at the end of the iteration in which `spent` reaches a checkpoint or passes it
(one, where it passes several), and a last one where the algorithm ends by itself before the last checkpoint.
"""

Prediction = Callable[[MDP, Floats, Any, np.random.Generator, Sequence[int]], Iterator[Predicted]]
"""(mdp, policy (S, A), settings, generator, checkpoints) to iterates, yielded as those of `Control`."""


@dataclass(frozen=True, kw_only=True)
class TabularMethod:
    """Algorithms on a finite MDP; a function's name is the variant `algorithm` of its rows."""

    settings: type[Any]
    """Frozen dataclass; each field says where its value comes from. `algorithm` names one of control or prediction."""

    spends: Literal["sweeps", "episodes"]
    """What `spent` counts."""

    control: tuple[Control, ...]
    """Algorithms that look for a good policy."""

    prediction: tuple[Prediction, ...]
    """Algorithms that value a policy."""

    EVALUATION: ClassVar[frozenset[str]] = frozenset({"spends", "control", "prediction"})


def algorithm(offered: Sequence[Callable[..., Any]], name: str) -> Callable[..., Any] | None:
    """The algorithm of that name, or None."""
    return next((one for one in offered if one.__name__ == name), None)
