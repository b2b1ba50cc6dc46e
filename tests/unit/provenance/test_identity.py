"""Which entries an edit marks: those whose numbers it can change, and of these only what it can change."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plan.params import Params
from benchmarks.provenance import identity
from benchmarks.provenance.identity import Identities
from tests.unit.conftest import Copy
from tests.unit.plan.tiny import CONTAINER, PREFERENCES, REFLOWS, STEPS, TAKING, composed

MLP = {"seeds": [0], "settings": {"network": "mlp"}, **STEPS, "samples": 10}
FLOW = {"seeds": [0], "task": "mixture", **STEPS, "samples": 10}
ONE_HAND = {"method": "monte_carlo", "task": "blackjack_one_hand", "seeds": [0], "samples": 2}
ENTRIES: dict[str, dict[str, Any]] = {
    **TAKING,
    **REFLOWS,
    **PREFERENCES,
    "edm": {**MLP, "method": "edm", "task": "digits"},
    "score_sde": {**MLP, "method": "score_sde", "task": "digits"},
    "flow_matching": {**MLP, "method": "flow_matching", "task": "digits"},
    "cnf": {**FLOW, "method": "cnf"},
    "nice": {**FLOW, "method": "nice"},
    "planar": {**FLOW, "method": "planar", "task": "energy_1"},
    "container": CONTAINER,
    "ordinary_one_hand": {**ONE_HAND, "settings": {"algorithm": "ordinary_importance_sampling"}},
    "weighted_one_hand": {**ONE_HAND, "settings": {"algorithm": "weighted_importance_sampling"}},
    "blackjack": {**ONE_HAND, "task": "blackjack_stick_on_20", "settings": {"algorithm": "first_visit"}},
}
REFLOWED = {"first", "second", "third"}
FROM_PAIRS = {"second", "third", "scorer", "learner", "student", "rollouts"}  # or from a model that did
IN_TRAINING = {"cnf", "second", "third"}  # which solve an ODE in training, or learn from pairs made so
ODE = {"cnf", "flow_matching", "score_sde", *REFLOWED}

Hashes = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def params(copied_code: Copy) -> Iterator[Params]:
    yield composed(copied_code.root, ENTRIES)
    copied_code.restore()


@pytest.fixture(scope="module")
def before(copied_code: Copy, params: Params) -> Hashes:
    return hashes(copied_code.root, params)


def hashes(root: Path, params: Params) -> Hashes:
    """Of training, where there is any, and of evaluation, by entry."""
    today = Identities(root)
    return {
        entry: ("" if one.steps is None else today.training(params, entry), today.evaluation(params, entry))
        for entry, one in params.entries.items()
    }


def marked(before: Hashes, after: Hashes) -> tuple[set[str], set[str]]:
    """Entries to train anew, and entries to evaluate anew."""
    trained, evaluated = ({name for name in before if before[name][i] != after[name][i]} for i in (0, 1))
    return trained, evaluated


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, 1))


D, P, COMMON = "implementations/diffusion", "implementations/preferences", "implementations/common"
# The file, the old text, the new one, what is trained anew, what is evaluated anew.
EDITS: dict[str, tuple[str, str, str, set[str], set[str]]] = {
    "sampler": (
        f"{D}/ddpm.py", "return samplers.ancestral(limited", "return -samplers.ancestral(limited",
        set(), {"trained", "taking"},
    ),
    "sampler of what takes models": (f"{D}/ddim.py", "_with_noise(0.2,", "_with_noise(0.3,", set(), {"taking"}),
    "loss": (
        f"{D}/ddpm.py", "torch.randint(1, settings.levels + 1", "torch.randint(2, settings.levels + 1",
        {"trained"}, {"trained", "taking"},
    ),
    "loss of what others start from": (
        f"{P}/sft.py", "return -(log_probs * mask).sum() / mask.sum()", "return -(log_probs * mask).sum()",
        set(PREFERENCES) - {"best"}, set(PREFERENCES),
    ),
    "loss of what others learn from": (
        f"{P}/grpo.py", "    return", "    settings = settings\n    return", {"teacher", "student"},
        {"teacher", "student"},
    ),
    "recipe": (
        f"{COMMON}/recipes.py", "WARMED_ADAM = Recipe(adam, linear_warmup)", "WARMED_ADAM = Recipe(adam)",
        {"trained", "edm", "score_sde", *REFLOWED}, {"trained", "taking", "edm", "score_sde", *REFLOWED},
    ),
    "recipe of one method": (
        "implementations/flows/nice.py", "RECIPE = ", "RECIPE = None or ", {"nice"}, {"nice"},
    ),
    "constant of a part": (f"{D}/parts/augmentations.py", "STRETCH = 0.2", "STRETCH = 0.3", {"edm"}, {"edm"}),
    "constant two imports away": (f"{COMMON}/ode.py", "MOST_STEPS = 10_000", "MOST_STEPS = 9_999", IN_TRAINING, ODE),
    "start state of a task": (
        "benchmarks/families/tabular/tasks.py", "game.state(13, True, 2)", "game.state(14, True, 2)",
        set(), {"ordinary_one_hand", "weighted_one_hand"},
    ),
    "seed of pairs": (
        "benchmarks/run/seeds.py", "return derive(seed, entry) if", "return derive(seed, entry + entry) if",
        FROM_PAIRS, FROM_PAIRS | {"best"},
    ),
    "training driver of a family": (
        "benchmarks/families/flows/learning.py", "total = 0.0", "total = 1.0",
        {"cnf", "nice", "planar"}, {"cnf", "nice", "planar"},
    ),
    "evaluation driver of a family": (
        "benchmarks/families/flows/measuring/trained.py", "SEED = 0", "SEED = 1", set(), {"cnf", "nice", "planar"},
    ),
    "comment": (f"{D}/parts/augmentations.py", "# deviation", "# the deviation", set(), set()),
    "docstring": (f"{D}/ddpm.py", "L_simple, the mean", "The mean", set(), set()),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_marks(code: Path, params: Params, before: Hashes, case: str) -> None:
    file, old, new, trained, evaluated = EDITS[case]
    edit(code, file, old, new)
    assert marked(before, hashes(code, params)) == (trained, evaluated)


def test_a_new_task_marks_nothing(code: Path, params: Params, before: Hashes, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(
        code, "benchmarks/families/tabular/tasks.py", "TASKS = (\n",
        'TASKS = (\n    Control("new", places=(({}, partial(_zhao, -2.0)),)),\n',
    )  # fmt: skip
    known = identity.family

    def with_a_new_task(name: str) -> Any:
        found = known(name)
        return replace(found, tasks=(replace(found.tasks[0], name="new"), *found.tasks)) if name == "tabular" else found

    monkeypatch.setattr(identity, "family", with_a_new_task)
    assert hashes(code, params) == before


def test_a_moved_and_renamed_helper_file_marks_nothing(code: Path, params: Params, before: Hashes) -> None:
    (code / f"{D}/parts/augmentations.py").rename(code / f"{D}/parts/changes.py")
    for path in (code / "implementations").rglob("*.py"):
        path.write_text(path.read_text().replace("diffusion.parts.augmentations", "diffusion.parts.changes"))
    assert hashes(code, params) == before


def test_what_is_hashed_is_the_same_wherever_the_code_stands(before: Hashes, params: Params) -> None:
    assert hashes(Path(__file__).parents[3], params) == before
