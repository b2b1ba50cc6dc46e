"""Responses are those of the plain loop, draws follow the softmax, and a row depends on no other row."""

import math
from types import SimpleNamespace

import pytest
import torch

from implementations.networks.gpt import GPT, Size
from implementations.preferences.parts.generation import draw, generate
from tests.exact.noisy_networks import generator, moved
from tests.exact.uncached import uncached

VOCABULARY, END, CONTEXT = 13, 12, 60
LARGEST = 1 - 2.0**-53  # the largest number that a draw from [0, 1) gives in float64


@pytest.fixture(scope="module", params=["learned", "rotary"])
def model(request) -> GPT:
    """Float64, so that sums in another order do not move a draw over the border between two tokens."""
    return moved(GPT(Size(2, 2, 16, VOCABULARY, CONTEXT, request.param), generator(0)), scale=0.3)


def ragged(lengths=(1, 4, 2, 7, 4), seed=5):
    """Prompts, padded with a token that is not END, and their lengths."""
    prompts = torch.randint(END, (len(lengths), max(lengths)), generator=generator(seed))
    return prompts, torch.tensor(lengths)


def same(one, other):
    return torch.equal(one.tokens, other.tokens) and torch.equal(one.prompt, other.prompt) and torch.equal(
        one.end, other.end
    )  # fmt: skip


def rows_of(sequences):
    return [row[:end].tolist() for row, end in zip(sequences.tokens, sequences.end.tolist(), strict=True)]


class Constant:
    """A model whose next token has the same logits always; it sees how often, and with how many tokens, it is asked."""

    def __init__(self, logits, context=CONTEXT):
        self.row, self.context, self.seen = torch.tensor(logits), context, []
        self.vocabulary = self.width = len(logits)

    def new_cache(self):
        return SimpleNamespace()

    def hidden(self, tokens, cache=None):
        self.seen.append(tuple(tokens.shape))
        return self.row.expand(*tokens.shape, -1)

    def logits(self, hidden):
        return hidden

    def __call__(self, tokens, cache=None):
        return self.logits(self.hidden(tokens, cache))


SETTINGS = pytest.mark.parametrize("temperature", [1.0, 0.7, 1.5, 0.0])


@SETTINGS
def test_with_a_cache_are_the_tokens_without_one(model, temperature):
    found, expected = (way(model, *ragged(), 20, END, temperature, generator(3)) for way in (generate, uncached))
    assert same(found, expected)
    assert len(set(found.end.tolist())) > 1  # rows of different lengths were compared


@SETTINGS
def test_a_batch_is_its_rows_one_by_one(model, temperature):
    """A generator gives rows their numbers in turn, so that one after the other draws what all draw together."""
    prompts, lengths = ragged()
    random = generator(4)
    alone = [
        generate(model, prompts[row : row + 1], lengths[row : row + 1], 20, END, temperature, random)
        for row in range(len(prompts))
    ]
    together = generate(model, prompts, lengths, 20, END, temperature, generator(4))
    assert rows_of(together) == [rows_of(one)[0] for one in alone]


def test_the_generator_is_left_where_all_numbers_are_drawn_whatever_was_used(model):
    states = []
    for temperature in (0.0, 1.0):
        random = generator(6)
        generate(model, *ragged(), 20, END, temperature, random)
        states.append(random.get_state())
    expected = generator(6)
    torch.rand(5, 20, dtype=torch.float64, generator=expected)
    assert all(torch.equal(state, expected.get_state()) for state in states)


def test_draws_touch_neither_the_global_generator_nor_what_is_given(model):
    untouched = torch.get_rng_state()
    prompts, lengths = ragged()
    before = prompts.clone(), lengths.clone()
    first, again, other = (generate(model, prompts, lengths, 20, END, 1.0, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert torch.equal(prompts, before[0])
    assert torch.equal(lengths, before[1])
    assert same(first, again)
    assert not same(first, other)
    assert not first.tokens.requires_grad


def test_what_pads_a_prompt_is_never_read(model):
    prompts, lengths = ragged()
    other = torch.where(torch.arange(7) < lengths[:, None], prompts, 0)
    wider = torch.cat([prompts, torch.full((5, 9), 3)], 1)
    expected = generate(model, prompts, lengths, 12, END, 1.0, generator(7))
    assert same(generate(model, other, lengths, 12, END, 1.0, generator(7)), expected)
    assert same(generate(model, wider, lengths, 12, END, 1.0, generator(7)), expected)


def test_prompts_stand_unchanged_before_responses_that_end_or_are_full(model):
    prompts, lengths = ragged()
    found = generate(model, prompts, lengths, 9, END, 1.0, generator(8))
    assert torch.equal(found.prompt, lengths)
    assert found.tokens.shape[1] == found.end.max()
    for row, (prompt, length, end) in enumerate(zip(prompts, lengths.tolist(), found.end.tolist(), strict=True)):
        assert torch.equal(found.tokens[row, :length], prompt[:length])
        response = found.tokens[row, length:end]
        assert 1 <= len(response) <= 9
        assert END not in response[:-1]
        assert response[-1] == END or len(response) == 9
        assert (found.tokens[row, end:] == END).all()


def test_an_end_in_the_prompt_ends_nothing(model):
    prompts, lengths = torch.tensor([[END, 1, END], [END, 5, 5]]), torch.tensor([3, 1])
    found, expected = (way(model, prompts, lengths, 9, END, 1.0, generator(8)) for way in (generate, uncached))
    assert same(found, expected)
    assert found.tokens[0, :3].tolist() == [END, 1, END]


def test_temperature_0_takes_the_likeliest_token(model):
    prompts, lengths = ragged((3,))
    found = generate(model, prompts, lengths, 15, END, 0.0, generator(0))
    with torch.no_grad():
        likeliest = model(found.tokens).argmax(-1)
    assert torch.equal(found.tokens[:, 3:], likeliest[:, 2:-1])


def test_a_full_response_has_no_end_and_its_place_is_not_read():
    always = Constant([0.0, 100.0, 0.0])
    found = generate(always, *ragged((2, 5)), 4, 2, 1.0, generator(0))
    assert found.end.tolist() == [6, 9]
    assert (found.tokens[0, 2:6] == 1).all()
    # Seven steps: to the longest prompt's last response token, whose own logits nobody asks for.
    assert always.seen == [(2, 2)] + [(2, 1)] * 6


def test_stops_when_all_rows_have_ended():
    ends_at_once = Constant([0.0, 0.0, 100.0])
    found = generate(ends_at_once, *ragged((2, 5)), 50, 2, 1.0, generator(0))
    assert found.end.tolist() == [3, 6]
    assert found.tokens[0, 2:].tolist() == [2, 2, 2, 2]
    assert ends_at_once.seen == [(2, 2)] + [(2, 1)] * 3  # the second row's prompt was still being read


def test_one_row_of_logits_a_step_is_all_that_is_asked_of_a_large_vocabulary(model, monkeypatch):
    rows = []
    whole = GPT.logits
    monkeypatch.setattr(GPT, "logits", lambda self, hidden: rows.append(tuple(hidden.shape)) or whole(self, hidden))
    generate(model, *ragged((6, 8)), 5, END, 1.0, generator(0))
    assert set(rows) == {(2, 16)}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_are_those_of_the_softmax(temperature):
    logits = [0.3, -1.0, 2.0, 0.0, 1.1]
    n = 20_000
    found = generate(
        Constant(logits, 9), torch.zeros(n // 4, 1, dtype=torch.int64), torch.ones(n // 4, dtype=torch.int64),
        4, 5, temperature, generator(11),
    )  # fmt: skip
    counts = torch.bincount(found.tokens[:, 1:].flatten(), minlength=5)
    p = (torch.tensor(logits, dtype=torch.float64) / temperature).softmax(0)
    # Four standard errors of a frequency: five tokens at three temperatures leave this to a chance of 1 in 1,000.
    assert ((counts / n - p).abs() < 4 * (p * (1 - p) / n).sqrt()).all()


def test_a_temperature_divides_the_logits():
    logits = torch.randn(50, 9, dtype=torch.float64, generator=generator(1))
    uniforms = torch.rand(50, dtype=torch.float64, generator=generator(2))
    for temperature in (0.25, 0.5, 2.0, 8.0):  # powers of 2, which divide exactly
        assert torch.equal(draw(logits, uniforms, temperature), draw(logits / temperature, uniforms, 1.0))


def test_a_draw_is_the_inverse_of_the_distribution_function():
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).log()
    for uniform, token in ((0.0, 0), (0.099, 0), (0.101, 1), (0.299, 1), (0.301, 2), (0.599, 2), (0.601, 3)):
        assert draw(logits[None], torch.tensor([uniform], dtype=torch.float64), 1.0).item() == token


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("vocabulary", [5, 1000, 50_257])
def test_no_token_of_probability_0_is_drawn_at_either_end(dtype, vocabulary):
    """The first and last tokens are impossible, and the sums of the others are not 1 exactly."""
    logits = torch.randn(8, vocabulary, generator=generator(3)).to(dtype)
    logits[:, :2] = logits[:, -2:] = -math.inf
    for uniform in (0.0, LARGEST, 1 - 2.0**-30):
        found = draw(logits, torch.full((8,), uniform, dtype=torch.float64), 1.0)
        assert (found >= 2).all()
        assert (found < vocabulary - 2).all()
    only = torch.full((1, vocabulary), -math.inf, dtype=dtype)
    only[0, 3] = 0.0
    for uniform in (0.0, 0.5, LARGEST):
        assert draw(only, torch.tensor([uniform], dtype=torch.float64), 1.0).item() == 3


def test_what_cannot_be_is_told(model):
    prompts, lengths = ragged((2, 5))
    random = generator(0)
    with pytest.raises(ValueError, match="prompt of 5 tokens and a response of 56 do not fit a context of 60"):
        generate(model, prompts, lengths, 56, END, 1.0, random)
    with pytest.raises(ValueError, match="at least one token, not 0"):
        generate(model, prompts, lengths, 0, END, 1.0, random)
    for few_or_many in ([0, 5], [2, 6]):
        with pytest.raises(ValueError, match="a prompt has 1 to 5 tokens here"):
            generate(model, prompts, torch.tensor(few_or_many), 3, END, 1.0, random)
    with pytest.raises(ValueError, match="temperature"):
        generate(model, prompts, lengths, 3, END, -1.0, random)
    assert torch.equal(random.get_state(), generator(0).get_state())
    with pytest.raises(ArithmeticError, match="not finite"):
        generate(Constant([math.nan, 0.0, 0.0]), prompts, lengths, 3, 2, 1.0, random)


def test_the_whole_context_can_be_used(model):
    found = generate(model, *ragged((5,)), CONTEXT - 5, VOCABULARY, 1.0, generator(0))  # no token ends it
    assert found.tokens.shape == (1, CONTEXT)
