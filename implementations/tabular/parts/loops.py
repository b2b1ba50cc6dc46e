"""One state that leads to itself: two MDPs on which Monte Carlo estimates are known in closed form."""

import numpy as np

from implementations.tabular.parts.mdp import MDP


def left_loop() -> MDP:
    """Example 5.5 of Sutton and Barto (2018): ordinary importance sampling with infinite variance.

    Action 0, left, stays with probability 0.9 and reward 0, and ends with 0.1 and reward 1; action 1, right, ends with
    reward 0. Always left is worth 1, at gamma 1.
    """
    transition, reward = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    transition[0, 0] = 0.9, 0.1
    transition[0, 1, 1] = 1
    reward[0, 0, 1] = 1
    return MDP(transition, reward, 1.0, np.array([False, True]), np.array([1.0, 0.0]))


def visit_loop(value: float = 10.0) -> MDP:
    """One action with reward 1 that ends the episode with probability 1 / v, so that the state is worth v at gamma 1.

    First visits estimate v without bias. Every visit, pooled over n episodes, gives (n v + 1) / (n + 1) on average:
    (1 + v) / 2 of one episode, and v in the limit.

    Raises:
        ValueError: a value below 1, as an episode has a step or more.
    """
    if not value >= 1:
        raise ValueError(f"value must be 1 or more, not {value}")
    transition, reward = np.zeros((2, 1, 2)), np.ones((2, 1, 2))
    transition[0, 0] = 1 - 1 / value, 1 / value
    return MDP(transition, reward, 1.0, np.array([False, True]), np.array([1.0, 0.0]))
