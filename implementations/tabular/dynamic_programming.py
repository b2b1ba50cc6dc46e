"""Dynamic programming. Sutton, Barto: Reinforcement Learning, 2nd ed., 2018, chapter 4; Zhao 2024, chapters 2 to 4.

With the model known, Bellman's equations are iterated or solved. Evaluation of a policy, for sweeps k = 0, 1, ...:

    v_{k+1}(s) = sum_a pi(a|s) q_k(s, a),    q_k(s, a) = sum_s' P(s'|s, a) [ R(s, a, s') + gamma v_k(s') ]

or at once, v = (I - gamma P_pi)^{-1} r_pi. Improvement takes in every state the action with the largest q_k. Truncated
policy iteration alternates an improvement with j sweeps of evaluation; the first of them is the backup that improved,
so that j = 1 is value iteration, v_{k+1} = max_a q_k; policy iteration solves for v, which is j without end.

Among the epsilon-soft policies, which take every action with probability epsilon / A at least, the best one has

    v(s) = (1 - epsilon) max_a q(s, a) + epsilon mean_a q(s, a).

T sweeps of value iteration from 0 give the values of T steps to live. At gamma below 1 a sweep of either kind brings
any two value functions nearer by a factor gamma (`parts/iterates.py`), so that the start does not matter. At gamma 1
it may, where an agent can go on without end at no cost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from implementations.common.settings import require_positive
from implementations.tabular.parts.iterates import told
from implementations.tabular.parts.mdp import (
    MDP,
    Floats,
    action_values,
    epsilon_soft,
    epsilon_soft_backup,
    evaluate_policy,
    greedy,
)
from implementations.tabular.parts.protocol import Controlled, Predicted, TabularMethod

Algorithm = Literal[
    "value_iteration", "policy_iteration", "truncated_policy_iteration", "closed_form", "iterative_policy_evaluation"
]  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The books give algorithms, and of these numbers none."""

    algorithm: Algorithm = "value_iteration"  # the one to run; ours
    epsilon: float = 0.0  # the best policy is one of the epsilon-soft class; 0: of all (the algorithms as printed)
    evaluation_sweeps: int = 5  # j of truncated policy iteration; ours
    tolerance: float = 1e-12  # ours: stop when no value changes, or no action is better, by more; about rounding
    initial_spread: float = 0.0  # ours: initial values are this times standard normal draws; 0: all 0

    def __post_init__(self) -> None:
        require_positive(self, "evaluation_sweeps")
        if not 0 <= self.epsilon <= 1 or not self.tolerance >= 0 or not self.initial_spread >= 0:
            stated = f"{self.epsilon}, {self.tolerance}, {self.initial_spread}"
            raise ValueError(f"epsilon lies in [0, 1], tolerance and initial_spread are at least 0, not {stated}")


def value_iteration(
    mdp: MDP, settings: Settings, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Controlled]:
    """An iteration is a sweep. At gamma 1 values without bound grow until the last checkpoint."""
    return told(_alternated(mdp, settings, _initial(mdp, settings, generator), 1), checkpoints)


def truncated_policy_iteration(
    mdp: MDP, settings: Settings, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Controlled]:
    """An iteration is `evaluation_sweeps` sweeps."""
    start = _initial(mdp, settings, generator)
    return told(_alternated(mdp, settings, start, settings.evaluation_sweeps), checkpoints)


def policy_iteration(
    mdp: MDP, settings: Settings, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Controlled]:
    """An iteration is a solution for the policy's values and the sweep that improves it: two sweeps.

    The first policy is greedy for the initial values, or evenly random where `initial_spread` is 0: at gamma 1 a policy
    must surely end its episodes, and the random one does wherever any does.

    Raises:
        ValueError: gamma is 1 and a policy on the way may never end an episode, so that it has no values.
    """
    if settings.initial_spread:
        policy = epsilon_soft(greedy(action_values(mdp, _initial(mdp, settings, generator))), settings.epsilon)
    else:
        policy = np.full((mdp.states, mdp.actions), 1 / mdp.actions)
    return told(_solved(mdp, settings, policy), checkpoints)


def closed_form(
    mdp: MDP, policy: Floats, settings: Settings, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Predicted]:
    """The linear system solved, which counts as one sweep; ValueError as of `evaluate_policy`."""
    return told(iter([Predicted(1, evaluate_policy(mdp, policy))]), checkpoints)


def iterative_policy_evaluation(
    mdp: MDP, policy: Floats, settings: Settings, generator: np.random.Generator, checkpoints: Sequence[int]
) -> Iterator[Predicted]:
    """Sweeps of evaluation, all states at once. At gamma 1 values without bound grow until the last checkpoint."""
    return told(_swept(mdp, policy, settings, _initial(mdp, settings, generator)), checkpoints)


def _initial(mdp: MDP, settings: Settings, generator: np.random.Generator) -> Floats:
    return settings.initial_spread * generator.standard_normal(mdp.states)  # no sweep reads those of terminal states


def _alternated(mdp: MDP, settings: Settings, values: Floats, sweeps: int) -> Iterator[Controlled]:
    spent, improvements, change = 0, 0, np.inf
    while change > settings.tolerance:
        previous, backed_up = values, action_values(mdp, values)
        policy = epsilon_soft(greedy(backed_up), settings.epsilon)
        values = epsilon_soft_backup(backed_up, settings.epsilon)
        for _ in range(sweeps - 1):
            values = (policy * action_values(mdp, values)).sum(1)
        spent, improvements, change = spent + sweeps, improvements + 1, np.abs(values - previous).max()
        yield Controlled(spent, improvements, backed_up, policy)


def _solved(mdp: MDP, settings: Settings, policy: Floats) -> Iterator[Controlled]:
    spent, improvements, changed = 0, 0, True
    while changed:
        previous, values = policy, evaluate_policy(mdp, policy)
        backed_up = action_values(mdp, values)
        # A policy changes only where that makes it better: at gamma 1 a tie may lead round in circles.
        better = epsilon_soft_backup(backed_up, settings.epsilon) > values + settings.tolerance
        policy = np.where(better[:, None], epsilon_soft(greedy(backed_up), settings.epsilon), previous)
        spent, improvements, changed = spent + 2, improvements + 1, not np.array_equal(policy, previous)
        yield Controlled(spent, improvements, backed_up, policy)


def _swept(mdp: MDP, policy: Floats, settings: Settings, values: Floats) -> Iterator[Predicted]:
    spent, change = 0, np.inf
    while change > settings.tolerance:
        previous, values = values, (policy * action_values(mdp, values)).sum(1)
        spent, change = spent + 1, np.abs(values - previous).max()
        yield Predicted(spent, values)


METHOD = TabularMethod(
    settings=Settings, spends="sweeps", control=(value_iteration, policy_iteration, truncated_policy_iteration),
    prediction=(closed_form, iterative_policy_evaluation),
)  # fmt: skip
