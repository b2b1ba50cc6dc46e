"""What is measured of policies and reward models: which rows, what they state, and numbers whose answer is known."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from benchmarks.plan import profiles
from benchmarks.record.measurement import Measurement

pytest.importorskip("tokenizers")
pytest.importorskip("vaderSentiment")

from benchmarks.families.preferences import evaluate as family
from benchmarks.families.preferences import experience
from benchmarks.families.preferences.evaluate import _label
from benchmarks.families.preferences.measuring import assessed, continuations
from benchmarks.families.preferences.measuring.answers import vote
from benchmarks.families.preferences.models import decoded
from benchmarks.families.preferences.worlds import Prompt
from benchmarks.files.errors import InputError
from benchmarks.plan.methods import all_methods, find_method
from benchmarks.record.evaluated import Evaluated, Measured
from benchmarks.record.records import metric_of
from benchmarks.run.job import EvaluationJob, Trainer
from implementations.preferences.best_of_n import METHOD as best_of_n
from implementations.preferences.best_of_n import kl_bound
from implementations.preferences.parts.generation import generate
from implementations.preferences.reward_model import METHOD as reward_model
from implementations.preferences.sft import METHOD as sft
from tests.unit.families.jobs import FLAGS, HERE, in_memory
from tests.unit.families.preference_worlds import (
    CASES,
    COUNT,
    REVIEWS,
    SUMS,
    corpus,
    origin,
    settings_of,
    started,
    trained,
    world_of,
)

SAMPLES = 10
TEMPERATURES = list(REVIEWS.temperatures)
BEST = best_of_n.settings(most=4)
NAMES = {found.declaration(): name for name, found in all_methods().items() if found.family == "preferences"}


@pytest.fixture(autouse=True)
def few_validation_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "VALIDATION_PROMPTS", 16)


def evaluate(
    method: Any,
    settings: Any,
    task: Any,
    weights: Any,
    trainer: Trainer | None = None,
    start: Any = None,
    curve: Any = (),
    seed: int = 0,
    samples: int = SAMPLES,
) -> Evaluated:
    job = EvaluationJob(
        entry="it",
        method_name=NAMES.get(method, ""),
        method=method,
        settings=settings,
        task=task,
        seed=seed,
        arithmetic=FLAGS,
        files={} if start is None else {"start": HERE},
        samples=samples,
        trainer=trainer or Trainer(method, settings),
        curve=curve,
    )
    with in_memory(corpus=corpus, model=weights, start=start):
        return family.evaluate(job)


def of(name: str, seed: int = 0, samples: int = SAMPLES) -> Evaluated:
    """The evaluation of a case after a few steps."""
    case, learnt = CASES[name], learnt_of(name)
    start = None if case.afresh else started(case.task).weights
    given = {"start": start, "curve": learnt.fitted.curve, "seed": seed, "samples": samples}
    return evaluate(case.method, case.settings, case.task, learnt.weights, **given)


@cache
def learnt_of(name: str) -> Any:
    """Trained for so few steps that the last weights must be kept, whatever validation says of them."""
    return CASES[name].run(steps=4, validate_every=4)


@cache
def measured(name: str) -> Evaluated:
    return of(name)


@cache
def best(seed: int = 0, temperature: float = 1.0) -> Evaluated:
    """Best of n of the model that everything starts from."""
    settings = best_of_n.settings(most=4, temperature=temperature)
    trainer = Trainer(sft, settings_of(sft))
    return evaluate(best_of_n, settings, REVIEWS, started(REVIEWS).weights, trainer, seed=seed)


def rows(written: Evaluated, name: str, **variant: Any) -> list[Measured]:
    return [row for row in written.rows if row.name == name and variant.items() <= row.variant.items()]


def value(written: Evaluated, name: str, **variant: Any) -> float:
    (row,) = rows(written, name, **variant)
    return row.value


def fingerprint(row: Measured) -> str:
    return Measurement.model_validate(row.measurement).fingerprint()


# What there is


HIGHER = {"reward", "win_rate", "win_rate_against_start", "accuracy", "format", "entropy", "response_length"}
UNITS = {
    "parameters": "parameters",
    "negative_log_likelihood": "nats/token",
    "reward": "compound",
    "kl": "nats",
    "entropy": "nats/token",
    "response_length": "tokens",
}  # all others are shares
POLICY = {"parameters", "kl", "entropy", "response_length"}
REVIEW = POLICY | {"negative_log_likelihood", "reward", "win_rate", "win_rate_ties", "win_rate_lost"}
AGAINST = {"win_rate_against_start", "win_rate_against_start_ties"}
SUM = POLICY | {"accuracy", "format", "parse_failures"}


@pytest.mark.parametrize("name", CASES)
def test_every_entry_has_the_rows_of_its_task(name: str) -> None:
    case, found = CASES[name], {row.name for row in measured(name).rows}
    if case.method is reward_model:
        assert found == {"parameters", "pair_accuracy", "pair_ties"}
    elif case.task is SUMS:
        assert found == SUM
    else:
        assert found == REVIEW | (set() if case.afresh else AGAINST)
        assert [row.variant["temperature"] for row in rows(measured(name), "win_rate")] == TEMPERATURES


@pytest.mark.parametrize("name", [*CASES, "best_of_n"])
def test_rows_are_whole_records_and_each_there_once(name: str) -> None:
    """As the stage makes them: finite, told apart by name and variant, with a protocol that the record knows."""
    written = best() if name == "best_of_n" else measured(name)
    for row in written.rows:
        kept = metric_of(row)
        assert abs(kept.value) < 1e6
        assert row.unit == UNITS.get(row.name, "share")
        assert row.direction == ("higher" if row.name in HIGHER | {"pair_accuracy"} else "lower")
        if row.unit == "share" and row.name != "win_rate_lost":
            assert 0 <= row.value <= 1
        json.dumps(row.variant, allow_nan=False)
    named = [(row.name, json.dumps(row.variant, sort_keys=True)) for row in written.rows]
    assert len(set(named)) == len(named)


def test_rows_are_told_apart_by_what_papers_compare_along() -> None:
    for name, reward in (("ppo_reviews", "learned"), ("ppo_reviews_true", "true")):
        told = {"network": "gpt_nano", "beta": 0.1, "reward": reward, "temperature": 1.0}
        assert rows(measured(name), "reward")[0].variant == told
    told = {"network": "gpt_nano", "beta": 0.1, "objective": "sigmoid", "temperature": 1.0}
    assert rows(measured("dpo_reviews"), "reward")[0].variant == told
    learned = {name: rows(measured(name), "kl")[0].variant["learned"] for name in CASES if name.startswith("sft")}
    assert learned == {
        "sft_reviews": "texts",
        "sft_sums": "texts",
        "sft_reviews_preferred": "preferred responses",
        "sft_sums_rewarded": "rewarded responses",
    }
    told = {"network": "gpt_nano", "learned": "texts", "decoding": "single"}
    assert rows(measured("sft_sums"), "accuracy")[0].variant == told


REVIEWERS = [name for name, case in CASES.items() if case.task is REVIEWS and case.method is not reward_model]
STARTED = [name for name in REVIEWERS if not CASES[name].afresh]
CALCULATORS = [name for name, case in CASES.items() if case.task is SUMS]


@pytest.mark.parametrize(
    ("names", "metrics"),
    [
        (REVIEWERS, ("reward", "kl", "win_rate", "win_rate_lost", "response_length", "negative_log_likelihood")),
        (STARTED, ("win_rate_against_start", "win_rate_against_start_ties")),
        (CALCULATORS, ("accuracy", "format", "parse_failures", "kl", "response_length")),
    ],
    ids=["reviews", "started", "sums"],
)
def test_what_claims_compare_is_measured_alike(names: list[str], metrics: tuple[str, ...]) -> None:
    for of_them in metrics:
        protocols = [
            [(row.variant.get("decoding"), row.variant.get("temperature"), row.n, fingerprint(row)) for row in found]
            for found in (rows(measured(name), of_them) for name in names)
        ]
        assert protocols[0]
        assert all(each == protocols[0] for each in protocols)


def test_best_of_n_is_judged_as_policies_are() -> None:
    for name in ("reward", "win_rate"):
        (one,) = rows(measured("dpo_reviews"), name, temperature=1.0)
        assert {fingerprint(row) for row in rows(best(), name)} == {fingerprint(one)}
    # Its KL is a bound and no measurement, and says so.
    assert fingerprint(rows(best(), "kl")[0]) != fingerprint(rows(measured("dpo_reviews"), "kl")[0])


# What must come out


@pytest.mark.parametrize("name", CASES)
def test_a_policy_is_at_its_start_until_it_has_learned(name: str) -> None:
    if CASES[name].method is reward_model:
        return
    kl = value(measured(name), "kl")
    assert (kl == 0) if CASES[name].afresh else (kl > 1e-4)


def unmoved(task: Any, seed: int = 0) -> Evaluated:
    """A policy that starts from a model and has its weights."""
    settings, weights = settings_of(sft, pairs=COUNT), started(task).weights
    return evaluate(sft, settings, task, weights, start=weights, seed=seed)


@pytest.mark.parametrize("task", [REVIEWS, SUMS], ids=["reviews", "sums"])
def test_the_kl_of_equal_weights_is_zero(task: Any) -> None:
    assert value(unmoved(task), "kl") == 0


def test_against_itself_a_policy_ties_where_both_say_the_same() -> None:
    written = unmoved(REVIEWS)
    assert value(written, "win_rate_against_start", temperature=0.0) == 0.5
    assert value(written, "win_rate_against_start_ties", temperature=0.0) == 1.0
    # At temperature 1 both draw with other numbers: each its own responses.
    assert value(written, "win_rate_against_start_ties", temperature=1.0) < 1.0


def test_the_win_rate_lost_is_that_between_the_outer_temperatures() -> None:
    for name in ("sft_reviews", "dpo_reviews", "ppo_reviews"):
        first, last = (value(measured(name), "win_rate", temperature=at) for at in (TEMPERATURES[0], TEMPERATURES[-1]))
        assert value(measured(name), "win_rate_lost") == first - last


def test_a_policy_that_says_the_texts_own_continuations_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    here = world_of(REVIEWS)
    truth = [prompt.truth for prompt in here.prompts("test", SAMPLES)]
    monkeypatch.setattr(continuations, "responses", lambda drawn: truth)
    written = of("sft_reviews")
    assert {row.value for row in rows(written, "win_rate")} == {0.5}
    assert {row.value for row in rows(written, "win_rate_ties")} == {1.0}
    monkeypatch.undo()
    whole = here.rewards(here.prompts("test", SAMPLES), truth)
    assert value(written, "reward") == pytest.approx(sum(whole) / SAMPLES, rel=1e-12)


def test_reward_rises_with_n_and_kl_is_the_bound() -> None:
    written = best()
    counts = [row.variant["n"] for row in rows(written, "reward")]
    assert counts == [1, 2, 4]
    assert [row.value for row in rows(written, "kl")] == [kl_bound(n) for n in counts]
    for name in ("reward", "win_rate"):
        found = [row.value for row in rows(written, name)]
        assert found == sorted(found)
    assert value(written, "reward", n=4) > value(written, "reward", n=1)
    assert rows(written, "reward")[0].variant["learned"] == "texts"


def test_the_vote() -> None:
    assert vote(["1", "2", "2", None, "1", "2"]) == "2"
    assert vote(["3", None, None, None]) == "3"  # what is no answer has no vote
    assert vote(["2", "1", "1", "2"]) == "2"  # of ties the first given
    assert vote([None, "1", "2", "2", "1"]) == "1"
    assert vote([None, None]) is None
    assert vote([]) is None


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.task is SUMS])
def test_shares_of_answers_agree_with_each_other(name: str) -> None:
    written, draws = measured(name), SUMS.answers
    single, majority, once = (
        value(written, "accuracy", decoding=told) for told in ("single", f"majority of {draws}", f"any of {draws}")
    )
    assert single <= once
    assert majority <= once
    read = 1 - value(written, "parse_failures")  # what is in the format can be read, and so can what is right
    assert value(written, "format") <= read + 1e-9  # sums of floats
    assert single <= read + 1e-9
    assert {row.n for row in rows(written, "accuracy")} == {SAMPLES, SAMPLES * draws}
    assert value(written, "response_length") <= SUMS.most


@pytest.mark.parametrize(("sign", "accuracy"), [(1.0, 1.0), (-1.0, 0.0), (0.0, 0.0)])
def test_a_reward_model_is_right_as_often_as_it_agrees_with_the_true_reward(sign: float, accuracy: float) -> None:
    """One that says the true reward always, its opposite never; and a tie is no answer."""
    here = world_of(REVIEWS)

    def scores(model: Any, sequences: Any) -> torch.Tensor:
        said = decoded(sequences)
        asked = [Prompt(row[:length], None) for row, length in zip(*_prompts(sequences), strict=True)]
        return sign * torch.tensor(here.rewards(asked, said))

    method = replace(reward_model, scores=scores)
    case = CASES["reward_model_reviews"]
    start = started(REVIEWS).weights
    weights = learnt_of("reward_model_reviews").weights
    written = evaluate(method, case.settings, REVIEWS, weights, start=start)
    assert value(written, "pair_accuracy") == accuracy
    (right,), (ties,) = rows(written, "pair_accuracy"), rows(written, "pair_ties")
    assert ties.n == SAMPLES * 6  # every two of four responses
    assert right.n == ties.n - round(ties.value * ties.n)
    assert ties.value == value(measured("reward_model_reviews"), "pair_ties")


def _prompts(sequences: Any) -> tuple[list[list[int]], list[int]]:
    return sequences.tokens.tolist(), sequences.prompt.tolist()


def test_likelihood_and_size_are_those_of_the_whole() -> None:
    sizes = {name: value(measured(name), "parameters") for name in CASES if CASES[name].task is REVIEWS}
    head = started(REVIEWS).model.width + 1
    assert sizes["dpo_reviews"] == sizes["sft_reviews"]
    assert sizes["ppo_reviews"] == sizes["reward_model_reviews"] == sizes["sft_reviews"] + head
    (row,) = rows(measured("sft_reviews"), "negative_log_likelihood")
    assert row.n == sum(len(response) for _, response in world_of(REVIEWS).documents("test"))
    assert row.value == pytest.approx(learnt_of("sft_reviews").fitted.curve[-1]["valid"], abs=0.5)  # other texts


# Draws


@pytest.mark.parametrize("name", ["sft_reviews", "sft_sums", "dpo_reviews", "reward_model_reviews", "grpo_sums"])
def test_draws_hang_on_the_seed_alone(name: str) -> None:
    first, again, other = measured(name), of(name), of(name, seed=1)
    assert again == first
    assert [row.name for row in other.rows] == [row.name for row in first.rows]
    assert [row.value for row in other.rows] != [row.value for row in first.rows]
    for one, two in zip(first.rows, other.rows, strict=True):
        if one.variant.get("temperature") == 0.0 or one.variant.get("decoding") == "greedy":
            assert one.value == two.value


@pytest.mark.parametrize("name", ["dpo_reviews", "grpo_sums"])
def test_no_two_batches_are_drawn_with_the_same_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def spied(*told: Any) -> Any:
        seeds.append(told[-1].initial_seed())
        return generate(*told)

    monkeypatch.setattr(assessed, "BATCH", 4)
    monkeypatch.setattr(assessed, "generate", spied)
    of(name)
    assert len(seeds) == len(set(seeds)) > SAMPLES


def test_best_of_n_draws_by_seed_too() -> None:
    assert best.__wrapped__() == best()
    assert [row.value for row in rows(best(seed=1), "reward")] != [row.value for row in rows(best(), "reward")]


# What the report is given


@pytest.mark.parametrize("name", [*CASES, "best_of_n"])
def test_texts_stand_side_by_side(name: str) -> None:
    written = best() if name == "best_of_n" else measured(name)
    for shown in written.passages:
        assert len(shown.prompts) == len(shown.texts) > 0
        assert all(isinstance(text, str) for text in (*shown.prompts, *shown.texts))
    kept = [(shown.name, shown.label) for shown in written.passages]
    assert len(set(kept)) == len(kept)
    if name in ("best_of_n", "reward_model_reviews"):
        assert kept == []
        return
    same_task = [other for other in CASES if CASES[other].task is CASES[name].task and measured(other).passages]
    asked = {tuple(measured(other).passages[0].prompts) for other in same_task}
    assert len(asked) == 1  # one table, a column each
    labels = [measured(other).passages[0].label for other in same_task]
    assert len(set(labels)) == len(labels)


def test_only_what_started_afresh_shows_the_texts_themselves() -> None:
    (learnt,) = measured("dpo_reviews").passages
    shown = {each.label: each for each in measured("sft_reviews").passages}
    own, afresh = shown["the text itself"], shown["sft, gpt_nano"]
    assert len(shown) == 2
    assert own.prompts == afresh.prompts == learnt.prompts
    here = world_of(REVIEWS)
    assert own.texts == [here.vocabulary.decode(prompt.truth) for prompt in here.prompts("test", len(own.texts))]
    assert learnt.label == "dpo, gpt_nano, beta 0.1"


def test_a_column_is_one_entrys() -> None:
    """Two entries of a task with the same heading could not be told apart; profiles have them."""
    for name in profiles.names():
        labels: dict[str, list[str]] = {}
        for entry in profiles.read(name).entries.values():
            method = find_method(entry.method)
            if method.family == "preferences" and method.trains():
                settings = profiles.typed_settings(method, entry.settings, "")
                labels.setdefault(entry.task, []).append(_label(method.name, settings))
        assert all(len(set(of_task)) == len(of_task) for of_task in labels.values()), labels


def test_what_was_noted_along_training_is_drawn() -> None:
    assert {drawing.name for drawing in measured("dpo_reviews").drawings} == {"log_probs_along_training"}
    assert len(measured("grpo_sums").drawings) == 5
    assert measured("sft_sums").drawings == []


# What is refused


def test_what_cannot_be_measured_is_refused() -> None:
    base = started(SUMS).weights
    with pytest.raises(InputError, match=r"^best_of_n: not measured on task sums; give it one of reviews$"):
        evaluate(best_of_n, BEST, SUMS, base, Trainer(sft, settings_of(sft)))
    scorer = settings_of(reward_model, pairs=COUNT)
    weights = trained(reward_model, scorer, SUMS, origin(SUMS), steps=1).weights
    with pytest.raises(
        InputError, match=r"^reward_model, gpt_nano: not measured on task sums; give it one of reviews$"
    ):
        evaluate(reward_model, scorer, SUMS, weights, start=base)


def test_more_samples_than_prompts_go_round() -> None:
    few = of("sft_sums", samples=SUMS.test + 3)
    assert {row.n for row in rows(few, "accuracy")} == {SUMS.test + 3, (SUMS.test + 3) * SUMS.answers}
