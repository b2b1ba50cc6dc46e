"""Finite Markov decision processes: exact values, Bellman backups, epsilon-soft policies, roll-outs.

    q(s, a) = sum_s' P(s'|s, a) [ R(s, a, s') + gamma v(s') ],      v_pi(s) = sum_a pi(a|s) q_pi(s, a)

(Sutton and Barto 2018, equations 3.12 to 3.20; Zhao 2024, chapters 2 and 3). Arrays: S states, A actions; a policy is
(S, A), rows summing to 1; values are (S,), action values (S, A), all float64.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from implementations.common.errors import Unsupported

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDING = 1e-12  # sums of probabilities and differences of values up to here are rounding
MOST_SWEEPS = 1_000_000


@dataclass(frozen=True)
class MDP:
    """A finite MDP; a terminal state ends the episode, has value 0, and its rows of P and R are never read.

    Raises:
        ValueError: shapes that do not fit, rows of P or start that are no distributions, gamma outside [0, 1].
    """

    transition: Floats  # (S, A, S), P(s'|s, a)
    reward: Floats  # (S, A, S), R(s, a, s')
    gamma: float
    terminal: NDArray[np.bool_]  # (S,)
    start: Floats  # (S,), distribution of an episode's first state

    def __post_init__(self) -> None:
        states, actions = self.transition.shape[:2]
        if self.transition.shape != (states, actions, states) or self.reward.shape != self.transition.shape:
            raise ValueError(f"P {self.transition.shape} and R {self.reward.shape} must both be (S, A, S)")
        if self.terminal.shape != (states,) or self.start.shape != (states,):
            raise ValueError(f"terminal {self.terminal.shape} and start {self.start.shape} must be ({states},)")
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma must lie in [0, 1], not {self.gamma}")
        for name, rows in (("P", self.transition[~self.terminal]), ("start", self.start)):
            if (rows < 0).any() or np.abs(rows.sum(-1) - 1).max(initial=0) > ROUNDING:
                raise ValueError(f"a row of {name} is no distribution")

    @property
    def states(self) -> int:
        return len(self.transition)

    @property
    def actions(self) -> int:
        return int(self.transition.shape[1])

    @cached_property
    def expected_reward(self) -> Floats:
        """(S, A), 0 in terminal states."""
        mean: Floats = np.einsum("sat,sat->sa", self.transition, self.reward)
        mean[self.terminal] = 0
        return mean

    @cached_property
    def continuing(self) -> Floats:
        """(S, A, S), P without what leaves from or arrives at a terminal state."""
        kept = self.transition * ~self.terminal
        kept[self.terminal] = 0
        return kept

    @cached_property
    def successors(self) -> tuple[Ints, Floats]:
        """The states that (s, a) can lead to and the cumulative probabilities, both (S, A, K), K the most of them."""
        most = int((self.transition > 0).sum(-1).max())
        order = np.argsort(self.transition <= 0, axis=-1, kind="stable")[..., :most]  # possible ones first
        cumulative = np.take_along_axis(self.transition, order, -1).cumsum(-1)
        cumulative[cumulative > 1 - ROUNDING] = 1  # so that no draw below 1 falls beyond the last possible state
        return order, cumulative


def action_values(mdp: MDP, values: Floats) -> Floats:
    """Bellman's right side: (S,) values of successors to (S, A) action values; 0 in terminal states."""
    backed_up: Floats = mdp.expected_reward + mdp.gamma * (mdp.continuing @ values)
    return backed_up


def evaluate_policy(mdp: MDP, policy: Floats) -> Floats:
    """v_pi (S,), the linear system (I - gamma P_pi) v = r_pi solved; 0 in terminal states.

    Raises:
        ValueError: gamma is 1 and the policy may never reach a terminal state, so that there is no value.
    """
    matrix = np.eye(mdp.states) - mdp.gamma * np.einsum("sa,sat->st", policy, mdp.continuing)
    reward = (policy * mdp.expected_reward).sum(1)
    if mdp.gamma == 1 and not _surely_ends(mdp, policy):
        raise Unsupported("the policy may never end an episode, and gamma is 1: its values do not exist")
    values: Floats = np.linalg.solve(matrix, reward)
    return values


def _surely_ends(mdp: MDP, policy: Floats) -> bool:
    """Whether every state can reach a terminal one under the policy; in a finite MDP the end is then sure."""
    leads = np.einsum("sa,sat->st", policy, mdp.transition) > 0
    reaching = mdp.terminal.copy()
    while (grown := reaching | (leads & reaching).any(1)).sum() > reaching.sum():
        reaching = grown
    return bool(reaching.all())


def greedy(action_values: Floats) -> Floats:
    """(S, A) policy that takes the first of the best actions; values within rounding of each other are ties."""
    best = action_values >= action_values.max(1, keepdims=True) - 1e-9
    return one_hot(best.argmax(1), action_values.shape[1])


def one_hot(actions: Ints, count: int) -> Floats:
    """(S,) actions to the (S, count) policy that takes them."""
    policy: Floats = np.eye(count)[actions]
    return policy


def epsilon_soft(policy: Floats, epsilon: float) -> Floats:
    """With probability epsilon an action drawn evenly from all A, otherwise the policy's own (S, A)."""
    soft: Floats = (1 - epsilon) * policy + epsilon / policy.shape[1]
    return soft


def epsilon_soft_backup(action_values: Floats, epsilon: float) -> Floats:
    """(S,) values of the best policy of the epsilon-soft class: (1 - eps) max_a q + eps mean_a q; eps 0 is max."""
    best: Floats = (1 - epsilon) * action_values.max(1) + epsilon * action_values.mean(1)
    return best


def solve(mdp: MDP, epsilon: float = 0.0) -> tuple[Floats, Floats]:
    """Optimal values (S,) and action values (S, A), within the class of epsilon-soft policies.

    Value iteration until nothing changes by more than rounding; below gamma 1 the policy found is then solved for.

    Raises:
        ValueError: the values grow without end, as they may at gamma 1.
    """
    values = np.zeros(mdp.states)
    for _ in range(MOST_SWEEPS):
        previous, values = values, epsilon_soft_backup(action_values(mdp, values), epsilon)
        if np.abs(values - previous).max() <= 1e-14 * max(1.0, np.abs(values).max()):
            break
    else:
        raise Unsupported(f"values still change after {MOST_SWEEPS:,} sweeps; at gamma 1 they may not exist")
    if mdp.gamma < 1:
        values = evaluate_policy(mdp, epsilon_soft(greedy(action_values(mdp, values)), epsilon))
    return values, action_values(mdp, values)


@dataclass(frozen=True)
class Episodes:
    """n episodes of at most T steps; what comes after an episode's end is state -1, action 0, reward 0."""

    states: Ints  # (n, T)
    actions: Ints  # (n, T)
    rewards: Floats  # (n, T), rewards[:, t] follows actions[:, t]
    lengths: Ints  # (n,), steps taken
    ended: NDArray[np.bool_]  # (n,), in a terminal state; False: cut off after T steps


def roll_out(
    mdp: MDP, policy: Floats, states: Ints, length: int, generator: np.random.Generator, actions: Ints | None = None
) -> Episodes:
    """Episodes from the given first states (n,), all at once; first actions (n,) are drawn unless given."""
    count = len(states)
    to, cumulative = mdp.successors
    chances = policy.cumsum(1)
    chances[chances > 1 - ROUNDING] = 1
    seen, taken = np.full((count, length), -1), np.zeros((count, length), np.int64)
    rewards, lengths = np.zeros((count, length)), np.zeros(count, np.int64)
    current, running = states.copy(), np.flatnonzero(~mdp.terminal[states])
    for step in range(length):
        if not len(running):
            break
        here = current[running]
        action = (generator.random((len(here), 1)) >= chances[here]).sum(1)
        if step == 0 and actions is not None:
            action = actions[running]
        place = (generator.random((len(here), 1)) >= cumulative[here, action]).sum(1)
        there = to[here, action, place]
        seen[running, step], taken[running, step] = here, action
        rewards[running, step] = mdp.reward[here, action, there]
        lengths[running] += 1
        current[running] = there
        running = running[~mdp.terminal[there]]
    width = max(1, int(lengths.max(initial=0)))
    return Episodes(seen[:, :width], taken[:, :width], rewards[:, :width], lengths, mdp.terminal[current])


def walk(
    mdp: MDP, policy: Floats, state: int, length: int, generator: np.random.Generator, action: int | None = None
) -> Episodes:
    """One episode (1, T) of up to `length` steps, a step at a time: for a single long path faster than `roll_out`.

    The first action is drawn unless given.
    """
    to, cumulative = mdp.successors
    width = to.shape[-1]
    # One draw picks action and successor: the joint probabilities of a state, action by action.
    chances = np.diff(cumulative, prepend=0.0, axis=-1)
    joint = (policy[:, :, None] * chances).reshape(mdp.states, -1).cumsum(1)
    joint[joint > 1 - ROUNDING] = 1
    tables, targets, ends = joint.tolist(), to.reshape(mdp.states, -1).tolist(), mdp.terminal.tolist()
    states, pairs, reached = [], [], []
    draws = generator.random(length).tolist()
    if action is not None and length and not ends[state]:
        pair = action * width + int((generator.random() >= cumulative[state, action]).sum())
        states.append(state)
        pairs.append(pair)
        state = targets[state][pair]
        reached.append(state)
    for draw in draws[len(states) :]:
        if ends[state]:
            break
        pair = bisect_right(tables[state], draw)
        states.append(state)
        pairs.append(pair)
        state = targets[state][pair]
        reached.append(state)
    seen, there = np.array(states, np.int64), np.array(reached, np.int64)
    taken = np.array(pairs, np.int64) // width
    rewards = mdp.reward[seen, taken, there]
    return Episodes(seen[None], taken[None], rewards[None], np.array([len(seen)]), np.array([ends[state]]))
