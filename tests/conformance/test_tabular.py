"""Every method of the family tabular, through its protocol: each algorithm that it offers, on small MDPs."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.plan.methods import all_methods
from implementations.tabular.parts.mdp import MDP, epsilon_soft_backup, evaluate_policy, solve
from implementations.tabular.parts.protocol import algorithm as named

ROOT = Path(__file__).parents[2]
METHODS = {name: method for name, method in all_methods(ROOT).items() if method.family == "tabular"}
LIMIT = {"sweeps": 400, "episodes": 40_000}
CHECKPOINTS = {"sweeps": [1, 2, 3, 7, 20], "episodes": [1, 2, 40, 41, 500, 3000]}
# Instead of what a method has as its own, where it has such a setting.
SMALL = {"episode_length": 60, "batch": 200, "episodes_per_pair": 10}
EXPLORING = {"epsilon_greedy": {"epsilon": 0.2}}  # settings that an algorithm cannot do without


def cases(kind: str) -> list[Any]:
    return [
        pytest.param((method.declaration(), algorithm), id=f"{name}-{algorithm.__name__}")
        for name, method in METHODS.items()
        for algorithm in getattr(method.declaration(), kind)
    ]


every_control = pytest.mark.parametrize("of", cases("control"))
every_prediction = pytest.mark.parametrize("of", cases("prediction"))
every_algorithm = pytest.mark.parametrize("of", [*cases("control"), *cases("prediction")])


def settings(method: Any, algorithm: Callable[..., Any]) -> Any:
    fields = {field.name for field in dataclasses.fields(method.settings)}
    chosen = {name: value for name, value in SMALL.items() if name in fields}
    return method.settings(algorithm=algorithm.__name__, **chosen, **EXPLORING.get(algorithm.__name__, {}))


def small_mdp(seed: int = 3) -> MDP:
    """Five states; the last is terminal, holds nonsense that nobody may read, and is 0.25 likely after any step."""
    draws = np.random.default_rng(seed)
    transition = 0.75 * draws.dirichlet(np.ones(5), (5, 3)) + 0.25 * np.eye(5)[4]
    reward = draws.normal(size=(5, 3, 5))
    transition[4], reward[4] = 99.0, 1e6
    return MDP(transition, reward, 0.9, np.arange(5) == 4, np.array([0.4, 0.3, 0.2, 0.1, 0.0]))


def soft_policy(seed: int = 4) -> Any:
    return np.random.default_rng(seed).dirichlet(np.ones(3), 5)


def told(of: Any, checkpoints: Any, seed: int = 0, mdp: MDP | None = None, policy: Any = None) -> list[Any]:
    module, algorithm = of
    given = [small_mdp() if mdp is None else mdp]
    if algorithm in module.prediction:
        given.append(soft_policy() if policy is None else policy)
    return list(algorithm(*given, settings(module, algorithm), np.random.default_rng(seed), checkpoints))


def arrays(iterate: Any) -> dict[str, Any]:
    """Every array that an iterate holds, by its field."""
    fields = {field.name: getattr(iterate, field.name) for field in dataclasses.fields(iterate)}
    return {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}


def equal(one: Any, other: Any) -> bool:
    left, right = arrays(one), arrays(other)
    return one.spent == other.spent and all(np.array_equal(left[name], right[name]) for name in left)


def limits(of: Any) -> list[int]:
    return [LIMIT[of[0].spends]]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_algorithms_have_names_of_their_own_and_are_found_by_them(method):
    module = method.declaration()
    offered = [*module.control, *module.prediction]
    assert len({one.__name__ for one in offered}) == len(offered) > 0
    assert all(named(offered, one.__name__) is one for one in offered)
    assert named(offered, "no such algorithm") is None
    assert named(offered, module.settings().algorithm) is not None
    assert module.spends in LIMIT


@every_control
def test_control_comes_near_the_optimum(of):
    mdp, epsilon = small_mdp(), settings(*of).epsilon
    best, of_actions = solve(mdp, epsilon)
    last = told(of, limits(of))[-1]
    if of[0].spends == "sweeps":
        assert np.abs(last.action_values - of_actions).max() < 1e-9  # they stop when nothing changes by 1e-12
        assert np.abs(evaluate_policy(mdp, last.policy) - best).max() < 1e-9
    else:
        # Some thousand returns a pair deviate by less than 2.5 each; MC Basic has 10 a pair, so that actions worse by
        # 1 are still told apart; acting evenly loses more.
        allowed = 1.0 if of[1].__name__ == "mc_basic" else 0.1
        lost = float((best - evaluate_policy(mdp, last.policy)) @ mdp.start)
        even = float((best - evaluate_policy(mdp, np.full((5, 3), 1 / 3))) @ mdp.start)
        assert -1e-12 <= lost < min(allowed, even)


@every_prediction
def test_prediction_comes_near_the_values_of_the_policy(of):
    mdp, policy = small_mdp(), soft_policy()
    true = evaluate_policy(mdp, policy)
    if of[0].spends == "sweeps":
        assert np.abs(told(of, limits(of))[-1].values - true).max() < 1e-9
        return
    estimates = np.array([told(of, [2000], seed)[-1].values for seed in range(20)])
    errors = estimates.std(0, ddof=1) / np.sqrt(20)
    # 5 standard errors, estimated from 20 runs themselves: Student's law leaves that 1 chance in 12,000 a state. The
    # biases of order 1 / 2000, and what is cut off after 60 steps, 0.9^60 0.75^60, are far below one standard error.
    assert (np.abs(estimates.mean(0) - true)[:4] < 5 * errors[:4]).all()
    assert errors.max() < 0.05


@every_algorithm
def test_iterates_are_told_at_checkpoints(of):
    """One for each that is reached, one where several are passed at once, a last one where the algorithm ends."""
    checkpoints = CHECKPOINTS[of[0].spends]
    iterates = told(of, checkpoints)
    spent = [iterate.spent for iterate in iterates]
    assert spent == sorted(set(spent))
    assert all(type(count) is int for count in spent)  # a numpy integer would not be written to a record
    passed = [sum(count >= checkpoint for checkpoint in checkpoints) for count in spent]
    ended = spent[-1] < checkpoints[-1]
    assert all(before < after for before, after in zip([0, *passed], passed[: len(passed) - ended], strict=False))
    assert ended or passed[-1] == len(checkpoints)


@every_algorithm
def test_iterates_have_the_shapes_of_the_mdp(of):
    for iterate in told(of, CHECKPOINTS[of[0].spends]):
        shape = (5, 3) if of[1] in of[0].control else (5,)
        for name, array in arrays(iterate).items():
            assert array.shape == shape, name
            assert array.dtype == (np.int64 if name == "visits" else np.float64), name
            assert np.isfinite(array).all(), name
        if of[1] in of[0].control:
            np.testing.assert_allclose(iterate.policy.sum(1), 1, rtol=0, atol=1e-12)
            assert (iterate.policy >= 0).all()
            assert (iterate.action_values[4] == 0).all()  # terminal
            assert type(iterate.improvements) is int
        else:
            assert iterate.values[4] == 0
        assert (iterate.visits is not None) == (of[0].spends == "episodes")


@every_control
def test_told_policies_are_of_the_asked_softness(of):
    epsilon = settings(*of).epsilon
    last = told(of, limits(of))[-1]
    seen = ~small_mdp().terminal if last.visits is None else last.visits.any(1)
    np.testing.assert_allclose(last.policy[seen].min(1), epsilon / 3, rtol=0, atol=1e-12)
    acted = (last.policy * last.action_values).sum(1)[seen]
    np.testing.assert_allclose(acted, epsilon_soft_backup(last.action_values, epsilon)[seen], rtol=0, atol=1e-9)


@every_algorithm
def test_the_generator_decides(of):
    checkpoints = CHECKPOINTS[of[0].spends]
    first, again, other = (told(of, checkpoints, seed) for seed in (7, 7, 8))
    assert len(first) == len(again)
    assert all(map(equal, first, again))
    if of[0].spends == "episodes":
        assert not equal(first[-1], other[-1])


@every_algorithm
def test_iterates_are_snapshots(of):
    """What has been told is not overwritten by what is computed next."""
    module, algorithm = of
    given = [small_mdp(), *([soft_policy()] if algorithm in module.prediction else [])]
    iterates = algorithm(*given, settings(module, algorithm), np.random.default_rng(1), CHECKPOINTS[module.spends])
    seen = [(iterate, {name: array.copy() for name, array in arrays(iterate).items()}) for iterate in iterates]
    for iterate, copies in seen:
        assert all(np.array_equal(array, copies[name]) for name, array in arrays(iterate).items())


@every_algorithm
def test_nothing_given_is_modified(of):
    mdp, policy = small_mdp(), soft_policy()
    for array in (mdp.transition, mdp.reward, mdp.terminal, mdp.start, policy):
        array.setflags(write=False)  # an edit in place raises
    checkpoints = CHECKPOINTS[of[0].spends]
    given = list(checkpoints)
    first = told(of, given, mdp=mdp, policy=policy)
    assert given == checkpoints
    for iterate in first:
        for array in arrays(iterate).values():
            array.setflags(write=True)
            array.fill(3)
    assert all(map(equal, told(of, checkpoints, mdp=mdp, policy=policy), told(of, checkpoints)))


def test_no_method_imports_torch():
    """A stage of this family starts in a second, and its environment may be without torch."""
    modules = [f"implementations.tabular.{name}" for name in METHODS]
    parts = sorted((ROOT / "implementations/tabular/parts").glob("[!_]*.py"))
    modules += [f"implementations.tabular.parts.{path.stem}" for path in parts]
    program = f"import sys, {', '.join(modules)}; print([name for name in ('torch', 'scipy') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
