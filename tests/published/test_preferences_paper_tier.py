"""The tasks of the paper tier on small models, data and a judge that are made here in their published form."""

import dataclasses
import json

import pytest
import torch

from benchmarks.data.parts.corpus import Corpus
from benchmarks.data.parts.tokenizer import trained as pieces_of
from benchmarks.families.preferences import evaluate as family
from benchmarks.families.preferences import models, pairs, pretrained
from benchmarks.families.preferences.problems import Compared, Continuation, Questions
from benchmarks.families.preferences.train import train
from benchmarks.families.preferences.worlds import world
from benchmarks.files.errors import InputError
from benchmarks.run.job import EvaluationJob, PairsJob, Trainer
from implementations.preferences.best_of_n import METHOD as best_of_n
from implementations.preferences.dpo import METHOD as dpo
from implementations.preferences.grpo import METHOD as grpo
from implementations.preferences.parts.sequences import padded
from implementations.preferences.ppo import METHOD as ppo
from implementations.preferences.reward_model import METHOD as reward_model
from implementations.preferences.sft import METHOD as sft
from tests.unit.families.jobs import FLAGS, HERE, Origin, in_memory, training_job

transformers = pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

RECIPE = {"network": "pretrained", "batch": 4, "optimiser": "adamw", "learning_rate": 1e-3, "warmup": 0}
ROLLOUTS = {**RECIPE, "minibatch": 4, "updates": 2}


def tokenizer(texts, **special):
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE

    own = Tokenizer(BPE())
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    own.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=list(special.values()), initial_alphabet=alphabet, show_progress=False
        ),
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=own, **special)


REVIEWS = [
    f"<b>this film number {n} is {'good and fine' if n % 2 else 'bad and slow'} until its end</b>" for n in range(24)
]
FILMS = [{"text": text, "label": n % 2} for n, text in enumerate(REVIEWS)]
PEOPLE = [
    {
        "text": f"SUBREDDIT: r/films\nPOST: what is {n // 2}\nTL;DR:" if n % 3 else f"News {n}",
        "chosen": f" it is {n // 2}",
        "rejected": " no idea, ask someone else",
    }
    for n in range(36)
]
DIALOGUES = [
    {
        "text": "\n\nHuman: what is one and one?\n\nAssistant: 2" * (n % 2) + f"\n\nHuman: what is {n}?\n\nAssistant:",
        "chosen": f" it is {n}",
        "rejected": " no",
        "turns": 1 + n % 2,
    }
    for n in range(36)
]
SUMS = [{"text": f"what is {n} and 1?", "solution": f"{n}+1={n + 1}", "answer": str(n + 1)} for n in range(12)]
TEXTS = [*REVIEWS, *(record[name] for record in (*PEOPLE, *DIALOGUES) for name in ("text", "chosen", "rejected"))]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A small GPT-2 with more rows than pieces."""
    folder = tmp_path_factory.mktemp("gpt2")
    pieces = tokenizer(TEXTS, eos_token="<|endoftext|>")
    pieces.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(pieces) + 7, n_positions=512, n_embd=32, n_layer=2, n_head=2,
        eos_token_id=pieces.eos_token_id, bos_token_id=pieces.eos_token_id,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("roberta")
    pieces = tokenizer(TEXTS, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    pieces.save_pretrained(folder)
    torch.manual_seed(2)
    config = transformers.RobertaConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=66, pad_token_id=pieces.pad_token_id, initializer_range=0.5,
        id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )  # fmt: skip
    transformers.RobertaForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


def corpus_of(records) -> Corpus:
    def tokenizer() -> str:
        raise InputError("the vocabulary is the model's own")

    return Corpus(lambda split: records, tokenizer)


@pytest.fixture
def imdb(model, classifier):
    task = Continuation(
        name="imdb", dataset="imdb", shortest=2, longest=8, most=6, held_out=2, judge=classifier, pretrained=model,
        temperatures=(0.0, 1.0),
    )  # fmt: skip
    return task, corpus_of(FILMS)


@pytest.fixture
def tldr(model):
    task = Compared(
        name="tldr", dataset="tldr_pairs", pretrained=model, question="summaries", judge=model, longest=48, most=8,
        begins="SUBREDDIT:", temperatures=(0.0, 1.0),
    )  # fmt: skip
    return task, corpus_of(PEOPLE)


@pytest.fixture
def hh(model):
    task = Compared(
        name="hh", dataset="hh", pretrained=model, question="dialogues", judge=model, longest=48, most=8, turns=1,
        temperatures=(1.0,),
    )  # fmt: skip
    return task, corpus_of(DIALOGUES)


@pytest.fixture(params=["r1_zero", "chain_of_thought"])
def gsm8k(model, request):
    task = Questions(
        name="gsm8k", dataset="gsm8k", pretrained=model, template=request.param, format_weight=0.1, longest=400, most=8,
        answers=2,
    )  # fmt: skip
    return task, corpus_of(SUMS)


def trained(method, settings, given, origin=None, steps=2):
    task, corpus = given
    files = origin.files() if origin else {}
    other = origin.other[1] if origin and origin.other else None
    weights = {} if origin is None else {"start": origin.weights}
    weights |= {"other": origin.other[0]} if other else {}
    with in_memory(corpus=lambda: corpus, completions=origin.completions if origin else None, **weights):
        found, outcome = train(training_job(method, settings, task, steps, 1, files=files, other=other))
    assert outcome.status == "done"
    return found, outcome


def made(method, settings, given, found, count, folder):
    task, corpus = given
    job = PairsJob(
        entry="it", method_name="it", method=method, settings=settings, task=task, seed=0, arithmetic=FLAGS,
        count=count, folder=folder,
    )  # fmt: skip
    with in_memory(corpus=lambda: corpus, model=found.state_dict):
        pairs.make(job)
    return Origin(found.state_dict, lambda split: pairs.read(folder, count, split))


def measured(method, settings, given, found, trainer=None, start=None, samples=6):
    task, corpus = given
    job = EvaluationJob(
        entry="it", method_name="it", method=method, settings=settings, task=task, seed=0, arithmetic=FLAGS,
        files={} if start is None else {"start": HERE}, samples=samples, trainer=trainer or Trainer(method, settings),
    )  # fmt: skip
    with in_memory(corpus=lambda: corpus, model=found.state_dict, start=start):
        written = family.evaluate(job)
    return written, {(row.name, *row.variant.values()): row for row in written.rows}


def of(rows, name):
    return [row for (found, *_), row in rows.items() if found == name]


def changed(found, before) -> bool:
    after = getattr(found, "trunk", found).state_dict()
    return any(not torch.equal(after[name], before[name]) for name in before)


START = sft.settings(**RECIPE)


def test_an_untrained_model_is_the_published_one(imdb, model):
    """One step of sft has a learning rate of 0 while it warms up: entries that only measure the published model."""
    published = pretrained.language_model(model).state_dict()
    settings = dataclasses.replace(START, warmup=4)
    found, _ = trained(sft, settings, imdb, steps=1)
    assert not changed(found, published)
    assert changed(trained(sft, START, imdb)[0], published)


def test_sentiment(imdb, model, classifier, tmp_path):
    start, _ = trained(sft, START, imdb)
    origin = made(sft, START, imdb, start, 36, tmp_path)
    completions = origin.completions("train")
    judge = pretrained.sentiment_classifier(classifier)
    pieces = pretrained.vocabulary(model)
    sequences = completions.sequences
    texts = [
        pieces.decode(tokens[:end])
        for tokens, end in zip(sequences.tokens.tolist(), sequences.end.tolist(), strict=True)
    ]
    # Batches of other sizes sum in another order.
    torch.testing.assert_close(
        completions.rewards, torch.tensor(judge(texts), dtype=torch.float64), atol=1e-4, rtol=1e-4
    )
    settings = dpo.settings(**RECIPE, pairs=36)
    policy, _ = trained(dpo, settings, imdb, origin)
    assert changed(policy, start.state_dict())
    scorer_settings = reward_model.settings(**RECIPE, pairs=36)
    scorer, _ = trained(reward_model, scorer_settings, imdb, origin)
    learned = ppo.settings(**ROLLOUTS, reward="learned")
    other = (scorer.state_dict, Trainer(reward_model, scorer_settings))
    found, outcome = trained(ppo, learned, imdb, dataclasses.replace(origin, other=other))
    assert changed(found, start.state_dict())
    assert "true_reward" in outcome.curve[-1]
    _, rows = measured(dpo, settings, imdb, policy, start=start.state_dict)
    (reward,) = of(rows, "reward")
    assert reward.unit == "nats"
    assert classifier in reward.measurement["judge"]
    assert of(rows, "kl")[0].value > 0
    assert len(of(rows, "win_rate")) == 2
    _, rows = measured(reward_model, scorer_settings, imdb, scorer, start=start.state_dict)
    assert len(of(rows, "pair_accuracy")) == 1


@pytest.mark.parametrize("kind", ["tldr", "hh"])
def test_pairs_are_those_of_people(kind, request, tmp_path, model):
    task, _ = given = request.getfixturevalue(kind)
    records = PEOPLE if kind == "tldr" else DIALOGUES
    start, _ = trained(sft, START, given)
    origin = made(sft, START, given, start, 1000, tmp_path)
    fitting = [r for r in records if r["text"].startswith(task.begins) and r.get("turns", 1) == 1]
    assert json.loads((tmp_path / "made.json").read_text()) == {"pairs": 1000, "completions": 2}
    both = [origin.completions(split) for split in ("train", "valid")]
    assert sum(len(part.rewards) for part in both) == 2 * len(fitting)
    pieces, found = pretrained.vocabulary(model), both[1].pairs()
    rows = zip(found.chosen.tokens.tolist(), found.rejected.tokens.tolist(), found.chosen.prompt.tolist(), strict=True)
    prompt_of = [
        (pieces.decode(one[:cut]), pieces.decode(one[cut:]), pieces.decode(two[cut:])) for one, two, cut in rows
    ]
    expected = [(r["text"], r["chosen"], r["rejected"]) for r in fitting[:: pairs.HELD_OUT]]
    cut = task.most
    assert [asked for asked, *_ in prompt_of] == [asked for asked, *_ in expected]
    for (_, *ours), (_, *theirs) in zip(prompt_of, expected, strict=True):
        whole = [pieces.decode([*pieces.encode(side), pieces.end][:cut]) for side in theirs]
        assert ours == whole


@pytest.mark.parametrize("kind", ["tldr", "hh"])
def test_policies_learn_from_people(kind, request, tmp_path):
    task, _ = given = request.getfixturevalue(kind)
    start, _ = trained(sft, START, given)
    origin = made(sft, START, given, start, 24, tmp_path)
    settings = dpo.settings(**RECIPE, pairs=24, beta=0.5)
    policy, outcome = trained(dpo, settings, given, origin)
    assert changed(policy, start.state_dict())
    written, rows = measured(dpo, settings, given, policy, start=start.state_dict)
    wins = of(rows, "win_rate")
    assert [row.variant["temperature"] for row in wins] == list(task.temperatures)
    assert len(of(rows, "win_rate_ties")) == len(wins)
    for row in wins:
        assert 0 <= row.value <= 1
        assert (row.measurement["judge"], row.measurement["order_seed"]) == (task.judge, task.order_seed)
    assert written.passages
    scorer_settings = reward_model.settings(**RECIPE, pairs=24)
    scorer, _ = trained(reward_model, scorer_settings, given, origin)
    _, rows = measured(reward_model, scorer_settings, given, scorer, start=start.state_dict)
    assert 0 <= of(rows, "pair_accuracy")[0].value <= 1
    best = best_of_n.settings(most=4, temperature=0.5)
    trainer = Trainer(reward_model, scorer_settings)
    _, rows = measured(best_of_n, best, given, scorer, trainer, start.state_dict)
    (row,) = of(rows, "win_rate")
    assert (row.variant["n"], row.variant["temperature"]) == (4, 0.5)
    with pytest.raises(InputError, match="a reward model chooses"):
        measured(best_of_n, best, given, start, Trainer(sft, START))
    other = (scorer.state_dict, trainer)
    learned = ppo.settings(**ROLLOUTS, reward="learned")
    found, outcome = trained(ppo, learned, given, dataclasses.replace(origin, other=other))
    assert changed(found, start.state_dict())
    assert "true_reward" not in outcome.curve[-1]
    with pytest.raises(ValueError, match="no true reward"):
        trained(ppo, ppo.settings(**ROLLOUTS, reward="true"), given, origin)


def test_questions(gsm8k):
    task, _ = gsm8k
    start, _ = trained(sft, START, gsm8k)
    settings = grpo.settings(**ROLLOUTS, group=2, most=task.most)
    found, outcome = trained(grpo, settings, gsm8k, Origin(start.state_dict, lambda split: None))
    assert {"right", "formed", "kl", "reward"} <= set(outcome.curve[-1])
    written, rows = measured(grpo, settings, gsm8k, found, start=start.state_dict)
    decodings = {row.variant["decoding"] for row in of(rows, "accuracy")}
    assert decodings == {"single", "majority of 2", "any of 2", "greedy"}
    assert written.passages


def test_answers_to_questions(gsm8k):
    task, corpus = gsm8k
    here = world(task, lambda: corpus)
    pieces = here.vocabulary
    prompt = here.prompts("test", 14)[13]
    assert prompt.truth == "2"  # goes round
    assert "what is 1 and 1?" in pieces.decode(prompt.tokens)
    right = {"r1_zero": "<think> 1+1 </think> <answer> $2.00 </answer>", "chain_of_thought": "3 so \\boxed{2}. 4"}
    wrong = {"r1_zero": "<think> 1+1 </think> <answer> 3 </answer> 2", "chain_of_thought": "2 so \\boxed{3}. 2"}
    for said, expected in ((right, 1.0), (wrong, 0.0)):
        tokens = pieces.encode(said[task.template])
        assert here.judged(prompt, tokens)[0] == expected
        formed = float(task.template == "chain_of_thought" or expected == 1)
        assert here.rewards([prompt], [tokens]) == [expected + 0.1 * formed]
    for question, solution in zip(here.prompts("train", 12), here.documents("train"), strict=True):
        assert question.tokens == solution[0]


def test_worked_solutions_are_right(model):
    for template in ("r1_zero", "chain_of_thought"):
        task = Questions("gsm8k", "gsm8k", model, template, 0.1, longest=400, most=64)
        here = world(task, lambda: corpus_of(SUMS))
        for prompt, (_, response) in zip(here.prompts("train", 12), here.documents("train"), strict=True):
            assert here.judged(prompt, response) == (1.0, 1.0)
            assert response[-1] == here.vocabulary.end


def test_prompts_are_distinct(tldr):
    task, corpus = tldr
    asked = [tuple(prompt.tokens) for prompt in world(task, lambda: corpus).prompts("test", 12)]
    assert len(set(asked)) == 12


def test_a_task_without_a_published_model_has_no_pretrained_network(imdb):
    task, corpus = imdb
    with pytest.raises(ValueError, match="names no published model"):
        trained(sft, START, (dataclasses.replace(task, pretrained=None), Corpus(corpus.records, tokenizer_json)))


def tokenizer_json() -> str:
    return pieces_of(REVIEWS, 300)


def test_a_context_too_short_is_refused(imdb):
    task, corpus = imdb
    with pytest.raises(ValueError, match="has a context of 512 tokens"):
        trained(sft, START, (dataclasses.replace(task, most=600), corpus))


def test_parts_and_wholes_agree(imdb, monkeypatch):
    """Where memory allows fewer sequences at once, the numbers are those of all at once."""
    start, _ = trained(sft, START, imdb)
    settings = ppo.settings(**ROLLOUTS, reward="true")
    origin = Origin(start.state_dict, lambda split: None)
    whole, outcome = trained(ppo, settings, imdb, origin)
    monkeypatch.setattr(models, "LOGITS", 2 * imdb[0].context * 400)
    parted, again = trained(ppo, settings, imdb, origin)
    # The same draws; other batches sum in another order, and a step's first moments scale that up.
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parted.state_dict()[name], value, atol=1e-4, rtol=1e-3)
    assert outcome.curve[-1]["length"] == again.curve[-1]["length"]


def test_responses_drawn_in_parts_are_joined(gsm8k, monkeypatch):
    task, _ = gsm8k
    start, _ = trained(sft, START, gsm8k)
    settings = grpo.settings(**ROLLOUTS, group=2, most=task.most)
    monkeypatch.setattr(models, "CACHED", 3 * task.context)
    found, outcome = trained(grpo, settings, gsm8k, Origin(start.state_dict, lambda split: None))
    assert 1 <= outcome.curve[-1]["length"] <= task.most
    _, rows = measured(grpo, settings, gsm8k, found, start=start.state_dict)
    assert {row.n for row in of(rows, "accuracy") if row.variant["decoding"] == "single"} == {12}


def test_joined_sequences():
    one = padded([[1, 2], [3]], [[4], [5, 6]], 0)
    other = padded([[7]], [[8, 9, 10, 11]], 0)
    found = models.joined([one, other], 0)
    assert found.tokens.tolist() == [[1, 2, 4, 0, 0], [3, 5, 6, 0, 0], [7, 8, 9, 10, 11]]
    assert models.decoded(found) == [[4], [5, 6], [8, 9, 10, 11]]


def test_layers_computed_again_give_the_same_gradient(model):
    """Nothing is drawn in between: the same operations in the same order, so to the bit."""
    kept, again = pretrained.language_model(model), pretrained.language_model(model)
    kept.model.activation_checkpointing_disable()
    tokens = torch.arange(24).view(2, 12)
    for found in (kept, again):
        found(tokens).square().mean().backward()
    gradients = zip(kept.named_parameters(), again.parameters(), strict=True)
    assert all(torch.equal(one.grad, other.grad) for (_, one), other in gradients)
    with torch.no_grad():
        again(tokens)
    assert not again.model.training


def test_a_model_that_begins_texts_is_asked_so(model, tmp_path):
    """DeepSeek's models have learned with a token before each text."""
    from tokenizers import processors

    pieces = tokenizer(TEXTS, bos_token="<s>", eos_token="</s>")
    begin = ("<s>", pieces.bos_token_id)
    pieces.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[begin])
    pieces.save_pretrained(tmp_path)
    task = Questions("gsm8k", "gsm8k", str(tmp_path), "chain_of_thought", 0.0, longest=400, most=8)
    here = world(task, lambda: corpus_of(SUMS))
    prompt = here.prompts("test", 1)[0]
    assert prompt.tokens.count(pieces.bos_token_id) == 1
    assert prompt.tokens[0] == pieces.bos_token_id
    assert here.vocabulary.decode(prompt.tokens).startswith("User: what is 0 and 1?\nPlease")
    assert pretrained.vocabulary(model).begin == ()
