"""Published models through transformers, on small ones made here and saved to disk in the same form."""

import shutil

import pytest
import torch

from benchmarks.families.preferences import pretrained
from benchmarks.families.preferences.pretrained import (
    DIALOGUES,
    SUMMARIES,
    PairwiseJudge,
    Question,
    language_model,
    sentiment_classifier,
    vocabulary,
)
from benchmarks.files.errors import InputError
from implementations.preferences.parts.generation import generate
from implementations.preferences.parts.models import Scored
from tests.exact.uncached import uncached

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

TEXTS = ["a good film, A to B", "a bad film", "Answer: A or B", "the plot is slow, the end is not good"]
ASKED = Question("Which is better?\n{prompt}\nA: {a}\nB: {b}")


def tokenizer(**special: str):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    own = Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    own.train_from_iterator(
        TEXTS * 5,
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=list(special.values()),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=own, **special)


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory) -> str:
    """A small GPT-2 with more rows than pieces, dropout in its configuration, and its tokeniser."""
    folder = tmp_path_factory.mktemp("gpt2")
    pieces = tokenizer(eos_token="<|endoftext|>")
    pieces.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(pieces) + 7, n_positions=256, n_embd=32, n_layer=2, n_head=2, initializer_range=0.5,
        eos_token_id=pieces.eos_token_id, bos_token_id=pieces.eos_token_id,
    )  # fmt: skip
    assert config.resid_pdrop == 0.1
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> str:
    """As gpt2, of another kind: rotary positions, an output layer of its own, in bfloat16 on disk."""
    folder = tmp_path_factory.mktemp("llama")
    tokenizer(eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False, attention_dropout=0.2,
        initializer_range=0.5,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).bfloat16().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("roberta")
    pieces = tokenizer(bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    pieces.save_pretrained(folder)
    torch.manual_seed(2)
    config = transformers.RobertaConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=34, pad_token_id=pieces.pad_token_id, initializer_range=0.5,
        id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )  # fmt: skip
    transformers.RobertaForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(params=["gpt2", "llama"])
def folder(request) -> str:
    return request.getfixturevalue(request.param)


def tokens(rows: int, length: int, most: int = 290) -> torch.Tensor:
    return torch.randint(most, (rows, length), generator=torch.Generator().manual_seed(3))


def test_logits_are_the_models_own(folder):
    model, given = language_model(folder), tokens(3, 17)
    own = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    expected = own(input_ids=given).logits
    # The same operations in the same order; the tolerance is for a library that fuses them otherwise.
    torch.testing.assert_close(model(given), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.logits(model.hidden(given)), expected, atol=1e-5, rtol=1e-5)
    assert expected.shape[-1] == model.vocabulary
    assert model.hidden(given).shape == (3, 17, model.width)
    assert model.context == own.config.max_position_embeddings


def test_padding_on_the_right_changes_nothing_before_it(folder):
    model, given = language_model(folder), tokens(2, 12)
    other = given.clone()
    other[:, 8:] = 5
    torch.testing.assert_close(model(given)[:, :8], model(other)[:, :8], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_cached_is_uncached(folder):
    model, given = language_model(folder), tokens(3, 20)
    cache, parts = model.new_cache(), []
    for first, last in ((0, 6), (6, 7), (7, 8), (8, 20)):
        parts.append(model(given[:, first:last], cache))
    # Attention to kept keys sums in another order.
    torch.testing.assert_close(torch.cat(parts, 1), model(given), atol=1e-4, rtol=1e-4)


def test_generation_is_that_without_a_cache(folder):
    model, given = language_model(folder), tokens(4, 9)
    lengths = torch.tensor([9, 3, 5, 9])
    drawn, expected = (
        draw(model, given, lengths, 12, 0, 1.0, torch.Generator().manual_seed(4)) for draw in (generate, uncached)
    )
    assert drawn.end.tolist() == expected.end.tolist()
    for row, (start, end) in enumerate(zip(lengths.tolist(), drawn.end.tolist(), strict=True)):
        assert drawn.tokens[row, start:end].tolist() == expected.tokens[row, start:end].tolist()


def test_there_is_no_dropout(folder):
    model, given = language_model(folder).train(), tokens(2, 10)
    assert torch.equal(model(given), model(given))
    assert all(module.p == 0 for module in model.modules() if isinstance(module, torch.nn.Dropout))


def test_weights_learn_and_carry_a_head(folder):
    model = Scored(language_model(folder))
    logits, values = model(tokens(2, 5))
    (logits.square().mean() + values.sum()).backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not missing


def test_too_many_tokens_are_refused(folder):
    model = language_model(folder)
    with pytest.raises(ValueError, match=f"do not fit a context of {model.context}"):
        model(tokens(1, model.context + 1))


def test_a_model_with_more_than_an_output_layer_is_refused(tmp_path):
    config = transformers.CohereConfig(
        vocab_size=40, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        logit_scale=0.25, max_position_embeddings=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    transformers.CohereForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="more to its logits than its output layer"):
        language_model(str(tmp_path))


def test_vocabulary(gpt2):
    pieces, model = vocabulary(gpt2), language_model(gpt2)
    assert pieces.size <= model.vocabulary
    for text in [*TEXTS, "", " UPPER, naïve – 💘\n", "told <|endoftext|> twice", " , a space before"]:
        found = pieces.encode(text)
        assert pieces.end not in found
        assert pieces.decode(found) == text
        assert pieces.decode([*found, pieces.end]) == text


def test_what_is_not_there_is_one_sentence(tmp_path, gpt2):
    for ask in (language_model, vocabulary, sentiment_classifier):
        with pytest.raises(InputError) as caught:
            ask(str(tmp_path))
        assert "\n" not in str(caught.value)
        assert "save_pretrained" in str(caught.value)
    bare = tmp_path / "bare"
    tokenizer(pad_token="<pad>").save_pretrained(bare)
    with pytest.raises(InputError, match="end of text"):
        vocabulary(str(bare))


def test_the_classifiers_log_odds(roberta, monkeypatch):
    monkeypatch.setattr(pretrained, "BATCH", 3)
    reward = sentiment_classifier(roberta)
    own = transformers.AutoModelForSequenceClassification.from_pretrained(roberta).eval()
    pieces = transformers.AutoTokenizer.from_pretrained(roberta)
    texts = [*TEXTS, "good " * 100, "", "a"]
    found = reward(texts)
    for text, odds in zip(texts, found, strict=True):
        ids = pieces(text, truncation=True, max_length=32)["input_ids"] or [pieces.pad_token_id]
        with torch.no_grad():
            logits = own(input_ids=torch.tensor([ids])).logits[0]
        # One by one and in batches with padding: sums in another order.
        if text:
            assert odds == pytest.approx(float(logits[1] - logits[0]), abs=1e-4)
    assert reward([]) == []


def test_a_classifier_needs_two_named_classes(tmp_path, roberta):
    shutil.copytree(roberta, tmp_path / "other")
    config = tmp_path / "other/config.json"
    config.write_text(config.read_text().replace("POSITIVE", "LABEL_1"))
    with pytest.raises(InputError, match="one of them POSITIVE"):
        sentiment_classifier(str(tmp_path / "other"))


@pytest.fixture
def judge(gpt2) -> PairwiseJudge:
    return PairwiseJudge(gpt2, ASKED)


def test_the_judges_ratio_is_that_of_the_two_letters(judge, gpt2):
    own = transformers.AutoModelForCausalLM.from_pretrained(gpt2).eval()
    pieces = transformers.AutoTokenizer.from_pretrained(gpt2)
    text = "Which is better?\nthe plot\nA: good\nB: bad\n\nAnswer:"
    scores = []
    for letter in (" A", " B"):
        ids = torch.tensor([pieces.encode(text) + pieces.encode(letter)])
        after = len(pieces.encode(text))
        with torch.no_grad():
            logs = own(input_ids=ids).logits[0].double().log_softmax(-1)
        # A letter of two tokens is told by the second, the first being the same of both.
        scores.append(sum(float(logs[place - 1, ids[0, place]]) for place in range(after, ids.shape[1])))
    assert judge.log_ratio("the plot", "good", "bad") == pytest.approx(scores[0] - scores[1], abs=1e-4)


def test_ties_wins_and_losses_by_ratio(judge, monkeypatch):
    liked = {"good": 3.0, "bad": -1.0, "fine": 0.0}
    monkeypatch.setattr(judge, "log_ratio", lambda prompt, a, b: liked[a] - liked[b])
    verdicts = judge(["x"] * 4, ["good", "bad", "good", "fine"], ["bad", "good", "good", "bad"])
    assert verdicts == [1.0, 0.0, 0.5, 1.0]


def test_a_drawn_order_comes_from_the_seed(gpt2, monkeypatch):
    judge = PairwiseJudge(gpt2, ASKED, seed=5)
    asked = []

    def likes_the_letter(prompt, a, b):
        asked.append((a, b))
        return 1.0

    monkeypatch.setattr(judge, "log_ratio", likes_the_letter)
    verdicts = judge(["x"] * 200, ["one"] * 200, ["other"] * 200)
    assert verdicts == [float(a == "one") for a, _ in asked]
    # Half of 200 in either order, with a standard deviation of 7; five of them.
    assert abs(sum(verdicts) - 100) < 36
    assert judge(["x"] * 200, ["one"] * 200, ["other"] * 200) == verdicts
    other = PairwiseJudge(gpt2, ASKED, seed=6)
    monkeypatch.setattr(other, "log_ratio", likes_the_letter)
    assert other(["x"] * 200, ["one"] * 200, ["other"] * 200) != verdicts


def test_a_judge_with_a_form_of_chat_is_asked_in_it(gpt2, tmp_path):
    shutil.copytree(gpt2, tmp_path / "chat")
    pieces = transformers.AutoTokenizer.from_pretrained(gpt2)
    pieces.chat_template = (
        "{% for turn in messages %}[{{ turn.role }}] {{ turn.content }} {% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    pieces.save_pretrained(tmp_path / "chat")
    judge = PairwiseJudge(str(tmp_path / "chat"), ASKED)
    given, letters = judge._tokens(ASKED.asked("p", "x", "y"))
    text = pieces.decode(given)
    assert text.startswith("[user] Which is better?\np\nA: x\nB: y")
    assert text.endswith("[assistant] ")
    assert [pieces.decode([letter]) for letter in letters] == ["A", "B"]


def test_a_question_that_is_too_long_is_refused(judge):
    with pytest.raises(InputError, match="the judge reads at most 256"):
        judge(["p"], ["word " * 300], ["b"])


def test_questions_leave_candidates_as_they_are():
    assert ASKED.asked("{b}", "{a}{prompt}", "{{a}}") == "Which is better?\n{b}\nA: {a}{prompt}\nB: {{a}}"
    for question in (SUMMARIES, DIALOGUES):
        asked = question.asked("the prompt", "the first", "the second")
        assert asked.index("the prompt") < asked.index("the first") < asked.index("the second")
        assert "{" not in asked


def test_asking_for_no_model_imports_no_library():
    import subprocess
    import sys

    program = f"import sys; import {pretrained.__name__}; print('transformers' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
