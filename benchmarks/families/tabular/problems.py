"""The kinds of problem that tabular methods are asked to solve; a task is one of them."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.families.tabular.places import Place
from implementations.tabular.parts.gridworld import World
from implementations.tabular.parts.mdp import Floats


@dataclass(frozen=True)
class _Task:
    name: str

    @property
    def dataset(self) -> None:
        """None: what is learned from is drawn."""
        return None


@dataclass(frozen=True)
class Control(_Task):
    """Find the best policy of an MDP; an entry's `samples` bound the sweeps or episodes."""

    places: tuple[tuple[dict[str, float], Callable[[], Place]], ...]  # variant fields that name each, and the place
    told: tuple[int, ...] = ()  # episodes after which there are rows, besides the last


@dataclass(frozen=True)
class Prediction(_Task):
    """Value a given policy of an MDP; an entry's `samples` bound the sweeps or episodes."""

    place: Callable[[], Place]
    policy: Callable[[Place], Floats]  # (S, A)
    told: tuple[int, ...] = ()
    action_values_of: int | None = None  # a state whose action values are told


@dataclass(frozen=True)
class Estimation(_Task):
    """Estimate the value of one first state, `samples` times independently: bias and variance of an estimator."""

    place: Callable[[], Place]  # episodes start in one state
    policy: Callable[[Place], Floats]
    told: tuple[int, ...]  # episodes of a run


@dataclass(frozen=True)
class Horizons(_Task):
    """Find the best policy from episodes of limited length: what the length does to values and policy."""

    place: Callable[[], Place]
    lengths: tuple[int, ...]
    drawn: tuple[int, ...]  # those of which boards are drawn
    corner: int  # the state farthest from the target
    target: int


@dataclass(frozen=True)
class Softness(_Task):
    """The best policy of the epsilon-soft class beside the epsilon-soft version of the best policy."""

    worlds: tuple[tuple[str, Callable[[], World]], ...]  # by the wall rule
    epsilons: tuple[float, ...]


@dataclass(frozen=True)
class Exploration(_Task):
    """How evenly one long episode visits the pairs of states and actions, by a method that explores."""

    place: Callable[[], Place]
    epsilons: tuple[float, ...]


Task = Control | Prediction | Estimation | Horizons | Softness | Exploration
