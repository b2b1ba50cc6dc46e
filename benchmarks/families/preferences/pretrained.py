"""Published models through `transformers`: policies, their vocabularies, a classifier as reward, a model as judge.

A model is named as on the Hugging Face hub or by a folder that `save_pretrained` wrote. `transformers` is imported only
where one is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from benchmarks.families.preferences.vocabulary import Vocabulary
from benchmarks.files.errors import InputError, input_error
from benchmarks.run.seeds import derive

SENTIMENT = "siebert/sentiment-roberta-large-english"  # the DPO paper's true reward on IMDb (section 6)
BATCH = 64  # texts that the classifier reads at once


class Pretrained(nn.Module):
    """A causal language model of `transformers` with the members of a `LanguageModel`.

    `hidden` is after the last norm, (batch, length, width); `logits` is the output layer. The model has no dropout.
    Of what a gradient needs only what stands between layers is kept, and the rest computed again.
    """

    def __init__(self, model: Any):
        """ValueError for a model whose logits are more than its output layer of that hidden state."""
        super().__init__()
        self.model = model
        output = model.get_output_embeddings()
        self.vocabulary, self.width = output.weight.shape
        self.context = int(model.config.max_position_embeddings)
        with torch.no_grad():
            tokens = torch.arange(min(8, self.context), device=output.weight.device)[None]
            if not torch.allclose(self(tokens), model(input_ids=tokens, use_cache=False).logits, atol=1e-6):
                raise ValueError(f"{type(model).__name__} does more to its logits than its output layer")

    def hidden(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Tokens (batch, length), int64, padded on the right; with a cache, those after the ones it has seen."""
        length = tokens.shape[1] + (0 if cache is None else cache.get_seq_length())
        if length > self.context:
            raise ValueError(f"{length} tokens do not fit a context of {self.context}")
        # In training mode, which differs in nothing else without dropout, layers are computed again for their gradient.
        if self.model.training != (again := cache is None and torch.is_grad_enabled()):
            self.model.train(again)
        found = self.model.base_model(input_ids=tokens, past_key_values=cache, use_cache=cache is not None)
        hidden: Tensor = found.last_hidden_state
        return hidden.to(tokens.device)  # of a model on several devices, from the last

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) to (..., vocabulary)."""
        found: Tensor = self.model.get_output_embeddings()(hidden)
        return found.to(hidden.device)

    def forward(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """`logits` of `hidden`."""
        return self.logits(self.hidden(tokens, cache))

    def new_cache(self) -> Any:
        """An empty one, which grows with each use."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)


def language_model(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Pretrained:
    """The model with its published weights, without dropout, in evaluation mode.

    Where there are several GPUs it lies on all of them, layer after layer, and is not to be moved.

    Raises InputError when it cannot be had or is no causal language model with a last hidden state and an output layer.
    """
    spread = device == "cuda" and torch.cuda.device_count() > 1
    model = _loaded("AutoModelForCausalLM", name, dtype, **({"device_map": "auto"} if spread else {}))
    if not spread:
        model = model.to(device)
    model.activation_checkpointing_enable({"use_reentrant": False})
    try:
        return Pretrained(model.eval())
    except (AttributeError, ValueError) as error:
        raise input_error(name, "", f"no such model ({error})", "a causal language model is needed") from error


def vocabulary(name: str) -> Vocabulary:
    """The model's own pieces; raises InputError when they cannot be had or have no end-of-text token.

    A model may have more rows than its tokeniser has pieces. What looks like a special token in a text is text.
    """
    tokenizer = _tokenizer(name, split_special_tokens=True)
    if tokenizer.eos_token_id is None:
        raise input_error(name, "eos_token", "none", "a tokeniser with an end of text is needed")
    end = int(tokenizer.eos_token_id)

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    def decode(tokens: Sequence[int]) -> str:
        kept = [token for token in tokens if token != end]
        return str(tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    begin = [token for token in tokenizer.encode("") if token != end]
    return Vocabulary(len(tokenizer), end, encode, decode, tuple(begin))


class SentimentClassifier:
    """A classifier with a positive and a negative class as a reward."""

    def __init__(self, model: Any, tokenizer: Any, positive: int):
        self.model, self.tokenizer, self.positive = model, tokenizer, positive
        # Positions of RoBERTa start at 2, so that two of its rows are no places.
        self.longest = min(tokenizer.model_max_length, model.config.max_position_embeddings - 2)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> list[float]:
        """The positive class's log-odds of each text; of a long text, of its beginning."""
        found: list[float] = []
        for first in range(0, len(texts), BATCH):
            part = list(texts[first : first + BATCH])
            given = self.tokenizer(part, return_tensors="pt", padding=True, truncation=True, max_length=self.longest)
            logits = self.model(**given.to(self.model.device)).logits.double()
            found += (logits[:, self.positive] - logits[:, 1 - self.positive]).tolist()
        return found


def sentiment_classifier(name: str = SENTIMENT, device: str = "cpu") -> SentimentClassifier:
    """A reward of texts; raises InputError unless the model has two classes, one of them named POSITIVE."""
    model = _loaded("AutoModelForSequenceClassification", name, torch.float32).to(device)
    names = {str(label).upper(): int(place) for place, label in model.config.id2label.items()}
    if len(names) != 2 or "POSITIVE" not in names:
        raise input_error(name, "id2label", ", ".join(names), "two classes, one of them POSITIVE, are needed")
    return SentimentClassifier(model, _tokenizer(name), names["POSITIVE"])


@dataclass(frozen=True)
class Question:
    """What a judge is asked: `text` has the places {prompt}, {a} and {b}; the next word is to be A or B."""

    text: str

    def asked(self, prompt: str, a: str, b: str) -> str:
        """With the places filled; what looks like a place in a candidate is left as it is."""
        parts = {"{prompt}": prompt, "{a}": a, "{b}": b}
        pieces, rest = [], self.text
        while rest:
            found = [(rest.index(mark), mark) for mark in parts if mark in rest]
            if not found:
                break
            place, mark = min(found)
            pieces += [rest[:place], parts[mark]]
            rest = rest[place + len(mark) :]
        return "".join([*pieces, rest])


# In our words, after what the DPO paper's appendix asks GPT-4: the concise prompt, and that for dialogues.
SUMMARIES = Question(
    "Which of two summaries of a forum post is better: has its most important points, precisely and in few words, and "
    "no details that do not matter?\n\nPost:\n{prompt}\n\nSummary A:\n{a}\n\nSummary B:\n{b}\n\n"
    "Name the better summary by its letter, A or B, and say nothing else."
)
DIALOGUES = Question(
    "Which of two answers of an assistant is more helpful to what the human asks?\n\nDialogue:\n{prompt}\n\n"
    "Answer A:\n{a}\n\nAnswer B:\n{b}\n\nName the more helpful answer by its letter, A or B, and say nothing else."
)


class PairwiseJudge:
    """A language model that is asked which of two candidates is better, by its probabilities of A and B.

    Which of them it reads first is drawn for each question, from a seed and the question's place; only equal
    probabilities are a tie.
    """

    def __init__(
        self,
        name: str,
        question: Question,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ):
        """Raises InputError when the model cannot be had."""
        self.name, self.question, self.seed, self.device = name, question, seed, device
        self.model = language_model(name, dtype, device)
        self.tokenizer = _tokenizer(name)

    def __call__(self, prompts: Sequence[str], ones: Sequence[str], others: Sequence[str]) -> list[float]:
        """For each prompt 1 when its candidate of `ones` is better, 0 when that of `others` is, 0.5 for a tie."""
        swapped = np.random.default_rng(derive(self.seed, "order of candidates")).random(len(prompts)) < 0.5
        verdicts = []
        for prompt, one, other, swap in zip(prompts, ones, others, swapped.tolist(), strict=True):
            ahead = -self.log_ratio(prompt, other, one) if swap else self.log_ratio(prompt, one, other)
            verdicts.append(1.0 if ahead > 0 else 0.0 if ahead < 0 else 0.5)
        return verdicts

    @torch.no_grad()
    def log_ratio(self, prompt: str, a: str, b: str) -> float:
        """log p(A) - log p(B) of the next token, in nats; raises InputError where the question is too long."""
        tokens, letters = self._tokens(self.question.asked(prompt, a, b))
        if len(tokens) > self.model.context:
            told = f"a question of {len(tokens)} tokens"
            raise input_error(self.name, "context", told, f"the judge reads at most {self.model.context}")
        given = torch.tensor([tokens], device=self.device)
        scores = log_softmax(self.model.logits(self.model.hidden(given)[0, -1]).double(), dim=-1)
        return float(scores[letters[0]] - scores[letters[1]])

    def _tokens(self, text: str) -> tuple[list[int], list[int]]:
        """The question's tokens, and those of A and B after it; a model with a form of chat is asked in that."""
        if self.tokenizer.chat_template:
            turn = [{"role": "user", "content": text}]
            text = self.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
            given, blank = self.tokenizer.encode(text, add_special_tokens=False), ""
        else:
            given, blank = self.tokenizer.encode(f"{text}\n\nAnswer:"), " "
        letters = [self.tokenizer.encode(f"{blank}{letter}", add_special_tokens=False) for letter in "AB"]
        if letters[0][:-1] != letters[1][:-1] or letters[0] == letters[1]:
            raise InputError(f"{self.name}: its tokeniser has no tokens that tell A from B")
        return [*given, *letters[0][:-1]], [letters[0][-1], letters[1][-1]]


def _library() -> Any:
    """`transformers`, kept from printing; InputError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise InputError(f"published models need the library transformers ({error})") from error
    library: Any = transformers
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    return library


def _loaded(kind: str, name: str, dtype: torch.dtype, **choices: Any) -> Any:
    """A model by its auto class, without dropout: its draws would come from no generator of ours."""
    library = _library()
    try:
        config = library.AutoConfig.from_pretrained(name)
        for setting, value in config.to_dict().items():
            if ("drop" in setting) and isinstance(value, float):
                setattr(config, setting, 0.0)
        model = getattr(library, kind).from_pretrained(name, config=config, dtype=dtype, **choices)
    except (OSError, ValueError, KeyError) as error:
        raise _absent(name, error) from error
    return model.eval()


def _tokenizer(name: str, **choices: Any) -> Any:
    try:
        return _library().AutoTokenizer.from_pretrained(name, **choices)
    except (OSError, ValueError, KeyError) as error:
        raise _absent(name, error) from error


def _absent(name: str, error: Exception) -> InputError:
    told = " ".join(str(error).split())
    return input_error(name, "", f"no model ({told})", "a model of the hub or a folder of save_pretrained is needed")
