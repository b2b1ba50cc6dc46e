"""Monte Carlo methods on finite MDPs: values are means of returns, learned from episodes alone.

    v_pi(s) = E[G_t | s_t = s],      q_pi(s, a) = E[G_t | s_t = s, a_t = a],      pi <- greedy in the means of q

Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, 2018, chapter 5: first and every visit,
exploring starts, epsilon-greedy control, and importance sampling from episodes of another policy b,

    ordinary: mean of rho G,      weighted: sum of rho G / sum of rho,      rho = product of pi(a_k|s_k) / b(a_k|s_k).

Zhao, *Mathematical Foundations of Reinforcement Learning*, 2024, chapter 5: MC Basic, and the other two for control.
An episode that is cut off counts with the return it has had.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import numpy as np
from numpy.random import Generator

from implementations.common.settings import require_positive
from implementations.tabular.parts import returns
from implementations.tabular.parts.iterates import told
from implementations.tabular.parts.mdp import MDP, Floats, Ints, epsilon_soft, greedy, one_hot
from implementations.tabular.parts.protocol import Controlled, Predicted, TabularMethod
from implementations.tabular.parts.returns import Averages, Experience, Visits, all_pairs, episodes_from, evenly


@dataclass(frozen=True)
class Settings:
    """Of one Monte Carlo algorithm."""

    algorithm: Literal[
        "first_visit", "every_visit", "ordinary_importance_sampling", "weighted_importance_sampling",
        "mc_basic", "exploring_starts", "epsilon_greedy",
    ] = "exploring_starts"  # one of PREDICTION or CONTROL  # fmt: skip
    episode_length: int = 100  # steps until an episode is cut off; Zhao, figure 5.4: 100 give the printed values
    batch: int = 1000  # episodes between two improvements; the books: 1, which takes far longer
    episodes_per_pair: int = 1  # of MC Basic; Zhao, section 5.2: one is enough in a deterministic world
    epsilon: float = 0.0  # chance of an action drawn evenly from all, of epsilon_greedy; Zhao, figure 5.6: 0.1 to 0.5
    average: Literal["all", "latest"] = "all"  # returns of all episodes, as in both books, or of the latest batch
    visit: Literal["first", "every"] = "first"  # in control; Sutton and Barto: first; Zhao, section 5.4.3: every

    def __post_init__(self) -> None:
        require_positive(self, "episode_length", "batch", "episodes_per_pair")
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon must lie in [0, 1], not {self.epsilon}")
        if (self.algorithm == "epsilon_greedy") != (self.epsilon > 0):
            raise ValueError(f"epsilon is above 0 for epsilon_greedy, and only for it, not {self.epsilon}")


def _predict(
    mdp: MDP, policy: Floats, behaviour: Floats, settings: Settings, generator: Generator, checkpoints: Sequence[int],
    visits: Visits, weigh: Callable[[Floats, Floats], tuple[Floats, Floats]],
) -> Iterator[Predicted]:  # fmt: skip
    """Weighted means over episodes of `behaviour`; `weigh` makes samples and weights of ratios and returns."""

    def draw(wanted: int) -> Experience:
        starts = generator.choice(mdp.states, wanted, p=mdp.start)
        episodes = episodes_from(mdp, behaviour, starts, settings.episode_length, generator)
        ratios = returns.importance_ratios(episodes, policy, behaviour)
        return visits(episodes.states), *weigh(ratios, returns.discounted(episodes.rewards, mdp.gamma))

    for spent, averages in returns.running_averages(mdp.states, settings.episode_length, checkpoints, draw):
        yield Predicted(spent, averages.means, averages.counts)


def first_visit(
    mdp: MDP, policy: Floats, settings: Settings, generator: Generator, checkpoints: Sequence[int]
) -> Iterator[Predicted]:
    """Mean of the returns that follow an episode's first visit to a state: unbiased."""
    return _predict(mdp, policy, policy, settings, generator, checkpoints, returns.first_visit, returns.ordinary)


def every_visit(
    mdp: MDP, policy: Floats, settings: Settings, generator: Generator, checkpoints: Sequence[int]
) -> Iterator[Predicted]:
    """Mean of the returns that follow every visit to a state: biased, consistent."""
    return _predict(mdp, policy, policy, settings, generator, checkpoints, returns.every_visit, returns.ordinary)


def ordinary_importance_sampling(
    mdp: MDP, policy: Floats, settings: Settings, generator: Generator, checkpoints: Sequence[int]
) -> Iterator[Predicted]:
    """Mean of rho G at first visits, episodes by all actions evenly: unbiased, its variance may be infinite."""
    return _predict(mdp, policy, evenly(mdp), settings, generator, checkpoints, returns.first_visit, returns.ordinary)


def weighted_importance_sampling(
    mdp: MDP, policy: Floats, settings: Settings, generator: Generator, checkpoints: Sequence[int]
) -> Iterator[Predicted]:
    """Sum of rho G over sum of rho at first visits, 0 where no weight was seen: biased, consistent."""
    return _predict(mdp, policy, evenly(mdp), settings, generator, checkpoints, returns.first_visit, returns.weighted)


def _improve(
    mdp: MDP, policy: Floats, settings: Settings, generator: Generator,
    starts: Callable[[], tuple[Ints, Ints | None]], visits: Visits,
) -> Iterator[Controlled]:  # fmt: skip
    """Episodes from `starts` by the policy, means of their returns, a policy greedy on the means: without end.

    A state without a return keeps the policy it has, a pair without one counts as 0, the first of equals is taken.
    """
    averages = nothing = Averages.of_nothing(policy.size)
    for improvements in count(1):
        states, actions = starts()
        episodes = episodes_from(mdp, policy, states, settings.episode_length, generator, actions)
        samples = returns.discounted(episodes.rewards, mdp.gamma)
        pairs, weights = visits(returns.pairs_in(episodes, mdp.actions)), np.ones_like(samples)
        before = averages if settings.average == "all" else nothing
        averages = averages.replaced_by(before.including(pairs, samples, weights))
        means, counts = averages.means.reshape(policy.shape), averages.counts.reshape(policy.shape)
        policy = np.where(counts.any(1, keepdims=True), epsilon_soft(greedy(means), settings.epsilon), policy)
        yield Controlled(improvements * len(states), improvements, means, policy, counts)


def mc_basic(mdp: MDP, settings: Settings, generator: Generator, checkpoints: Sequence[int]) -> Iterator[Controlled]:
    """Zhao, algorithm 5.1: episodes from every pair value the pair they start with; the first policy takes action 0."""
    starts = np.divmod(np.repeat(all_pairs(mdp), settings.episodes_per_pair), mdp.actions)
    policy, latest = one_hot(np.zeros(mdp.states, np.int64), mdp.actions), replace(settings, average="latest")
    return told(_improve(mdp, policy, latest, generator, lambda: starts, returns.first_step), checkpoints)


def exploring_starts(
    mdp: MDP, settings: Settings, generator: Generator, checkpoints: Sequence[int]
) -> Iterator[Controlled]:
    """Sutton and Barto, section 5.3: each episode starts with a pair drawn evenly; the first policy is even."""

    def starts() -> tuple[Ints, Ints]:
        return np.divmod(generator.choice(all_pairs(mdp), settings.batch), mdp.actions)

    visits = returns.visits_of(settings.visit)
    return told(_improve(mdp, evenly(mdp), settings, generator, starts, visits), checkpoints)


def epsilon_greedy(
    mdp: MDP, settings: Settings, generator: Generator, checkpoints: Sequence[int]
) -> Iterator[Controlled]:
    """Zhao, algorithm 5.3; Sutton and Barto, section 5.4: epsilon-soft policies explore; the first one is even."""

    def starts() -> tuple[Ints, None]:
        return generator.choice(mdp.states, settings.batch, p=mdp.start), None

    visits = returns.visits_of(settings.visit)
    return told(_improve(mdp, evenly(mdp), settings, generator, starts, visits), checkpoints)


METHOD = TabularMethod(
    settings=Settings, spends="episodes", control=(mc_basic, exploring_starts, epsilon_greedy),
    prediction=(first_visit, every_visit, ordinary_importance_sampling, weighted_importance_sampling),
)  # fmt: skip
