"""The family of preferences: what tasks hold, what entries make for one another, and what training promises."""

import math
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("tokenizers")
pytest.importorskip("vaderSentiment")

from benchmarks.families.preferences import experience, pairs
from benchmarks.families.preferences.measuring.curves import drawings
from benchmarks.families.preferences.pairs import Completions
from benchmarks.families.preferences.worlds import Prompt, world
from benchmarks.files.errors import InputError
from benchmarks.run.job import Trainer
from implementations.common.fit import Interrupted
from implementations.preferences.dpo import METHOD as dpo
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.rewards import Sentiment
from implementations.preferences.parts.sequences import padded
from implementations.preferences.ppo import METHOD as ppo
from implementations.preferences.sft import METHOD as sft
from tests.checkpoints import Killed, MemoryCheckpoint
from tests.unit.families.jobs import Origin, in_memory
from tests.unit.families.preference_worlds import (
    CASES,
    COUNT,
    REVIEWS,
    SUMS,
    Case,
    Learnt,
    completions,
    corpus,
    made,
    names_of,
    origin,
    pairs_job,
    settings_of,
    started,
    trained,
    world_of,
)

STEPS = 5
ROUNDING = 1e-5  # nats a token: float32 forward passes of batches of other shapes
VALIDATED = 16  # prompts


@pytest.fixture(autouse=True)
def few_validation_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "VALIDATION_PROMPTS", VALIDATED)


# Worlds


@cache
def texts_learned(split: str = "train") -> list[str]:
    """The documents of the reviews, as texts."""
    here = world_of(REVIEWS)
    return [here.vocabulary.decode([*prompt, *response]) for prompt, response in here.documents(split)]


def texts_asked(split: str, count: int) -> list[str]:
    """Prompts of the reviews with the texts' own continuations."""
    here = world_of(REVIEWS)
    return [here.vocabulary.decode([*prompt.tokens, *prompt.truth]) for prompt in here.prompts(split, count)]


def test_a_third_of_the_training_texts_is_kept_from_supervised_training() -> None:
    texts = corpus()("train")
    assert set(texts_learned()) == {text for place, text in enumerate(texts) if place % REVIEWS.held_out}
    asked = texts_asked("train", 30)
    assert all(whole.startswith(text) for whole, text in zip(texts[:: REVIEWS.held_out], asked, strict=True))
    assert not any(whole.startswith(text) for whole in texts_learned() for text in asked)


def test_no_text_of_validation_or_test_is_learned_from() -> None:
    used = [*texts_learned(), *texts_asked("train", 30)]
    for split in ("valid", "test"):
        texts = corpus()(split)
        assert texts_learned(split) == texts
        assert all(whole.startswith(text) for whole, text in zip(texts, texts_asked(split, 15), strict=True))
        assert not any(whole.startswith(text) for whole in texts for text in used)
    assert not set(texts_learned("valid")) & set(texts_learned("test"))


def test_a_document_is_a_text_with_its_end_cut_to_the_context() -> None:
    long = world(replace(REVIEWS, most=30), corpus)
    end, cuts = long.vocabulary.end, world_of(REVIEWS).documents("train")
    for whole, cut in zip(long.documents("train"), cuts, strict=True):
        assert len(whole[0]) == 1
        assert whole[1][-1] == end
        assert end not in whole[1][:-1]
        assert cut == (whole[0], whole[1][: REVIEWS.context - 1])
    assert any(cut != whole for whole, cut in zip(long.documents("train"), cuts, strict=True))


@pytest.mark.parametrize("task", [REVIEWS, SUMS], ids=["reviews", "sums"])
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_prompts_are_the_same_however_many_are_asked_for(task: Any, split: str) -> None:
    few, many = world(task, corpus).prompts(split, 7), world(task, corpus).prompts(split, 200)
    assert many[:7] == few
    assert world_of(task).prompts(split, 200) == many


def test_prompts_go_round_with_other_lengths() -> None:
    asked, texts = world_of(REVIEWS).prompts("valid", 150), len(corpus()("valid"))
    whole = [[*prompt.tokens, *prompt.truth] for prompt in asked]
    assert all(one[:8] == other[:8] for one, other in zip(whole, whole[texts:], strict=False))
    assert {len(prompt.tokens) for prompt in asked} == set(range(REVIEWS.shortest, REVIEWS.longest + 1))
    assert {len(prompt.tokens) for prompt in asked[::texts]} == {len(prompt.tokens) for prompt in asked}


def test_sums_of_two_splits_differ_in_either_order() -> None:
    here = world_of(SUMS)
    sums = {
        split: {
            frozenset(here.vocabulary.decode(prompt.tokens).rstrip("=").split("+"))
            for prompt in here.prompts(split, getattr(SUMS, split))
        }
        for split in ("train", "valid", "test")
    }
    assert all(not sums[one] & sums[other] for one, other in combinations(sums, 2))
    assert all(len(prompt.tokens) + SUMS.most <= SUMS.context for prompt in here.prompts("train", SUMS.train))
    assert [prompt for prompt, _ in here.documents("test")] == [each.tokens for each in here.prompts("test", SUMS.test)]


def test_rewards_of_known_reviews() -> None:
    here = world_of(REVIEWS)
    encode, end = here.vocabulary.encode, here.vocabulary.end
    asked = [Prompt(encode(text), None) for text in ("the film is", "the film is", "the film is", "not")]
    said = [encode(text) for text in (" great", " awful", " the plot", " good")]
    good, bad, neither, negated = here.rewards(asked, said)
    assert good > 0 == neither > max(bad, negated)
    assert [good, negated] == Sentiment()(["the film is great", "not good"])  # the prompt is judged too
    assert here.rewards(asked, [[*tokens, end] for tokens in said]) == [good, bad, neither, negated]


def test_rewards_of_known_sums() -> None:
    here = world_of(SUMS)
    told = {
        "<think>3+4=7</think><answer>7</answer>": 1.1,
        "<think></think><answer>7</answer>": 1.1,
        "<answer>7</answer>": 1.0,
        "<think></think><answer>8</answer>": 0.1,
        "<think>7</think><answer></answer>": 0.1,
        "3+4=7 7": 0.0,
        "<answer>7</answer><answer>7</answer>": 0.0,
        "": 0.0,
    }
    asked = [Prompt(here.vocabulary.encode("3+4="), "7")] * len(told)
    responses = [here.vocabulary.encode(text) for text in told]
    assert here.rewards(asked, responses) == list(told.values())
    assert here.rewards(asked, [[*tokens, here.vocabulary.end] for tokens in responses]) == list(told.values())


# Completions


def hand_made(rewards: list[float], each: int) -> Completions:
    """Responses to prompts; a prompt's tokens are its number, a response's its row."""
    rows = range(len(rewards))
    sequences = padded([[1 + row // each] for row in rows], [[100 + row] for row in rows], 0)
    return Completions(sequences, torch.tensor(rewards, dtype=torch.float64), -torch.tensor(rows).double(), each)


def test_every_two_responses_of_other_reward_are_a_pair_the_better_first() -> None:
    found = hand_made([3.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.0, 2.0, 0.0], each=3).pairs()
    told = torch.stack([found.chosen.tokens[:, 1], found.rejected.tokens[:, 1]], 1) - 100
    assert told.tolist() == [[0, 1], [0, 2], [7, 6], [7, 8]]
    assert torch.equal(found.chosen.tokens[:, 0], found.rejected.tokens[:, 0])
    assert torch.equal(found.chosen_reference, -told[:, 0].double())
    assert torch.equal(found.rejected_reference, -told[:, 1].double())


@pytest.mark.parametrize("each", [2, 4, 5])
def test_pairs_are_counted_by_the_rewards_that_agree(each: int) -> None:
    rewards = np.random.default_rng(each).integers(0, 3, (20, each))
    alike = sum(comb(int(count), 2) for row in rewards for count in np.unique(row, return_counts=True)[1])
    found = hand_made([float(reward) for reward in rewards.flatten()], each).pairs()
    assert len(found.chosen_reference) == 20 * comb(each, 2) - alike
    flat = rewards.flatten()
    assert (flat[found.chosen.tokens[:, 1] - 100] > flat[found.rejected.tokens[:, 1] - 100]).all()


def test_all_ties_are_no_pairs_and_what_is_rewarded_is_kept_in_order() -> None:
    assert len(hand_made([1.0] * 8, 4).pairs().chosen_reference) == 0
    kept = hand_made([0.0, 1.0, 1.1, 0.9], 2).rewarded(1.0)
    assert kept.tokens.tolist() == [[1, 101], [2, 102]]


@pytest.mark.parametrize("task", [REVIEWS, SUMS], ids=["reviews", "sums"])
def test_what_is_made_comes_back_by_split(task: Any, tmp_path: Path) -> None:
    folder, each = made(task, tmp_path / "pairs"), task.completions
    assert {file.name for file in folder.iterdir()} == {f"{name}.npy" for name in pairs.ARRAYS} | {"made.json"}
    train, valid = (pairs.read(folder, COUNT, split) for split in ("train", "valid"))
    asked = [prompt.tokens for prompt in world_of(task).prompts("train", COUNT // comb(each, 2))]
    for of, prompts in ((train, [p for at, p in enumerate(asked) if at % 10]), (valid, asked[::10])):
        both = zip(of.sequences.tokens.tolist(), of.sequences.prompt.tolist(), strict=True)
        rows = [tokens[:length] for tokens, length in both]
        assert rows == [prompt for prompt in prompts for _ in range(each)]
        assert of.sequences.tokens.shape[1] == task.context
        assert int(of.sequences.lengths().min()) >= 1
        assert int(of.sequences.lengths().max()) <= task.most


@pytest.mark.parametrize("task", [REVIEWS, SUMS], ids=["reviews", "sums"])
def test_log_probabilities_and_rewards_are_those_of_the_responses(task: Any, tmp_path: Path) -> None:
    found, here = pairs.read(made(task, tmp_path / "pairs"), COUNT, "train"), world_of(task)
    places = [at for at in range(COUNT // comb(task.completions, 2)) if at % 10]
    with torch.no_grad():
        fresh = log_probs(started(task).model, found.sequences).sum(1).double()
    torch.testing.assert_close(found.log_probs, fresh, rtol=0, atol=task.most * ROUNDING)
    prompts = here.prompts("train", max(places) + 1)
    asked = [prompts[at] for at in places for _ in range(task.completions)]
    rows = zip(found.sequences.tokens.tolist(), found.sequences.prompt, found.sequences.end, strict=True)
    assert found.rewards.tolist() == here.rewards(asked, [tokens[start:end] for tokens, start, end in rows])
    assert len(found.rewards.unique()) > 1


def arrays(folder: Path) -> dict[str, Any]:
    return {name: np.load(folder / f"{name}.npy") for name in pairs.ARRAYS}


def test_completions_hang_on_the_seed_and_a_prompts_on_no_other(tmp_path: Path) -> None:
    again, one, few, other = (
        arrays(made(REVIEWS, tmp_path / name, count, seed))
        for name, count, seed in (("again", COUNT, 0), ("one", COUNT, 0), ("few", 60, 0), ("other", COUNT, 1))
    )
    for name, array in one.items():
        np.testing.assert_array_equal(array, again[name])
        if name != "log_probs":  # whose last digits hang on the batch
            np.testing.assert_array_equal(array[: len(few[name])], few[name])
    assert len(few["rewards"]) == 40
    assert not np.array_equal(one["tokens"], other["tokens"])
    np.testing.assert_array_equal(one["prompt"], other["prompt"])


def test_batches_are_drawn_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where prompts come again, their responses would too if every batch began with the same numbers."""
    monkeypatch.setattr(pairs, "BATCH", 6)  # one prompt
    task = replace(SUMS, train=2)
    with in_memory(model=started(SUMS).weights):
        pairs.make(pairs_job(task, 0, 60, tmp_path, lambda made: None))
    responses = {row.tobytes() for row in arrays(tmp_path)["tokens"]}
    assert len(responses) > 2 * task.completions


def test_another_count_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    folder = made(SUMS, tmp_path / "pairs", 60)
    with pytest.raises(InputError, match=r"made for 60 pairs, settings\.pairs has 61; compose again$"):
        pairs.read(folder, 61, "train")
    (folder / "rewards.npy").unlink()
    with pytest.raises(InputError, match=r"rewards\.npy: no such file; run: dvc repro$"):
        pairs.read(folder, 60, "train")


# Training


@cache
def unbroken(name: str) -> Learnt:
    return CASES[name].run()


def same(one: Learnt, other: Learnt) -> None:
    """Bit-equal weights, curve, best step and status."""
    weights, expected = one.model.state_dict(), other.model.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert one.fitted == other.fitted


@pytest.mark.parametrize("name", CASES)
def test_training_repeats_and_hangs_on_the_seed(name: str) -> None:
    first = unbroken(name)
    assert first.fitted.status == "done"
    assert [row["step"] for row in first.fitted.curve] == [3, STEPS]
    again, other = CASES[name].run(), CASES[name].run(seed=1)
    same(again, first)
    assert again.losses == first.losses
    assert other.losses != first.losses
    before = (CASES[name].origin() or Origin(dict, dict)).weights()
    assert all(not torch.equal(value, before[at]) for at, value in first.weights().items() if at in before)


@pytest.mark.parametrize("name", names_of("rollouts"))
def test_killed_and_resumed_from_an_older_save_ends_with_the_same_bits(name: str) -> None:
    for step in (4, STEPS):
        checkpoint = MemoryCheckpoint(every=2)
        with pytest.raises(Killed):
            CASES[name].run(checkpoint=checkpoint, kill_at=step)
        same(CASES[name].run(checkpoint=checkpoint), unbroken(name))


@pytest.mark.parametrize("name", CASES)
def test_stopped_after_every_step_ends_with_the_same_bits(name: str) -> None:
    """Of rollouts that are used for three steps each, so that there are stops before, within and after one."""
    checkpoint = MemoryCheckpoint()
    for step in range(1, STEPS + 1):
        with pytest.raises(Interrupted, match=f"step {step} of {STEPS}"):
            CASES[name].run(checkpoint=checkpoint, stop_at=step)
    last = CASES[name].run(checkpoint=checkpoint)
    same(last, unbroken(name))
    assert last.losses == []  # nothing was left to do


NEVER = 1e-12  # a learning rate at which no float32 weight moves


def still(name: str, **given: Any) -> Learnt:
    """A training that changes no weight."""
    case = CASES[name]
    settings = replace(case.settings, learning_rate=NEVER, **given)
    return trained(case.method, settings, case.task, case.origin(), steps=6, validate_every=2)


@pytest.mark.parametrize("name", names_of("rollouts"))
def test_validation_draws_with_the_same_numbers_and_training_with_others(name: str) -> None:
    learnt = still(name, updates=1)
    told = [{key: value for key, value in row.items() if key != "zero_advantage"} for row in learnt.notes]
    rewards = [row.pop("train_reward") for row in told]
    assert told[0] == told[1] == told[2]
    assert len(set(rewards)) > 1
    assert told[0]["kl"] == 0  # of a policy that is its reference, to the last bit
    assert [row["valid"] for row in learnt.fitted.curve] == [-told[0]["reward"]] * 3


@pytest.mark.parametrize("name", names_of("pairs"))
def test_the_start_is_the_reference(name: str) -> None:
    learnt = still(name)
    if name.startswith(("dpo", "reward_model")):
        assert learnt.losses == pytest.approx([math.log(2)] * 6, abs=REVIEWS.most * ROUNDING)
    for row in learnt.notes if not name.startswith("reward_model") else ():
        assert (row["chosen"], row["rejected"]) == pytest.approx((0, 0), abs=REVIEWS.most * ROUNDING)


@pytest.mark.parametrize("name", CASES)
def test_what_is_noted_is_drawn(name: str) -> None:
    """A note that no figure knows would be lost without a word; accuracy is one of those on purpose."""
    case, learnt = CASES[name], unbroken(name)
    found = {drawing.name: {line.label for line in drawing.lines} for drawing in drawings(learnt.fitted.curve)}
    rewards = {"validation", "training"} | ({"true reward, validation"} if case.judged else set())
    sums = {"right answers", "in the format"} if case.task is SUMS else set()
    grouped = {"groups without an advantage"} if getattr(case.settings, "group", 1) > 1 else set()
    match case.method.learns_from:
        case "rollouts":
            lines = [("rewards_along_training", rewards), ("kl_along_training", {"KL"})]
            lines += [("entropy_along_training", {"entropy"}), ("length_along_training", {"length"})]
            lines += [("answers_along_training", sums | grouped)] if sums | grouped else []
            assert found == dict(lines)
        case "pairs" if case.method.policy is not None:
            assert found == {"log_probs_along_training": {"chosen", "rejected"}}
        case _:
            assert found == {}
    lines_of = sum(len(labels) for labels in found.values())
    assert all(len(row.keys() - {"accuracy"}) == lines_of for row in learnt.notes)


# Rollouts


def spied(case: Case, **given: Any) -> tuple[Learnt, list[tuple[Any, Tensor]]]:
    """A training, and for each step the batch it was given with ln p of its tokens before the step."""
    seen: list[tuple[Any, Tensor]] = []

    def loss(model: Any, settings: Any, batch: Any, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            seen.append((batch, log_probs(case.method.policy(model), batch.sequences)))
        return case.method.loss(model, settings, batch, generator)

    method = replace(case.method, loss=loss)
    settings = replace(case.settings, updates=2)
    return trained(method, settings, case.task, case.origin(), steps=4, validate_every=2, **given), seen


@pytest.mark.parametrize("name", names_of("rollouts"))
def test_rollouts_are_of_the_policy_as_it_was_and_of_the_reference_as_it_started(name: str) -> None:
    case = CASES[name]
    _, seen = spied(case)
    assert len(seen) == 4
    for place, (batch, under) in enumerate(seen):
        moved = float((under - batch.log_probs).abs().max())
        if place % 2 == 0:  # the first step of a rollout: the ratio is 1
            assert moved < ROUNDING
        else:
            assert moved > 10 * ROUNDING
        with torch.no_grad():
            reference = log_probs(started(case.task).model, batch.sequences)
        torch.testing.assert_close(batch.reference, reference, rtol=0, atol=ROUNDING)
    assert float((seen[2][0].log_probs - seen[2][0].reference).abs().max()) > 10 * ROUNDING


@pytest.mark.parametrize("name", ["ppo_reviews_true", "ppo_sums", "grpo_sums", "grpo_reviews"])
def test_rollouts_hold_the_true_reward_of_whole_groups(name: str) -> None:
    case, here = CASES[name], world_of(CASES[name].task)
    learnt, seen = spied(case)
    truths = {tuple(prompt.tokens): prompt for prompt in here.prompts("train", experience.PROMPTS)}
    for batch, _ in seen:
        rows = zip(*(getattr(batch.sequences, part).tolist() for part in ("tokens", "prompt", "end")), strict=True)
        parts = [(tuple(tokens[:start]), tokens[start:end]) for tokens, start, end in rows]
        assert len(parts) == case.settings.minibatch
        groups = [{prompt for prompt, _ in parts[at : at + batch.group]} for at in range(0, len(parts), batch.group)]
        assert {len(group) for group in groups} == {1}
        given = here.rewards([truths[prompt] for prompt, _ in parts], [response for _, response in parts])
        assert batch.rewards.tolist() == pytest.approx(given)  # kept as float32
    if case.settings.batch * case.settings.group == 2 * case.settings.minibatch:  # then both steps use all rows once
        for row, first in zip(learnt.notes, (0, 2), strict=True):
            used = torch.cat([batch.rewards for batch, _ in seen[first : first + 2]])
            assert row["train_reward"] == pytest.approx(float(used.mean()))
            alike = (used.view(-1, 4).amax(1) == used.view(-1, 4).amin(1)).double().mean()
            assert row["zero_advantage"] == float(alike)


def test_the_learned_reward_is_that_of_the_reward_model() -> None:
    case = CASES["ppo_reviews"]
    other = case.origin().other
    _, seen = spied(case)
    scorer = trained(other[1].method, other[1].settings, REVIEWS, origin(REVIEWS), steps=1).model
    scorer.load_state_dict(other[0]())
    for batch, _ in seen:
        with torch.no_grad():
            scores = other[1].method.scores(scorer, batch.sequences)
        torch.testing.assert_close(batch.rewards, scores, rtol=0, atol=ROUNDING)
        assert len(batch.rewards.unique()) > 1


def test_values_are_those_of_the_head_when_drawn() -> None:
    _, seen = spied(CASES["ppo_sums"])
    first, third = seen[0][0], seen[2][0]
    assert not first.values.any()  # the head starts at zero
    assert third.values.any()
    assert not third.values[~third.sequences.mask()].any()


@pytest.mark.parametrize("name", names_of("rollouts"))
def test_what_is_drawn_without_gradients_leaves_them_to_the_step_in_half_precision(name: str) -> None:
    """Both happen under one autocast, whose casts of weights must not be kept from the one for the other."""
    case, norms = CASES[name], {}
    for precision in ("float32", "bfloat16"):
        norms[precision] = trained(
            case.method, case.settings, case.task, case.origin(), steps=1, validate_every=1, precision=precision
        ).norms[0]
    assert norms["float32"] > 0
    assert norms["bfloat16"] == pytest.approx(norms["float32"], rel=0.5)  # responses may differ by a token or two


# What is refused


@pytest.mark.parametrize("name", names_of("pairs", "rollouts"))
def test_what_learns_from_pairs_or_rollouts_starts_from_a_trained_model(name: str) -> None:
    case = CASES[name]
    told = f"^a method that learns from {case.method.learns_from} starts from a trained model$"
    with pytest.raises(ValueError, match=told):
        trained(case.method, case.settings, case.task, None)


def test_a_learned_reward_needs_a_reward_model() -> None:
    settings = CASES["ppo_reviews"].settings
    with pytest.raises(ValueError, match=r"^reward learned: name in needs, after the entry to start from"):
        trained(ppo, settings, REVIEWS, origin(REVIEWS))
    base = started(REVIEWS)
    policy = replace(origin(REVIEWS), other=(base.weights, Trainer(sft, settings_of(sft))))
    with pytest.raises(ValueError, match=r"^reward learned: the second entry of needs must be a reward model$"):
        trained(ppo, settings, REVIEWS, policy)


@pytest.mark.parametrize("empty", ["train", "valid"])
def test_a_split_without_pairs_is_refused(empty: str) -> None:
    """The mean of no losses is no number, and would pass for a training that diverged."""

    def alike(split: str) -> Completions:
        found = completions(REVIEWS)(split)
        return replace(found, rewards=torch.zeros_like(found.rewards)) if split == empty else found

    given = Origin(started(REVIEWS).weights, alike)
    for name in ("dpo_reviews", "reward_model_reviews", "sft_reviews_preferred"):
        with pytest.raises(ValueError, match=f"^no two responses to a prompt of {empty} differ in reward"):
            trained(CASES[name].method, CASES[name].settings, REVIEWS, given)
    rewarded = settings_of(sft, pairs=COUNT, responses="rewarded")
    with pytest.raises(ValueError, match=f"^no response to the prompts of {empty} is rewarded in full"):
        trained(sft, rewarded, SUMS, Origin(started(SUMS).weights, lambda split: _unrewarded(split, empty)))


def _unrewarded(split: str, empty: str) -> Completions:
    found = completions(SUMS)(split)
    return replace(found, rewards=0.9 * found.rewards.clamp(max=1)) if split == empty else found


def test_weights_of_another_network_context_or_with_a_head_are_refused() -> None:
    case = CASES["ppo_reviews_true"]
    wide = replace(settings_of(dpo, pairs=COUNT), network="gpt_micro")
    given = origin(REVIEWS)
    headed = replace(given, weights=unbroken("ppo_reviews_true").weights)
    told = "^the weights to start from are those of another network, of another context, or have a head on them$"
    for method, settings, task, of in (
        (dpo, wide, REVIEWS, given),
        (ppo, case.settings, replace(REVIEWS, most=7), given),
        (ppo, case.settings, REVIEWS, headed),
    ):
        with pytest.raises(ValueError, match=told):
            trained(method, settings, task, of)


def test_a_batch_larger_than_the_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a batch of 500 cannot be drawn from"):
        trained(dpo, settings_of(dpo, pairs=COUNT, batch=500), REVIEWS, origin(REVIEWS))
