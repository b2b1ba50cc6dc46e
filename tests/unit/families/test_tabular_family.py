"""What the evaluation of tabular methods makes of them: rows, errors, drawings."""

import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.families.tabular.evaluate import evaluate
from benchmarks.families.tabular.measuring.chosen import checkpoints, returned
from benchmarks.families.tabular.problems import Control, Estimation, Task
from benchmarks.families.tabular.tasks import TASKS
from benchmarks.files.errors import InputError
from benchmarks.record.evaluated import Board, Evaluated, Measured
from benchmarks.run.job import EvaluationJob, Trainer
from implementations.tabular.dynamic_programming import METHOD as dynamic_programming
from implementations.tabular.monte_carlo import METHOD as monte_carlo
from implementations.tabular.parts.gridworld import book_grid, cliff_walking
from implementations.tabular.parts.mdp import one_hot, solve
from implementations.tabular.parts.protocol import Controlled, TabularMethod

ROOT = Path(__file__).parents[3]
BY_NAME: dict[str, Task] = {task.name: task for task in TASKS}


def taken(method: Any, task: Task, samples: int, seed: int = 0, **settings: Any) -> Evaluated:
    chosen = method.settings(**settings)
    return evaluate(
        EvaluationJob(
            entry="it",
            method_name="it",
            method=method,
            settings=chosen,
            task=task,
            seed=seed,
            samples=samples,
            trainer=Trainer(method, chosen),
        )
    )


def values(found: Evaluated, name: str, **variant: Any) -> list[Any]:
    """Values of the rows of that name whose variant has these fields."""
    fitting = [row for row in found.rows if row.name == name and variant.items() <= row.variant.items()]
    return [row.value for row in fitting]


def one(found: Evaluated, name: str, **variant: Any) -> Any:
    (value,) = values(found, name, **variant)
    return value


def fixed(controlled: Controlled) -> Any:
    """A method whose only algorithm tells that iterate."""

    def given(mdp: Any, settings: Any, generator: Any, asked: Any) -> Any:
        return iter([controlled])

    return TabularMethod(spends="sweeps", control=(given,), prediction=(), settings=SimpleNamespace)


@pytest.mark.parametrize("task", [task for task in TASKS if isinstance(task, Control)], ids=lambda task: task.name)
def test_value_iteration_loses_nothing_on_any_control_task(task: Control) -> None:
    found = taken(dynamic_programming, task, 3000, initial_spread=1.0)
    for name in ("regret", "wrong_actions", "wrong_actions_unmasked"):
        assert set(values(found, name)) == {0}
    assert set(values(found, "return_share")) == {1.0}
    assert max(values(found, "value_error")) < 1e-9  # tolerance 1e-12 over 1 - gamma, and at gamma 1 exact


def test_a_policy_that_acts_evenly_has_share_0_and_its_regret_is_told() -> None:
    world = book_grid(-10.0)
    even = np.full((25, 5), 0.2)
    found = taken(fixed(Controlled(1, 1, np.zeros((25, 5)), even)), BY_NAME["grid_forbidden_10"], 1, **GIVEN)
    best = float(solve(world.mdp)[0] @ world.mdp.start)
    assert one(found, "return_share") == pytest.approx(0, abs=1e-12)
    assert one(found, "regret") == pytest.approx(best - returned(world.mdp, even), abs=1e-12)
    assert one(found, "value_error") == pytest.approx(10, abs=1e-9)  # the target's value, where 0 is estimated
    assert one(found, "sweeps_to_1_percent") == one(found, "improvements_to_optimal") == math.inf


GIVEN = {"algorithm": "given", "epsilon": 0.0}


def test_a_wrong_action_counts_only_where_it_is_no_near_tie() -> None:
    task = BY_NAME["blackjack"]
    assert isinstance(task, Control)
    place = task.places[0][1]()
    best = solve(place.mdp)[1]
    policy = one_hot(best.argmax(1), 2)
    close, clear = 3, 10 * (20 - 12)  # no usable ace: 12 against a 4, where 0.0025 decides, and 20 against an ace
    policy[[close, clear]] = policy[[close, clear], ::-1]
    found = taken(fixed(Controlled(1, 1, best, policy)), task, 1, **GIVEN)
    assert (one(found, "wrong_actions"), one(found, "wrong_actions_unmasked")) == (1, 2)
    assert one(found, "regret") > 0


def test_a_policy_that_never_ends_has_a_return_of_minus_infinity() -> None:
    world = cliff_walking()
    assert returned(world.mdp, one_hot(np.zeros(48, np.int64), 4)) == -math.inf  # up, and up against the wall


def test_an_algorithm_that_does_not_do_the_task_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match=r"task blackjack_one_hand: settings\.algorithm: found value_iteration; those"):
        taken(dynamic_programming, BY_NAME["blackjack_one_hand"], 1)
    with pytest.raises(InputError, match=r"those that do it: mc_basic, exploring_starts, epsilon_greedy"):
        taken(monte_carlo, BY_NAME["grid_forbidden_10"], 1, algorithm="first_visit")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("method", "algorithm"),
    [
        (method, one.__name__)
        for method in (dynamic_programming, monte_carlo)
        for one in (*method.control, *method.prediction)
    ],
)
def test_every_algorithm_on_every_task_gives_rows_or_one_sentence(method: Any, algorithm: str, task: Task) -> None:
    """Nothing but an InputError, whatever a profile pairs; small budgets, since only that is asked here."""
    settings: dict[str, Any] = {"algorithm": algorithm}
    if method is monte_carlo:
        settings |= {"episode_length": 20, "batch": 10}
        settings |= {"epsilon": 0.5} if algorithm == "epsilon_greedy" else {}
    else:
        settings |= {"initial_spread": 1.0}
    if "told" in {field.name for field in fields(task)}:
        task = replace(task, told=(10, 20))
    said, rows = "", []
    try:
        rows = taken(method, task, 30, **settings).rows
    except InputError as error:
        said = str(error)
    assert rows or (said.startswith(f"task {task.name}: ") and "\n" not in said)


def test_a_batch_that_passes_a_row_is_refused() -> None:
    task = replace(BY_NAME["blackjack"], told=(10,))
    with pytest.raises(InputError, match=r"settings\.batch: rows after 10 episodes are asked for"):
        taken(monte_carlo, task, 100, batch=30)


def test_more_steps_than_memory_holds_are_refused() -> None:
    with pytest.raises(InputError, match=r"1,000 episodes of 1,000,000 steps at once; at most"):
        taken(monte_carlo, BY_NAME["blackjack"], 100, episode_length=1_000_000)


def test_entries_of_one_seed_draw_apart() -> None:
    task = replace(BY_NAME["blackjack_one_hand"], told=(5,))
    bias = [
        one(taken(monte_carlo, task, 3, algorithm="ordinary_importance_sampling", episode_length=length), "bias")
        for length in (25, 30)  # no hand takes more than 21 steps, so that all else is equal
    ]
    assert bias[0] != bias[1]


def test_checkpoints_are_every_sweep_and_few_episodes() -> None:
    assert checkpoints(4, "sweeps") == [1, 2, 3, 4]
    assert checkpoints(1, "episodes") == [1]
    assert checkpoints(60, "episodes") == [1, 2, 5, 10, 20, 50, 60]
    assert checkpoints(1000, "episodes")[-3:] == [200, 500, 1000]


def test_the_bias_of_every_visit_is_that_of_theory_and_first_visit_has_none() -> None:
    task = BY_NAME["visit_loop"]
    for algorithm, bias in (("every_visit", 5.5 - 10), ("first_visit", 0.0)):
        # The deviation of an estimate is 9.5: at 1000 runs the bias of every_visit, 4.5, is 15 standard errors.
        found = taken(monte_carlo, task, 1000, algorithm=algorithm, episode_length=1000)
        (row,) = [row for row in found.rows if row.name == "bias" and row.variant["episodes"] == 1]
        assert row.interval is not None
        low, high = row.interval
        error = (high - low) / (2 * 1.96)
        assert abs(float(row.value) - bias) < 4 * error  # four standard errors, at a fixed seed
        spread = one(found, "standard_deviation", episodes=1)
        assert one(found, "mean_squared_error", episodes=1) == pytest.approx(row.value**2 + spread**2, rel=1e-9)


def test_estimation_runs_are_independent() -> None:
    task = replace(BY_NAME["visit_loop"], told=(1, 2))
    assert isinstance(task, Estimation)
    found = taken(monte_carlo, task, 50, algorithm="first_visit", episode_length=1000)
    assert one(found, "standard_deviation", episodes=1) > 1  # 9.5 in theory; 0 where all runs share their draws


def test_visits_of_an_episode_add_up() -> None:
    exploring = {"algorithm": "epsilon_greedy", "epsilon": 0.5, "episode_length": 5000}
    found = taken(monte_carlo, BY_NAME["grid_exploration"], 2, **exploring)
    boards = {drawing.name: drawing for drawing in found.drawings if isinstance(drawing, Board)}
    assert {name: np.sum(board.values) for name, board in boards.items()} == {"visits_1": 5000, "visits_0_5": 5000}
    assert one(found, "visits_least", epsilon=1.0) > one(found, "visits_least", epsilon=0.5)


def test_a_seed_repeats_and_another_does_not() -> None:
    task = replace(BY_NAME["blackjack_stick_on_20"], told=())

    def rows(seed: int) -> list[Measured]:
        return taken(monte_carlo, task, 500, seed, algorithm="first_visit").rows

    assert rows(3) == rows(3)
    assert rows(3) != rows(4)


def test_no_stage_of_the_family_imports_torch() -> None:
    families = ("tabular", "stochastic_approximation")
    code = "import sys, benchmarks.stages.evaluate\n"
    code += "".join(f"import benchmarks.families.{family}.evaluate\n" for family in families)
    code += "from benchmarks.plan.methods import all_methods\n"
    code += f"[m.declaration() for m in all_methods().values() if m.family in {families}]\n"
    code += "sys.exit('torch' in sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
